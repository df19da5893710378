"""The demo ERP by itself: its books, a person's acts, its knobs and its pages. What it is relied upon for in tests."""

import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.machine import free_port
from tests.simulators.running import DemoErpProgram, start_demo_erp

# The simulators by themselves; what Duly relies on of them is in the conformance kits, which `make test` runs.
pytestmark = pytest.mark.long

_numbers = count(1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoErpProgram]:
    program = start_demo_erp(tmp_path_factory.mktemp("erp") / "books.sqlite")
    yield program
    program.program.stop()


@pytest.fixture
def erp(running: DemoErpProgram) -> DemoErpProgram:
    running.knobs(reset=True)
    return running


def make_customer(erp: DemoErpProgram, **fields: Any) -> str:
    number = f"C-{next(_numbers)}"
    row = {"number": number, "name": f"Customer {number}", "currency": "GBP", **fields}
    made: str = erp.answer("POST", "/bulk", json={"customers": [row]})["customers"][0]
    return made


def make_invoice(erp: DemoErpProgram, customer: str, total: int = 1000, **fields: Any) -> str:
    row = {
        "number": f"INV-{next(_numbers)}",
        "customer_id": customer,
        "currency": "GBP",
        "total": total,
        "issued_on": "2026-01-01",
        "due_on": "2026-02-01",
        **fields,
    }
    made: str = erp.answer("POST", "/bulk", json={"invoices": [row]})["invoices"][0]
    return made


def payment(customer: str, invoice: str, amount: int, reference: str = "ref") -> dict[str, Any]:
    return {
        "external_reference": reference,
        "customer_id": customer,
        "currency": "GBP",
        "amount": amount,
        "received_on": "2026-03-01",
        "lines": [{"invoice_id": invoice, "amount": amount}],
    }


@pytest.mark.parametrize(
    ("act", "status", "settled"),
    [
        ("pay_by_hand", "Paid", 1000),
        ("dispute", "Disputed", 0),
        ("put_in_instalments", "Instalment plan", 0),
        ("write_off", "Bad debt", 1000),
        ("close", "Closed", 1000),
        ("void", "Voided", 0),
    ],
)
def test_a_persons_act_changes_the_invoice_and_moves_it_to_the_end_of_the_changes(
    erp: DemoErpProgram, act: str, status: str, settled: int
) -> None:
    customer = make_customer(erp)
    first = make_invoice(erp, customer)
    make_invoice(erp, customer)
    erp.act(act, invoice_id=first, on="2026-03-02")
    found = erp.invoice(first)
    assert (found["status"], found["settled"]) == (status, settled)
    last = erp.answer("GET", "/invoices", params={"limit": 500})["rows"][-1]
    assert last["id"] == first


def test_what_is_paid_opens_again_when_its_total_grows_and_says_when_it_was_paid(erp: DemoErpProgram) -> None:
    customer = make_customer(erp)
    invoice = make_invoice(erp, customer)
    erp.act("pay_by_hand", invoice_id=invoice, on="2026-03-02")
    assert erp.invoice(invoice)["paid_on"] == "2026-03-02"
    erp.act("change_total", invoice_id=invoice, amount=1500)
    found = erp.invoice(invoice)
    assert (found["status"], found["settled"], found["total"], found["paid_on"]) == ("Posted", 1000, 1500, None)


def test_a_person_edits_our_payment_and_it_stands_with_the_new_amount(erp: DemoErpProgram) -> None:
    customer = make_customer(erp)
    invoice = make_invoice(erp, customer)
    erp.answer("POST", "/payments", json=payment(customer, invoice, 800, "edited"))
    erp.act("edit_payment", reference="edited", invoice_id=invoice, amount=300)
    found = erp.invoice(invoice)
    assert [(row["amount"], row["external_reference"]) for row in found["settlements"]] == [(300, "edited")]
    document = erp.answer("GET", "/test/documents", params={"reference": "edited"})["documents"][0]
    assert (document["amount"], document["unapplied"]) == (300, 0)


def test_a_deleted_document_is_still_counted_and_says_that_it_is_deleted(erp: DemoErpProgram) -> None:
    customer = make_customer(erp)
    invoice = make_invoice(erp, customer)
    erp.answer("POST", "/payments", json=payment(customer, invoice, 800, "deleted"))
    erp.act("delete_payment", reference="deleted")
    counted = erp.answer("GET", "/test/documents", params={"reference": "deleted"})
    assert (counted["count"], counted["documents"][0]["state"]) == (1, "Deleted")


