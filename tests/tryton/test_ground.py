"""The ground that Tryton's tests stand on: it is the real thing, and it keeps books."""

from datetime import date
from decimal import Decimal

import pytest

from connectors.conformance.erp_harness import payment_of
from domain.money import Money
from tests.tryton.company import accounts_of
from tests.tryton.desk import Desk, Refused
from tests.tryton.harness import TrytonHarness

pytestmark = pytest.mark.long


def test_a_move_that_does_not_balance_is_not_posted(desk: Desk) -> None:
    """On SQLite it would be: that is why it runs on PostgreSQL, and why this is asked."""
    day = date(2026, 3, 16)
    period = desk.search("account.period", ("start_date", "<=", day), ("end_date", ">=", day))[0]
    journal = desk.search("account.journal", ("type", "=", "cash"))[0]
    line = {"account": accounts_of(desk).cash, "debit": Decimal(5), "credit": Decimal(0)}
    move = desk.create("account.move", journal=journal, period=period, date=day, lines=[("create", [line])])
    with pytest.raises(Refused, match="balance"):
        desk.press("account.move", "post", move)
    assert desk.rows("account.move", [("id", "=", move)], ["state"]) == [{"id": move, "state": "draft"}]


async def test_what_duly_reads_cannot_be_deleted_there(harness: TrytonHarness, desk: Desk) -> None:
    """So no read has to look for what is gone: it is cancelled, which is told."""
    customer = await harness.make_customer(currency="EUR")
    invoice = await harness.make_invoice(customer=customer, total=Money.of(500, "EUR"))
    payment = payment_of(customer, {invoice: Money.of(100, "EUR")})
    await harness.erp.post_payment(payment)
    (move,) = desk.search("account.move", ("description", "=", payment.reference))
    for model, record in (("account.invoice", int(invoice)), ("account.move", move), ("party.party", int(customer))):
        with pytest.raises(Refused):
            desk.do(f"model.{model}.delete", [record])
        assert desk.search(model, ("id", "=", record)) == [record]
