"""Documents of Duly's in QuickBooks's books, by their references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connectors.erp.quickbooks import references, wire
from connectors.erp.quickbooks.client import QuickBooksClient
from connectors.erp.quickbooks.documents import ENTRY, MEMO, Documents, Payment, currency_of, payment
from domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A journal entry of ours: money that went back (`is_out`), or came again, for a payment of ours."""

    id: str
    row: wire.Wire
    reference: str
    about: str
    customer: str
    amount: Money
    is_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A document that bears a reference of ours. A mark on another document is one, too: `holder` has it."""

    id: str
    number: str
    reference: str
    amount: Money
    customer: str
    stands: bool = True
    is_finished: bool = True
    holder: Payment | None = None
    entry: Entry | None = None


class Finding:
    """Look-ups by reference. Each raises ConnectorError, and KeyError, TypeError or ValueError on what is malformed."""

    def __init__(self, client: QuickBooksClient, documents: Documents) -> None:
        self._client = client
        self._documents = documents

    async def documents(self, reference: str) -> list[Found]:
        """Every document that bears the reference, the oldest first."""
        own = await self.payments_of(reference)
        found = [of_payment(each, reference) for each in own if each.reference == reference]
        found += [each for holder in own for each in _marks(holder, reference)]
        return found or await self._entered(reference) or await self._marked_elsewhere(reference)

    async def written(self, reference: str) -> list[Found]:
        """Documents of their own that bear the reference, without the marks on others: whoever writes one looks there."""
        found = [of_payment(each, reference) for each in await self.payments_of(reference) if each.reference == reference]
        return found or await self._entered(reference)

    async def _entered(self, reference: str) -> list[Found]:
        return [await self._of_entry(each) for each in await self.entries(reference)]

    async def payments_of(self, reference: str) -> list[Payment]:
        """Payments that Duly wrote for the same payment or request."""
        home = await self._documents.home()
        wanted = references.number(references.owner(reference))
        rows = await self._client.rows("Payment", f"PaymentRefNum = '{wanted}'")
        found = [payment(row, home) for row in rows]
        return sorted((each for each in found if each.reference is not None), key=lambda each: int(each.id))

    async def payment(self, reference: str) -> Payment | None:
        """The standing payment of that very reference, read by its id, so that nothing of it is late."""
        for each in await self.payments_of(reference):
            if each.reference == reference:
                fresh = (await self._documents.payments([each.id])).get(each.id)
                if fresh is not None and fresh.stands and fresh.reference == reference:
                    return fresh
        return None

    async def entries(self, reference: str) -> list[Entry]:
        """Journal entries of that very reference."""
        home = await self._documents.home()
        rows = await self._client.rows(ENTRY, f"DocNumber = '{references.number(reference)}'")
        found = [each for row in rows if (each := entry_of(row, home)) is not None and each.reference == reference]
        return sorted(found, key=lambda each: int(each.id))

    async def _of_entry(self, entry: Entry) -> Found:
        """It is whole once its payment is linked with it; where that payment is gone, nothing is left to be done."""
        holder = await self.payment(entry.about)
        is_linked = holder is None or any(link.kind == ENTRY and link.id == entry.id for link in holder.links)
        return Found(
            id=f"journal-{entry.id}",
            number=str(entry.row["DocNumber"]),
            reference=entry.reference,
            amount=entry.amount,
            customer=entry.customer,
            is_finished=is_linked,
            holder=holder,
            entry=entry,
        )

    async def _marked_elsewhere(self, reference: str) -> list[Found]:
        """A mark on a document of a person's: none of its fields can be asked for, but it changed after the reference was
        made.
        """
        since = references.begun_at(reference)
        if since is None:
            return []
        home = await self._documents.home()
        condition = f"MetaData.LastUpdatedTime >= '{wire.told(since)}'"
        found: list[Found] = []
        for row in await self._client.every("Payment", condition):
            found += _marks(payment(row, home), reference)
        for row in [] if found else await self._client.every(MEMO, condition):
            note = str(row.get("PrivateNote") or "")
            number = str(row.get("DocNumber") or row["Id"])
            for each in _marks_in(note, reference, f"memo-{row['Id']}", number, row, home):
                is_finished = await self._is_as_planned(note, reference, each.amount.currency)
                found.append(replace(each, is_finished=is_finished))
        return found

    async def _is_as_planned(self, note: str, reference: str, currency: str) -> bool:
        """Whether what a mark says is where it shall be; a payment with nothing left is gone."""
        for mark in references.marks_of(note):
            if mark.reference == reference:
                standing = await self._documents.payments(mark.plan)
                for each, onto in mark.plan.items():
                    shall = {at: wire.amount(amount, currency) for at, amount in onto.items()}
                    lies = standing[each].onto() if each in standing else {}
                    if lies != {at: amount for at, amount in shall.items() if amount.minor}:
                        return False
        return True


def entry_of(row: wire.Wire, home: str) -> Entry | None:
    """A journal entry of ours; None for anybody else's. Raises KeyError, TypeError, ValueError."""
    head = references.head_of(str(row.get("PrivateNote") or ""))
    if head is None or head[1] is None:
        return None
    for line in row.get("Line", ()):
        detail = line.get("JournalEntryLineDetail", {})
        if "Entity" in detail:
            return Entry(
                id=str(row["Id"]),
                row=row,
                reference=head[0],
                about=head[1],
                customer=str(detail["Entity"]["EntityRef"]["value"]),
                amount=wire.amount(line["Amount"], currency_of(row, home)),
                is_out=detail["PostingType"] == "Debit",
            )
    return None


def of_payment(found: Payment, reference: str) -> Found:
    """A payment of ours. One that puts a credit on invoices has no money of its own: what it moves is its amount."""
    moved = found.total
    for amount in () if moved.minor else found.onto().values():
        moved += amount
    return Found(
        id=f"payment-{found.id}",
        number=str(found.row.get("PaymentRefNum") or found.id),
        reference=reference,
        amount=moved,
        customer=found.customer,
        stands=found.stands,
        holder=found,
    )


def _marks(holder: Payment, reference: str) -> Sequence[Found]:
    number = str(holder.row.get("PaymentRefNum") or holder.id)
    currency = {"CurrencyRef": {"value": holder.total.currency}, "CustomerRef": {"value": holder.customer}}
    return _marks_in(holder.note, reference, f"payment-{holder.id}", number, currency, holder.total.currency)


def _marks_in(note: str, reference: str, erp_id: str, number: str, row: wire.Wire, home: str) -> list[Found]:
    return [
        Found(
            id=erp_id,
            number=number,
            reference=reference,
            amount=wire.amount(each.amount, currency_of(row, home)),
            customer=str(row["CustomerRef"]["value"]),
            stands=not note.startswith("Voided"),
        )
        for each in references.marks_of(note)
        if each.reference == reference
    ]
