"""What a connection to Business Central must be given, and how it is built of that."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote
from zoneinfo import available_timezones

from connectors.declaring import ConnectorSetting, Given
from connectors.erp.business_central.client import BusinessCentralConfig
from connectors.erp.business_central.connector import BusinessCentral
from connectors.erp.declaring import ErpConnector
from connectors.errors import Misconfigured

_API: Final = "https://api.businesscentral.dynamics.com/v2.0"
_ENTRA: Final = "https://login.microsoftonline.com"


def _connect(given: Given) -> BusinessCentral:
    tenant, environment = quote(given.one("tenant"), safe=""), quote(given.one("environment"), safe="")
    time_zone = given.optional("time_zone") or "UTC"
    if time_zone not in available_timezones():
        raise Misconfigured(f"{time_zone} is no time zone's name: Europe/Berlin is one.")
    config = BusinessCentralConfig(
        base_url=given.base_url or f"{_API}/{tenant}/{environment}",
        token_url=f"{given.base_url or _ENTRA}/{tenant}/oauth2/v2.0/token",
        client_id=given.one("client_id"),
        client_secret=given.one("client_secret"),
        company=given.one("company"),
        balancing_account=given.one("balancing_account"),
        time_zone=time_zone,
    )
    return BusinessCentral(config)


connector: Final = ErpConnector(
    name="business_central",
    title="Business Central",
    settings=(
        ConnectorSetting(name="tenant", label="Tenant", help="The directory's id or domain in Entra."),
        ConnectorSetting(name="environment", label="Environment", help="Such as Production."),
        ConnectorSetting(name="company", label="Company", help="Its name as Business Central writes it."),
        ConnectorSetting(name="client_id", label="Client id", help="Of the application that is registered in Entra."),
        ConnectorSetting(name="client_secret", label="Client secret", is_secret=True),
        ConnectorSetting(
            name="balancing_account",
            label="G/L account",
            help="The number of the account that Duly's payments come in on, one for money in transit.",
        ),
        ConnectorSetting(
            name="time_zone",
            label="Time zone of customers",
            help="An IANA name such as Europe/Berlin: customers have none there. UTC where nothing is said.",
            is_optional=True,
        ),
    ),
    build=_connect,
    ran_against="a simulator of it written from its documentation; never against Business Central itself.",
    page="how-to/business-central.md",
)
