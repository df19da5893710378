"""What a connection to NetSuite must be given, and how it is built of that."""

from __future__ import annotations

import re
from typing import Final
from zoneinfo import available_timezones

from connectors.declaring import ConnectorSetting, Given
from connectors.erp.declaring import ErpConnector
from connectors.erp.netsuite.client import NetSuiteConfig
from connectors.erp.netsuite.connector import NetSuite
from connectors.erp.netsuite.documents import is_number
from connectors.errors import Misconfigured

_ACCOUNT: Final = re.compile(r"[0-9A-Za-z]+(?:[_-](?:SB|sb|RP|rp)?\d+)?")


def _connect(given: Given) -> NetSuite:
    account = given.one("account").strip()
    if not _ACCOUNT.fullmatch(account):
        raise Misconfigured("The account ID of NetSuite is one such as 1234567 or 1234567_SB1.")
    for name in ("deposit_account", "receivable_account"):
        if not is_number(given.one(name)):
            raise Misconfigured("Accounts of NetSuite are named by their internal ids, which are numbers.")
    zones = {name: given.optional(name) or "UTC" for name in ("time_zone", "customers_time_zone")}
    for zone in zones.values():
        if zone not in available_timezones():
            raise Misconfigured(f"{zone} is no time zone's name: America/New_York is one.")
    host = account.lower().replace("_", "-")
    config = NetSuiteConfig(
        base_url=given.base_url or f"https://{host}.suitetalk.api.netsuite.com",
        client_id=given.one("client_id"),
        certificate_id=given.one("certificate_id"),
        private_key=given.one("private_key"),
        deposit_account=given.one("deposit_account"),
        receivable_account=given.one("receivable_account"),
        time_zone=zones["time_zone"],
        customers_time_zone=zones["customers_time_zone"],
    )
    return NetSuite(config)


connector: Final = ErpConnector(
    name="netsuite",
    title="NetSuite",
    settings=(
        ConnectorSetting(
            name="account", label="Account ID", help="Setup, Company, Company Information: such as 1234567_SB1."
        ),
        ConnectorSetting(name="client_id", label="Client ID", help="Of the integration record of Duly's own."),
        ConnectorSetting(name="certificate_id", label="Certificate ID", help="Of the mapping of Duly's certificate."),
        ConnectorSetting(
            name="private_key", label="Private key", help="The PEM text that belongs to the certificate.", is_secret=True
        ),
        ConnectorSetting(
            name="deposit_account", label="Deposit account", help="Internal id of the account that payments go to."
        ),
        ConnectorSetting(
            name="receivable_account", label="Receivables account", help="Internal id of the account that customers owe on."
        ),
        ConnectorSetting(
            name="time_zone",
            label="Time zone of Duly's user",
            help="An IANA name, as in that user's preferences in NetSuite.",
        ),
        ConnectorSetting(
            name="customers_time_zone",
            label="Time zone of customers",
            help="An IANA name: NetSuite's customers have none. UTC where nothing is said.",
            is_optional=True,
        ),
    ),
    build=_connect,
    ran_against="a simulator of NetSuite written from its documentation; never against the vendor.",
    page="how-to/netsuite.md",
)
