"""What a document of Duly's shall change in Xero, written down before anything is done: resumed by who comes after a crash.

A plan says how much of which money lies on which invoice in the end, never how much is to be added: carrying it out twice
changes nothing the second time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from connectors.erp.xero import wire
from connectors.erp.xero.documents import Source, SourceKey
from connectors.errors import Rejected
from domain.money import Money, total

_HEAD: Final = "Duly keeps what it does here. Please leave this draft alone."


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Money of one source on one invoice: what lay there, and what shall."""

    source: SourceKey
    invoice: str
    before: Money
    after: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """Money of one source that is paid out."""

    source: SourceKey
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`amount` is the document's own; `about` the reference of the payment (or the credit's id) that it is about."""

    reference: str
    about: str
    amount: Money
    on: date
    places: tuple[Place, ...]
    outs: tuple[Out, ...]

    def lines(self) -> list[str]:
        """As descriptions of lines of a draft."""
        head = {"about": self.about, "amount": self.amount.plain(), "currency": self.amount.currency, "on": str(self.on)}
        places = [
            {"of": each.source.text, "invoice": each.invoice, "was": each.before.plain(), "is": each.after.plain()}
            for each in self.places
        ]
        outs = [{"of": each.source.text, "out": each.amount.plain()} for each in self.outs]
        return [f"{_HEAD} {json.dumps(head)}", *(json.dumps(each) for each in (*places, *outs))]

    @classmethod
    def read(cls, reference: str, said: str) -> Plan:
        """The plan that a draft holds. Raises ValueError, KeyError."""
        first, *rest = said.splitlines()
        head = json.loads(first.removeprefix(_HEAD))
        currency = head["currency"]
        places, outs = [], []
        for each in map(json.loads, rest):
            key = SourceKey.parsed(each["of"])
            if key is None:
                raise ValueError("a plan of something that is none of Xero's")
            if "out" in each:
                outs.append(Out(source=key, amount=wire.amount(each["out"], currency)))
            else:
                before, after = wire.amount(each["was"], currency), wire.amount(each["is"], currency)
                places.append(Place(source=key, invoice=each["invoice"], before=before, after=after))
        return cls(
            reference=reference,
            about=head["about"],
            amount=wire.amount(head["amount"], currency),
            on=date.fromisoformat(head["on"]),
            places=tuple(places),
            outs=tuple(outs),
        )

    def undone(self) -> Plan:
        """Everything back where it lay, and nothing paid out."""
        back = tuple(replace(each, before=each.after, after=each.before) for each in self.places)
        return replace(self, places=back, outs=())


class Till:
    """The money of one payment, or one credit, while a plan is made: what is moved is moved here first."""

    def __init__(self, sources: Sequence[Source], name: str) -> None:
        self._sources = [each for each in sources if each.stands]
        self._name = name
        self._left = {each.key: each.left for each in self._sources}
        self._lies = {
            (each.key, part.invoice): each.on_invoice(part.invoice) for each in self._sources for part in each.allocations
        }
        self._before = dict(self._lies)
        self._outs: dict[SourceKey, Money] = {}

    def left(self, currency: str) -> Money:
        """What lies on no invoice."""
        return total(self._left.values(), currency=currency)

    def lying(self, currency: str) -> dict[str, Money]:
        """What lies on each invoice."""
        found: dict[str, Money] = {}
        for (_, invoice), amount in self._lies.items():
            found[invoice] = found.get(invoice, Money.zero(currency)) + amount
        return {invoice: amount for invoice, amount in found.items() if amount.minor}

    def take(self, invoice: str, amount: Money) -> None:
        """Off an invoice. Raises Rejected where not that much of it lies there."""
        for (key, where), there in list(self._lies.items()):
            part = min(there, amount) if where == invoice else Money.zero(amount.currency)
            self._lies[key, where] = there - part
            self._left[key] += part
            amount -= part
        if amount.minor:
            raise Rejected("NOT_APPLIED", f"{self._name} does not have that much on invoice {invoice}.")

    def put(self, invoice: str, amount: Money) -> None:
        """On an invoice. Raises Rejected where not that much is left."""
        for key in self._left:
            part = self._used(key, amount)
            where = (key, invoice)
            self._lies[where] = self._lies.get(where, Money.zero(amount.currency)) + part
            amount -= part
        self._all_there(amount)

    def pay_out(self, amount: Money) -> None:
        """Back to the customer. Raises Rejected where not that much is left."""
        for key in self._left:
            part = self._used(key, amount)
            if part.minor:
                self._outs[key] = self._outs.get(key, Money.zero(amount.currency)) + part
            amount -= part
        self._all_there(amount)

    def plan(self, reference: str, about: str, amount: Money, on: date) -> Plan:
        """What was moved, as a plan."""
        zero = Money.zero(amount.currency)
        places = tuple(
            Place(source=key, invoice=invoice, before=self._before.get((key, invoice), zero), after=after)
            for (key, invoice), after in self._lies.items()
            if after != self._before.get((key, invoice), zero)
        )
        outs = tuple(Out(source=key, amount=part) for key, part in self._outs.items())
        return Plan(reference=reference, about=about, amount=amount, on=on, places=places, outs=outs)

    def _used(self, key: SourceKey, amount: Money) -> Money:
        part = min(self._left[key], amount)
        self._left[key] -= part
        return part

    def _all_there(self, rest: Money) -> None:
        if rest.minor:
            raise Rejected("NOT_UNAPPLIED", f"{self._name} does not have that much unapplied money.")
