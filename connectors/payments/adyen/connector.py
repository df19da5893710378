"""What a connection to Adyen must be given, in words for staff, and how it is built of that."""

from __future__ import annotations

from typing import Any, Final

from connectors.errors import Misconfigured
from connectors.payments.adyen.client import AdyenConfig
from connectors.payments.adyen.provider import AdyenProvider, build
from connectors.payments.adyen.webhooks import READ
from connectors.payments.declaring import ConnectionSettings, ConnectorSetting, PaymentConnector
from domain.methods import MethodKind

_SETTINGS: Final = (
    ConnectorSetting(
        name="api_key",
        label="API key",
        help="AQE…, of an API credential, from Developers, API credentials.",
        is_secret=True,
    ),
    ConnectorSetting(
        name="merchant_account",
        label="Merchant account",
        help="Its name, as it stands at the top of the Customer Area. Events of any other are refused.",
    ),
    ConnectorSetting(
        name="hmac_key",
        label="HMAC key",
        help="64 hexadecimal digits, from the standard webhook (Developers, Webhooks) to the address for events.",
        is_secret=True,
        is_rotated=True,
    ),
    ConnectorSetting(
        name="live_prefix",
        label="Prefix of live addresses",
        help="From Developers, API URLs, in the live Customer Area; for a live connection only.",
        is_optional=True,
    ),
    ConnectorSetting(
        name="presumed_after_days",
        label="Business days until a bank debit counts as settled",
        help="Adyen tells that a debit failed, never that it came. Without a chargeback it is presumed. Else 7.",
        is_optional=True,
    ),
    ConnectorSetting(
        name="page_origins",
        label="Addresses of Adyen's pages",
        help="Where pages open elsewhere than at Adyen's own: https://…, separated by spaces.",
        is_optional=True,
    ),
)


def _connect(given: ConnectionSettings) -> AdyenProvider:
    elsewhere: dict[str, Any] = {}
    if given.base_url is not None:
        elsewhere = {"base_url": given.base_url, "page_origins": frozenset({given.base_url})}
    elif (origins := given.optional("page_origins")) is not None:
        elsewhere = {"page_origins": frozenset(origins.split())}
    days = given.optional("presumed_after_days") or "7"
    if not days.isascii() or not days.isdigit() or len(days) > 2:
        raise Misconfigured("Business days until a bank debit counts as settled: a number from 1 to 60.")
    config = AdyenConfig(
        api_key=given.one("api_key"),
        merchant_account=given.one("merchant_account"),
        hmac_keys=given.every("hmac_key"),
        is_live=given.is_live,
        live_prefix=given.optional("live_prefix"),
        kinds=given.kinds,
        presumed_after_days=int(days),
        **elsewhere,
    )
    return build(config)


connector: Final = PaymentConnector(
    name="adyen",
    title="Adyen",
    settings=_SETTINGS,
    build=_connect,
    kinds=(MethodKind.CARD, MethodKind.US_BANK_ACCOUNT, MethodKind.SEPA_DEBIT),
    events=READ,
    page="how-to/adyen.md",
)
