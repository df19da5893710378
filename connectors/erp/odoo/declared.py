"""What a connection to an Odoo must be given, and how it is built of that."""

from __future__ import annotations

from typing import Final
from zoneinfo import available_timezones

from connectors.declaring import ConnectorSetting, Given
from connectors.erp.declaring import ErpConnector
from connectors.erp.odoo.client import OdooConfig
from connectors.erp.odoo.connector import Odoo
from connectors.errors import Misconfigured


def _connect(given: Given) -> Odoo:
    time_zone = given.optional("time_zone") or "UTC"
    if time_zone not in available_timezones():
        raise Misconfigured(f"{time_zone} is no time zone's name: Europe/Berlin is one.")
    config = OdooConfig(
        base_url=given.base_url or given.one("address"),
        database=given.one("database"),
        user=given.one("user"),
        api_key=given.one("api_key"),
        is_json2=(given.optional("version") or "19") == "19",
        journal=given.optional("journal") or "DULY",
        entry_journal=given.optional("entry_journal") or "MISC",
        time_zone=time_zone,
    )
    return Odoo(config)


connector: Final = ErpConnector(
    name="odoo",
    title="Odoo",
    settings=(
        ConnectorSetting(name="address", label="Address", help="Such as https://books.example.com, without a path."),
        ConnectorSetting(
            name="version",
            label="Version",
            help="19 and later are spoken to by JSON-2, the others by JSON-RPC.",
            choices=(("19", "19 or later"), ("14", "14 to 18")),
        ),
        ConnectorSetting(name="database", label="Database", help="As it is named where people sign in."),
        ConnectorSetting(name="user", label="User", help="The login of a user of Duly's own: Invoicing, one company."),
        ConnectorSetting(
            name="api_key", label="API key", is_secret=True, help="Made by that user: Preferences, Account Security."
        ),
        ConnectorSetting(
            name="journal",
            label="Journal of payments",
            help="The short code of a bank journal, where Duly's payments are written. DULY where nothing is said.",
            is_optional=True,
        ),
        ConnectorSetting(
            name="entry_journal",
            label="Journal of entries",
            help="The short code of a general journal, for what moves no money. MISC where nothing is said.",
            is_optional=True,
        ),
        ConnectorSetting(
            name="time_zone",
            label="Time zone of customers",
            help="An IANA name such as Europe/Berlin, for customers who have none in Odoo. UTC where nothing is said.",
            is_optional=True,
        ),
    ),
    build=_connect,
    ran_against="a simulator of Odoo 14 to 19 written from its documentation and sources; never against the vendor.",
    page="how-to/odoo.md",
)
