"""What timelines tell, in words: every kind that the code can write is known here, has words for staff, and reads to
customers without a vendor's word, an id of ours or a state's name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Iterator
from html import unescape
from pathlib import Path
from typing import Final

import httpx
import pytest
import pytest_asyncio

from api.staff import words
from domain.ids import PREFIXES
from domain.lifecycles import ApplyState, PaymentState, PostingState, RefundState, SetupState
from domain.resolving import EVENTS
from tests import machine
from tests.api.house import House, open_house

ROOT: Final = Path(__file__).parents[2]
ENDS: Final = {"declined", "failed", "canceled", "expired"}
REQUEST_ENDS: Final = {"rejected", "withdrawn", "expired"}
COMPUTED: Final = {
    ("store/payments.py", "kind"): {"redirected", "processing", "unknown"},
    ("store/payments.py", "outcome.state.value"): ENDS,
    ("store/methods.py", "state.value"): {"verifying", "completed", "canceled", "expired", "failed"},
    ("store/applied.py", "to.value"): {"applied", "undone"},
    ("store/apply_requests.py", "to.value"): REQUEST_ENDS,
    ("store/apply_requests.py", "kind"): {"asked", "answered"},
    ("store/refund_books.py", "kind"): {"refunded", "refund_came_back"},
    ("store/resolving.py", "EVENTS[how]"): set(EVENTS.values()),
    ("activities/applying.py", "kind"): {"reminded", "escalated"},
    ("activities/method_changes.py", "'removed' if refusal is None else 'remove_refused'"): {"removed", "remove_refused"},
}
"""Where a kind is computed, and what it can become there. What only passes a kind on is read where it is called."""
PASSED_ON: Final = {"store/apply_requests.py", "store/refund_books.py", "store/refunds.py"}
IN_STATEMENTS: Final = {"opened", "held", "captured", "submitted"}
"""Written by a statement that writes more than the timeline."""

VENDORS: Final = (
    "stripe|adyen|gocardless|blink|temporal|sandbox|workflow|webhook|tryton|odoo|erpnext|xero|quickbooks|netsuite|sage|intacct"
    "|business central|postgres|idempoten|erp|api|poll|timeout"
)
PLAIN: Final = {
    "applied", "asked", "canceled", "completed", "confirmed", "declined", "disputed", "expired", "failed", "opening",
    "refunded", "rejected", "requested", "returned", "second", "sent", "settled", "started", "withdrawn",
}  # fmt: skip
"""States whose names are what people say. The others are ours alone."""


def tells() -> Iterator[tuple[str, ast.expr]]:
    """(file, the expression of the kind) of each call that tells something."""
    for room in ("store", "activities", "workflows"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                name = ast.unparse(node.func)
                where = str(path.relative_to(ROOT))
                if name == "timeline.tell":
                    yield where, next(each.value for each in node.keywords if each.arg == "kind")
                elif name == "_tell":
                    yield where, node.args[4] if where == "store/refunds.py" else node.args[2]


def kinds() -> set[str]:
    """Every kind that the code can write."""
    found = set(IN_STATEMENTS)
    for where, each in tells():
        if isinstance(each, ast.Constant):
            found.add(str(each.value))
        else:
            found |= COMPUTED.get((where, ast.unparse(each)), set())
    return found


def test_every_kind_is_read_off_the_code_and_none_is_computed_where_nobody_looks() -> None:
    computed = {(where, ast.unparse(each)) for where, each in tells() if not isinstance(each, ast.Constant)}
    handed_on = {(where, "kind") for where in PASSED_ON}
    assert computed - handed_on == set(COMPUTED) - handed_on
    statements = [
        (str(path.relative_to(ROOT)), path.read_text().count("INSERT INTO timeline"))
        for room in ("store", "activities", "workflows")
        for path in sorted((ROOT / room).rglob("*.py"))
        if "INSERT INTO timeline" in path.read_text()
    ]
    assert statements == [("store/apply_requests.py", 1), ("store/payments.py", 2), ("store/timeline.py", 1)]
    assert len(kinds()) > 40


def test_staff_have_words_for_every_kind() -> None:
    mute = {each for each in kinds() if words.event(each) == each.replace("_", " ")}
    assert mute == set()


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        yield opened


def said(page: str) -> str:
    """The words of a page: no tag, no style, no script."""
    body = page[page.index("<main") : page.index("</main>")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def faults(text: str) -> list[str]:
    """What a customer should not have to read."""
    states = {each.value for kind in (PaymentState, SetupState, ApplyState, RefundState, PostingState) for each in kind}
    assert states >= PLAIN, PLAIN - states
    ours = "|".join(sorted(states - PLAIN))
    ids = rf"\b(?:{'|'.join(PREFIXES)})_\w+|\w+_\w+"
    return re.findall(rf"\b(?:{VENDORS})\b|\b(?:{ours})\b|{ids}", text, re.IGNORECASE)


def test_what_customers_should_not_read_is_found() -> None:
    for text in ("Sandbox said no", "status: processing", "pay_01kb8g3h5m is", "awaiting_customer", "Captured", "The ERP"):
        assert faults(text), text
    assert faults("Declined: your bank said no. It was sent, and you withdrew nothing.") == []


@pytest.mark.long
async def test_no_page_of_a_customers_tells_an_event_or_a_state_in_words_of_ours(house: House) -> None:
    customer = house.accounts.customer()
    visitor = await house.customer_browser(customer)
    found: list[str] = []
    for state in PaymentState:
        invoice = house.accounts.invoice(customer, 5_000)
        payment = house.accounts.payment(customer, {invoice: 5_000}, state=state, provider_ref=f"pi_{state}")
        everything(house, payment, customer)
        found += await badly_put(visitor, f"/payments/{payment}")
    for step in SetupState:
        setup = house.accounts.setup(customer, state=step)
        everything(house, setup, customer)
        found += await badly_put(visitor, f"/methods/setups/{setup}")
    credit = house.accounts.credit(customer, 5_000)
    for stage in ApplyState:
        request = house.accounts.apply_request(customer, credit, {house.accounts.invoice(customer, 100): 100}, state=stage)
        everything(house, request, customer)
        found += await badly_put(visitor, f"/requests/{request}")
    assert found == []


def everything(house: House, process: str, customer: str) -> None:
    """Whatever can be told, with facts as they come."""
    for minutes, kind in enumerate(sorted(kinds())):
        house.accounts.event(
            process, customer, kind, minutes=minutes, code="card_declined", by="stf_someone", minor=100, rule="not_found",
            posting="payment", number="PMT-1", words="a sentence of the machine's", expected_on="2026-11-25",
        )  # fmt: skip


async def badly_put(visitor: httpx.AsyncClient, address: str) -> list[str]:
    """Each fault, with the words around it."""
    answer = await visitor.get(address)
    assert answer.status_code == 200, (address, answer.text)
    text = said(answer.text)
    return [f"{fault}: …{text[max(text.index(fault) - 30, 0) :][:80]}…" for fault in faults(text)]
