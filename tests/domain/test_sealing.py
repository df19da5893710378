"""A seal covers every entry in its order, and the seal before it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.sealing import NOTHING, SealedEntry, SealedLine, chained, leaf, root

LINES = (
    SealedLine(account="clearing", holder="sandbox", invoice_id="", minor=100),
    SealedLine(account="receivable", holder="cus_1", invoice_id="inv_1", minor=-100),
)
ENTRY = SealedEntry(
    seq=7,
    id="pay_1/captured",
    process_id="pay_1",
    kind="captured",
    currency="GBP",
    booked_at=datetime(2026, 11, 28, 9, 30, tzinfo=UTC),
    lines=LINES,
)


def test_a_leaf_is_the_hash_of_what_is_written_in_the_export() -> None:
    told = (
        "7|pay_1/captured|pay_1|captured|GBP|2026-11-28T09:30:00.000000Z|clearing:sandbox::100;receivable:cus_1:inv_1:-100"
    )
    assert leaf(ENTRY) == hashlib.sha256(b"\x00" + told.encode()).digest()


@pytest.mark.parametrize(
    "changed",
    [
        replace(ENTRY, seq=8),
        replace(ENTRY, id="pay_2/captured"),
        replace(ENTRY, process_id="pay_2"),
        replace(ENTRY, kind="refunded"),
        replace(ENTRY, currency="EUR"),
        replace(ENTRY, booked_at=datetime(2026, 11, 28, 9, 31, tzinfo=UTC)),
        replace(ENTRY, lines=LINES[::-1]),
        replace(ENTRY, lines=(replace(LINES[0], minor=101), LINES[1])),
        replace(ENTRY, lines=(LINES[0], replace(LINES[1], invoice_id="inv_2"))),
        replace(ENTRY, lines=(LINES[0], replace(LINES[1], holder="cus_2"))),
        replace(ENTRY, lines=(replace(LINES[0], account="fees"), LINES[1])),
    ],
)
def test_nothing_of_an_entry_can_change_unseen(changed: SealedEntry) -> None:
    assert leaf(changed) != leaf(ENTRY)


def test_the_tree_is_the_standards_own() -> None:
    # RFC 6962, section 2.1: for leaves d0, d1, d2 the root is the node of (d0, d1)'s node and d2's leaf.
    a, b, c = (hashlib.sha256(each).digest() for each in (b"a", b"b", b"c"))
    pair = hashlib.sha256(b"\x01" + a + b).digest()
    assert root([a]) == a.hex()
    assert root([a, b, c]) == hashlib.sha256(b"\x01" + pair + c).hexdigest()
    assert root([]) == hashlib.sha256(b"").hexdigest()
    assert root([a, b, c]) != root([b, a, c])


def test_each_seal_depends_on_the_one_before() -> None:
    tree = root([leaf(ENTRY)])
    first = chained(NOTHING, tree)
    assert chained(first, tree) != first
