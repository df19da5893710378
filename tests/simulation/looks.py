"""What must hold in a simulated town: after every step, whatever is on its way, and once everything has come to rest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.payments.ports import ChargeStatus
from domain.balances import Allocation, Posting, Snapshot, bracket_uncounted, open_of
from domain.invoices import COUNTED, InvoiceFacts, is_overdue, is_visible, status_of, why_not_payable
from domain.lifecycles import IN_FLIGHT, PAYMENT_NEXT, PaymentState
from launch.checking.charges import charged_once
from launch.checking.ledger import balances_agree, documented_once
from launch.checking.refunds import refunded_once
from store import business, checks
from store.checks import Finding, Horizons
from store.database import Database
from store.views.payments import payment_page
from store.views.portal import Choice, Filter, overview
from tests.simulation.provider import MOVES_MONEY
from tests.simulation.town import ERP, FOR_A_PERSON, FORGOTTEN, PROVIDER, Resident, Town

AT_ANY_TIME: Final = (
    checks.JOURNAL_BALANCED,
    checks.MONEY_CONSERVED,
    checks.CREDITS_CONSERVED,
    checks.BALANCES_NOT_NEGATIVE,
    checks.POSTED_ONCE,
    checks.HOLDS_IN_USE,
    checks.REFUNDS_WITHIN_CAPTURED,
)
_ASKED: Final = {each.name: each.statement for each in AT_ANY_TIME} | {
    "late_money_is_served": """
        SELECT w.payment_id AS id, w.amount || ' wanted of ' || w.invoice_id || ', which has ' || s.available AS what
        FROM wanted w JOIN invoice_states s ON s.id = w.invoice_id JOIN credits k ON k.payment_id = w.payment_id
        JOIN credit_balances b ON b.id = k.id WHERE s.available > 0 AND b.unapplied > b.held""",
    "one_receipt": """
        SELECT process_id AS id, count(*) || ' receipts' AS what FROM outbox WHERE template = 'receipt'
        GROUP BY process_id HAVING count(*) > 1""",
    "our_money_counts_once": """
        SELECT i.erp_id AS id, b.open || ' open, ' || i.total - i.settled + coalesce(s.seen, 0) - coalesce(a.net, 0)
               || ' is what others left of it, less ours' AS what
        FROM invoices i JOIN balances b ON b.id = i.id
        LEFT JOIN (SELECT invoice_id, sum(amount) AS seen FROM snapshot_seen GROUP BY 1) s ON s.invoice_id = i.id
        LEFT JOIN (SELECT d.invoice_id, sum(d.amount) AS net FROM allocations d JOIN postings q ON q.id = d.posting_id
                   JOIN invoices j ON j.id = d.invoice_id
                   WHERE d.payment_id IS NOT NULL OR q.confirmed_seq IS NULL OR q.confirmed_seq >= j.read_seq
                   GROUP BY 1) a ON a.invoice_id = i.id
        WHERE b.open <> i.total - i.settled + coalesce(s.seen, 0) - coalesce(a.net, 0)""",
    "": "SELECT id, state || '/' || captured || '/' || returned AS what FROM payments",
}
EVERYTHING: Final = " UNION ALL ".join(
    f"SELECT '{name}' AS name, q{number}.id, q{number}.what FROM ({statement}) q{number}"
    for number, (name, statement) in enumerate(_ASKED.items())
)

_LEADS_TO: Final = {
    ChargeStatus.CAPTURED: PaymentState.CAPTURED,
    ChargeStatus.SETTLED: PaymentState.SETTLED,
    ChargeStatus.RETURNED: PaymentState.RETURNED,
    ChargeStatus.DISPUTED: PaymentState.DISPUTED,
    ChargeStatus.DECLINED: PaymentState.DECLINED,
    ChargeStatus.CANCELED: PaymentState.CANCELED,
    ChargeStatus.EXPIRED: PaymentState.EXPIRED,
}


@dataclass(slots=True)
class Witness:
    """Looks after every step, and remembers what it saw."""

    town: Town
    portal: Database
    states: dict[str, PaymentState] = field(default_factory=dict)
    looks: int = 0

    async def look(self) -> None:
        """Every promise that holds at any time."""
        self.looks += 1
        seen: dict[str, PaymentState] = {}
        for row in await self.town.rows(EVERYTHING):
            if row.name == "our_money_counts_once" and row.id in self.town.erp.edited:
                continue  # a person touched our document: the ERP wins, and a difference says so
            assert not row.name, f"{row.name}: {row.id}: {row.what}"
            seen[row.id] = PaymentState(row.what.partition("/")[0])
        for payment_id, state in seen.items():
            before = self.states.get(payment_id, PaymentState.CHARGING)
            refused = before is PaymentState.CHARGING and state is PaymentState.REFUSED
            assert state is before or refused or state in _reachable(before), f"{payment_id}: {before} became {state}"
        assert set(self.states) <= set(seen), "a payment is never deleted"
        self.states = seen
        self._count_far_sides()

    def _count_far_sides(self) -> None:
        moving: Counter[str] = Counter()
        for charge in self.town.provider.charges.values():
            payment_id = charge.our_ref[:30]
            moving[payment_id] += charge.status in MOVES_MONEY
            takes_money = charge.status in MOVES_MONEY or charge.status is ChargeStatus.NEEDS_CUSTOMER
            state = self.states[payment_id]
            is_held = state in IN_FLIGHT or state in _WITH_MONEY
            assert is_held or charge.is_haunted or not takes_money, f"{payment_id} is {state}, and may still be charged"
        twice = {each: count for each, count in moving.items() if count > 1}
        assert not twice, f"charged twice: {twice}"
        given_back = Counter(each.our_ref for each in self.town.provider.given_back.made if each.is_moving())
        again = {each: count for each, count in given_back.items() if count > 1}
        assert not again, f"given back twice: {again}"
        documents = Counter(each.reference for each in self.town.erp.documents if each.reference)
        double = {each: count for each, count in documents.items() if count > 1}
        assert not double, f"written twice: {double}"

    # ------------------------------------------------------------ what customers read

    async def read(self, resident: Resident) -> None:
        """The account overview and a payment's page, beside what the domain computes from the plain rows."""
        today = self.town.stage.now.date()
        async with self.town.database.begin("simulation") as tx:
            settings = await business.load(tx)
        facts = [each for each in await self._facts(resident) if is_visible(each, settings)]
        counted = [each for each in facts if status_of(each) in COUNTED]
        wanted = Filter(home=resident.currency, currency=resident.currency)
        async with self.portal.read_as([resident.id], hide_paused=settings.exclude_paused) as tx:
            page = await overview(tx, wanted, Choice(), settings, today=today)
        assert page.all_balance == sum(each.open_minor for each in counted), f"the balance of {resident.erp_id}"
        assert page.all_overdue == sum(each.open_minor for each in counted if is_overdue(each, today=today))
        payable = [each for each in facts if each.available_minor > 0 and why_not_payable(each, settings) is None]
        expected = sum(each.available_minor for each in payable) if settings.may_pay else 0
        assert page.payable == expected, f"what {resident.erp_id} may pay"
        await self._read_story(resident)

    async def _facts(self, resident: Resident) -> list[InvoiceFacts]:
        rows = await self.town.rows(_PLAIN, id=resident.id)
        return [_facts_of(row) for row in rows]

    async def _read_story(self, resident: Resident) -> None:
        rows = await self.town.rows("SELECT id FROM payments WHERE customer_id = :id ORDER BY id", id=resident.id)
        if not rows:
            return
        payment_id = self.town.random.choice([row.id for row in rows])
        async with self.portal.read_as([resident.id], hide_paused=True) as tx:
            page = await payment_page(tx, payment_id)
        assert page is not None
        told = Counter(event.kind for event in page.events)
        assert page.state is self.states[payment_id]
        assert told["captured"] == (page.captured > 0), "the story tells of money once, and only where there is some"
        is_back = page.state is PaymentState.RETURNED
        assert told["returned"] + told["dispute_lost"] == is_back, f"{payment_id}: {told} is told of what is {page.state}"
        covers, left = sum(each.covers for each in page.covered), page.captured - page.returned - page.refunded
        assert covers + page.unapplied == max(left, 0), f"{payment_id}: what the page covers"

    # ------------------------------------------------------------ at rest

    async def look_at_rest(self) -> None:
        """Books = provider = ERP, or an open difference to the cent; no hold of anybody who has ended."""
        await self.look()
        explained = {row.process_id for row in await self.town.rows(FOR_A_PERSON)}
        flying = {each for each, state in self.states.items() if state in IN_FLIGHT}
        assert flying <= explained, f"still in flight: {flying - explained}"
        holders = {row.holder_id for row in await self.town.rows(_HOLDERS)}
        assert holders <= explained, f"holds of {holders - explained}"
        self._compare_with_provider(explained, {row.id for row in await self.town.rows(FORGOTTEN)})
        at = self.town.stage.now
        for invariant in checks.INVARIANTS:
            if invariant.name not in {"postings_in_time", "mail_in_time"}:
                async with self.town.database.begin("simulation") as tx:
                    self._expect(await checks.look(tx, invariant, at=at, horizons=Horizons()))
        self._expect(await charged_once(self.town.database, {PROVIDER: self.town.provider}))
        self._expect(await refunded_once(self.town.database, {PROVIDER: self.town.provider}))
        self._expect(await documented_once(self.town.database, {ERP: self.town.erp}, most=1_000))
        for row in await self.town.rows("SELECT id FROM postings WHERE state <> 'confirmed'"):
            assert not self.town.erp.bearing(row.id), f"{row.id} is written there, and not confirmed here"
        await self._compare_credits()
        self._expect(await balances_agree(self.town.database, {ERP: self.town.erp}))

    async def _compare_credits(self) -> None:
        """What is left of each credit there is what we show, and what requests applied is what moved there for them."""
        rows = await self.town.rows(
            """SELECT k.erp_id, b.unapplied, k.deleted FROM credits k JOIN credit_balances b ON b.id = k.id
               -- A payment's own rest is in no snapshot: people move it there, and a difference on its invoices says so.
               WHERE k.payment_id IS NULL
                 AND NOT EXISTS (SELECT 1 FROM postings q WHERE q.credit_id = k.id AND q.confirmed_seq IS NULL)"""
        )
        there = {each.id: each for each in self.town.erp.documents}
        for row in rows:
            document = there[row.erp_id]
            assert row.deleted == document.is_deleted, f"{row.erp_id} is deleted there, or here"
            assert row.unapplied == document.unapplied, f"{row.erp_id}: {row.unapplied} left, there {document.unapplied}"

    def _expect(self, finding: Finding) -> None:
        assert finding.holds, f"{finding.name}: {finding.problem} {[(each.id, each.what) for each in finding.offenders]}"

    def _compare_with_provider(self, explained: set[str], forgotten: set[str]) -> None:
        found: dict[str, list[Any]] = defaultdict(list)
        for charge in self.town.provider.charges.values():
            found[charge.our_ref[:30]].append(charge)
        for payment_id, state in self.states.items():
            charges = found.get(payment_id, [])
            if payment_id in explained:
                assert payment_id not in forgotten or not charges, f"{payment_id} is left to a person, and was told of"
                continue
            if not charges:
                nothing = {PaymentState.REFUSED, PaymentState.FAILED}
                assert state in nothing, f"{payment_id} is {state}, and the provider knows nothing of it"
                continue
            assert len(charges) == 1, f"{payment_id} has {len(charges)} charges"
            there = charges[0].status
            assert _LEADS_TO.get(there) is state, f"{payment_id} is {state}, and the provider says {there}"


