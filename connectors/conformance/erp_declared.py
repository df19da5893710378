"""What leaves a test of the ERP suite out: a declaration of what the far side has not, counted like the payment suite's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

Decorated = TypeVar("Decorated")


class ErpTrait(StrEnum):
    """What an ERP has, and not every one: the value finishes the sentence 'it has no …'."""

    STATUS_WORDS = "status of an invoice that a person chooses"
    PAUSES = "customer who is not chased for a while"
    MOVES = "call by which money that is booked is applied or taken off again"
    READING = "invoices and balances that it can be asked for"
    LOST_ANSWERS = "answers that can be lost on their way"


_NEEDS: Final[dict[Any, frozenset[ErpTrait]]] = {}


class DeclaresErp(Protocol):
    """The part of a harness that declarations are read from."""

    @property
    def lacks(self) -> Mapping[ErpTrait, int]:
        """What the far side has not, and how many tests that takes away."""
        ...


def needs_trait(*wanted: ErpTrait) -> Callable[[Decorated], Decorated]:
    """A test that is only for an ERP which has all of that."""

    def mark(test: Decorated) -> Decorated:
        _NEEDS[test] = frozenset(wanted)
        return test

    return mark


def lacking(test: object, harness: DeclaresErp) -> list[str]:
    """Why a test cannot apply to this ERP, in sentences; empty when it does."""
    return [f"the harness declares that it has no {each.value}" for each in _NEEDS.get(test, ()) if each in harness.lacks]


def traits_left_out(suite: type, harness: DeclaresErp) -> Mapping[ErpTrait, int]:
    """How many tests of a suite each lack takes away."""
    wanted = [_NEEDS.get(getattr(suite, name), frozenset()) for name in dir(suite) if name.startswith("test_")]
    return {trait: sum(trait in each for each in wanted) for trait in harness.lacks}
