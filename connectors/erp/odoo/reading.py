"""Customers, invoices and credits of one company, as they stand now and as they changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.erp.odoo import translate, wire
from connectors.erp.odoo.client import OdooClient
from connectors.erp.odoo.documents import Documents, Line, Partial, is_number, issued
from connectors.erp.ports import ErpApplied, ErpCredit, ErpCustomer, ErpInvoice
from connectors.erp.sweeps import Key, Stream
from domain.money import Money

PARTNER: Final = 0
INVOICE: Final = 0
LINE: Final = 1
_KINDS: Final = {"invoice": INVOICE, "line": LINE}
_PARTNER_FIELDS: Final = ("name", "ref", "email", "country_id", "tz", "active", "parent_id", "is_company")
_PRODUCT_FIELDS: Final = ("move_id", "name", "quantity", "price_unit", "price_subtotal", "price_total", "tax_ids")


class Reading:
    """What the connector reads. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: OdooClient, documents: Documents, *, time_zone: str, overlap: timedelta) -> None:
        self._client = client
        self._documents = documents
        self._time_zone = time_zone
        clock = client.clock
        self.customers = Stream(changed=self._changed_partners, read=self._customers, clock=clock, overlap=overlap)
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

    async def _changed_partners(self, since: datetime | None, after: Key, limit: int) -> Sequence[Key]:
        domain = [*_customers_only(), ("id", ">", max(after[1], 0))]
        if since is None:
            rows = await self._client.rows("res.partner", domain, ["id"], limit=limit, active_test=False)
            return [(PARTNER, row["id"]) for row in rows]
        touched = await self._client.rows(
            "res.partner", [("write_date", ">=", since)], ["commercial_partner_id"], active_test=False
        )
        # Its newest invoice says in which currency a customer buys.
        bought = await self._client.rows(
            "account.move", [*await self._issued(), ("write_date", ">=", since)], ["commercial_partner_id"]
        )
        ids = {wire.linked(row["commercial_partner_id"]) for row in (*touched, *bought)}
        found = await self._client.rows(
            "res.partner", [("id", "in", sorted(each for each in ids if each)), *domain], ["id"], active_test=False
        )
        return [(PARTNER, row["id"]) for row in found[:limit]]

    async def _customers(self, keys: Sequence[Key]) -> Mapping[Key, ErpCustomer]:
        ids = [number for _, number in keys]
        setup = await self._client.setup()
        rows = await self._client.rows(
            "res.partner", [("id", "in", ids), *_customers_only()], _PARTNER_FIELDS, active_test=False
        )
        people = await self._client.rows(
            "res.partner",
            [("commercial_partner_id", "in", ids), ("id", "not in", ids)],
            ["name", "email", "commercial_partner_id"],
        )
        countries = {country for row in rows if (country := wire.linked(row["country_id"])) is not None}
        codes: dict[int, str] = {}
        if countries:
            found = await self._client.rows("res.country", [("id", "in", sorted(countries))], ["code"])
            codes = {row["id"]: row["code"] for row in found}
        bought = [("commercial_partner_id", "in", ids), *await self._issued()]
        currencies = {
            row["commercial_partner_id"][0]: wire.named(row["currency_id"])
            for row in await self._client.rows("account.move", bought, ["commercial_partner_id", "currency_id"])
        }
        return {
            (PARTNER, row["id"]): translate.customer(
                row,
                contacts=[each for each in people if each["commercial_partner_id"][0] == row["id"]],
                country=codes.get(wire.linked(row["country_id"]) or 0),
                currency=currencies.get(row["id"]) or setup.currency,
                time_zone=self._time_zone,
            )
            for row in rows
        }

    # ------------------------------------------------------------ invoices

    async def _changed_invoices(self, since: datetime | None, after: Key, limit: int) -> Sequence[Key]:
        if since is None:
            return await self._all("out_invoice", after[1], limit)
        moves, _ = await self._touched(since)
        return sorted((INVOICE, each) for each in moves if (INVOICE, each) > after)[:limit]

    async def _all(self, kind: str, after: int, limit: int) -> list[Key]:
        domain = [*await self._issued(), ("move_type", "=", kind), ("id", ">", max(after, 0))]
        rows = await self._client.rows("account.move", domain, ["id"], limit=limit)
        return [(INVOICE, row["id"]) for row in rows]

    async def _touched(self, since: datetime) -> tuple[set[int], dict[int, Line]]:
        """Moves of which something changed since a moment, and lines: a payment need not touch the invoice that it pays, so
        what settles what is asked for too; and what came off an invoice left nothing there, but its line names it.
        """
        setup = await self._client.setup()
        changed = [("company_id", "=", setup.company), ("write_date", ">=", since)]
        moves = {row["id"] for row in await self._client.rows("account.move", changed, ["id"])}
        ids = {row["id"] for row in await self._client.rows("account.move.line", [setup.receivable, *changed], ["id"])}
        partials = await self._client.rows(
            "account.partial.reconcile",
            ["|", ("create_date", ">=", since), ("write_date", ">=", since)],
            ["debit_move_id", "credit_move_id"],
        )
        for row in partials:
            ids |= {row["debit_move_id"][0], row["credit_move_id"][0]}
        if moves:
            ids |= {line.id for line in await self._documents.lines(("move_id", "in", sorted(moves)))}
        lines = await self._documents.lines_by_id(ids)
        for line in lines.values():
            moves.add(line.move)
            if line.is_ours and line.mark is not None:
                kind, _, number = line.mark.key.partition("-")
                moves |= {int(number)} if kind == "invoice" and is_number(number) else set()
                moves |= {line.mark.target} if line.mark.target is not None else set()
        return moves, lines

    async def touched_lines(self, since: datetime) -> Sequence[Line]:
        """Lines of which something changed since a moment, or what settles them."""
        _, lines = await self._touched(since)
        return list(lines.values())

    async def _invoices(self, keys: Sequence[Key]) -> Mapping[Key, ErpInvoice]:
        found = {
            each.id: each
            for each in (await self._documents.invoices(number for _, number in keys)).values()
            if not each.is_note
        }
        shown = sorted(line for each in found.values() for line in each.row["invoice_line_ids"])
        rows = await self._client.rows("account.move.line", [("id", "in", shown)], _PRODUCT_FIELDS) if shown else []
        # Sections and notes are lines of an invoice, too; they have no amount and no quantity.
        rows = [row for row in rows if row["quantity"] or row["price_subtotal"]]
        rates = await self._rates({tax for row in rows for tax in row["tax_ids"]})
        by_invoice: dict[int, list[Mapping[str, Any]]] = {}
        for row in rows:
            by_invoice.setdefault(row["move_id"][0], []).append(row)
        return {(INVOICE, each.id): translate.invoice(each, by_invoice.get(each.id, []), rates) for each in found.values()}

    async def _rates(self, taxes: set[int]) -> Mapping[int, str]:
        if not taxes:
            return {}
        domain = [("id", "in", sorted(taxes)), ("amount_type", "=", "percent")]
        rows = await self._client.rows("account.tax", domain, ["amount"], active_test=False)
        return {row["id"]: str(row["amount"]) for row in rows}

    # ------------------------------------------------------------ credits

    async def _changed_credits(self, since: datetime | None, after: Key, limit: int) -> Sequence[Key]:
        if since is None:
            keys: list[Key] = []
            if after < (LINE, 0):
                keys += await self._all("out_refund", after[1], limit)
            if len(keys) < limit:
                last = after[1] if after[0] == LINE else 0
                setup = await self._client.setup()
                domain = [
                    setup.receivable,
                    ("company_id", "=", setup.company),
                    ("credit", ">", 0),
                    *_by_hand(),
                    ("id", ">", last),
                ]
                rows = await self._client.rows("account.move.line", domain, ["id"], limit=limit - len(keys))
                keys += [(LINE, row["id"]) for row in rows]
            return keys
        moves, lines = await self._touched(since)
        ids = set(lines)
        for line in lines.values():
            key = credit_key(line.mark.key) if line.is_ours and line.mark is not None else None
            ids |= {key[1]} if key is not None and key[0] == LINE else set()
        found = [*((INVOICE, each) for each in moves), *((LINE, each) for each in ids)]
        return sorted(key for key in found if key > after)[:limit]

    async def _credits(self, keys: Sequence[Key]) -> Mapping[Key, ErpCredit]:
        wanted = {kind: [number for each, number in keys if each == kind] for kind in (INVOICE, LINE)}
        notes = [each for each in (await self._documents.invoices(wanted[INVOICE])).values() if each.is_note]
        by_hand = [each for each in (await self._documents.lines_by_id(wanted[LINE])).values() if _is_by_hand(each)]
        names = [*(f"invoice-{each.id}" for each in notes), *(f"line-{each.id}" for each in by_hand)]
        ours = await self._documents.lines_of(*names) if names else []
        sources: dict[str, list[Line]] = {f"invoice-{note.id}": list(note.lines) for note in notes}
        sources |= {f"line-{line.id}": [line] for line in by_hand}
        for line in ours:
            sources[line.mark.key].append(line) if line.mark is not None else None
        partials = await self._documents.partials(line.id for lines in sources.values() for line in lines)
        debits = await self._documents.lines_by_id(each.debit for each in partials)
        found: dict[Key, ErpCredit] = {}
        for note in notes:
            lines = sources[f"invoice-{note.id}"]
            told = _applied(lines, partials, debits)
            found[INVOICE, note.id] = translate.credit_note(note, left=_left(lines, note.currency), applications=told)
        for line in by_hand:
            lines = sources[f"line-{line.id}"]
            told = _applied(lines, partials, debits)
            left = _left(lines, line.amount.currency)
            found[LINE, line.id] = translate.payment_by_hand(line, left=left, applications=told)
        return found

    async def _issued(self) -> tuple[object, ...]:
        return issued((await self._client.setup()).company)


