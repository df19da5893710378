"""What a connection to GoCardless must be given, in words for staff, and how it is built of that."""

from __future__ import annotations

from typing import Any, Final

from connectors.payments.declaring import ConnectionSettings, ConnectorSetting, PaymentConnector
from connectors.payments.gocardless.client import GoCardlessConfig
from connectors.payments.gocardless.provider import GoCardlessProvider, build
from domain.methods import MethodKind

_INSTANT: Final = {
    "none": frozenset[str](),
    "gbp": frozenset({"GBP"}),
    "eur": frozenset({"EUR"}),
    "both": frozenset({"EUR", "GBP"}),
}
_SETTINGS: Final = (
    ConnectorSetting(
        name="access_token",
        label="Access token",
        help="live_… or sandbox_…, with read and write access, from Developers, Create access token.",
        is_secret=True,
    ),
    ConnectorSetting(
        name="webhook_secret",
        label="Webhook secret",
        help="From Developers, Webhook endpoints, once the address for events is entered there.",
        is_secret=True,
        is_rotated=True,
    ),
    ConnectorSetting(
        name="organisation",
        label="Organisation id",
        help="OR…; with it, events of any other organisation are refused.",
        is_optional=True,
    ),
    ConnectorSetting(
        name="instant",
        label="Instant bank payments",
        help="Where the account may take them. Without, customers set up a mandate and pay by it.",
        choices=(("none", "Not taken"), ("gbp", "In GBP"), ("eur", "In EUR"), ("both", "In GBP and EUR")),
    ),
    ConnectorSetting(
        name="fallback",
        label="A bank that cannot pay at once",
        help="What becomes of an instant payment that the customer's bank does not know.",
        choices=(("no", "The customer chooses another way"), ("yes", "It becomes a bank debit")),
    ),
)


def _connect(given: ConnectionSettings) -> GoCardlessProvider:
    elsewhere: dict[str, Any] = {}
    if given.base_url is not None:
        elsewhere = {"base_url": given.base_url, "page_origins": frozenset({given.base_url})}
    elif not given.is_live:
        elsewhere = {"base_url": "https://api-sandbox.gocardless.com"}
    config = GoCardlessConfig(
        access_token=given.one("access_token"),
        webhook_secrets=given.every("webhook_secret"),
        is_live=given.is_live,
        organisation=given.optional("organisation"),
        kinds=given.kinds,
        instant_currencies=_INSTANT.get(given.optional("instant") or "none", frozenset()),
        falls_back=given.optional("fallback") == "yes",
        **elsewhere,
    )
    return build(config)


connector: Final = PaymentConnector(
    name="gocardless",
    title="GoCardless",
    settings=_SETTINGS,
    build=_connect,
    kinds=(MethodKind.SEPA_DEBIT, MethodKind.BACS_DEBIT, MethodKind.US_BANK_ACCOUNT, MethodKind.INSTANT_BANK),
    countries={MethodKind.INSTANT_BANK: {"GBP": ("GB",), "EUR": ("DE", "FR")}},
    calls_per_second=15,  # a thousand a minute
    page="how-to/gocardless.md",
)
