"""The demo company: what a demo can rely on finding, and that it arrives whole in a running ERP."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from simulators.company.generate import generate
from simulators.company.showcase import SHOWCASE
from tests.simulators.running import ROOT, DemoErpProgram, start_demo_erp

TODAY = date(2026, 3, 16)


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoErpProgram]:
    running = start_demo_erp(tmp_path_factory.mktemp("erp") / "books.sqlite")
    yield running
    running.program.stop()


def load(erp: DemoErpProgram, *, today: date = TODAY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulators.company", "--erp", erp.url, "--today", today.isoformat()],
        cwd=ROOT,
        env={"DEMO_ERP_API_KEY": erp.api_key},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def invoices(erp: DemoErpProgram) -> list[dict[str, Any]]:
    """Every invoice, as a connector reads them after the company was written."""
    started = time.monotonic()
    written = load(erp)
    assert written.returncode == 0, written.stderr
    assert time.monotonic() - started < 20, "a few seconds on an idle machine"
    assert all(number in written.stdout for number in SHOWCASE)
    found: list[dict[str, Any]] = []
    cursor, more = 0, True
    while more:
        page = erp.answer("GET", "/invoices", params={"since": cursor, "limit": 500})
        found.extend(page["rows"])
        cursor, more = page["next"], page["more"]
    return found


def of(erp: DemoErpProgram, invoices: list[dict[str, Any]], number: str) -> list[dict[str, Any]]:
    customers = erp.answer("GET", "/customers", params={"limit": 500})["rows"]
    (customer,) = (row for row in customers if row["number"] == number)
    return [row for row in invoices if row["customer_id"] == customer["id"]]


def test_the_same_day_gives_the_same_company_and_another_day_moves_its_dates() -> None:
    first, again, later = generate(TODAY), generate(TODAY), generate(date(2027, 1, 1))
    assert (first.customers, first.invoices, first.documents) == (again.customers, again.invoices, again.documents)
    assert first.invoices != later.invoices
    assert [row["total"] for row in first.invoices] == [row["total"] for row in later.invoices]


def test_it_is_as_large_and_as_varied_as_a_demo_needs(erp: DemoErpProgram, invoices: list[dict[str, Any]]) -> None:
    customers = erp.answer("GET", "/customers", params={"limit": 500})["rows"]
    assert len(customers) >= 40
    assert len(invoices) >= 1500
    assert {row["currency"] for row in invoices} == {"USD", "EUR", "GBP", "JPY"}
    assert sum(row["parent_id"] is not None for row in customers) == 2
    assert sum(row["paused"] for row in customers) >= 2
    assert any(row["paused"] for row in invoices)
    statuses = {row["status"] for row in invoices}
    assert statuses == {
        *("Draft", "Posted", "Paid", "Disputed", "Instalment plan", "Bad debt", "Closed", "Voided", "In mediation"),
    }
    assert any(row["status"] == "Posted" and row["settled"] > 0 for row in invoices), "partly paid"
    assert all(contact["email"].endswith(".example") for row in customers for contact in row["contacts"])
    assert all(row["contacts"] for row in customers)


def test_there_are_six_multi_site_parents_and_one_has_twelve_leaves(
    erp: DemoErpProgram, invoices: list[dict[str, Any]]
) -> None:
    parents = [row for row in invoices if row["layout"] == "parent"]
    leaves = Counter(row["parent_id"] for row in invoices if row["layout"] == "leaf")
    assert set(leaves) == {row["id"] for row in parents}
    assert len(parents) == 6
    assert max(leaves.values()) == 12
    assert {row["status"] for row in parents} == {"Posted", "Paid"}
    meridian = [row for row in of(erp, invoices, "C-1003") if row["layout"] == "leaf"]
    by_parent = [Counter(row["status"] for row in meridian if row["parent_id"] == parent) for parent in leaves]
    assert Counter({"Posted": 3, "Paid": 1}) in by_parent, "pay one: a paid, a pending and two open leaves"


def test_one_customer_has_450_open_invoices_and_one_has_every_status(
    erp: DemoErpProgram, invoices: list[dict[str, Any]]
) -> None:
    many = of(erp, invoices, "C-1004")
    assert [row["status"] for row in many] == ["Posted"] * 450
    every = of(erp, invoices, "C-1006")
    assert {row["status"] for row in every} == {row["status"] for row in invoices}


def test_every_invoice_adds_up(invoices: list[dict[str, Any]]) -> None:
    for row in invoices:
        if row["layout"] != "parent":
            lines = sum(line["amount"] + line["tax"] for line in row["lines"])
            assert row["total"] == lines - (row["discount"] or 0) > 0
            assert all(int(line["quantity"]) * line["unit_price"] == line["amount"] for line in row["lines"])
        assert row["settled"] == sum(settlement["amount"] for settlement in row["settlements"]) <= row["total"]
        assert row["issued_on"] <= min(row["due_on"], TODAY.isoformat())
        assert all(row["issued_on"] <= settlement["on"] <= TODAY.isoformat() for settlement in row["settlements"])
        if row["status"] in ("Bad debt", "Closed"):
            assert row["settled"] == row["total"]


def test_credit_notes_deposits_and_overpayments_have_something_left(
    erp: DemoErpProgram, invoices: list[dict[str, Any]]
) -> None:
    assert invoices
    left: Counter[str] = Counter()
    cursor, more = 0, True
    while more:
        page = erp.answer("GET", "/documents", params={"since": cursor, "limit": 500})
        for row in page["rows"]:
            assert row["unapplied"] >= 0
            left[row["kind"]] += row["unapplied"] > 0
        cursor, more = page["next"], page["more"]
    assert all(left[kind] > 0 for kind in ("Credit note", "Prepayment", "Overpayment"))


def test_a_second_start_finds_the_company_and_writes_nothing(erp: DemoErpProgram, invoices: list[dict[str, Any]]) -> None:
    again = load(erp, today=date(2026, 4, 1))
    assert again.returncode == 0
    assert "already" in again.stdout
    last = erp.answer("GET", "/invoices", params={"since": 0, "limit": 1})["rows"][0]
    assert last == invoices[0]


def test_an_erp_that_refuses_or_is_absent_is_said_plainly(tmp_path: Path) -> None:
    erp = start_demo_erp(tmp_path / "books.sqlite")
    erp.api_key = "wrong"
    refused = load(erp)
    assert (refused.returncode, "401" in refused.stderr) == (1, True)
    erp.program.stop()
    absent = load(erp)
    assert (absent.returncode, "does not answer" in absent.stderr) == (1, True)
