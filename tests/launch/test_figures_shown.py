"""What a page shows before somebody presses is what the ERP and the books say once it is done."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from domain import refunds
from domain.allocation import Line
from store import refunds as rows
from store.staff_accounts import Role
from store.views import credits as credit_views
from tests.launch.town import Town
from tests.store.requests import Desk


async def open_there(town: Town, invoice_ids: Sequence[str]) -> dict[str, int]:
    """What the ERP says now is open of each, by our id; and what is shown here is the same."""
    await town.sync()
    found = await town.books.rows("SELECT id, erp_id FROM invoices WHERE id = ANY(:ids)", ids=list(invoice_ids))
    told = {each.erp_id: each for each in await town.connector.invoices_by_id([row.erp_id for row in found])}
    there = {row.id: told[row.erp_id].total.minor - told[row.erp_id].settled.minor for row in found}
    here = {each: (await town.books.balance(each))[0] for each in invoice_ids}
    assert here == there
    return there


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(each, marks=pytest.mark.long) for each in range(2, 12))])
async def test_what_was_shown_is_what_came_true(town: Town, seed: int) -> None:
    random = Random(seed)
    totals = [random.randint(500, 3_000) for _ in range(4)]
    customer_id, ids = await town.customer(*totals)

    # Paying: each balance less what is paid.
    parts = [(each, random.randint(1, total)) for each, total in zip(ids[:3], totals, strict=False)]
    shown = {each: total - dict(parts).get(each, 0) for each, total in zip(ids, totals, strict=True)}
    payment_id = await town.paid(customer_id, *parts)
    await town.post()
    assert await open_there(town, ids) == shown

    # Giving back a part of it, off some of its invoices.
    async with town.books.store.begin("test") as tx:
        facts = await rows.refundable(tx, payment_id)
    assert facts is not None
    back = [Line(invoice_id=each, minor=random.randint(1, minor)) for each, minor in random.sample(parts, 2)]
    shown |= {each.invoice_id: each.after for each in refunds.afterwards(back, facts)}
    await town.give_back(payment_id, sum(each.minor for each in back), *((each.invoice_id, each.minor) for each in back))
    await town.post()
    assert await open_there(town, ids) == shown

    # Applying a credit to what is open now.
    desk = Desk(town.books)
    left = [each for each in ids if shown[each] > 0]
    await town.enter_credit(customer_id, 2_500)
    credit = await town.books.one(
        "SELECT id, erp_id FROM credits WHERE customer_id = :id AND payment_id IS NULL", id=customer_id
    )
    asked = [(each, random.randint(1, min(shown[each], 600))) for each in random.sample(left, min(2, len(left)))]
    request_id = await desk.asked(customer_id, credit.id, *asked)
    async with town.books.store.begin("test") as tx:
        page = await credit_views.request(tx, request_id)
    assert page is not None
    shown |= {line.invoice_id: line.open - line.asked for line in page.lines}
    unapplied = page.unapplied - sum(line.asked for line in page.lines)
    answer = await desk.decide(request_id, "approve", await desk.staff(Role.AGENT))
    assert answer.rule is None
    await town.post()
    assert await open_there(town, ids) == shown
    (there,) = await town.connector.credits_by_id([credit.erp_id])
    assert (there.total.minor - there.used.minor, await desk.left(credit.id)) == (unapplied, (unapplied, 0))
