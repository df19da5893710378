"""Staff refund a payment: who may, what the form says of every balance, and that it commits only what it showed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from api.processes import Sight
from store.identity import fresh_id
from store.staff_accounts import Role
from tests import machine
from tests.api.house import House, open_house, token_on
from workflows import ids


@pytest_asyncio.fixture
async def house(database: machine.Database, temporal_client: Client, task_queue: str) -> AsyncIterator[House]:
    async with open_house(database, temporal_client, task_queue=task_queue) as opened:
        opened.accounts.provider()
        yield opened


def paid(house: House) -> tuple[str, list[str]]:
    """A payment of £120.00: 60.00 on an older invoice, 40.00 on a newer one, 20.00 on none."""
    customer = house.accounts.customer("Brightwater")
    invoices = [
        house.accounts.invoice(customer, total, number=f"INV-{total}", issued_on=date(2026, month, 1))
        for month, total in ((9, 6_000), (10, 4_000))
    ]
    payment = house.accounts.payment(
        customer, {invoices[0]: 6_000, invoices[1]: 6_000}, state="captured", captured=12_000, provider_ref=fresh_id("pay")
    )
    house.accounts.run(
        """INSERT INTO postings (id, connection_id, kind, payment_id, customer_id, docs, amount, queued_at)
           VALUES (%s, 'demo', 'payment', %s, %s, '{}', 12000, %s)""",
        [f"{payment}-captured", payment, customer, house.clock()],
    )
    for invoice, amount in zip(invoices, (6_000, 4_000), strict=True):
        house.accounts.run(
            """INSERT INTO allocations (id, payment_id, invoice_id, customer_id, amount, posting_id, allocated_at)
               VALUES (%s, %s, %s, %s, %s, %s, %s)""",
            [fresh_id("evt"), payment, invoice, customer, amount, f"{payment}-captured", house.clock()],
        )
    return payment, invoices


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{re.escape(name)}"[^>]*value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


async def form_of(
    visitor: httpx.AsyncClient, payment: str, amount: str, **changed: str
) -> tuple[httpx.Response, dict[str, str]]:
    """Look at an amount, as one does who presses 'Go on'; the answer and the fields of its form."""
    address = f"/staff/payments/{payment}/refund"
    fields = {"csrf": await token_on(visitor, address), "amount": amount, "act": "look", **changed}
    answer = await visitor.post(address, data=fields)
    names = set(re.findall(r'name="((?:line|seen)-[^"]+)"', answer.text)) | {"signed", "facts"}
    return answer, fields | {name: field(answer.text, name) for name in names} | {"act": "commit"} | changed


async def test_the_form_offers_unapplied_money_first_then_the_newest_invoice_and_shows_each_balance_afterwards(
    house: House,
) -> None:
    payment, (older, newer) = paid(house)
    visitor = await house.staff_browser(Role.AGENT)
    answer, fields = await form_of(visitor, payment, "70.00")
    assert answer.status_code == 200
    assert (fields[f"line-{newer}"], fields[f"line-{older}"]) == ("40.00", "10.00")
    for words in ("£120.00 can still be given back", "Off no invoice: £20.00", "Left of the payment afterwards: £50.00"):
        assert words in answer.text, words
    changed, again = await form_of(visitor, payment, "70.00", **{f"line-{newer}": "", f"line-{older}": "50.00"})
    assert changed.status_code == 200
    assert (again[f"line-{newer}"], again[f"line-{older}"]) == ("", "50.00")


@pytest.mark.parametrize(
    ("amount", "rule"),
    [("120.01", "refund_above_captured"), ("0", "amount_not_positive"), ("many", "amount_unreadable")],
)
async def test_an_amount_that_cannot_go_back_is_refused_with_its_rule(house: House, amount: str, rule: str) -> None:
    payment, _ = paid(house)
    answer, _ = await form_of(await house.staff_browser(Role.AGENT), payment, amount)
    assert answer.status_code >= 400
    assert rule in answer.text


async def test_committing_starts_the_refund_of_the_form_once_and_says_who_asked(house: House) -> None:
    payment, _ = paid(house)
    visitor = await house.staff_browser(Role.AGENT)
    _, fields = await form_of(visitor, payment, "20.00", reason="Paid twice", note="Called on Monday")
    for _ in range(2):
        answer = await visitor.post(f"/staff/payments/{payment}/refund", data=fields)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/staff/payments/{payment}#refunds")
    refund_id = fields["signed"].partition(".")[0]
    assert await house.services.processes.describe(ids.refund(refund_id)) is Sight.RUNNING
    acts = house.accounts.rows("SELECT action, object_id FROM access_log WHERE action = 'refund_asked_for'")
    assert set(acts) == {("refund_asked_for", refund_id)}


async def test_a_form_of_another_session_or_payment_starts_nothing(house: House) -> None:
    payment, _ = paid(house)
    agent, admin = await house.staff_browser(Role.AGENT), await house.staff_browser(Role.ADMIN)
    _, fields = await form_of(agent, payment, "20.00", reason="Paid twice")
    stolen = fields | {"csrf": await token_on(admin, f"/staff/payments/{payment}/refund")}
    assert (await admin.post(f"/staff/payments/{payment}/refund", data=stolen)).status_code == 422
    assert await house.services.processes.describe(ids.refund(fields["signed"].partition(".")[0])) is Sight.MISSING


async def test_a_viewer_refunds_nothing_and_an_agent_decides_nothing(house: House) -> None:
    payment, _ = paid(house)
    viewer, agent = await house.staff_browser(Role.VIEWER), await house.staff_browser(Role.AGENT)
    assert (await viewer.get(f"/staff/payments/{payment}/refund")).status_code == 403
    refund = asked(house, payment, by="stf_other")
    decision = {"csrf": await token_on(agent, "/staff/customers"), "version": "1", "agrees": "yes"}
    assert (await agent.post(f"/staff/refunds/{refund}/decide", data=decision)).status_code == 403


def asked(house: House, payment: str, *, by: str, state: str = "awaiting_second") -> str:
    refund = fresh_id("rfd")
    house.accounts.run(
        """INSERT INTO refunds (id, payment_id, customer_id, amount, currency, state, run_id, request_hash, reason, note,
               needs_second, requested_by, refund_key, requested_at, changed_at)
           SELECT %s, id, customer_id, 2000, currency, %s, 'r', 'h', 'Paid twice', '', %s, %s, 'k', %s, %s
           FROM payments WHERE id = %s""",
        [refund, state, state == "awaiting_second", by, house.clock(), house.clock(), payment],
    )
    house.accounts.run("UPDATE payments SET refunding = refunding + 2000 WHERE id = %s", [payment])
    return refund


async def test_what_waits_for_a_second_person_is_in_the_inbox_and_offered_to_those_who_may(house: House) -> None:
    payment, _ = paid(house)
    refund = asked(house, payment, by="stf_other")
    unknown = asked(house, payment, by="stf_other", state="unknown")
    approver, agent = await house.staff_browser(Role.APPROVER), await house.staff_browser(Role.AGENT)
    inbox = (await approver.get("/staff/inbox")).text
    for words in ("Refund to approve", "Unknown refund", f"/staff/inbox/{refund}", f"/staff/inbox/{unknown}"):
        assert words in inbox, words
    assert "waits for a second person" in (await approver.get(f"/staff/inbox/{refund}")).text
    assert "never sent as a second refund" in (await approver.get(f"/staff/inbox/{unknown}")).text
    assert "Approve the refund of £20.00" in (await approver.get(f"/staff/payments/{payment}")).text
    page = (await agent.get(f"/staff/payments/{payment}")).text
    assert "Approve the refund" not in page
    assert "An approver decides it" in page


async def test_who_asked_is_not_offered_the_decision(house: House) -> None:
    payment, _ = paid(house)
    approver = await house.staff_browser(Role.APPROVER)
    ((me,),) = house.accounts.rows("SELECT id FROM staff WHERE role = 'approver'")
    asked(house, payment, by=me)
    page = (await approver.get(f"/staff/payments/{payment}")).text
    assert "Approve the refund" not in page
    assert "You asked for it" in page


async def test_the_customer_reads_what_went_back_and_what_is_on_its_way(house: House) -> None:
    payment, _ = paid(house)
    ((customer,),) = house.accounts.rows("SELECT customer_id FROM payments WHERE id = %s", [payment])
    visitor = await house.customer_browser(customer)
    refund = asked(house, payment, by="stf_other")
    for page in (f"/payments/{payment}", "/payments"):
        assert "Refund on its way" in (await visitor.get(page)).text
    house.accounts.run("UPDATE payments SET refunding = 0, refunded = 2000 WHERE id = %s", [payment])
    house.accounts.run("UPDATE refunds SET state = 'refunded', second_by = 'stf_b' WHERE id = %s", [refund])
    house.accounts.event(payment, customer, "refunded", minor=2_000)
    told = (await visitor.get(f"/payments/{payment}")).text
    for words in ("Partly refunded", "Refunded: £20.00"):
        assert words in told, words
    assert "stf_" not in told
    house.accounts.run("UPDATE payments SET refunded = 12000 WHERE id = %s", [payment])
    assert "Refunded" in (await visitor.get("/payments")).text
