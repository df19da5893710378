"""Documents of Duly's in NetSuite's books, by their references."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.erp.netsuite import references, wire
from connectors.erp.netsuite.client import NetSuiteClient
from connectors.erp.netsuite.documents import ENTRY, PAYMENT, Documents, Holder
from domain.ids import is_our_reference
from domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A journal entry of ours: money that went back (`is_out`), or came again, for a payment of ours."""

    id: str
    number: str
    reference: str
    about: str
    customer: str
    amount: Money
    is_out: bool
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A document that bears a reference of ours; a mark on another document is one, too."""

    id: str
    number: str
    reference: str
    amount: Money
    customer: str
    stands: bool = True
    is_finished: bool = True
    entry: Entry | None = None


class Finding:
    """Look-ups by reference. Each raises ConnectorError, and KeyError, TypeError or ValueError on what is malformed."""

    def __init__(self, client: NetSuiteClient, documents: Documents) -> None:
        self._client = client
        self._documents = documents

    async def documents(self, reference: str) -> list[Found]:
        """Every document that bears the reference: a record by its external id, which has no lag, else a mark."""
        if not is_our_reference(reference):
            return []
        found = await self.written(reference)
        return [found] if found is not None else await self._marks(reference)

    async def written(self, reference: str) -> Found | None:
        """The record that has the reference as its external id."""
        payment = await self._documents.holder(PAYMENT, f"eid:{reference}")
        if payment is not None:
            return of_payment(payment, reference)
        entry = await self.entry(reference)
        if entry is None:
            return None
        holder = await self._documents.holder(PAYMENT, f"eid:{entry.about}")
        # Where that payment is gone, nothing is left to be done.
        is_linked = holder is None or holder.is_void or entry.id in {*holder.entries, *holder.given}
        return Found(
            id=f"journal-{entry.id}",
            number=entry.number,
            reference=reference,
            amount=entry.amount,
            customer=entry.customer,
            is_finished=is_linked,
            entry=entry,
        )

    async def entry(self, reference: str) -> Entry | None:
        """The journal entry of that reference."""
        row = await self._client.get(f"/{ENTRY}/eid:{reference}")
        if row is None:
            return None
        erp_id, note = str(row["id"]), references.note_of(row.get("memo"))
        head = references.head_of(note)
        if head is None or head[1] is None:
            return None
        currency = str(row["currency"]["refName"])
        for line in await self._client.items(f"/{ENTRY}/{erp_id}/line"):
            if line.get("entity"):
                is_out = bool(line.get("debit"))
                return Entry(
                    id=erp_id,
                    number=str(row.get("tranId") or erp_id),
                    reference=reference,
                    about=head[1],
                    customer=str(line["entity"]["id"]),
                    amount=wire.amount(line["debit"] if is_out else line["credit"], currency),
                    is_out=is_out,
                    note=note,
                )
        return None

    async def _marks(self, reference: str) -> list[Found]:
        rows = await self._client.rows(
            "SELECT t.id, t.type, t.tranid, t.entity, t.memo, t.voided FROM transaction t"  # noqa: S608 - a reference, quoted
            " WHERE t.type IN ('CustPymt', 'CustCred')"
            f" AND t.memo LIKE {wire.quoted(f'%Duly moved {reference} %')} ORDER BY t.id"
        )
        return [
            Found(
                id=f"{'payment' if row['type'] == 'CustPymt' else 'memo'}-{row['id']}",
                number=str(row.get("tranid") or row["id"]),
                reference=reference,
                amount=wire.amount(mark.amount, mark.currency),
                customer=str(row["entity"]),
                stands=row.get("voided") != "T",
            )
            for row in rows
            for mark in references.marks_of(references.note_of(row.get("memo")))
            if mark.reference == reference
        ]


def of_payment(found: Holder, reference: str) -> Found:
    """A payment of ours."""
    return Found(
        id=f"payment-{found.id}",
        number=found.number,
        reference=reference,
        amount=found.total,
        customer=found.customer,
        stands=not found.is_void,
    )
