"""What would keep a connection to Stripe from working, each in a sentence for staff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.errors import Misconfigured
from connectors.payments.ports import ConfigurationProblem
from connectors.payments.stripe.client import Client, StripeConfig
from connectors.payments.stripe.webhooks import CLAIMS
from domain.methods import MethodKind

_CAPABILITY: Final[Mapping[MethodKind, str]] = {
    MethodKind.CARD: "card_payments",
    MethodKind.US_BANK_ACCOUNT: "us_bank_account_ach_payments",
    MethodKind.SEPA_DEBIT: "sepa_debit_payments",
    MethodKind.BACS_DEBIT: "bacs_debit_payments",
}


async def problems(client: Client, config: StripeConfig) -> tuple[ConfigurationProblem, ...]:
    """Whether our key is accepted, the account may take money, and events are told. Raises Unavailable."""
    try:
        account = (await client.get("/v1/account")).body
    except Misconfigured as refused:
        return (ConfigurationProblem(code="api_key", sentence=str(refused), is_fatal=True),)
    found = []
    if config.account is not None and account.get("id") != config.account:
        sentence = "This key belongs to another account of Stripe's."
        found.append(ConfigurationProblem(code="account", sentence=sentence, is_fatal=True))
    if account.get("charges_enabled") is False:
        sentence = "Stripe does not let this account take payments yet."
        found.append(ConfigurationProblem(code="charges", sentence=sentence, is_fatal=True))
    has = account.get("capabilities")
    for kind in sorted(config.kinds):
        state = has.get(_CAPABILITY[kind]) if isinstance(has, dict) else "active"
        if state != "active":
            sentence = f"Stripe has not switched on {kind.value} for this account ({state or 'not asked for'})."
            found.append(ConfigurationProblem(code="method_kind", sentence=sentence))
    return (*found, *await _of_webhooks(client))


async def _of_webhooks(client: Client) -> tuple[ConfigurationProblem, ...]:
    try:
        listed = (await client.get("/v1/webhook_endpoints", {"limit": 100})).body.get("data")
    except Misconfigured:
        return ()  # a restricted key need not be allowed to read them
    endpoints: list[Mapping[str, Any]] = [each for each in listed or [] if isinstance(each, dict)]
    told = {kind for each in endpoints if each.get("status") == "enabled" for kind in each.get("enabled_events") or ()}
    missing = [] if "*" in told else [kind for kind in CLAIMS if kind not in told]
    if not told:
        sentence = "Stripe knows no address to deliver events to; Duly will only learn by asking."
        return (ConfigurationProblem(code="webhook_url", sentence=sentence),)
    if missing:
        sentence = f"These events are not switched on at Stripe: {', '.join(missing)}."
        return (ConfigurationProblem(code="webhook_events", sentence=sentence),)
    return ()
