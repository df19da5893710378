"""Days' files: one a day, never rewritten, each document once and whole, wherever its writer is killed."""

import csv
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from connectors.conformance.erp_harness import application_of, fresh_reference, payment_of, raised, refund_of, reversal_of
from connectors.erp.csv import Days
from connectors.erp.csv.rows import HEADINGS, rows, whole
from connectors.erp.ports import CreditApplicationDocument, PaymentLine, RefundReversalDocument
from connectors.errors import OutcomeUnknown, Rejected, Unavailable
from domain.money import Money
from tests.connectors.csv.harness import DAY, FolderHarness
from tests.connectors.csv.killed import REFERENCES, entry_of

ROOT = Path(__file__).parents[3]
USD = "USD"


@pytest.fixture
def harness(tmp_path: Path) -> FolderHarness:
    folder = tmp_path / "export"
    folder.mkdir()
    return FolderHarness(folder)


def told(folder: Path) -> list[str]:
    """References of whole documents in a folder, as another process reads them."""
    fresh = Days(folder, lambda: DAY)
    return [each for reference in REFERENCES for each in [reference] * len(fresh.find(reference))]


@pytest.mark.parametrize("step", ["locked", "cut", "opened", "written", "synced"])
def test_whoever_is_killed_at_a_step_leaves_each_document_once_and_whole(tmp_path: Path, step: str) -> None:
    command = [sys.executable, "-m", "tests.connectors.csv.killed", str(tmp_path), step, "4"]
    killed = subprocess.run(command, cwd=ROOT, check=False)
    assert killed.returncode == -9
    before = told(tmp_path)
    assert before == list(REFERENCES[: 4 if step in {"written", "synced"} else 3])
    days = Days(tmp_path, lambda: DAY)
    for reference in REFERENCES:
        days.write(entry_of(reference), lambda: None)
    assert told(tmp_path) == list(REFERENCES)


def test_a_tail_that_is_cut_anywhere_is_no_document_and_is_cut_off_by_the_next(tmp_path: Path) -> None:
    days = Days(tmp_path, lambda: DAY)
    for reference in REFERENCES[:2]:
        days.write(entry_of(reference), lambda: None)
    (path,) = days.files()
    full = path.read_bytes()
    first = len(full) - len(rows(entry_of(REFERENCES[1]), at=DAY).encode())
    for length in range(len(full)):
        path.write_bytes(full[:length])
        assert told(tmp_path) == list(REFERENCES[: 1 if length >= first else 0])
        assert b"".join(each for each in days.content(path.name).splitlines(keepends=True)) in full
        again = Days(tmp_path, lambda: DAY)
        for reference in REFERENCES[:2]:
            again.write(entry_of(reference), lambda: None)
        assert path.read_bytes() == full


def test_two_who_write_at_once_write_each_document_once(tmp_path: Path) -> None:
    both = [Days(tmp_path, lambda: DAY) for _ in range(2)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda each: both[each % 2].write(entry_of(REFERENCES[each % 10]), lambda: None), range(40)))
    assert sorted(told(tmp_path)) == sorted(REFERENCES)


async def test_a_day_that_is_over_is_never_written_to_again(harness: FolderHarness) -> None:
    first = payment_of("csv:C-1", {"csv:INV-1": Money.of(100, USD)})
    await harness.erp.post_payment(first)
    (monday,) = harness.days.files()
    closed = monday.read_bytes()
    harness.pass_days(1)
    await harness.erp.post_payment(first)
    late = payment_of("csv:C-1", {"csv:INV-2": Money.of(100, USD)})  # dated yesterday
    posted = await harness.erp.post_payment(late)
    assert posted.number == "payments-2026-03-17.csv line 2"
    assert monday.read_bytes() == closed
    harness.pass_days(-1)  # a clock that goes back opens no day again
    await harness.erp.post_reversal(reversal_of(late))
    assert monday.read_bytes() == closed
    assert [each.name for each in harness.days.files()] == ["payments-2026-03-16.csv", "payments-2026-03-17.csv"]


async def test_an_accountant_reads_amounts_that_add_up_to_the_money_that_moved(harness: FolderHarness) -> None:
    lines = {"csv:INV-1": Money.of(1000, USD), "csv:INV-2": Money.of(250, USD)}
    payment = payment_of("csv:C-1", lines, unapplied=Money.of(50, USD))
    await harness.erp.post_payment(payment)
    await harness.erp.post_refund(refund_of(payment, {"csv:INV-1": Money.of(400, USD)}, unapplied=Money.of(50, USD)))
    move = application_of(payment, {"csv:INV-1": Money.of(-600, USD), "csv:INV-2": Money.of(600, USD)})
    await harness.erp.post_application(move)
    (path,) = harness.days.files()
    read = list(csv.DictReader(path.read_text().splitlines()))
    assert tuple(read[0]) == HEADINGS
    assert [(row["document"], row["invoice_number"], row["amount"]) for row in read] == [
        ("payment", "INV-1", "10.00"),
        ("payment", "INV-2", "2.50"),
        ("payment", "", "0.50"),
        ("refund", "INV-1", "-4.00"),
        ("refund", "", "-0.50"),
        ("application", "INV-1", "-6.00"),
        ("application", "INV-2", "6.00"),
    ]
    assert {row["payment_reference"] for row in read} == {payment.reference}


