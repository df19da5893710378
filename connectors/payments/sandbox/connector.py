"""What a connection to a sandbox provider must be given, and how it is built of that."""

from __future__ import annotations

from typing import Final

from connectors.errors import Misconfigured
from connectors.payments.declaring import ConnectionSettings, ConnectorSetting, PaymentConnector
from connectors.payments.sandbox.client import SandboxConfig
from connectors.payments.sandbox.provider import SandboxProvider, build
from domain.methods import MethodKind


def _connect(given: ConnectionSettings) -> SandboxProvider:
    if given.is_live:
        raise Misconfigured("A sandbox provider moves no money: a live connection cannot be one.")
    config = SandboxConfig(
        base_url=given.base_url or given.one("address"),
        api_key=given.one("api_key"),
        webhook_secrets=given.every("webhook_secret"),
    )
    return build(config)


connector: Final = PaymentConnector(
    name="sandbox",
    title="Sandbox",
    settings=(
        ConnectorSetting(name="address", label="Address", help="Where the sandbox provider runs."),
        ConnectorSetting(name="api_key", label="API key", is_secret=True),
        ConnectorSetting(name="webhook_secret", label="Webhook secret", is_secret=True, is_rotated=True),
    ),
    build=_connect,
    kinds=(MethodKind.CARD, MethodKind.US_BANK_ACCOUNT, MethodKind.SEPA_DEBIT, MethodKind.BACS_DEBIT),
    only_tests=True,
)