_WITH_MONEY: Final = frozenset({PaymentState.CAPTURED, PaymentState.SETTLED, PaymentState.RETURNED, PaymentState.DISPUTED})
_HOLDERS: Final = """
    SELECT holder_id FROM holds UNION SELECT holder_id FROM credit_holds
    EXCEPT SELECT id FROM apply_requests WHERE state IN ('submitted', 'asked', 'second', 'posting_failed', 'undoing')"""
_PLAIN: Final = """
    SELECT i.id, i.customer_id, i.number, i.currency, i.issued_on, i.due_on, i.status, i.paused, i.total, i.settled,
           i.read_seq,
           (SELECT coalesce(jsonb_agg(jsonb_build_array(a.payment_id, a.posting_id, a.amount, q.sent_seq, q.confirmed_seq)),
                '[]') FROM allocations a JOIN postings q ON q.id = a.posting_id WHERE a.invoice_id = i.id) AS ours,
           (SELECT coalesce(jsonb_object_agg(n.payment_id, n.amount), '{}') FROM snapshot_seen n
            WHERE n.invoice_id = i.id) AS seen,
           (SELECT coalesce(sum(h.amount), 0)::bigint FROM holds h WHERE h.invoice_id = i.id) AS held,
           (SELECT coalesce(sum(h.amount), 0)::bigint FROM holds h JOIN apply_requests r ON r.id = h.holder_id
            WHERE h.invoice_id = i.id) AS requested
    FROM invoices i WHERE i.customer_id = :id AND NOT i.deleted"""


