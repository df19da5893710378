"""What a connection to Xero must be given, whose consent it needs, and how it is built of that."""

from __future__ import annotations

from typing import Final
from zoneinfo import available_timezones

from connectors.declaring import ConnectorSetting, Given
from connectors.erp.declaring import Consent, Consented, ErpConnector
from connectors.erp.rests import seconds_between_reads
from connectors.erp.xero import consent
from connectors.erp.xero.client import API, READ_EVERY_SECONDS, XeroConfig
from connectors.erp.xero.connector import Xero
from connectors.errors import Misconfigured


def keys_of(given: Given) -> consent.Keys:
    """Our app at Xero."""
    there = given.base_url
    return consent.Keys(
        client_id=given.one("client_id"),
        client_secret=given.one("client_secret"),
        login_url=there or consent.LOGIN,
        identity_url=there or consent.IDENTITY,
        connections_url=there or consent.CONNECTIONS,
    )


def _connect(given: Given) -> Xero:
    time_zone = given.optional("time_zone") or "UTC"
    if time_zone not in available_timezones():
        raise Misconfigured(f"{time_zone} is no time zone's name: Europe/Berlin is one.")
    config = XeroConfig(
        keys=keys_of(given),
        organisation=given.optional("organisation"),
        deposit_account=given.one("deposit_account"),
        time_zone=time_zone,
        api_url=given.base_url or API,
        read_every_seconds=seconds_between_reads(given.optional("read_every_seconds"), otherwise=READ_EVERY_SECONDS),
        tokens=given.tokens,
    )
    return Xero(config)


def _address(given: Given, state: str, way_back: str) -> str:
    return consent.address(keys_of(given), state, way_back)


async def _exchanged(given: Given, code: str, way_back: str) -> Consented:
    return await consent.exchanged(keys_of(given), code, way_back)


connector: Final = ErpConnector(
    name="xero",
    title="Xero",
    settings=(
        ConnectorSetting(name="client_id", label="Client ID", help="Of the app that you made at developer.xero.com."),
        ConnectorSetting(name="client_secret", label="Client secret", is_secret=True),
        ConnectorSetting(
            name="deposit_account",
            label="Bank account",
            help="The code of the account in Xero that Duly's payments go to, such as 090: one for Duly alone.",
        ),
        ConnectorSetting(
            name="time_zone",
            label="Time zone of customers",
            help="An IANA name such as Europe/Berlin: Xero's contacts have none. UTC where nothing is said.",
            is_optional=True,
        ),
        ConnectorSetting(
            name="read_every_seconds",
            label="Seconds between reads",
            help="Xero takes 5,000 calls a day, and a read needs up to eight. 300 where nothing is said.",
            is_optional=True,
        ),
    ),
    build=_connect,
    ran_against="a simulator of it, written from its documentation and specification; never against Xero itself.",
    page="how-to/xero.md",
    consent=Consent(address=_address, exchange=_exchanged, learns=(consent.ORGANISATION,)),
)
