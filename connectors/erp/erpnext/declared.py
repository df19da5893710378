"""What a connection to ERPNext must be given, and how it is built of that."""

from __future__ import annotations

from typing import Final

from connectors.declaring import ConnectorSetting, Given
from connectors.erp.declaring import ErpConnector
from connectors.erp.erpnext.client import ErpNextConfig
from connectors.erp.erpnext.connector import ErpNext
from connectors.errors import Misconfigured


def _connect(given: Given) -> ErpNext:
    accounts = tuple(dict.fromkeys(each.strip() for each in given.one("deposit_accounts").split(";") if each.strip()))
    if not accounts:
        raise Misconfigured("Say at least one account for Duly's payments.")
    config = ErpNextConfig(
        base_url=given.base_url or given.one("address"),
        api_key=given.one("api_key"),
        api_secret=given.one("api_secret"),
        company=given.one("company"),
        deposit_accounts=accounts,
    )
    return ErpNext(config)


connector: Final = ErpConnector(
    name="erpnext",
    title="ERPNext",
    settings=(
        ConnectorSetting(name="address", label="Address", help="Such as https://erp.example.com, without a path."),
        ConnectorSetting(name="api_key", label="API key", help="Of a user of Duly's own: its settings, API Access."),
        ConnectorSetting(name="api_secret", label="API secret", is_secret=True),
        ConnectorSetting(name="company", label="Company", help="Its name as ERPNext writes it."),
        ConnectorSetting(
            name="deposit_accounts",
            label="Accounts for payments",
            help="Where Duly's payments are written, such as Duly Clearing - ACME; one for each currency, with ; between.",
        ),
    ),
    build=_connect,
    ran_against="a simulator of it written from its documentation and its public source; never against ERPNext itself.",
    page="how-to/erpnext.md",
)
