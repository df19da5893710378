"""A world for what an application does to its two sides: a credit and two invoices, each with a snapshot of its own read.

The ERP tells what a credit settled without a reference of ours, so people's applications of the same pair look like ours.
`SideRules()` is the rule of the house, computed by `domain/balances.py`; every other value is a broken relative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

from domain.balances import Allocation, Posting, Snapshot, bracket_may_accept, bracket_open_of

CREDIT: Final = "crd_1"
INVOICES: Final = ("inv_1", "inv_2")
DOCUMENTS: Final = (CREDIT, *INVOICES)
TOTAL: Final = 100
SHAPES: Final[Mapping[str, Mapping[str, int]]] = {
    "one": {"inv_1": 10},
    "other": {"inv_2": 25},
    "both": {"inv_1": 7, "inv_2": 20},
}
MOST_REQUESTS: Final = 3
MOST_PULLS: Final = 2
WEIGHTS: Final[Mapping[str, int]] = {"approve": 3, "send": 3, "land": 3, "confirm": 3, "take": 3}

State = Literal["open", "posting", "applied", "undoing", "refused", "undone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRules:
    """What of ours a snapshot lacks, and what is held. The defaults are right."""

    counts: Literal["unconfirmed at its own read", "net less the pair", "by the invoice's read"] = (
        "unconfirmed at its own read"
    )
    holds: Literal["until approval", "until confirmed, then nothing"] = "until approval"
    credit_shows: Literal["what is left", "the snapshot less holds"] = "what is left"
    takes: Literal["no read that a write may have crossed", "every newer read"] = "no read that a write may have crossed"
    undo_holds_again: bool = True
    refusal_is_answered: bool = True


@dataclass(slots=True)
class Posted:
    """A write of ours: its lines (negative when taken off again), and how far it came."""

    request: str
    lines: Mapping[str, int]
    is_sent: bool = False
    has_landed: bool = False
    is_over: bool = False


@dataclass(slots=True)
class Pull:
    """A read under way: what the ERP said of each document, and when that answer came."""

    read_seq: int
    rows: dict[str, tuple[int, int, Mapping[str, int]]] = field(default_factory=dict)
    arrived: dict[str, int] = field(default_factory=dict)


Step = tuple[str, ...]


class SidesWorld:
    """The ERP, its people, our writes and overlapping reads, interleaved at will."""

    def __init__(self, rules: SideRules) -> None:
        self.rules = rules
        self.seq = 0
        self.totals = dict.fromkeys(DOCUMENTS, TOTAL)
        self.ours_there = dict.fromkeys(INVOICES, 0)
        self.others_there = dict.fromkeys(INVOICES, 0)
        """What people put on each invoice from this credit: told in one figure with ours."""
        self.snapshots = {each: Snapshot(total=TOTAL, settled=0, read_seq=0) for each in DOCUMENTS}
        self.others_read: dict[str, int] = dict.fromkeys(DOCUMENTS, 0)
        """What only the test knows: other people's part of each snapshot's `settled`."""
        self.pairs_read: dict[str, Mapping[str, int]] = {each: {} for each in DOCUMENTS}
        self.asked: dict[str, tuple[State, Mapping[str, int]]] = {}
        self.holds: dict[str, Mapping[str, int]] = {}
        self.postings: dict[str, Posted] = {}
        self.stages: dict[str, Posting] = {}
        self.allocations: list[tuple[str, Allocation]] = []
        self.pulls: dict[str, Pull] = {}
        self._kinds: dict[str, tuple[Callable[[], list[Step]], Callable[..., None]]] = {
            "ask": (self._may_ask, self._ask),
            "end": (lambda: self._requests("open"), self._end),
            "approve": (lambda: self._requests("open"), self._approve),
            "undo": (lambda: self._requests("applied"), self._undo),
            "send": (self._may_send, self._send),
            "land": (self._may_land, self._land),
            "confirm": (self._may_confirm, self._confirm),
            "refuse": (self._may_land, self._refuse),
            "person applies": (self._may_put, lambda each: self._person_moves(each, 10)),
            "person takes off": (self._may_take_off, lambda each: self._person_moves(each, -10)),
            "person edits": (lambda: [(each,) for each in DOCUMENTS], self._person_edits),
            "pull": (lambda: [()] if len(self.pulls) < MOST_PULLS else [], self._pull),
            "pull at once": (lambda: [()] if len(self.pulls) < MOST_PULLS else [], self._pull_at_once),
            "read": (self._may_read, self._read),
            "arrive": (self._may_arrive, self._arrive),
            "take": (self._may_take, self._take),
            "forget": (lambda: [(each,) for each in self.pulls], self.pulls.__delitem__),
        }

    def possible(self) -> dict[str, list[Step]]:
        """Every kind of step that is possible now, with its arguments."""
        return {kind: choices for kind, (may, _) in self._kinds.items() if (choices := may())}

    def choices(self, kind: str) -> list[Step]:
        """Arguments with which a step of that kind is possible now."""
        return self._kinds[kind][0]()

    def perform(self, kind: str, *arguments: str) -> None:
        """Let it happen."""
        self._kinds[kind][1](*arguments)

    def random_step(self, random: Random) -> str:
        """One of them; what brings our own writes on comes more often, so that rows lag, and catch up again."""
        possible = self.possible()
        weights = [WEIGHTS.get(kind, 1) for kind in possible]
        kind, choices = random.choices(list(possible.items()), weights)[0]
        self.perform(kind, *random.choice(choices))
        return kind

    def quiet_night(self) -> None:
        """Everything on its way arrives, then one read of everything is taken."""
        while any(self.choices(kind) for kind in ("send", "land", "confirm")):
            for kind in ("send", "land", "confirm"):
                for choice in self.choices(kind)[:1]:
                    self.perform(kind, *choice)
        self.pulls.clear()
        self._pull_at_once()
        for choice in self._may_take():
            self._take(*choice)

    # ------------------------------------------------------------ what is shown

    def available(self, document: str) -> int:
        """What a page shows as left of a credit, or open of an invoice, less what is held."""
        return self.left(document) - self._held(document)

    def left(self, document: str) -> int:
        """By the rule."""
        snapshot, ours = self.snapshots[document], self._on(document)
        if document == CREDIT and self.rules.credit_shows == "the snapshot less holds":
            return snapshot.total - snapshot.settled
        if self.rules.holds == "until confirmed, then nothing":
            return snapshot.total - snapshot.settled
        if self.rules.counts == "net less the pair":
            seen = sum(self.pairs_read[document].values())
            is_counted = all(self.stages[each.posting_id].is_known_to(snapshot) for each in ours)
            return snapshot.total - snapshot.settled - (0 if is_counted else sum(each.minor for each in ours) - seen)
        if document == CREDIT and self.rules.counts == "by the invoice's read":
            lacking = [each for side, each in self.allocations if not self._is_known(each, self.snapshots[side])]
            return snapshot.total - snapshot.settled - sum(each.minor for each in lacking)
        return bracket_open_of(snapshot, ours, self.stages)

    def _is_known(self, allocation: Allocation, snapshot: Snapshot) -> bool:
        return self.stages[allocation.posting_id].is_known_to(snapshot)

    def _held(self, document: str) -> int:
        held = sum(_of(document, lines) for lines in self.holds.values())
        if self.rules.holds == "until confirmed, then nothing":
            held += sum(_of(document, each.lines) for each in self.postings.values() if not each.is_over)
        return held

    def counted_once(self, document: str) -> int:
        """What is left if each request that has not come to nothing counts once, in whatever form (held, applied, being
        taken off), beside what the stored row tells of other people.
        """
        ours = sum(_of(document, lines) for state, lines in self.asked.values() if state != "undone")
        return self.snapshots[document].total - self.others_read[document] - ours

    def _on(self, document: str) -> list[Allocation]:
        return [each for side, each in self.allocations if document in {side, CREDIT}]

    # ------------------------------------------------------------ our side

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def _requests(self, state: str) -> list[Step]:
        return [(each,) for each, (is_in, _) in self.asked.items() if is_in == state]

    def _may_ask(self) -> list[Step]:
        return [(each,) for each in SHAPES] if len(self.asked) < MOST_REQUESTS else []

    def _ask(self, shape: str) -> None:
        request = f"req_{len(self.asked) + 1}"
        self.asked[request] = ("open", SHAPES[shape])
        self.holds[request] = SHAPES[shape]

    def _end(self, request: str) -> None:
        """Rejected, withdrawn, expired: its own rows and its holds, nothing else."""
        del self.asked[request], self.holds[request]
        self.asked[f"{request} ended"] = ("undone", {})

    def _approve(self, request: str) -> None:
        _, lines = self.asked[request]
        self._post(f"{request}-applied", request, lines)
        self.asked[request] = ("posting", lines)
        del self.holds[request]

    def _undo(self, request: str) -> None:
        _, lines = self.asked[request]
        self._post(f"{request}-undone", request, {each: -minor for each, minor in lines.items()})
        self.asked[request] = ("undoing", lines)
        if self.rules.undo_holds_again:
            self.holds[request] = lines

    def _post(self, posting_id: str, request: str, lines: Mapping[str, int]) -> None:
        self.postings[posting_id] = Posted(request, lines)
        self.stages[posting_id] = Posting()
        self._allocate(posting_id, lines, 1)

    def _allocate(self, posting_id: str, lines: Mapping[str, int], sign: int) -> None:
        for each, minor in lines.items():
            row = Allocation(payment_id=CREDIT, posting_id=posting_id, minor=sign * minor)
            self.allocations.append((each, row))

    def _may_send(self) -> list[Step]:
        # The poster's order: whatever shares the credit waits for what was before it.
        for posting_id, each in self.postings.items():
            if not each.is_over:
                return [] if each.is_sent else [(posting_id,)]
        return []

    def _send(self, posting_id: str) -> None:
        self.postings[posting_id].is_sent = True
        self.stages[posting_id] = Posting(sent_seq=self._next())

    def _may_land(self) -> list[Step]:
        return [(key,) for key, each in self.postings.items() if each.is_sent and not each.has_landed and not each.is_over]

    def _land(self, posting_id: str) -> None:
        posting = self.postings[posting_id]
        posting.has_landed = True
        for each, minor in posting.lines.items():
            self.ours_there[each] += minor

    def _may_confirm(self) -> list[Step]:
        return [(key,) for key, each in self.postings.items() if each.has_landed and not each.is_over]

    def _confirm(self, posting_id: str) -> None:
        posting, sent = self.postings[posting_id], self.stages[posting_id].sent_seq
        posting.is_over = True
        self.stages[posting_id] = Posting(sent_seq=sent, confirmed_seq=self._next())
        state, lines = self.asked[posting.request]
        self.asked[posting.request] = ("applied" if state == "posting" else "undone", lines)
        if state == "undoing":
            self.holds.pop(posting.request, None)

    def _refuse(self, posting_id: str) -> None:
        """The ERP said no: opposites under the same posting. Staff decide again; an undo stands as before."""
        posting = self.postings[posting_id]
        posting.is_over = True
        self.stages[posting_id] = Posting()
        if self.rules.refusal_is_answered:
            self._allocate(posting_id, posting.lines, -1)
        state, lines = self.asked[posting.request]
        self.asked[posting.request] = ("refused" if state == "posting" else "applied", lines)
        if state == "posting":
            self.holds[posting.request] = lines
        else:
            self.holds.pop(posting.request, None)

    # ------------------------------------------------------------ people in the ERP

    def _may_put(self) -> list[Step]:
        used = sum(self.ours_there.values()) + sum(self.others_there.values())
        return [(each,) for each in INVOICES] if used + 10 <= self.totals[CREDIT] else []

    def _may_take_off(self) -> list[Step]:
        return [(each,) for each in INVOICES if self.others_there[each] > 0]

    def _person_moves(self, invoice_id: str, minor: int) -> None:
        self.others_there[invoice_id] += minor

    def _person_edits(self, document: str) -> None:
        self.totals[document] = 130 if self.totals[document] == TOTAL else TOTAL

    # ------------------------------------------------------------ reads

    def _row(self, document: str) -> tuple[int, int, Mapping[str, int]]:
        """Total, other people's part, and what the ERP tells of the pairs (ours and theirs in one figure)."""
        sides = INVOICES if document == CREDIT else (document,)
        others = sum(self.others_there[each] for each in sides)
        return self.totals[document], others, {each: self.ours_there[each] + self.others_there[each] for each in sides}

    def _pull(self) -> None:
        read_seq = self._next()
        self.pulls[f"pull_{read_seq}"] = Pull(read_seq)

    def _pull_at_once(self) -> None:
        """A read that is answered with nothing in between; its rows are taken later, or never."""
        self._pull()
        name = list(self.pulls)[-1]
        for document in DOCUMENTS:
            self._read(name, document)
            self._arrive(name, document)

    def _may_read(self) -> list[Step]:
        return [(name, each) for name, pull in self.pulls.items() for each in DOCUMENTS if each not in pull.rows]

    def _read(self, name: str, document: str) -> None:
        self.pulls[name].rows[document] = self._row(document)

    def _may_arrive(self) -> list[Step]:
        return [(name, each) for name, pull in self.pulls.items() for each in pull.rows if each not in pull.arrived]

    def _arrive(self, name: str, document: str) -> None:
        self.pulls[name].arrived[document] = self._next()

    def _may_take(self) -> list[Step]:
        return [(name, each) for name, pull in self.pulls.items() for each in pull.arrived]

    def _take(self, name: str, document: str) -> None:
        pull, (total, others, pairs) = self.pulls[name], self.pulls[name].rows[document]
        fresh = Snapshot(total=total, settled=sum(pairs.values()), read_seq=pull.read_seq)
        stored, ours = self.snapshots[document], self._on(document)
        crossed = pull.arrived[document] if self.rules.takes == "no read that a write may have crossed" else 0
        if bracket_may_accept(stored, fresh, ours, self.stages, read_end_seq=crossed):
            self.snapshots[document] = fresh
            self.others_read[document] = others
            self.pairs_read[document] = pairs

    # ------------------------------------------------------------ promises

    def broken(self) -> str | None:
        """The first document that shows more or less than is left of it, or None."""
        for document in DOCUMENTS:
            shown, right = self.available(document), self.counted_once(document)
            side = "credit" if document == CREDIT else "invoice"
            if shown > right:
                return f"the {side} is offered again: {document} shows {shown}, {right} are left"
            if shown < right:
                return f"the {side} is short: {document} shows {shown}, {right} are left"
        return None

    def unlike_the_erp(self) -> str | None:
        """After a quiet night: a document that shows something else than the ERP has, or None."""
        for document in DOCUMENTS:
            total, _, pairs = self._row(document)
            if self.left(document) != total - sum(pairs.values()):
                return f"{document} shows {self.left(document)}, the ERP has {total - sum(pairs.values())}"
        return None


def _of(document: str, lines: Mapping[str, int]) -> int:
    return sum(lines.values()) if document == CREDIT else lines.get(document, 0)
