"""Customers, invoices and credits of one company, as they stand now and as they changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.erp.ports import ErpCredit, ErpCustomer, ErpInvoice
from connectors.erp.sweeps import Key, Stream
from connectors.erp.tryton import translate
from connectors.erp.tryton.client import TrytonClient
from connectors.erp.tryton.documents import INVOICE_OF, POSTED_STATES, Documents, MoveLine
from domain.money import Money

PARTY: Final = 0
INVOICE: Final = 0
LINE: Final = 1
_ISSUED: Final = (("type", "=", "out"), ("state", "in", POSTED_STATES), ("number", "!=", None))
_KINDS: Final = {"invoice": INVOICE, "line": LINE}


class Reading:
    """What the connector reads. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: TrytonClient, *, time_zone: str, overlap: timedelta) -> None:
        self._client = client
        self._documents = Documents(client)
        self._time_zone = time_zone
        clock = client.clock
        self.customers = Stream(changed=self._changed_parties, read=self._customers, clock=clock, overlap=overlap)
        self.invoices = Stream(changed=self._changed_invoices, read=self._invoices, clock=clock, overlap=overlap)
        self.credits = Stream(changed=self._changed_credits, read=self._credits, clock=clock, overlap=overlap)

    async def invoices_by_id(self, ids: Iterable[int]) -> Sequence[ErpInvoice]:
        """Those invoices; what is none is left out."""
        found = await self._invoices([(INVOICE, each) for each in sorted(set(ids))])
        return list(found.values())

    async def credits_by_id(self, keys: Iterable[Key]) -> Sequence[ErpCredit]:
        """Those credits; what is none is left out."""
        found = await self._credits(sorted(set(keys)))
        return list(found.values())

    # ------------------------------------------------------------ customers

    async def _changed_parties(self, since: datetime | None, after: Key, limit: int) -> Sequence[Key]:
        if since is None:
            return await self._keys("party.party", PARTY, [("id", ">", max(after[1], 0))], limit)
        found = {row["id"] for row in await self._client.touched("party.party", since, ["id"])}
        for model in ("party.address", "party.contact_mechanism"):
            found |= {row["party"] for row in await self._client.touched(model, since, ["party"])}
        # Its first invoice says in which currency a customer buys.
        found |= {row["party"] for row in await self._client.touched("account.invoice", since, ["party"])}
        return sorted((PARTY, each) for each in found if (PARTY, each) > after)[:limit]

    async def _customers(self, keys: Sequence[Key]) -> Mapping[Key, ErpCustomer]:
        ids = [number for _, number in keys]
        companies = await self._client.rows("company.company", [], ["party", "currency.code"])
        ours = {row["party"] for row in companies}
        own = await self._client.company()
        home = next(row["currency."]["code"] for row in companies if row["id"] == own)
        parties = await self._client.rows("party.party", [("id", "in", ids)], ["name", "code", "active"], active_test=False)
        addresses = await self._client.rows("party.address", [("party", "in", ids)], ["party", "country.code"])
        mails = await self._client.rows(
            "party.contact_mechanism", [("party", "in", ids), ("type", "=", "email")], ["party", "name", "value"]
        )
        currencies: dict[int, str] = {}
        bought = [("party", "in", ids), *_ISSUED]
        for row in await self._client.rows("account.invoice", bought, ["party", "currency.code"]):
            currencies[row["party"]] = row["currency."]["code"]
        return {
            (PARTY, party["id"]): translate.customer(
                party,
                addresses=[each for each in addresses if each["party"] == party["id"]],
                mails=[each for each in mails if each["party"] == party["id"] and each["value"]],
                currency=currencies.get(party["id"], home),
                time_zone=self._time_zone,
            )
            for party in parties
            if party["id"] not in ours
        }

    # ------------------------------------------------------------ invoices

    async def _changed_invoices(self, since: datetime | None, after: Key, limit: int) -> Sequence[Key]:
        if since is None:
            wanted = [*_ISSUED, ("total_amount", ">=", _zero()), ("id", ">", max(after[1], 0))]
            return await self._keys("account.invoice", INVOICE, wanted, limit)
        found = await self._touched_invoices(since)
        return sorted((INVOICE, each) for each in found if (INVOICE, each) > after)[:limit]

    async def _touched_invoices(self, since: datetime) -> set[int]:
        """Invoices that changed, and those whose lines did: a payment need not touch the invoice that it pays."""
        found = {row["id"] for row in await self._client.touched("account.invoice", since, ["id"])}
        fields = ("invoice_payment", "move.origin", "reconciliation")
        lines = await self._client.touched("account.move.line", since, fields, ("account.type.receivable", "=", True))
        groups = sorted({row["reconciliation"] for row in lines if row["reconciliation"] is not None})
        if groups:
            lines += await self._client.rows("account.move.line", [("reconciliation", "in", groups)], fields)
        # A move is posted without a change of its lines, and they count only then.
        lines += await self._client.touched("account.move", since, ("origin", "lines.invoice_payment"))
        for row in lines:
            origin = row["move."]["origin"] if "move." in row else row["origin"]
            if origin is not None and origin.startswith(INVOICE_OF):
                found.add(int(origin.removeprefix(INVOICE_OF)))
            found |= {each["invoice_payment"] for each in row.get("lines.", [row]) if each.get("invoice_payment")}
        return found

    async def _invoices(self, keys: Sequence[Key]) -> Mapping[Key, ErpInvoice]:
        found = {
            each.id: each
            for each in (await self._documents.invoices(number for _, number in keys)).values()
            if each.total.minor >= 0
        }
        fields = ("invoice", "description", "quantity", "unit_price", "amount", "taxes")
        domain = [("invoice", "in", sorted(found)), ("type", "=", "line")]
        lines = await self._client.rows("account.invoice.line", domain, fields) if found else []
        rates = await self._rates({tax for line in lines for tax in line["taxes"]})
        by_invoice: dict[int, list[Mapping[str, Any]]] = {}
        for line in lines:
            by_invoice.setdefault(line["invoice"], []).append(line)
        return {(INVOICE, each.id): translate.invoice(each, by_invoice.get(each.id, []), rates) for each in found.values()}

    async def _rates(self, taxes: set[int]) -> Mapping[int, str]:
        if not taxes:
            return {}
        rows = await self._client.rows(
            "account.tax", [("id", "in", sorted(taxes)), ("type", "=", "percentage")], ["rate"], active_test=False
        )
        return {row["id"]: row["rate"] for row in rows}

    # ------------------------------------------------------------ credits

    async def _changed_credits(self, since: datetime | None, after: Key, limit: int) -> Sequence[Key]:
        if since is None:
            keys: list[Key] = []
            if after < (LINE, 0):
                wanted = [*_ISSUED, ("total_amount", "<", _zero()), ("id", ">", max(after[1], 0))]
                keys += await self._keys("account.invoice", INVOICE, wanted, limit)
            if len(keys) < limit:
                last = after[1] if after[0] == LINE else 0
                keys += await self._keys("account.move.line", LINE, [*credit_lines(), ("id", ">", last)], limit - len(keys))
            return keys
        invoices = await self._touched_invoices(since)
        touched = await self._client.touched(
            "account.move.line", since, ["description"], ("account.type.receivable", "=", True)
        )
        lines = {row["id"] for row in touched}
        named = [credit_key(row["description"] or "") for row in touched]
        lines |= {each[1] for each in named if each is not None and each[0] == LINE}
        invoices |= {each[1] for each in named if each is not None and each[0] == INVOICE}
        for row in await self._client.rows("account.invoice", [("id", "in", sorted(invoices))], ["payment_lines"]):
            lines.update(row["payment_lines"])
        found = [*((INVOICE, each) for each in invoices), *((LINE, each) for each in lines)]
        return sorted(key for key in found if key > after)[:limit]

    async def _credits(self, keys: Sequence[Key]) -> Mapping[Key, ErpCredit]:
        wanted = {kind: [number for each, number in keys if each == kind] for kind in (INVOICE, LINE)}
        notes = [each for each in (await self._documents.invoices(wanted[INVOICE])).values() if each.total.minor < 0]
        by_hand = await self._documents.lines(("id", "in", wanted[LINE]), *credit_lines()) if wanted[LINE] else []
        by_hand = [each for each in by_hand if is_payment_by_hand(each)]
        names = [*(f"invoice-{each.id}" for each in notes), *(f"line-{each.id}" for each in by_hand)]
        applied = await self._documents.lines(("description", "in", names), ("move.state", "=", "posted")) if names else []
        applied = [each for each in applied if each.is_ours]
        numbers = await self._numbers({each.invoice for each in (*applied, *by_hand) if each.invoice is not None})
        cancelled = await self._cancelled({each.move for each in by_hand})
        found: dict[Key, ErpCredit] = {}
        for note in notes:
            standing = [each for each in applied if each.key == f"invoice-{note.id}" and each.invoice != note.id]
            found[INVOICE, note.id] = translate.credit_note(note, numbers, applied=standing)
        for line in by_hand:
            mine = [each for each in applied if each.key == f"line-{line.id}"]
            is_used = line.reconciliation is not None or line.invoice is not None
            found[LINE, line.id] = translate.payment_by_hand(
                line,
                numbers,
                used=line.amount if is_used else used_of(line, mine),
                applied=[line] if line.invoice is not None else mine,
                is_cancelled=line.move in cancelled,
            )
        return found

    async def _numbers(self, invoices: set[int]) -> Mapping[int, str]:
        if not invoices:
            return {}
        rows = await self._client.rows("account.invoice", [("id", "in", sorted(invoices))], ["number"])
        return {row["id"]: row["number"] for row in rows}

    async def _cancelled(self, moves: set[int]) -> set[int]:
        """Moves that another move takes back, as Tryton's own wizard does it."""
        if not moves:
            return set()
        origins = [f"account.move,{each}" for each in sorted(moves)]
        rows = await self._client.rows("account.move", [("origin", "in", origins), ("state", "=", "posted")], ["origin"])
        return {int(row["origin"].partition(",")[2]) for row in rows}

    # ------------------------------------------------------------ both

    async def _keys(self, model: str, kind: int, domain: Sequence[object], limit: int) -> list[Key]:
        rows = await self._client.rows(model, domain, ["id"], limit=limit, active_test=False)
        return [(kind, row["id"]) for row in rows]


