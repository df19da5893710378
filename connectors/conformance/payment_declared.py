"""What leaves a test of the payment suite out: a declaration, and nothing else. It is listed, counted and asked after.

A connector declares what it can do by its capabilities and by the optional protocols that it has. A harness declares what
its far side lacks, with the number of tests that each lack takes away, so that a test which goes missing is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from inspect import Parameter, isfunction, signature
from typing import Any, Final, Protocol, TypeVar

from connectors.conformance.leaving_out import leave_out
from connectors.payments.payouts import ListsPayouts
from connectors.payments.ports import (
    Capability,
    Charges,
    CountsCharges,
    HasPages,
    KeepsMethods,
    ListsEvents,
    NamesReferences,
    PaymentProvider,
    Refunds,
    SetsUpMethods,
    SignsWebhooks,
)
from domain.methods import MethodKind

Decorated = TypeVar("Decorated")
ALWAYS: Final = (PaymentProvider, SetsUpMethods, Charges, KeepsMethods, SignsWebhooks, HasPages)
"""Protocols that the suite wants of every connector."""

OPTIONAL: Final = (CountsCharges, Refunds, ListsEvents, NamesReferences, ListsPayouts)
"""Protocols that a connector may have or not."""


class Trait(StrEnum):
    """What a far side has, and not every one: the value finishes the sentence 'it has no …'."""

    BANK_QUESTIONS = "bank that asks the customer about a charge"
    ENDING_PAGES = "page that ends by itself"
    DEBITS_ON_PAGES = "page that takes bank debits"
    VERIFICATION = "method that must be verified first"
    SIGNED_TIME = "time in what it signs"
    REPEATED_ERRORS = "key that repeats a server error"
    MASKED_CHARGES = "word in a charge about the saved method that paid"
    SMALLEST_AMOUNTS = "charge of one minor unit"
    LATER_DECLINES = "method that is saved, and declined when it is charged"
    RACES = "certain refusal for who comes second of several at once"
    CUSTOMER = "customer at its pages"
    FAULTS = "call that can be made to go wrong"
    CLOCK = "clock that can be moved"
    REFUND_PATHS = "refund that can be made to wait or fail"
    DELIVERIES = "delivery that arrives here"


Need = Trait | Capability | type
_NEEDS: Final[dict[Any, frozenset[Need]]] = {}


class Declares(Protocol):
    """The part of a harness that declarations are read from."""

    @property
    def provider(self) -> PaymentProvider:
        """The connector."""
        ...

    @property
    def kinds(self) -> Mapping[str, MethodKind]:
        """The kind of each currency that the suite uses."""
        ...

    @property
    def debit_kind(self) -> MethodKind:
        """A bank debit."""
        ...

    @property
    def debit_currency(self) -> str:
        """What it moves."""
        ...

    @property
    def lacks(self) -> Mapping[Trait, int]:
        """What the far side has not, and how many tests that takes away."""
        ...


def needs(*wanted: Need) -> Callable[[Decorated], Decorated]:
    """A test, or every test of a class, that is only for who has all of that."""

    def mark(decorated: Decorated) -> Decorated:
        tests = (
            [decorated]
            if not isinstance(decorated, type)
            else [vars(decorated)[name] for name in _tests(decorated, own=True)]
        )
        for test in tests:
            _NEEDS[test] = _NEEDS.get(test, frozenset()) | frozenset(wanted)
        return decorated

    return mark


def missing(test: object, harness: Declares) -> list[str]:
    """Why a test cannot apply to who is tested, in sentences; empty when it does."""
    return [_why(need) for need in _NEEDS.get(test, frozenset()) if not _has(harness, need)]


def left_out(suite: type, harness: Declares) -> Mapping[Trait, int]:
    """How many tests of a suite each lack takes away."""
    wanted = [_NEEDS.get(getattr(suite, name), frozenset()) for name in _tests(suite)]
    return {trait: sum(trait in each for each in wanted) for trait in harness.lacks}


def unasked(suite: type, harness: Declares) -> set[str]:
    """Capabilities and protocols that the connector declares and no test of the suite uses."""
    used: set[Need] = set()
    for name in _tests(suite):
        test = getattr(suite, name)
        if not missing(test, harness):
            used |= _NEEDS.get(test, frozenset())
    asked = Capability.NONE
    for each in used:
        asked |= each if isinstance(each, Capability) else Capability.NONE
    provider: object = harness.provider
    never = {str(flag.name) for flag in claimed(harness) if flag not in asked}
    return never | {each.__name__ for each in OPTIONAL if isinstance(provider, each) and each not in used}


def uncallable(provider: object) -> list[str]:
    """Methods of the ports that do not take what Duly passes: they were written against other ports than these."""
    found = []
    for port in (*ALWAYS, *OPTIONAL):
        methods = {name: each for name, each in vars(port).items() if isfunction(each) and not name.startswith("_")}
        for name, method in methods.items() if port in ALWAYS or isinstance(provider, port) else ():
            _, *passed = signature(method).parameters.values()
            by_name = {each.name: None for each in passed if each.kind is Parameter.KEYWORD_ONLY}
            try:
                signature(getattr(provider, name)).bind(*[None] * (len(passed) - len(by_name)), **by_name)
            except (AttributeError, TypeError) as unfit:
                found.append(f"{port.__name__}.{name}: {unfit}")
    return found


def claimed(harness: Declares) -> Capability:
    """All that the connector says it can do for the kinds that the suite uses."""
    found = harness.provider.capabilities(harness.debit_kind, harness.debit_currency)
    for currency, kind in (*harness.kinds.items(), *page_kinds(harness).items()):
        found |= harness.provider.capabilities(kind, currency)
    return found


def kind_of(harness: Declares, currency: str, wanted: Capability) -> MethodKind:
    """The kind that moves a currency; where the connector claims none of that, the test is left out.

    Fails where the connector claims a kind which the harness does not bring.
    """
    kind = (page_kinds(harness) if wanted is Capability.PAY_ONCE else harness.kinds).get(currency)
    if kind is None:
        able = [each for each in MethodKind if wanted in harness.provider.capabilities(each, currency)]
        assert not able, f"the harness brings no kind for {currency}, but the connector claims {able}"
    is_claimed = kind is not None and wanted in harness.provider.capabilities(kind, currency)
    leave_out([] if is_claimed else [f"the connector claims no {wanted.name} in {currency}"])
    assert kind is not None
    return kind


def page_kinds(harness: Declares) -> Mapping[str, MethodKind]:
    """The kind of each currency on a page that takes one payment: a harness says so where that is another kind."""
    named: Mapping[str, MethodKind] = getattr(harness, "page_kinds", harness.kinds)
    return named


def _tests(suite: type, *, own: bool = False) -> Iterator[str]:
    names = vars(suite) if own else dir(suite)
    return (name for name in names if name.startswith("test_"))


def _has(harness: Declares, need: Need) -> bool:
    if isinstance(need, Trait):
        return need not in harness.lacks
    if isinstance(need, Capability):
        return need in claimed(harness)
    return isinstance(harness.provider, need)


def _why(need: Need) -> str:
    if isinstance(need, Trait):
        return f"the harness declares that it has no {need.value}"
    if isinstance(need, Capability):
        return f"the connector does not claim {need.name}"
    return f"the connector has not the protocol {need.__name__}"