def test_a_parent_is_paid_when_every_leaf_is_and_comes_back_in_the_next_read(erp: DemoErpProgram) -> None:
    customer = make_customer(erp)
    parent = make_invoice(erp, customer, 0, layout="parent")
    leaves = [make_invoice(erp, customer, layout="leaf", parent_id=parent, site=site) for site in ("A", "B")]
    assert erp.invoice(parent)["status"] == "Posted"
    for leaf in leaves:
        cursor = erp.answer("GET", "/invoices", params={"limit": 500})["next"]
        erp.act("pay_by_hand", invoice_id=leaf, on="2026-03-02")
        changed = erp.answer("GET", "/invoices", params={"since": cursor})["rows"]
        assert {row["id"] for row in changed} == {leaf, parent}
    assert (erp.invoice(parent)["status"], erp.invoice(parent)["paid_on"]) == ("Paid", "2026-03-02")


def test_a_parent_company_pays_for_its_child_and_a_stranger_does_not(erp: DemoErpProgram) -> None:
    parent, stranger = make_customer(erp), make_customer(erp)
    child = make_customer(erp, parent_id=parent)
    invoice = make_invoice(erp, child)
    refused = erp.call("POST", "/payments", json=payment(stranger, invoice, 100, "stranger"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "OTHER_CUSTOMER")
    assert erp.call("POST", "/payments", json=payment(parent, invoice, 100, "parent")).status_code == 201


@pytest.mark.parametrize("state", ["Draft", "Voided", "Bad debt", "Closed"])
def test_an_invoice_that_is_not_open_takes_no_payment(erp: DemoErpProgram, state: str) -> None:
    customer = make_customer(erp)
    invoice = make_invoice(erp, customer, state=state)
    refused = erp.call("POST", "/payments", json=payment(customer, invoice, 100))
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "INVOICE_NOT_OPEN")


def test_a_credit_note_and_a_prepayment_settle_and_keep_what_is_left(erp: DemoErpProgram) -> None:
    customer = make_customer(erp)
    invoice = make_invoice(erp, customer)
    common = {"customer_id": customer, "currency": "GBP", "on": "2026-03-01"}
    documents = [
        common | {"kind": "Credit note", "amount": 500, "lines": [{"invoice_id": invoice, "amount": 200}]},
        common | {"kind": "Prepayment", "amount": 400, "lines": [{"invoice_id": invoice, "amount": 400}]},
        common | {"kind": "Overpayment", "amount": 50},
    ]
    erp.answer("POST", "/bulk", json={"documents": documents})
    settlements = erp.invoice(invoice)["settlements"]
    assert {(row["kind"], row["amount"]) for row in settlements} == {("Credit note", 200), ("Prepayment", 400)}
    rows = erp.answer("GET", "/documents", params={"limit": 500})["rows"]
    left = {row["kind"]: row["unapplied"] for row in rows if row["customer_id"] == customer}
    assert left == {"Credit note": 300, "Prepayment": 0, "Overpayment": 50}


def test_a_part_of_a_payment_can_be_reversed_and_the_rest_stands(erp: DemoErpProgram) -> None:
    customer = make_customer(erp)
    invoice = make_invoice(erp, customer)
    erp.answer("POST", "/payments", json=payment(customer, invoice, 800, "in part"))
    reversal = payment(customer, invoice, 300, "part reversal") | {"payment_reference": "in part"}
    reversal["reversed_on"] = reversal.pop("received_on")
    erp.answer("POST", "/reversals", json=reversal)
    assert erp.invoice(invoice)["settled"] == 500
    standing = erp.answer("GET", "/test/documents", params={"reference": "in part"})["documents"][0]
    assert (standing["state"], standing["reversed"], standing["unapplied"]) == ("Posted", 300, 0)
    reversal |= {"amount": 500, "lines": [], "external_reference": "the rest"}
    erp.answer("POST", "/reversals", json=reversal)
    gone = erp.answer("GET", "/test/documents", params={"reference": "in part"})["documents"][0]
    assert (gone["state"], gone["reversed"], gone["applied"], gone["unapplied"]) == ("Reversed", 800, [], 0)
    refused = erp.call("POST", "/reversals", json=reversal | {"external_reference": "once more"})
    assert refused.json()["error"]["code"] == "PAYMENT_NOT_FOUND"