def credit_key(erp_id: str) -> Key | None:
    """The key of a credit that we named, `invoice-7` or `line-7`; None for a stranger's text."""
    kind, _, number = erp_id.partition("-")
    return (_KINDS[kind], int(number)) if kind in _KINDS and is_number(number) else None


def is_number(text: str) -> bool:
    """Whether a text can be an id of Tryton's."""
    return text.isascii() and text.isdigit() and len(text) < 10


def credit_lines() -> list[object]:
    """Posted lines that take something off what a party owes."""
    return [("account.type.receivable", "=", True), ("credit", ">", _zero()), ("move.state", "=", "posted")]


def is_payment_by_hand(line: MoveLine) -> bool:
    """Money that a person entered: not ours, no line of an invoice or credit note itself, nothing that takes a move back."""
    origin = line.move_origin or ""
    is_of_note = origin.startswith(INVOICE_OF) and line.journal_kind == "revenue"
    return (
        not line.is_ours and not is_of_note and not origin.startswith("account.move,") and line.journal_kind != "write-off"
    )


def used_of(line: MoveLine, applied: Sequence[MoveLine]) -> Money:
    """What was put on invoices of it: the lines that take it off where it stood."""
    used = Money.zero(line.amount.currency)
    for each in applied:
        if each.invoice is None:
            used -= each.amount
    return used


def _zero() -> dict[str, str]:
    return {"__class__": "Decimal", "decimal": "0"}
