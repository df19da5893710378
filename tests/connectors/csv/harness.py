"""A folder of days' files in the words of the ERP kit: nobody is there but who reads them."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

from connectors.conformance.erp_declared import ErpTrait
from connectors.erp.csv import DayBooks, Days
from domain.money import Money

DAY: Final = datetime(2026, 3, 16, 12, tzinfo=UTC)
_numbers: Final = count(1)


class FolderHarness:
    """One folder, its connector, and a clock that a test moves."""

    lacks: Mapping[ErpTrait, int] = {
        ErpTrait.STATUS_WORDS: 2,
        ErpTrait.PAUSES: 1,
        ErpTrait.READING: 19,
        ErpTrait.LOST_ANSWERS: 2,
    }

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at = DAY
        self.days = Days(folder, lambda: self.at)
        self.erp = DayBooks(self.days)

    def pass_days(self, number: int) -> None:
        """The clock goes on, or back."""
        self.at += timedelta(days=number)

    def lines(self) -> list[str]:
        """Every line of every file, the oldest first."""
        return [line for path in sorted(self.folder.glob("*.csv")) for line in path.read_text().splitlines()]

    async def make_customer(self, *, currency: str) -> str:  # noqa: ARG002 - a file takes any
        return f"csv:C-{next(_numbers)}"

    async def make_invoice(self, *, customer: str, total: Money) -> str:  # noqa: ARG002 - a file takes any
        return f"csv:INV-{next(_numbers)}"

    async def go_down(self) -> None:
        os.rename(self.folder, self.folder.with_name("away"))  # noqa: PTH104 - as a disk that is unmounted

    async def come_back(self) -> None:
        os.rename(self.folder.with_name("away"), self.folder)  # noqa: PTH104

    async def count_documents(self, *, reference: str) -> int:
        return sum(line.startswith(f"{reference},1,") for line in self.lines())

    async def pay_by_hand(self, *, invoice: str, amount: Money) -> None:
        raise AssertionError(f"declared as lacking: {invoice} {amount}")

    async def delete_payment(self, *, reference: str) -> None:
        raise AssertionError(f"declared as lacking: {reference}")

    async def set_status_word(self, *, invoice: str, word: str) -> None:
        raise AssertionError(f"declared as lacking: {invoice} {word}")

    async def pause_customer(self, *, customer: str) -> None:
        raise AssertionError(f"declared as lacking: {customer}")

    async def lose_next_answer(self) -> None:
        raise AssertionError("declared as lacking")

    async def fail_after_next_write(self) -> None:
        raise AssertionError("declared as lacking")

    async def refuse_customer(self, *, customer: str) -> str:
        raise AssertionError(f"declared as lacking: {customer}")
