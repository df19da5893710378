"""The demo ERP's connector passes the kit, against the real program, with and without unique references."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from connectors.conformance.erp import ErpConformance
from connectors.conformance.erp_declared import ErpTrait
from connectors.conformance.erp_documents import ErpTypesetting
from connectors.conformance.erp_harness import ON, payment_of, refund_of, reversal_of
from connectors.conformance.erp_refunds import ErpRefunding
from connectors.conformance.erp_streams import (
    TRIED_BY,
    ErpControlTotals,
    ErpDeposits,
    ErpPaymentDocuments,
    ErpQuotes,
    ErpTemplates,
    claims_not_tried,
)
from connectors.erp.demo import DemoErp, DemoErpConfig, build
from domain.money import Money
from tests.simulators.running import DemoErpProgram, start_demo_erp

_numbers = count(1)


class DemoErpHarness:
    """The tests' desk of a running demo ERP, in the words of the kit."""

    lacks: Mapping[ErpTrait, int] = {}

    def __init__(self, far_side: DemoErpProgram, erp: DemoErp) -> None:
        self._far_side = far_side
        self.erp = erp

    async def make_customer(self, *, currency: str) -> str:
        number = f"K-{next(_numbers)}"
        row = {"number": number, "name": f"Customer {number}", "currency": currency}
        made: str = self._far_side.answer("POST", "/bulk", json={"customers": [row]})["customers"][0]
        return made

    async def make_invoice(self, *, customer: str, total: Money) -> str:
        row = {
            "number": f"INV-{next(_numbers)}",
            "customer_id": customer,
            "currency": total.currency,
            "total": total.minor,
            "issued_on": (ON - timedelta(days=30)).isoformat(),
            "due_on": ON.isoformat(),
        }
        made: str = self._far_side.answer("POST", "/bulk", json={"invoices": [row]})["invoices"][0]
        return made

    async def pay_by_hand(self, *, invoice: str, amount: Money) -> None:
        self._far_side.act("pay_by_hand", invoice_id=invoice, amount=amount.minor)

    async def delete_payment(self, *, reference: str) -> None:
        self._far_side.act("delete_payment", reference=reference)

    async def make_quote(self, *, customer: str, total: Money) -> str:
        line = {
            "description": "Consulting", "quantity": "1", "unit_price": total.minor, "amount": total.minor,
            "tax_rate": "0 %", "tax": 0,
        }  # fmt: skip
        row = {
            "number": f"Q-{next(_numbers)}", "customer_id": customer, "currency": total.currency, "total": total.minor,
            "issued_on": ON.isoformat(), "expires_on": (ON + timedelta(days=30)).isoformat(), "lines": [line],
        }  # fmt: skip
        made: str = self._far_side.answer("POST", "/bulk", json={"quotes": [row]})["quotes"][0]
        return made

    async def accept_quote(self, *, quote: str) -> None:
        self._far_side.act("set_quote_state", document_id=quote, state="Accepted")

    async def delete_quote(self, *, quote: str) -> None:
        self._far_side.act("delete_quote", document_id=quote)

    async def make_template(self, *, customer: str, amount: Money) -> str:
        row = {
            "title": "Support", "customer_id": customer, "currency": amount.currency, "amount": amount.minor,
            "frequency": "every 2 months", "next_on": ON.isoformat(), "remaining": 5,
        }  # fmt: skip
        made: str = self._far_side.answer("POST", "/bulk", json={"templates": [row]})["templates"][0]
        return made

    async def stop_template(self, *, template: str) -> None:
        self._far_side.act("stop_template", document_id=template)

    async def delete_template(self, *, template: str) -> None:
        self._far_side.act("delete_template", document_id=template)

    async def enter_deposit(self, *, reference: str, amount: Money) -> str:
        body = {"reference": reference, "amount": amount.minor, "currency": amount.currency}
        made: str = self._far_side.answer("POST", "/test/deposits", json=body)["id"]
        return made

    async def delete_deposit(self, *, reference: str) -> None:
        self._far_side.answer("POST", "/test/deposits", json={"reference": reference, "deleted": True})

    async def set_status_word(self, *, invoice: str, word: str) -> None:
        self._far_side.act("set_state", invoice_id=invoice, state=word)

    async def pause_customer(self, *, customer: str) -> None:
        self._far_side.act("pause", customer_id=customer)

    async def go_down(self) -> None:
        self._far_side.knobs(down=True)

    async def come_back(self) -> None:
        self._far_side.knobs(reset=True)

    async def lose_next_answer(self) -> None:
        self._far_side.knobs(drop_after=1)

    async def fail_after_next_write(self) -> None:
        self._far_side.knobs(error_after_success=1)

    async def refuse_customer(self, *, customer: str) -> str:
        sentence = "Account 7 is blocked until the audit ends."
        self._far_side.knobs(refuse=[{"customer_id": customer, "message": sentence}])
        return sentence

    async def count_documents(self, *, reference: str) -> int:
        counted: int = self._far_side.answer("GET", "/test/documents", params={"reference": reference})["count"]
        return counted


@pytest.fixture(scope="module")
def far_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoErpProgram]:
    running = start_demo_erp(tmp_path_factory.mktemp("erp") / "books.sqlite")
    yield running
    running.program.stop()


@pytest.fixture
async def harness(far_side: DemoErpProgram, request: pytest.FixtureRequest) -> AsyncIterator[DemoErpHarness]:
    has_unique_references = bool(getattr(request.cls, "has_unique_references", False))
    far_side.knobs(reset=True, unique_references=has_unique_references)
    config = DemoErpConfig(base_url=far_side.url, api_key=far_side.api_key, has_unique_references=has_unique_references)
    erp = build(config)
    yield DemoErpHarness(far_side, erp)
    await erp.aclose()


class TestDemoErp(
    ErpConformance, ErpRefunding, ErpPaymentDocuments, ErpQuotes, ErpTemplates, ErpControlTotals, ErpDeposits, ErpTypesetting
):
    """As it comes: a reference may be used twice."""


class TestDemoErpWithUniqueReferences(TestDemoErp):
    """Set to refuse a second document with one reference."""

    has_unique_references = True


async def test_a_claim_that_no_suite_tries_is_named_and_so_is_a_suite_that_tries_what_is_not_claimed(
    harness: DemoErpHarness,
) -> None:
    assert claims_not_tried(harness.erp, TestDemoErp) == []
    assert len(claims_not_tried(harness.erp, ErpConformance)) == len(TRIED_BY)
    (missing,) = claims_not_tried(object(), ErpQuotes)
    assert "it does not claim ReadsQuotes" in missing


async def test_a_payment_that_was_paid_back_whole_stands_and_one_that_came_back_does_not(harness: DemoErpHarness) -> None:
    """Else every refunded payment would be a document that somebody deleted."""
    customer = await harness.make_customer(currency="USD")
    invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "USD"))
    for take_off, stands in ((refund_of, True), (reversal_of, False)):
        payment = payment_of(customer, {invoice: Money.of(1_000, "USD")})
        await harness.erp.post_payment(payment)
        if take_off is refund_of:
            await harness.erp.post_refund(refund_of(payment, {invoice: Money.of(1_000, "USD")}))
        else:
            await harness.erp.post_reversal(reversal_of(payment))
        (found,) = await harness.erp.find_document(payment.reference)
        assert found.stands is stands


def test_the_key_is_not_shown_with_the_configuration(tmp_path: Path) -> None:
    assert "secret" not in repr(DemoErpConfig(base_url="http://127.0.0.1:1", api_key="secret"))
