"""What a connection to GoCardless can do: debits by mandate, and payments that the customer approves at the bank."""

from __future__ import annotations

from typing import Final

from connectors.payments.gocardless.client import GoCardlessConfig
from connectors.payments.gocardless.translate import SCHEMES
from connectors.payments.ports import Capability
from domain.methods import MethodKind

_DEBIT: Final = (
    Capability.SET_UP | Capability.CHARGE_SAVED | Capability.REFUND | Capability.SETTLES_LATER | Capability.CAN_RETURN
)
_INSTANT: Final = Capability.PAY_ONCE | Capability.PAY_ONCE_AND_SAVE | Capability.REFUND


def of(config: GoCardlessConfig, kind: MethodKind, currency: str) -> Capability:
    """Each bank debit in its own currency, by mandate; pages where the account takes instant payments."""
    if kind not in config.kinds:
        return Capability.NONE
    if kind is MethodKind.INSTANT_BANK:
        return _INSTANT if currency in config.instant_currencies else Capability.NONE
    return _DEBIT if kind in SCHEMES and SCHEMES[kind][1] == currency else Capability.NONE
