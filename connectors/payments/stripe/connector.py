"""What a connection to Stripe must be given, in words for staff, and how it is built of that."""

from __future__ import annotations

from typing import Any, Final

from connectors.payments.declaring import ConnectionSettings, ConnectorSetting, PaymentConnector
from connectors.payments.stripe.client import StripeConfig
from connectors.payments.stripe.provider import StripeProvider, build
from connectors.payments.stripe.webhooks import CLAIMS
from domain.methods import MethodKind

_SETTINGS: Final = (
    ConnectorSetting(
        name="api_key",
        label="API key",
        help="A restricted key (rk_…) or a secret key (sk_…), from Developers, API keys.",
        is_secret=True,
    ),
    ConnectorSetting(
        name="webhook_secret",
        label="Webhook signing secret",
        help="whsec_…, from Developers, Webhooks, once the address for events is entered there.",
        is_secret=True,
        is_rotated=True,
    ),
    ConnectorSetting(
        name="account",
        label="Account id",
        help="acct_…; with it, events and keys of any other account are refused.",
        is_optional=True,
    ),
)


def _connect(given: ConnectionSettings) -> StripeProvider:
    elsewhere: dict[str, Any] = {}
    if given.base_url is not None:
        elsewhere = {"base_url": given.base_url, "page_origins": frozenset({given.base_url})}
    config = StripeConfig(
        api_key=given.one("api_key"),
        webhook_secrets=given.every("webhook_secret"),
        is_live=given.is_live,
        account=given.optional("account"),
        kinds=given.kinds,
        **elsewhere,
    )
    return build(config)


connector: Final = PaymentConnector(
    name="stripe",
    title="Stripe",
    settings=_SETTINGS,
    build=_connect,
    kinds=(MethodKind.CARD, MethodKind.US_BANK_ACCOUNT, MethodKind.SEPA_DEBIT),
    events=tuple(CLAIMS),
    calls_per_second=20,  # a test account's limit is 25; a live one's 100
    page="how-to/stripe.md",
)