async def test_what_was_written_makes_some_things_impossible(harness: FolderHarness) -> None:
    payment = payment_of("csv:C-1", {"csv:INV-1": Money.of(1000, USD)}, unapplied=Money.of(200, USD))
    await harness.erp.post_payment(payment)
    refund = refund_of(payment, {"csv:INV-1": Money.of(600, USD)}, unapplied=Money.of(200, USD))
    await harness.erp.post_refund(refund)
    refused = [
        harness.erp.post_refund(refund_of(payment, {"csv:INV-1": Money.of(401, USD)})),
        harness.erp.post_refund(refund_of(payment, {}, unapplied=Money.of(1, USD))),
        harness.erp.post_application(application_of(payment, {"csv:INV-2": Money.of(1, USD)})),
        harness.erp.post_application(application_of(payment, {"csv:INV-1": Money.of(-401, USD)})),
        harness.erp.post_reversal(reversal_of(payment)),
        harness.erp.post_reversal(replace(reversal_of(payment), payment_reference=fresh_reference())),
        harness.erp.post_payment(replace(payment, amount=Money.of(1199, USD))),
        harness.erp.post_payment(replace(payment, amount=Money.of(1300, USD))),
    ]
    before = harness.lines()
    for call in refused:
        await raised(Rejected, call)
    assert harness.lines() == before

    came_back = RefundReversalDocument(
        reference=fresh_reference(),
        refund_reference=refund.reference,
        payment_reference=payment.reference,
        customer_erp_id="csv:C-1",
        amount=refund.amount,
        reversed_on=date(2026, 3, 17),
        lines=(PaymentLine(invoice_erp_id="csv:INV-1", amount=Money.of(600, USD)),),
        memo="The bank did not take it",
    )
    await harness.erp.post_refund_reversal(came_back)
    await raised(Rejected, harness.erp.post_refund_reversal(replace(came_back, reference=fresh_reference())))
    await harness.erp.post_reversal(reversal_of(payment))
    await raised(Rejected, harness.erp.post_reversal(reversal_of(payment)))


async def test_a_credit_comes_off_only_where_it_was_put(harness: FolderHarness) -> None:
    def used(minor: int) -> CreditApplicationDocument:
        line = PaymentLine(invoice_erp_id="csv:INV-1", amount=Money.of(minor, USD))
        return CreditApplicationDocument(
            reference=fresh_reference(),
            credit_erp_id="csv:CN-1",
            customer_erp_id="csv:C-1",
            lines=(line,),
            on=date(2026, 3, 16),
            memo="A credit is used",
        )

    await harness.erp.post_credit_application(used(300))
    await raised(Rejected, harness.erp.post_credit_application(used(-301)))
    posted = await harness.erp.post_credit_application(used(-300))
    assert posted.amount == Money.of(300, USD)


async def test_texts_that_a_spreadsheet_would_run_are_told_as_text_and_stay_on_one_line(harness: FolderHarness) -> None:
    payment = replace(payment_of("csv:C-1", {}, unapplied=Money.of(100, USD)), memo="=1+1\nand more", method_label="+card")
    await harness.erp.post_payment(payment)
    _, row = harness.lines()
    assert "'=1+1 and more" in row
    assert "'+card" in row


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
async def test_amounts_are_read_back_as_they_were_written(harness: FolderHarness, currency: str) -> None:
    payment = payment_of("csv:C-1", {"csv:INV-1": Money.of(1250, currency)}, unapplied=Money.of(7, currency))
    await harness.erp.post_payment(payment)
    (found,) = await harness.erp.find_document(payment.reference)
    assert found.amount == Money.of(1257, currency)


async def test_a_file_that_a_person_changed_stops_everything_and_one_that_is_gone_is_noticed(harness: FolderHarness) -> None:
    payment = payment_of("csv:C-1", {}, unapplied=Money.of(100, USD))
    await harness.erp.post_payment(payment)
    (path,) = harness.days.files()
    kept = path.read_text()
    path.write_text(kept + "somebody was here\n")
    await raised(Unavailable, harness.erp.post_payment(payment_of("csv:C-1", {}, unapplied=Money.of(1, USD))))
    path.unlink()
    assert list(await harness.erp.find_document(payment.reference)) == []


async def test_a_file_that_cannot_be_written_is_unknown_and_nothing_else(harness: FolderHarness) -> None:
    await harness.erp.post_payment(payment_of("csv:C-1", {}, unapplied=Money.of(1, USD)))
    (path,) = harness.days.files()
    payment = payment_of("csv:C-1", {"csv:INV-1": Money.of(100, USD)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))  # the disk is full after ten bytes
    try:
        await raised(OutcomeUnknown, harness.erp.post_payment(payment))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(await harness.erp.find_document(payment.reference)) == []
    await harness.erp.post_payment(payment)
    assert await harness.count_documents(reference=payment.reference) == 1


def test_a_reader_is_told_of_whole_documents_only_and_of_no_other_file(tmp_path: Path) -> None:
    days = Days(tmp_path, lambda: datetime(2026, 3, 16, tzinfo=UTC))
    days.write(entry_of(REFERENCES[0]), lambda: None)
    (path,) = days.files()
    full = path.read_bytes()
    path.write_bytes(full + b"pay_1,1,2,payment")
    assert days.content(path.name) == full
    for name in ("../secrets.csv", ".lock", "payments-2026-03-17.csv", "payments-2026-03-16.csv.bak"):
        with pytest.raises(Rejected):
            days.content(name)
    assert [each.entry for each in whole(full, file=path.name, line=1)[0]] == [entry_of(REFERENCES[0])]
