"""What a connection to a Tryton must be given, and how it is built of that."""

from __future__ import annotations

from typing import Final
from zoneinfo import available_timezones

from connectors.declaring import ConnectorSetting, Given
from connectors.erp.declaring import ErpConnector
from connectors.erp.tryton.client import TrytonConfig
from connectors.erp.tryton.connector import Tryton
from connectors.errors import Misconfigured

_PAYMENT_METHOD: Final = "Duly"


def _connect(given: Given) -> Tryton:
    time_zone = given.optional("time_zone") or "UTC"
    if time_zone not in available_timezones():
        raise Misconfigured(f"{time_zone} is no time zone's name: Europe/Berlin is one.")
    config = TrytonConfig(
        base_url=given.base_url or given.one("address"),
        database=given.one("database"),
        user=given.one("user"),
        password=given.one("password"),
        payment_method=given.optional("payment_method") or _PAYMENT_METHOD,
        time_zone=time_zone,
    )
    return Tryton(config)


connector: Final = ErpConnector(
    name="tryton",
    title="Tryton",
    settings=(
        ConnectorSetting(name="address", label="Address", help="Such as https://tryton.example.com, without the database."),
        ConnectorSetting(name="database", label="Database", help="As it is chosen when people sign in."),
        ConnectorSetting(name="user", label="User", help="A user of Duly's own: group Accounting, one company."),
        ConnectorSetting(name="password", label="Password", is_secret=True),
        ConnectorSetting(
            name="payment_method",
            label="Payment method",
            help="Its journal and accounts are where Duly's payments are written. Duly where nothing is said.",
            is_optional=True,
        ),
        ConnectorSetting(
            name="time_zone",
            label="Time zone of customers",
            help="An IANA name such as Europe/Berlin: Tryton's parties have none. UTC where nothing is said.",
            is_optional=True,
        ),
    ),
    build=_connect,
    ran_against="Tryton 8.2 with account_invoice on PostgreSQL, in the tests' own company.",
    page="how-to/tryton.md",
)
