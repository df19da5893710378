"""The drill's own judgement: what it reads of a page, what it calls proven, and that it can be red."""

from __future__ import annotations

import ast
from typing import cast

from connectors import registry
from launch.drill.crash import CROWDS, Choice, Outcome
from launch.drill.ground import Ground
from launch.drill.over_vendors import OVER_VENDORS, PaidOver, UnheardOver
from launch.drill.points import points_in
from launch.drill.process import Process
from launch.drill.row import Row, summary_of
from launch.drill.storm import Passed, back_after_seconds, target_of
from launch.drill.visitor import forms_of
from tests import long

FORM = """<form method="post" action="/payments"><input type="hidden" name="csrf" value="a">
<input type="radio" name="way" value="pm_1"><input type="radio" name="way" value="pm_2" checked>
<input type="checkbox" name="save" value="x"></form><input name="outside" value="no">"""


def row(*, landed: bool = True, wrong: str = "", dies: str = "worker") -> Row:
    return Row(
        process="pay",
        point="charge.after",
        dies=dies,
        landed=landed,
        counts={"charges": 1},
        back_after_seconds=4.0,
        wrong=wrong,
    )


def passed(at_seconds: float, point: str, name: str = "payment/pay_1") -> Passed:
    return Passed(at_seconds=at_seconds, pid=1, point=point, name=name)


def test_a_form_is_read_as_a_browser_would_send_it() -> None:
    (form,) = forms_of(FORM)
    assert form.filled({}) == {"csrf": "a", "way": "pm_2"}
    assert form.choices == {"way": ["pm_1", "pm_2"]}


def test_a_kill_that_is_not_proven_is_wrong_whatever_was_counted() -> None:
    assert row().holds
    assert not row(landed=False).holds
    assert not row(wrong="2 charges").holds
    assert not Outcome(rows=[row(), row(landed=False)]).holds
    assert not Outcome(rows=[row()], missed=["charge.before"]).holds


def test_back_at_work_is_the_same_process_going_on_and_not_a_neighbour() -> None:
    landing = "100.000 1 charge.after payment/pay_1\n"
    others = [passed(100.0, "charge.after"), passed(101.0, "charge.before", "payment/pay_2")]
    assert back_after_seconds(landing, others, ()) is None
    assert back_after_seconds(landing, [*others, passed(104.5, "charge.before")], ()) == 4.5


def test_what_goes_on_without_a_dead_server_does_not_count_as_back() -> None:
    landing = "100.000 1 charge.after payment/pay_1\n"
    went_on = [passed(100.1, "record_outcome.before"), passed(103.0, "record_outcome.after")]
    assert back_after_seconds(landing, went_on, [90.0, 102.0]) == 3.0


def test_rows_are_chosen_by_process_point_and_death() -> None:
    choice = Choice(only="pay*/charge*/worker")
    assert choice.takes("pay by debit", "charge.before", "worker")
    assert not choice.takes("pay by debit", "charge.before", "postgres")
    assert choice.may_take("pay by debit")
    assert not Choice(only="read/x/y").may_take("pay by debit")


def test_the_summary_has_a_line_for_each_death() -> None:
    assert summary_of([row(), row(), row(dies="postgres")]).row_count == 2


def test_points_are_read_from_the_source() -> None:
    source = """
@activity.defn
async def act(self):
    async with self._database.begin("act.write") as tx: ...
    await faults.reach("act.before_send")
"""
    found = set(points_in(ast.parse(source)))
    assert found == {"act.before", "act.after", "act.write.before_commit", "act.write.after_commit", "act.before_send"}


def test_every_connector_that_moves_real_money_is_paid_over() -> None:
    wanted = {name for name, connector in registry.payment_connectors().items() if not connector.only_tests}
    assert {getattr(kind, "vendor", "") for kind in OVER_VENDORS if issubclass(kind, PaidOver)} == wanted
    assert all(Choice(only=f"{glob}/*").may_take(kind.name) for glob, crowd in CROWDS.items() for kind in crowd)


def test_of_processes_that_storm_together_each_dies_at_points_of_its_own() -> None:
    ground = cast("Ground", None)  # nobody stands on it
    pays, unheard = PaidOver(ground, "cus_1", ["inv_1"]), UnheardOver(ground, "cus_2", ["inv_2"])
    pays.word, unheard.word = "pay_1", "pay_2"
    both: list[Process] = [pays, unheard]

    def met(point: str, name: str, *, in_api: bool = False) -> tuple[type[Process] | None, bool] | None:
        target = target_of(passed(1.0, point, name), both, in_api=in_api)
        return None if target is None else (target.kind, target.bound)

    assert met("charge.before", "payment/pay_1") == (PaidOver, True)
    assert met("charge.before", "payment/pay_2") is None
    assert met("find_charge.before", "payment/pay_2") == (UnheardOver, True)
    assert met("find_charge.before", "payment/pay_1") is None
    assert met("webhook.stored.before_commit", "", in_api=True) == (PaidOver, False)
    assert met("charge.before", "setup/set_1") is None


def test_the_table_of_the_long_tests_says_what_was_not_done() -> None:
    done = {long.PARTS[0].name: long.Done(figure="3 passed", seconds=9, holds=False, finished_at="2026-11-25T06:00")}
    table = long.page("abc", done)
    assert "| 3 passed | 9 | **does not hold** |" in table
    assert table.count("not done") == len(long.PARTS) - 1


def test_changes_that_are_not_committed_are_nobodys_evidence() -> None:
    assert long.kept("abc and changes") == {}
