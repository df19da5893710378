"""What statements of account are made of, in two statements: the ERP's documents, and what Duly booked.

Read as the portal, so that a statement holds what the customer may see and nothing else, whoever asks for it. What is
counted twice elsewhere is counted once here by the same rule as `balances`: of a payment of ours the journal tells, and the
ERP's settlement that bears its reference is left out; of a credit the journal tells until the ERP's own figures have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Any, Final

from sqlalchemy.engine import Row

from domain.statements import Act, Booked, Facts, Settled, StatementCredit, StatementInvoice
from store.database import Transaction

_DOCUMENTS: Final = """
SELECT i.id, i.number, i.site, i.currency, i.issued_on, i.due_on, i.total, i.settled, i.settlements AS told,
       i.status AS kind, i.paid_on, i.ended_at, i.changed_at, true AS is_invoice, o.ours
FROM invoices i
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(g.payment_id, g.net, coalesce(n.amount, 0), g.is_known,
                                       (SELECT d.opened_at FROM differences d WHERE d.invoice_id = i.id
                                        AND d.kind = 'edited_in_erp' AND d.closed_at IS NULL))) AS ours
    FROM (SELECT a.payment_id, sum(a.amount)::bigint AS net,
                 bool_and(coalesce(p.confirmed_seq < i.read_seq, false)) AS is_known
          FROM allocations a JOIN postings p ON p.id = a.posting_id
          WHERE a.invoice_id = i.id AND a.payment_id IS NOT NULL GROUP BY a.payment_id) g
    LEFT JOIN snapshot_seen n ON n.invoice_id = i.id AND n.payment_id = g.payment_id) o ON true
WHERE i.customer_id = ANY(:customers) AND NOT i.is_parent AND NOT i.deleted AND i.status NOT IN ('draft', 'void')
  AND (cast(:currency AS text) IS NULL OR i.currency = :currency)
UNION ALL
SELECT k.id, k.number, NULL, k.currency, k.issued_on, k.issued_on, k.total, k.used, k.applications, k.kind,
       NULL, NULL, k.changed_at, false, NULL
FROM credits k
WHERE k.customer_id = ANY(:customers) AND k.payment_id IS NULL AND NOT k.deleted
  AND (cast(:currency AS text) IS NULL OR k.currency = :currency)"""

_BOOKED: Final = """
WITH l AS (
    SELECT l.entry_id, l.invoice_id AS key, l.amount FROM journal_lines l JOIN invoices i ON i.id = l.invoice_id
    LEFT JOIN postings p ON p.credit_id IS NOT NULL AND p.id = split_part(l.entry_id, '/', 1)
    WHERE l.account = 'receivable' AND i.customer_id = ANY(:customers) AND NOT i.is_parent AND NOT i.deleted
      AND i.status NOT IN ('draft', 'void') AND NOT coalesce(p.confirmed_seq < i.read_seq, false)
    UNION ALL
    SELECT l.entry_id, NULL, l.amount FROM journal_lines l WHERE l.account = 'unapplied' AND l.holder = ANY(:customers)
    UNION ALL
    SELECT l.entry_id, k.id, l.amount FROM journal_lines l
    JOIN postings p ON p.id = split_part(l.entry_id, '/', 1) JOIN credits k ON k.id = p.credit_id
    WHERE l.account = 'credits' AND l.holder = ANY(:customers) AND NOT coalesce(p.confirmed_seq < k.read_seq, false))
SELECT e.id, e.process_id, e.kind, e.currency, e.booked_at,
       jsonb_agg(jsonb_build_array(l.key, l.amount) ORDER BY l.key) AS lines
