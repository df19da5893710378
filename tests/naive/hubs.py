"""How others handled money and events, as incidents tell it, in as few lines as the mistake needs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class BelievesEvents:
    """The last event that arrives is the state (adyen-magento2 607, woocommerce-gateway-stripe 902)."""

    state: str = ""

    def hear(self, claims: str) -> None:
        self.state = claims


class Rolled(Exception):
    """The database could not serialise this transaction; its framework runs it again."""


async def charge_inside_the_transaction(charge: Callable[[], Awaitable[object]], conflicts: int) -> None:
    """The provider is called inside a transaction that the framework repeats (odoo 150102, 268268)."""
    for attempt in range(conflicts + 1):
        try:
            await charge()
            if attempt < conflicts:
                raise Rolled
        except Rolled:
            continue
        return


@dataclass(slots=True)
class NewPaymentForEachPost:
    """Every submission of a form makes a payment of its own (invoiceninja 6491, frappe payments 238)."""

    made: list[str] = field(default_factory=list)

    def submit(self, _form: str) -> None:
        self.made.append(f"payment {len(self.made)}")


def minor_units_of(amount: str, _currency: str) -> int:
    """Every currency has cents (InvoicePlane 1677, Paymenter 1258)."""
    return int(float(amount) * 100)


def is_genuine(body: bytes, mark: str, secrets: Sequence[str]) -> bool:
    """A webhook is verified with whatever secret is configured, the empty one included (dj-stripe 1920, d-inference 710)."""
    return any(hmac.new(each.encode(), body, hashlib.sha256).hexdigest() == mark for each in secrets)