def credit_key(erp_id: str) -> Key | None:
    """The key of a credit that we named, `invoice-7` or `line-7`; None for a stranger's text."""
    kind, _, number = erp_id.partition("-")
    return (_KINDS[kind], int(number)) if kind in _KINDS and is_number(number) else None


def _customers_only() -> list[object]:
    """Who is billed: companies and persons of their own, who were sold something or are marked as customers."""
    return [("customer_rank", ">", 0), "|", ("parent_id", "=", False), ("is_company", "=", True)]


def _by_hand() -> list[object]:
    return [("move_id.move_type", "=", "entry"), ("move_id.posted_before", "=", True)]


def _is_by_hand(line: Line) -> bool:
    """Money that a person entered: not ours, no line of an invoice, nothing that takes another entry back."""
    return (
        line.amount.minor > 0
        and line.kind == "entry"
        and not line.is_ours
        and line.takes_back is None
        and line.customer is not None
        and (line.is_posted or line.was_posted)
    )


def _left(lines: Sequence[Line], currency: str) -> Money:
    left = Money.zero(currency)
    for line in lines:
        left += line.residual
    return left


def _applied(lines: Sequence[Line], partials: Sequence[Partial], debits: Mapping[int, Line]) -> tuple[ErpApplied, ...]:
    """One row for each invoice that something is left on."""
    mine = {line.id: line for line in lines}
    sums: dict[str, tuple[Money, Line]] = {}
    for each in partials:
        debit = debits.get(each.debit)
        if each.credit not in mine or debit is None or debit.kind != "out_invoice":
            continue
        credit = mine[each.credit]
        amount = wire.amount(each.credit_amount, credit.amount.currency)
        before = sums[debit.number][0] if debit.number in sums else Money.zero(credit.amount.currency)
        sums[debit.number] = (before + amount, credit)
    return tuple(ErpApplied(invoice_number=number, amount=amount, on=line.on) for number, (amount, line) in sums.items())