FROM l JOIN journal_entries e ON e.id = l.entry_id
WHERE cast(:currency AS text) IS NULL OR e.currency = :currency
GROUP BY e.id, e.process_id, e.kind, e.currency, e.booked_at"""

_SETTLED: Final[Mapping[str, Act]] = {
    "payment": Act.PAYMENT_ELSEWHERE,
    "credit_note": Act.CREDIT_NOTE,
    "prepayment": Act.PREPAYMENT,
    "overpayment": Act.OVERPAYMENT,
    "write_off": Act.WRITTEN_OFF,
}
_ENDED: Final[Mapping[str, Act]] = {"written_off": Act.WRITTEN_OFF, "closed": Act.CLOSED}
_BOOKED_AS: Final[Mapping[str, Act]] = {
    "captured": Act.CAPTURED,
    "returned": Act.RETURNED,
    "refunded": Act.REFUNDED,
    "refund_came_back": Act.REFUND_CAME_BACK,
    "applied": Act.APPLIED,
    "credit_applied": Act.APPLIED,
    "unapplied": Act.UNAPPLIED,
    "credit_unapplied": Act.UNAPPLIED,
}


async def facts(tx: Transaction, customers: Sequence[str], *, currency: str | None, zone: tzinfo) -> Facts:
    """Everything that happened to these customers' accounts, in one currency or (None) in each.

    `tx` reads as the portal (`Database.read_as`): paused invoices are there as that transaction has them. `zone` says which
    day a moment of ours was.
    """
    asked = {"customers": list(customers), "currency": currency}
    invoices: list[StatementInvoice] = []
    held: list[StatementCredit] = []
    for row in await tx.rows(_DOCUMENTS, **asked):
        if row.is_invoice:
            invoices.append(_invoice(row, zone))
        else:
            held.append(_credit(row, zone))
    return Facts(invoices=invoices, credits=held, booked=[_booked(row) for row in await tx.rows(_BOOKED, **asked)])


def _invoice(row: Row[Any], zone: tzinfo) -> StatementInvoice:
    ended = _ENDED.get(row.kind)
    ended_at = row.ended_at or row.changed_at
    return StatementInvoice(
        id=row.id,
        number=row.number,
        site=row.site,
        currency=row.currency,
        issued_on=row.issued_on,
        due_on=row.due_on,
        total=row.total,
        settled=[*_settled(row, zone)] if row.settled or row.told or row.ours else (),
        ended=ended,
        ended_on=None if ended is None else row.paid_on or ended_at.astimezone(zone).date(),
    )


def _settled(row: Row[Any], zone: tzinfo) -> Iterator[Settled]:
    """What the ERP shows of an invoice that our journal does not tell; it adds up to the difference of the two."""
    ours = {payment_id: (net, seen, known, since) for payment_id, net, seen, known, since in row.ours or ()}
    read = row.changed_at.astimezone(zone).date()
    told = 0
    for each in row.told:
        minor = int(each["amount"])
        told += minor
        if (each.get("reference") or "")[:30] not in ours:
            act = _SETTLED.get(each.get("kind", ""), Act.SETTLED)
            yield Settled(act, str(each.get("document") or ""), minor, date.fromisoformat(each["on"]))
    if told != row.settled:
        # An ERP that shows totals only, or other totals than documents.
        yield Settled(Act.SETTLED, "", row.settled - told, row.paid_on or read)
    for net, seen, known, since in ours.values():
        if known and net != seen:
            on = read if since is None else datetime.fromisoformat(since).astimezone(zone).date()
            yield Settled(Act.CHANGED, "", seen - net, on)


def _credit(row: Row[Any], zone: tzinfo) -> StatementCredit:
    uses = [
        Settled(Act.APPLIED, str(each["invoice"]), int(each["amount"]), date.fromisoformat(each["on"])) for each in row.told
    ]
    if (rest := row.settled - sum(each.minor for each in uses)) != 0:
        uses.append(Settled(Act.USED, "", rest, row.changed_at.astimezone(zone).date()))
    return StatementCredit(
        id=row.id,
        number=row.number,
        act=_SETTLED[row.kind],
        currency=row.currency,
        issued_on=row.issued_on,
        total=row.total,
        settled=uses,
    )


def _booked(row: Row[Any]) -> Booked:
    """A debit of a receivable makes more owed; a credit of what is unapplied makes more of that."""
    owed = [(key, int(minor)) for key, minor in row.lines if key is not None and key.startswith("inv_")]
    left = [(key or row.process_id, -int(minor)) for key, minor in row.lines if key is None or not key.startswith("inv_")]
    return Booked(
        id=row.id,
        act=_BOOKED_AS[row.kind],
        process_id=row.process_id,
        currency=row.currency,
        at=row.booked_at,
        owed=owed,
        unapplied=left,
    )
