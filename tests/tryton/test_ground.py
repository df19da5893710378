"""The ground that Tryton's tests stand on: it is the real thing, and it keeps books."""

from datetime import date
from decimal import Decimal

import pytest

from tests.tryton.company import accounts_of
from tests.tryton.desk import Desk, Refused

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
