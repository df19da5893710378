"""The sandbox provider's hosted pages, as a browser without scripts meets them."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from connectors.conformance.payment_harness import CANCEL_URL, Enters, PaymentSuite, fresh_ref
from connectors.payments.ports import ChargeStatus, SetupStatus
from domain.methods import MethodKind
from domain.money import Money
from tests.connectors.sandbox_harness import SandboxHarness, receiving, start_sandbox

# The simulators by themselves; what Duly relies on of them is in the conformance kits, which `make test` runs.
pytestmark = pytest.mark.long

SUITE = PaymentSuite()
NOBODYS_NUMBER = "4111111111111111"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of this module's provider."""
    return tmp_path_factory.mktemp("pages") / "provider.sqlite"


@pytest_asyncio.fixture(scope="module")
async def sandbox(data: Path) -> AsyncIterator[SandboxHarness]:
    """A program of this file's own."""
    program = start_sandbox(data)
    async with receiving() as receiver:
        harness = SandboxHarness(program.url, receiver)
        yield harness
        await harness.aclose()
    program.stop()


async def a_page(sandbox: SandboxHarness, our_ref: str, *, kind: MethodKind = MethodKind.CARD) -> str:
    """The address of a payment page."""
    page = await SUITE.open_page(sandbox, our_ref, kind=kind)
    assert page.action_url is not None
    return page.action_url


async def status_of(sandbox: SandboxHarness, our_ref: str) -> ChargeStatus:
    return (await SUITE.charge_now(sandbox, our_ref)).status


async def typed(sandbox: SandboxHarness, url: str, number: str, **rest: str) -> httpx.Response:
    """What a person types into the card form."""
    form = {"kind": "card", "number": number, "expiry": "04/39", "cvc": "123", "name": "Zoë"} | rest
    return await sandbox.browser.post(url, data=form)


async def test_a_finished_page_goes_back_with_the_session_added_to_the_query(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("pay")
    url = await a_page(sandbox, our_ref)
    answer = await typed(sandbox, url, "4242 4242 4242 4242")
    charge = await SUITE.charge_now(sandbox, our_ref)
    assert answer.status_code == 303
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query == {"step": ["2"], "session": [charge.provider_id]}
    assert charge.masked is not None
    assert (charge.masked.exp_month, charge.masked.exp_year) == (4, 2039)


async def test_a_number_that_is_no_test_number_is_refused_and_not_kept(sandbox: SandboxHarness, data: Path) -> None:
    our_ref = fresh_ref("pay")
    url = await a_page(sandbox, our_ref)
    answer = await typed(sandbox, url, NOBODYS_NUMBER, name="Nobody Inparticular")
    kept = b"".join(file.read_bytes() for file in data.parent.iterdir())
    assert answer.status_code == 422
    assert "Test numbers only" in answer.text
    assert NOBODYS_NUMBER not in answer.text
    assert NOBODYS_NUMBER.encode() not in kept
    assert b"Inparticular" not in kept
    assert await status_of(sandbox, our_ref) is ChargeStatus.NEEDS_CUSTOMER


async def test_not_even_a_test_number_is_kept(sandbox: SandboxHarness, data: Path) -> None:
    await typed(sandbox, await a_page(sandbox, fresh_ref("pay")), "4242424242424242")
    await SUITE.saved(sandbox, Enters.GOOD_DEBIT)
    kept = b"".join(file.read_bytes() for file in data.parent.iterdir())
    assert b"4242424242424242" not in kept
    assert b"000123456789" not in kept


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"expiry": "04/19"}, "in the past"),
        ({"expiry": "13/39"}, "month and year"),
        ({"expiry": "soon"}, "month and year"),
        ({"cvc": "12"}, "three digits"),
        ({"cvc": "１２３"}, "three digits"),
        ({"kind": "sepa_debit"}, "cannot be used here"),
        ({"use": "us_bank_account_6789"}, "cannot be used here"),
    ],
)
async def test_a_form_that_makes_no_sense_is_explained(
    sandbox: SandboxHarness, changes: dict[str, str], sentence: str
) -> None:
    our_ref = fresh_ref("pay")
    answer = await typed(sandbox, await a_page(sandbox, our_ref), "4242424242424242", **changes)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'role="alert"' in answer.text
    assert await status_of(sandbox, our_ref) is ChargeStatus.NEEDS_CUSTOMER


