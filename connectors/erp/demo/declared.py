"""What a connection to a demo ERP must be given, and how it is built of that."""

from __future__ import annotations

from typing import Final

from connectors.declaring import ConnectorSetting, Given
from connectors.erp.declaring import ErpConnector
from connectors.erp.demo.client import DemoErpConfig
from connectors.erp.demo.connector import DemoErp
from connectors.errors import Misconfigured

_LIFE_SECONDS: Final = "30"


def _connect(given: Given) -> DemoErp:
    life = given.optional("request_life_seconds") or _LIFE_SECONDS
    if not (life.isascii() and life.isdigit()):
        raise Misconfigured("How long a request lives is a whole number of seconds.")
    config = DemoErpConfig(
        base_url=given.base_url or given.one("address"), api_key=given.one("api_key"), request_life_seconds=int(life)
    )
    return DemoErp(config)


connector: Final = ErpConnector(
    name="demo",
    title="Demo ERP",
    settings=(
        ConnectorSetting(name="address", label="Address", help="Where the demo ERP runs."),
        ConnectorSetting(name="api_key", label="API key", is_secret=True),
        ConnectorSetting(
            name="request_life_seconds",
            label="Seconds a request lives",
            help="How long a request of Duly's can still take effect after Duly stopped waiting. 30 where nothing is said.",
            is_optional=True,
        ),
    ),
    build=_connect,
    ran_against="the demo ERP that comes with Duly.",
    only_tests=True,
)
