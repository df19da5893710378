"""What a connection to QuickBooks Online must be given, and how it is built of that."""

from __future__ import annotations

from typing import Final
from zoneinfo import available_timezones

import httpx

from connectors.declaring import ConnectorSetting, Given
from connectors.erp.declaring import Consent, Consented, ErpConnector
from connectors.erp.quickbooks.client import LIVE, LOGIN, READ_EVERY_SECONDS, SANDBOX, QuickBooksConfig
from connectors.erp.quickbooks.connector import QuickBooks
from connectors.erp.quickbooks.tokens import CONSENT, Keys, address, traded
from connectors.erp.rests import seconds_between_reads
from connectors.errors import Misconfigured
from connectors.trust import trusted

_TIMEOUT_SECONDS: Final = 8
_DEPOSIT: Final = "Undeposited Funds"


def keys_of(given: Given) -> Keys:
    """Our app at Intuit."""
    return Keys(
        client_id=given.one("client_id"),
        client_secret=given.one("client_secret"),
        consent_url=given.base_url or CONSENT,
        login_url=given.base_url or LOGIN,
    )


def _address(given: Given, state: str, way_back: str) -> str:
    return address(keys_of(given), state, way_back)


async def _exchanged(given: Given, code: str, way_back: str) -> Consented:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": way_back}
    async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False, verify=trusted()) as http:
        return Consented(tokens=await traded(http, keys_of(given), form))


def _connect(given: Given) -> QuickBooks:
    time_zone = given.optional("time_zone") or "UTC"
    if time_zone not in available_timezones():
        raise Misconfigured(f"{time_zone} is no time zone's name: America/New_York is one.")
    realm_id = given.one("realm_id").replace(" ", "")
    if not (realm_id.isascii() and realm_id.isdigit()):
        raise Misconfigured("The company ID of QuickBooks is a number.")
    if given.tokens is None:
        raise Misconfigured("QuickBooks needs somebody's consent: connect it from its page.")
    config = QuickBooksConfig(
        base_url=given.base_url or (LIVE if given.is_live else SANDBOX),
        keys=keys_of(given),
        realm_id=realm_id,
        deposit_account=given.optional("deposit_account") or _DEPOSIT,
        time_zone=time_zone,
        read_every_seconds=seconds_between_reads(given.optional("read_every_seconds"), otherwise=READ_EVERY_SECONDS),
    )
    return QuickBooks(config, given.tokens)


connector: Final = ErpConnector(
    name="quickbooks",
    title="QuickBooks Online",
    settings=(
        ConnectorSetting(
            name="realm_id", label="Company ID", help="In QuickBooks: Settings, Account and settings, Billing: a number."
        ),
        ConnectorSetting(
            name="client_id", label="Client ID", help="Of your app at developer.intuit.com, Keys & credentials."
        ),
        ConnectorSetting(name="client_secret", label="Client secret", is_secret=True),
        ConnectorSetting(
            name="deposit_account",
            label="Deposit account",
            help="Where Duly's payments wait for the bank, by its name. Undeposited Funds where nothing is said.",
            is_optional=True,
        ),
        ConnectorSetting(
            name="time_zone",
            label="Time zone of customers",
            help="An IANA name such as America/New_York: QuickBooks's customers have none. UTC where nothing is said.",
            is_optional=True,
        ),
        ConnectorSetting(
            name="read_every_seconds",
            label="Seconds between reads",
            help="Intuit's lowest tier has 500,000 reads a month for an app; a look needs six. 120 where nothing is said.",
            is_optional=True,
        ),
    ),
    build=_connect,
    ran_against="a simulator of QuickBooks Online written from its documentation; never against the vendor.",
    page="how-to/quickbooks.md",
    consent=Consent(address=_address, exchange=_exchanged),
)