async def test_sending_a_form_twice_pays_once(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("pay")
    url = await a_page(sandbox, our_ref)
    first = await typed(sandbox, url, "4242424242424242")
    again = await typed(sandbox, url, "4242424242424242")
    assert again.headers["location"] == first.headers["location"]
    assert await sandbox.moving(our_ref) == 1


async def test_two_clicks_at_once_pay_once_and_keep_one_method(sandbox: SandboxHarness) -> None:
    for _ in range(5):
        our_ref = fresh_ref("pay")
        page = await SUITE.open_page(sandbox, our_ref, save=True)
        url = page.action_url or ""
        await asyncio.gather(*(sandbox.enter_number(url, "card_ok") for _ in range(6)))
        assert await sandbox.moving(our_ref) == 1
        assert await sandbox.kept_methods(our_ref) == 1


async def test_a_form_that_was_opened_before_another_paid_pays_nothing_more(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("pay")
    url = (await SUITE.open_page(sandbox, our_ref, save=True)).action_url or ""
    slowly = asyncio.Event()

    async def form() -> AsyncIterator[bytes]:
        yield b"use="
        await slowly.wait()
        yield b"card_ok"

    late = asyncio.create_task(sandbox.browser.post(url, content=form()))
    await asyncio.sleep(0.1)
    await sandbox.enter_number(url, "card_ok")
    slowly.set()
    assert (await late).status_code == 303
    assert await sandbox.moving(our_ref) == 1
    assert await sandbox.kept_methods(our_ref) == 1


@pytest.mark.parametrize(
    ("behaviour", "sentence", "code"),
    [
        ("card_declined", "was declined", "declined"),
        ("card_insufficient", "not enough money", "insufficient_funds"),
        ("card_expired", "has expired", "card_expired"),
        ("card_charge_declined", "was declined", "declined"),
    ],
)
async def test_a_declined_card_is_explained_and_another_can_be_tried(
    sandbox: SandboxHarness, behaviour: str, sentence: str, code: str
) -> None:
    our_ref = fresh_ref("pay")
    url = await a_page(sandbox, our_ref)
    declined = await sandbox.enter_number(url, behaviour)
    shown = await sandbox.browser.get(url)
    charge = await SUITE.charge_now(sandbox, our_ref)
    assert declined.status_code == 303
    assert sentence in shown.text
    assert (charge.status, charge.failure_code) == (ChargeStatus.NEEDS_CUSTOMER, code)
    await sandbox.enter_number(url, "mastercard_ok")
    paid = await SUITE.charge_now(sandbox, our_ref)
    assert (paid.status, paid.failure_code) == (ChargeStatus.CAPTURED, None)
    assert paid.masked is not None
    assert paid.masked.brand == "mastercard"


async def test_a_processing_error_passes_at_the_second_try(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("pay")
    url = await a_page(sandbox, our_ref)
    await sandbox.enter_number(url, "card_processing_error")
    first = await status_of(sandbox, our_ref)
    await sandbox.enter_number(url, "card_processing_error")
    assert (first, await status_of(sandbox, our_ref)) == (ChargeStatus.NEEDS_CUSTOMER, ChargeStatus.CAPTURED)


async def test_a_card_that_is_asked_about_once_is_charged_later_without_asking(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("set")
    page = await SUITE.start_setup(sandbox, our_ref)
    await sandbox.enter_number(page.url, "card_challenge_once")
    asked = await sandbox.browser.get(page.url)
    await sandbox.answer_bank(page.url, approve=True)
    setup = await SUITE.setup_now(sandbox, our_ref)
    listed = (await sandbox.ledger(our_ref))["methods"]
    assert "3155" in asked.text
    assert setup.status is SetupStatus.COMPLETED
    charge_ref = fresh_ref("pay")
    body = {
        "our_ref": charge_ref,
        "payer": setup.payer_ref,
        "method": listed[0]["id"],
        "amount": {"minor": 5, "currency": "JPY"},
        "description": "",
        "return_url": CANCEL_URL,
    }
    answer = await sandbox.desk.post("/v1/charges", json=body, headers={"Idempotency-Key": charge_ref})
    assert answer.json()["status"] == "succeeded"


async def test_a_card_may_be_declined_after_the_bank_was_asked(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("pay")
    url = await a_page(sandbox, our_ref)
    await sandbox.enter_number(url, "card_challenge_declined")
    await sandbox.answer_bank(url, approve=True)
    charge = await SUITE.charge_now(sandbox, our_ref)
    assert (charge.status, charge.failure_code) == (ChargeStatus.NEEDS_CUSTOMER, "insufficient_funds")
    assert await sandbox.moving(our_ref) == 0


async def test_an_answer_to_a_question_nobody_asked_does_nothing(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("pay")
    url = await a_page(sandbox, our_ref)
    await sandbox.answer_bank(url, approve=True)
    assert await status_of(sandbox, our_ref) is ChargeStatus.NEEDS_CUSTOMER
    assert await sandbox.moving(our_ref) == 0


async def test_wrong_deposits_three_times_end_the_set_up(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("set")
    page = await SUITE.start_setup(sandbox, our_ref, kind=MethodKind.US_BANK_ACCOUNT)
    await sandbox.enter(page.url, Enters.DEBIT_TO_VERIFY)
    states = []
    for _ in range(3):
        await sandbox.browser.post(f"{page.url}/deposits", data={"first": "1", "second": "2"})
        states.append((await SUITE.setup_now(sandbox, our_ref)).status)
    await sandbox.verify_account(page.url)
    setup = await SUITE.setup_now(sandbox, our_ref)
    assert states == [SetupStatus.VERIFYING, SetupStatus.VERIFYING, SetupStatus.FAILED]
    assert (setup.status, setup.failure_code) == (SetupStatus.FAILED, "verification_failed")
    assert await sandbox.kept_methods(our_ref) == 0


async def test_an_account_that_nobody_verifies_fails_after_ten_days(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("set")
    page = await SUITE.start_setup(sandbox, our_ref, kind=MethodKind.US_BANK_ACCOUNT)
    await sandbox.enter(page.url, Enters.DEBIT_TO_VERIFY)
    await sandbox.advance(timedelta(days=9))
    waiting = await SUITE.setup_now(sandbox, our_ref)
    await sandbox.advance(timedelta(days=2))
    assert waiting.status is SetupStatus.VERIFYING
    assert (await SUITE.setup_now(sandbox, our_ref)).status is SetupStatus.FAILED


@pytest.mark.parametrize(
    ("kind", "currency", "form"),
    [
        ("us_bank_account", "USD", {"bank_code": "110000000", "number": "000123456789"}),
        ("sepa_debit", "EUR", {"number": "de89 3704 0044 0532 0130 00"}),
        ("bacs_debit", "GBP", {"bank_code": "10-88-00", "number": "00012345"}),
    ],
)
async def test_a_bank_account_can_be_typed(sandbox: SandboxHarness, kind: str, currency: str, form: dict[str, str]) -> None:
    our_ref = fresh_ref("pay")
    page = await SUITE.open_page(sandbox, our_ref, kind=MethodKind(kind), amount=Money.of(900, currency))
    assert page.action_url is not None
    await sandbox.browser.post(page.action_url, data={"kind": kind, **form})
    assert await status_of(sandbox, our_ref) is ChargeStatus.PROCESSING


async def test_cancelling_goes_back_to_where_cancelling_leads(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("pay")
    url = await a_page(sandbox, our_ref)
    answer = await sandbox.browser.post(f"{url}/cancel")
    after = await sandbox.browser.get(url)
    assert answer.headers["location"].startswith(f"{CANCEL_URL}?session=")
    assert "You cancelled this" in after.text


@pytest.mark.parametrize(
    "path", ["/pages/pay/nothing", "/pages/setup/nothing", "/pages/challenge/nothing", "/pages/other/nothing"]
)
async def test_an_address_that_leads_nowhere_says_so(sandbox: SandboxHarness, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await sandbox.browser.request(method, f"{sandbox.config.base_url}{path}")
        assert answer.status_code == 404
        assert "There is no such page" in answer.text


async def test_a_page_runs_no_script_and_leaks_no_address(sandbox: SandboxHarness) -> None:
    answer = await sandbox.browser.get(await a_page(sandbox, fresh_ref("pay")))
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script|\son\w+=|style=", answer.text)
    assert "Sandbox payments — test page, no money moves" in answer.text
    assert "&lt;" not in answer.text


async def test_what_the_business_says_is_shown_as_text(sandbox: SandboxHarness) -> None:
    our_ref = fresh_ref("pay")
    body = {
        "our_ref": our_ref,
        "payer": {"customer_id": "cus_1", "name": "x"},
        "kinds": ["card"],
        "amount": {"minor": 1250, "currency": "JPY"},
        "description": "<script>alert(1)</script>",
        "return_url": CANCEL_URL,
        "cancel_url": CANCEL_URL,
        "save_method": False,
        "expires_at": "2999-01-01T00:00:00Z",
    }
    made = await sandbox.desk.post("/v1/payment_pages", json=body, headers={"Idempotency-Key": our_ref})
    shown = await sandbox.browser.get(made.json()["action_url"])
    assert "<script>" not in shown.text
    assert "&lt;script&gt;" in shown.text
    assert "¥1,250" in shown.text


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_customer_pays_in_a_browser_on_a_phone_without_scripts(
    sandbox: SandboxHarness, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    our_ref = fresh_ref("pay")
    url = await a_page(sandbox, our_ref)
    context = await browser.new_context(
        java_script_enabled=False, color_scheme=scheme, viewport={"width": 375, "height": 800}
    )
    page = await context.new_page()
    await page.goto(url)
    box = await page.locator("main").bounding_box()
    await page.get_by_role("button", name="4000 0027 6000 3184").click()
    await page.get_by_role("button", name="Yes, approve").click()
    # Nobody listens where the business would be; the browser went there all the same.
    await page.wait_for_url(re.compile(r"^(http://127\.0\.0\.1:9/back|chrome-error:)"))
    await context.close()
    assert box is not None
    assert box["x"] + box["width"] <= 375
    assert await status_of(sandbox, our_ref) is ChargeStatus.CAPTURED
