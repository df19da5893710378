"""The kit leaves out what is declared, and nothing else; what is claimed and never asked for is seen."""

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from connectors.conformance.payment_declared import Trait, kind_of, left_out, missing, needs, unasked, uncallable
from connectors.conformance.payments import PaymentConformance, RefundConformance
from connectors.payments.ports import Capability, CountsCharges
from domain.methods import MethodKind
from tests.connectors.gocardless.harness import GoCardlessHarness, GoCardlessReceiver


class Whole(PaymentConformance, RefundConformance):
    """What a connector that gives money back is asked."""


class Bare(GoCardlessHarness):
    """A harness that calls nobody and declares what a test tells it to."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", GoCardlessReceiver())

    def declares(self, lacks: Mapping[Trait, int]) -> "Bare":
        self.lacks = lacks
        return self


@pytest_asyncio.fixture
async def bare() -> AsyncIterator[Bare]:
    harness = Bare()
    yield harness
    await harness.aclose()


async def test_the_kit_asks_for_every_capability_and_protocol_that_the_connector_claims(bare: Bare) -> None:
    assert unasked(Whole, bare) == set()


async def test_a_claim_that_no_test_uses_is_named(bare: Bare) -> None:
    assert unasked(PaymentConformance, bare) == {"REFUND", "Refunds"}
    assert {"PAY_ONCE", "PAY_ONCE_AND_SAVE"} <= unasked(Whole, bare.declares({Trait.CUSTOMER: 1}))


async def test_every_trait_takes_tests_away_and_they_are_counted(bare: Bare) -> None:
    every = left_out(Whole, bare.declares(dict.fromkeys(Trait, 1)))
    assert set(every) == set(Trait)
    assert min(every.values()) >= 1
    assert left_out(PaymentConformance, bare)[Trait.REFUND_PATHS] == 0


async def test_why_a_test_is_left_out_is_said_in_a_sentence(bare: Bare) -> None:
    @needs(Trait.CLOCK, Capability.PAY_ONCE, CountsCharges)
    def test() -> None: ...

    assert missing(test, bare.declares({})) == []
    assert missing(test, bare.declares({Trait.CLOCK: 1})) == ["the harness declares that it has no clock that can be moved"]


async def test_a_method_that_does_not_take_what_duly_passes_is_named(bare: Bare) -> None:
    class Older(type(bare.provider)):  # type: ignore[misc]
        """Written before a find could be told their id."""

        async def find_charge(self, our_ref: str) -> None: ...

        detach_method = None

    older = Older.__new__(Older)
    assert uncallable(bare.provider) == []
    assert [each.partition(":")[0] for each in uncallable(older)] == ["Charges.find_charge", "KeepsMethods.detach_method"]


async def test_a_class_marks_each_of_its_tests_and_keeps_their_own_marks(bare: Bare) -> None:
    @needs(Trait.CUSTOMER)
    class Part:
        @needs(Trait.CLOCK)
        def test_one(self) -> None: ...

        def test_two(self) -> None: ...

    assert left_out(Part, bare.declares({Trait.CUSTOMER: 2, Trait.CLOCK: 1})) == {Trait.CUSTOMER: 2, Trait.CLOCK: 1}


async def test_a_currency_is_left_out_only_where_the_connector_claims_nothing_for_it(bare: Bare) -> None:
    assert kind_of(bare, "EUR", Capability.CHARGE_SAVED) is MethodKind.SEPA_DEBIT
    with pytest.raises(pytest.skip.Exception):
        kind_of(bare, "JPY", Capability.CHARGE_SAVED)
    bare.kinds = {"GBP": MethodKind.BACS_DEBIT}
    with pytest.raises(AssertionError, match="the harness brings no kind for EUR"):
        kind_of(bare, "EUR", Capability.CHARGE_SAVED)
