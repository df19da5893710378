"""What the business switches off is refused by every way in: by the page, by a form that was drawn before, by a program."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from html import unescape
from typing import Any

import httpx
import pytest
import pytest_asyncio

from store import access, business
from tests.processes.house import House, now
from tests.processes.test_programs import answered, payment_of, program

pytestmark = pytest.mark.long
__all__ = ["program"]  # a fixture that the tests here ask for by its name


@pytest_asyncio.fixture(autouse=True)
async def as_it_was(house: House) -> AsyncIterator[None]:
    """The house is everybody's: what a test decides is put back."""
    async with house.admin.begin("test") as tx:
        before = asdict(await business.load(tx))
    yield
    await decide(house, before)


async def decide(house: House, values: Mapping[str, object]) -> None:
    async with house.admin.begin("test") as tx:
        known = asdict(await business.load(tx))
        for name, value in values.items():
            if known[name] != value:
                await business.change(tx, name, value, by="test", at=now())


@pytest_asyncio.fixture
async def visitor(house: House) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
    async with httpx.AsyncClient(base_url=house.base_url, headers=headers, trust_env=False, timeout=60) as opened:
        yield opened


async def come_in(house: House, visitor: httpx.AsyncClient, customer: str) -> None:
    async with house.admin.begin("test") as tx:
        link = await access.create_link(tx, customer, by="test", at=now(), days=2)
    token = re.findall(r'name="csrf" value="(\w+)"', (await visitor.get(f"/l/{link.token}")).text)
    answer = await visitor.post(f"/l/{link.token}", data={"csrf": token[0]} if token else {})
    assert answer.status_code == 303, answer.text


def form_on(page: str) -> dict[str, str]:
    form = page[page.index('<form id="pay"') : page.index("</form>", page.index('<form id="pay"'))]
    found = {}
    for tag in re.findall(r"<input[^>]*>", form):
        known = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if known.get("type") not in {"radio", "checkbox"} or " checked" in tag:
            found[known["name"]] = unescape(known.get("value", ""))
    return found


async def rule_of_post(house: House, visitor: httpx.AsyncClient, form: Mapping[str, str]) -> str:
    """The rule that refuses a form: at once, or by the process, on the payment's own row."""
    answer = await visitor.post("/payments", data=dict(form))
    if "x-refusal" in answer.headers:
        return answer.headers["x-refusal"]
    assert answer.status_code == 303, answer.text
    payment_id = answer.headers["location"].rsplit("/", 1)[1]
    await house.reaches(payment_id, "refused", within_seconds=60)
    return str((await house.one("SELECT refused_rule FROM payments WHERE id = :id", id=payment_id)).refused_rule)


@pytest.mark.parametrize(
    ("off", "amount", "by_form", "by_program"),
    [
        pytest.param(
            {"one_time_payment": False, "charge_on_file": False}, 10_000, "paying_off", "paying_off", id="both off"
        ),
        pytest.param({"charge_on_file": False}, 10_000, "method_not_found", "saved_methods_off", id="saved methods"),
        pytest.param({"card_limit": {"USD": 9_999}}, 10_000, "card_above_limit", "card_above_limit", id="card limit"),
        pytest.param({"partial_payment": False}, 4_000, "partial_not_allowed", "partial_not_allowed", id="parts"),
        pytest.param({"minimum_partial": {"USD": 4_001}}, 4_000, "below_minimum", "below_minimum", id="smallest part"),
        pytest.param({"minimum_payment": "overdue"}, 10_000, "below_minimum", "below_minimum", id="overdue"),
        pytest.param({"minimum_payment": "due"}, 10_000, "below_minimum", "below_minimum", id="due"),
        pytest.param({"minimum_payment": "total"}, 10_000, "below_minimum", "below_minimum", id="total"),
    ],
)
async def test_a_form_drawn_before_a_rule_and_a_program_are_refused_by_it(
    house: House,
    visitor: httpx.AsyncClient,
    program: httpx.AsyncClient,
    off: dict[str, Any],
    amount: int,
    by_form: str,
    by_program: str,
) -> None:
    customer, invoices = await house.customer(invoices=(10_000, 20_000))
    card = await house.saved_method(customer)
    await come_in(house, visitor, customer)
    form = form_on((await visitor.get(f"/pay?i={invoices[0]}")).text) | {"way": card}
    form |= {invoices[0]: f"{amount // 100}.00", "shown": str(amount)}
    await decide(house, off)
    assert await rule_of_post(house, visitor, form) == by_form
    body = payment_of(customer, {invoices[0]: amount}, card)
    answer = await answered(program, "/payments", body, f"{by_program}-{customer}")
    assert answer.json()["rule"] == by_program, answer.text
    if by_program == "below_minimum" and "minimum_payment" in off:
        words = {"overdue": "everything that is overdue", "due": "due today or before", "total": "the whole balance"}
        page = await visitor.get(f"/pay?i={invoices[0]}")
        for told in (unescape(page.text), answer.json()["detail"]):
            assert words[off["minimum_payment"]] in told
            assert "300.00 USD" in told
    if "one_time_payment" in off:
        overview = (await visitor.get("/")).text
        assert 'type="checkbox" class="form-check-input" name="i"' not in overview
        assert "data-continue" not in overview
        assert 'name="custom"' not in overview
        assert (await visitor.get("/pay?custom=50")).headers["x-refusal"] == "paying_off"
    charged = await house.rows("SELECT state FROM payments WHERE customer_id = :id", id=customer)
    assert {each.state for each in charged} <= {"refused"}


@pytest.mark.parametrize(
    ("extra", "name", "allowed", "rule"),
    [
        pytest.param({"state": "Disputed"}, "pay_disputed", True, "invoice_not_payable", id="in dispute"),
        pytest.param({"state": "Instalment plan"}, "pay_instalments", True, "invoice_not_payable", id="in instalments"),
        pytest.param({"paused": True}, "exclude_paused", False, "invoice_not_found", id="paused"),
    ],
)
async def test_an_invoice_that_may_no_longer_be_paid_is_refused_by_every_way_in(
    house: House,
    visitor: httpx.AsyncClient,
    program: httpx.AsyncClient,
    extra: dict[str, Any],
    name: str,
    allowed: bool,
    rule: str,
) -> None:
    await decide(house, {name: allowed})
    customer, (invoice,) = await house.customer(extra=extra)
    card = await house.saved_method(customer)
    await come_in(house, visitor, customer)
    form = form_on((await visitor.get(f"/pay?i={invoice}")).text) | {"way": card}
    await decide(house, {name: not allowed})
    assert (await visitor.get(f"/pay?i={invoice}")).headers["x-refusal"] == rule
    assert await rule_of_post(house, visitor, form) == rule
    answer = await answered(program, "/payments", payment_of(customer, {invoice: 10_000}, card), f"{name}-{customer}")
    assert answer.json()["rule"] == rule, answer.text
    seen = await house.rows("SELECT state FROM payments WHERE customer_id = :id", id=customer)
    assert {each.state for each in seen} <= {"refused"}