def _facts_of(row: Any) -> InvoiceFacts:
    snapshot = Snapshot(total=row.total, settled=row.settled, read_seq=row.read_seq, seen=row.seen)
    ours = [Allocation(payment_id=each[0] or "", posting_id=each[1], minor=each[2]) for each in row.ours]
    paid, credited = [each for each in ours if each.payment_id], [each for each in ours if not each.payment_id]
    postings = {each[1]: Posting(sent_seq=each[3], confirmed_seq=each[4]) for each in row.ours}
    return InvoiceFacts(
        id=row.id,
        customer_id=row.customer_id,
        number=row.number,
        currency=row.currency,
        issued_on=row.issued_on,
        due_on=row.due_on,
        erp_status=row.status,
        is_parent=False,
        paused=row.paused,
        total_minor=row.total,
        open_minor=open_of(snapshot, paid, postings) - bracket_uncounted(snapshot, credited, postings),
        held_minor=row.held,
        requested_minor=row.requested,
    )


def _closure() -> Mapping[PaymentState, frozenset[PaymentState]]:
    """The states that a payment may come to from each, by any number of moves: steps are looked at between several."""
    reach = dict(PAYMENT_NEXT)
    for _ in PaymentState:
        reach = {each: next_.union(*(reach[one] for one in next_)) for each, next_ in reach.items()}
    return reach


_REACH: Final = _closure()


def _reachable(state: PaymentState) -> frozenset[PaymentState]:
    return _REACH[state]