def test_bulk_keeps_nothing_when_one_row_is_refused(erp: DemoErpProgram) -> None:
    number = f"C-{next(_numbers)}"
    row = {"number": number, "name": "Twice", "currency": "GBP"}
    refused = erp.call("POST", "/bulk", json={"customers": [row, row]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ALREADY_ENTERED")
    rows = erp.answer("GET", "/customers", params={"limit": 500})["rows"]
    assert number not in {customer["number"] for customer in rows}


def test_a_read_and_a_write_at_once_never_show_half_an_invoice(erp: DemoErpProgram) -> None:
    customer = make_customer(erp)
    invoice = make_invoice(erp, customer, 100_000)
    done = threading.Event()

    def pay() -> None:
        with httpx.Client(base_url=erp.url, trust_env=False, headers={"Authorization": f"Bearer {erp.api_key}"}) as client:
            for number in range(60):
                client.post("/payments", json=payment(customer, invoice, 7, f"half-{number}"))
        done.set()

    payer = threading.Thread(target=pay)
    payer.start()
    while not done.is_set():
        found = erp.invoice(invoice)
        assert found["settled"] == sum(row["amount"] for row in found["settlements"])
    payer.join()
    assert erp.invoice(invoice)["settled"] == 60 * 7


def test_requests_are_counted_by_what_they_ask_even_while_it_is_down(erp: DemoErpProgram) -> None:
    erp.answer("DELETE", "/test/requests")
    erp.knobs(down=True)
    assert erp.call("GET", "/ping").status_code == 503
    assert erp.call("POST", "/payments", json={}).status_code == 503
    erp.knobs(reset=True)
    assert erp.call("GET", "/ping").status_code == 200
    assert erp.answer("GET", "/test/requests") == {"GET /ping": 2, "POST /payments": 1}


def test_a_knob_that_is_not_sent_stays_and_null_turns_it_back(erp: DemoErpProgram) -> None:
    erp.knobs(delay_ms=1, closed_through="2026-01-31")
    erp.knobs(throttle=2)
    knobs = erp.answer("GET", "/test/knobs")
    assert (knobs["delay_ms"], knobs["closed_through"], knobs["throttle"]) == (1, "2026-01-31", 2)
    erp.knobs(closed_through=None)
    assert erp.answer("GET", "/test/knobs")["closed_through"] is None
    erp.knobs(reset=True)
    assert erp.answer("GET", "/test/knobs")["throttle"] == 0


def test_nothing_but_health_and_the_pages_answers_without_the_key(erp: DemoErpProgram) -> None:
    with httpx.Client(base_url=erp.url, trust_env=False) as stranger:
        assert stranger.get("/health").status_code == 200
        for method, path in (("GET", "/customers"), ("POST", "/payments"), ("POST", "/bulk"), ("POST", "/test/knobs")):
            assert stranger.request(method, path, json={}).status_code == 401
        assert stranger.get("/test/documents", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_the_pages_show_customers_invoices_and_documents_and_escape_what_they_show(erp: DemoErpProgram) -> None:
    customer = make_customer(erp, number="C-show/1", name="<b>Bold & Sons</b>")
    invoice = make_invoice(erp, customer, 123_456, number="INV-show 1")
    erp.answer("POST", "/payments", json=payment(customer, invoice, 1, "shown-reference"))
    with httpx.Client(base_url=erp.url, trust_env=False) as visitor:
        customers = visitor.get("/", params={"q": "bold"})
        assert "&lt;b&gt;Bold &amp; Sons&lt;/b&gt;" in customers.text
        assert "<b>Bold" not in customers.text
        assert "Nobody" in visitor.get("/", params={"q": "Nobody"}).text
        page = visitor.get("/invoice/INV-show 1")
        assert "1,234.56 GBP" in page.text
        assert "shown-reference" in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert visitor.get("/customer/C-none").status_code == 404


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    port = free_port()
    erp = start_demo_erp(tmp_path / "books.sqlite", port=port)
    customer = make_customer(erp)
    invoice = make_invoice(erp, customer)
    erp.answer("POST", "/payments", json=payment(customer, invoice, 400, "before the kill"))
    erp.program.kill()
    again = start_demo_erp(tmp_path / "books.sqlite", port=port)
    assert again.invoice(invoice)["settled"] == 400
    assert again.answer("GET", "/test/documents", params={"reference": "before the kill"})["count"] == 1
    assert make_invoice(again, customer) != invoice
    assert again.program.stop() == 0
