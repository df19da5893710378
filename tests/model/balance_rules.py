"""The balance rule behind one small interface, and its broken relatives, which the tests have to catch.

Each broken rule is a plausible reading of "our allocation stops counting once the ERP reflects it".
"""

# ruff: noqa: ARG002 (a rule that looks at less than another keeps its signature)
from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from domain.balances import (
    Allocation,
    Posting,
    Snapshot,
    bracket_may_accept,
    bracket_open_of,
    may_accept,
    open_of,
)
from tests.model.erp_walk import INVOICES, Allocated, Confirmed, Held, Released, Row, Sent, StoreEvent, Taken


class BalanceStore(Protocol):
    """What a walk can drive. The SQL has the same two methods, asynchronous."""

    def apply(self, event: StoreEvent) -> None:
        """Hear of one event."""

    def balances(self) -> Mapping[str, tuple[int, int]]:
        """(open, held) by invoice."""


class SequenceRule:
    """The rule as it is in `domain/balances.py`, for ERPs whose applications bear our reference."""

    def __init__(self) -> None:
        self.snapshots = {each: Snapshot(total=100, settled=0, read_seq=0, seen=self.remembered({})) for each in INVOICES}
        self.foreign = dict.fromkeys(INVOICES, 0)
        self.allocations: dict[str, list[Allocation]] = {each: [] for each in INVOICES}
        self.postings: dict[str, Posting] = {}
        self.holds: dict[str, Mapping[str, int]] = {}

    def apply(self, event: StoreEvent) -> None:
        """Hear of one event."""
        match event:
            case Held(payment_id, lines):
                self.holds[payment_id] = lines
            case Released(payment_id):
                del self.holds[payment_id]
            case Allocated(posting_id, payment_id, lines):
                self.holds.pop(payment_id, None)
                self.postings[posting_id] = Posting()
                for invoice_id, minor in lines.items():
                    row = Allocation(payment_id=payment_id, posting_id=posting_id, minor=minor)
                    self.allocations[invoice_id].append(row)
            case Sent(posting_id, seq):
                self.postings[posting_id] = Posting(sent_seq=seq)
            case Confirmed(posting_id, seq):
                sent = self.postings[posting_id].sent_seq
                self.postings[posting_id] = Posting(sent_seq=sent, confirmed_seq=seq)
            case Taken(row):
                fresh = Snapshot(
                    total=row.total, settled=row.settled, read_seq=self.stamp(event), seen=self.remembered(row.seen)
                )
                if self.accepts(row.invoice_id, fresh, event):
                    self.snapshots[row.invoice_id] = fresh
                    self.foreign[row.invoice_id] = row.foreign
                    self.noticed(row)

    def balances(self) -> Mapping[str, tuple[int, int]]:
        """(open, held) by invoice."""
        return {each: (self.open_of(each), sum(lines.get(each, 0) for lines in self.holds.values())) for each in INVOICES}

    def counted_once(self, invoice_id: str) -> int:
        """What is open if our money counts exactly once beside what the stored row tells of other people's."""
        ours = sum(each.minor for each in self.allocations[invoice_id])
        return self.snapshots[invoice_id].total - self.foreign[invoice_id] - ours

    def open_of(self, invoice_id: str) -> int:
        return open_of(self.snapshots[invoice_id], self.allocations[invoice_id], self.postings)

    def accepts(self, invoice_id: str, fresh: Snapshot, taken: Taken) -> bool:
        return may_accept(self.snapshots[invoice_id], fresh)

    def stamp(self, taken: Taken) -> int:
        return taken.read_seq

    def remembered(self, seen: Mapping[str, int]) -> Mapping[str, int]:
        return seen

    def noticed(self, row: Row) -> None:
        """After a row was stored; the rules that keep flags set them here."""


class SequenceRuleWithoutGuard(SequenceRule):
    """Older reads may replace newer ones: our money still counts once, other people's is stale for a while."""

    def accepts(self, invoice_id: str, fresh: Snapshot, taken: Taken) -> bool:
        return True


class BracketRule(SequenceRule):
    """The rule for ERPs that tell totals only."""

    def remembered(self, seen: Mapping[str, int]) -> Mapping[str, int]:
        return {}

    def accepts(self, invoice_id: str, fresh: Snapshot, taken: Taken) -> bool:
        return bracket_may_accept(
            self.snapshots[invoice_id],
            fresh,
            self.allocations[invoice_id],
            self.postings,
            read_end_seq=taken.read_end_seq,
        )

    def open_of(self, invoice_id: str) -> int:
        return bracket_open_of(self.snapshots[invoice_id], self.allocations[invoice_id], self.postings)


# ---------------------------------------------------------------- broken


class BracketThatAcceptsOverlaps(BracketRule):
    """Totals only, and a row is stored although one of our postings may have landed during its read."""

    def accepts(self, invoice_id: str, fresh: Snapshot, taken: Taken) -> bool:
        return may_accept(self.snapshots[invoice_id], fresh)


class BracketThatTrustsTheEndOfItsRead(BracketRule):
    """Overlap is judged by the read's beginning only: a posting that left during the read is taken for absent."""

    def accepts(self, invoice_id: str, fresh: Snapshot, taken: Taken) -> bool:
        return bracket_may_accept(
            self.snapshots[invoice_id],
            fresh,
            self.allocations[invoice_id],
            self.postings,
            read_end_seq=taken.read_seq,
        )


class StampedWhenWritten(SequenceRule):
    """The sequence is drawn when the row is stored instead of before its read leaves."""

    def stamp(self, taken: Taken) -> int:
        return taken.written_seq


class AlwaysNetLessSeen(SequenceRule):
    """No memory at all: whatever the ERP does not show is added, for ever."""

    def open_of(self, invoice_id: str) -> int:
        snapshot, ours = self.snapshots[invoice_id], self.allocations[invoice_id]
        seen = sum(snapshot.seen.get(payment, 0) for payment in {each.payment_id for each in ours})
        return snapshot.total - snapshot.settled - (sum(each.minor for each in ours) - seen)


class FlagRule(SequenceRule):
    """A flag on each allocation, set for good when a row is stored: the family of the naive readings."""

    def __init__(self) -> None:
        super().__init__()
        self.reflected: set[tuple[str, str]] = set()

    def noticed(self, row: Row) -> None:
        for each in self.allocations[row.invoice_id]:
            if self.is_reflected(each, row):
                self.reflected.add((row.invoice_id, each.posting_id))

    def open_of(self, invoice_id: str) -> int:
        snapshot = self.snapshots[invoice_id]
        unflagged = sum(
            each.minor for each in self.allocations[invoice_id] if (invoice_id, each.posting_id) not in self.reflected
        )
        return snapshot.total - snapshot.settled - unflagged

    def is_reflected(self, allocation: Allocation, row: Row) -> bool:
        """Whether this row ends the counting of an allocation."""
        return self.postings[allocation.posting_id].confirmed_seq is not None


class FlipWhatIsConfirmed(FlagRule):
    """Whatever is confirmed when the row is stored stops counting."""


class FlipWhenReferenceIsSeen(FlagRule):
    """Whatever bears a reference that the row shows stops counting."""

    def is_reflected(self, allocation: Allocation, row: Row) -> bool:
        return allocation.payment_id in row.seen


class FlipWhenSeenCoversTheAmount(FlagRule):
    """Whatever is at most as large as what the row shows under its reference stops counting."""

    def is_reflected(self, allocation: Allocation, row: Row) -> bool:
        return row.seen.get(allocation.payment_id, 0) >= allocation.minor
