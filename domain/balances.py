"""The balance rule: what is open of one invoice, from the ERP's snapshot and our own money that it lacks.

One sequence is the only clock between us and an ERP. `read_seq` is drawn before a read leaves, `read_end_seq`
after its answer, `sent_seq` before a posting leaves, `confirmed_seq` after its answer. No flag is stored:
a flag is set when a row is *written*, and what it says was *read* at another time.

The store computes `open_of` in SQL (the view `balances`); tests walk both side by side. All amounts are minor
units of the invoice's currency; all functions look at the allocations of ONE invoice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One invoice as one answer of the ERP showed it.

    `settled` is everything paid and credited there, ours included. `seen` is the part of it that bears our
    reference, by payment id; it stays empty for an ERP that tells totals only.
    """

    total: int
    settled: int
    read_seq: int
    seen: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """How far a write to the ERP came.

    `sent_seq` is None while nothing of it can be there: it never left, or it was refused before execution.
    `confirmed_seq` is None until *all* its documents are known to be there.
    """

    sent_seq: int | None = None
    confirmed_seq: int | None = None

    def is_known_to(self, snapshot: Snapshot) -> bool:
        """Whether the read behind a snapshot began when this posting had surely landed."""
        return self.confirmed_seq is not None and self.confirmed_seq < snapshot.read_seq


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Our money on the invoice; negative when it is taken back (late failure, un-application)."""

    payment_id: str
    posting_id: str
    minor: int


def may_accept(stored: Snapshot | None, fresh: Snapshot) -> bool:
    """Only a read that began later replaces what is stored. Ours is safe anyway; other money stays fresh."""
    return stored is None or fresh.read_seq > stored.read_seq


def uncounted(
    payment_id: str, snapshot: Snapshot, allocations: Sequence[Allocation], postings: Mapping[str, Posting]
) -> int:
    """What the snapshot lacks of one payment; negative while an undo has not reached the ERP.

    Zero once every posting of the pair was confirmed before the read began: from then on the ERP wins, and so
    does a person who edited our document there.
    """
    own = [each for each in allocations if each.payment_id == payment_id]
    if all(postings[each.posting_id].is_known_to(snapshot) for each in own):
        return 0
    return sum(each.minor for each in own) - snapshot.seen.get(payment_id, 0)


def open_of(snapshot: Snapshot, allocations: Sequence[Allocation], postings: Mapping[str, Posting]) -> int:
    """What is open. Below zero only where a person also booked in the ERP what was paid here."""
    payments = {each.payment_id for each in allocations}
    lacking = sum(uncounted(payment_id, snapshot, allocations, postings) for payment_id in payments)
    return snapshot.total - snapshot.settled - lacking


def bracket_may_accept(
    stored: Snapshot | None,
    fresh: Snapshot,
    allocations: Sequence[Allocation],
    postings: Mapping[str, Posting],
    *,
    read_end_seq: int,
) -> bool:
    """For ERPs that tell totals only: refuse a read during which one of our postings may have landed.

    Such a read is repeated. An unknown posting freezes the row until it is looked up: pages must say so.
    """
    if not may_accept(stored, fresh):
        return False
    touching = [postings[each.posting_id] for each in allocations]
    return not any(
        posting.sent_seq is not None and posting.sent_seq < read_end_seq and not posting.is_known_to(fresh)
        for posting in touching
    )


def bracket_uncounted(snapshot: Snapshot, allocations: Sequence[Allocation], postings: Mapping[str, Posting]) -> int:
    """For ERPs that tell totals only: all our money whose posting was not confirmed before the read began."""
    return sum(each.minor for each in allocations if not postings[each.posting_id].is_known_to(snapshot))


def bracket_open_of(snapshot: Snapshot, allocations: Sequence[Allocation], postings: Mapping[str, Posting]) -> int:
    """What is open, for ERPs that tell totals only."""
    return snapshot.total - snapshot.settled - bracket_uncounted(snapshot, allocations, postings)
