"""A world for one request and everybody who acts on it at once: staff with pages of a moment ago, the customer, the clock,
the poster and people in the ERP.

`RequestRules()` is the rule of the house, and asks the domain's own functions; every other value is a broken relative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from domain import deciding
from domain.allocation import Line
from domain.business import BusinessSettings
from domain.credits import CreditFacts, plan_application
from domain.deciding import Decider
from domain.invoices import InvoiceFacts
from domain.lifecycles import APPLY_OPEN, ApplyState, apply_sources
from domain.money import Money
from domain.payments import Plan
from domain.receivables import CreditKind

ASKED: Final = 50
PART: Final = 30
LIMITS: Final = {"USD": 40}
STAFF: Final = {"ann": False, "bob": True, "cat": True}
"""Who there is, and whether with the approver's role."""
DAY: Final = date(2026, 10, 1)

Step = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRules:
    """How a decision is taken. The defaults are right."""

    compares: Literal["version and state", "state", "the page"] = "version and state"
    looks_again: bool = True
    ends_from: Literal["what is open", "what is being posted too"] = "what is open"
    second_is: Literal["somebody else", "an approver"] = "somebody else"
    puts_back: Literal["nothing", "a copy"] = "nothing"


@dataclass(slots=True)
class Row:
    """The request's own row."""

    state: ApplyState = ApplyState.SUBMITTED
    version: int = 1
    minor: int = ASKED  # what would be applied: what was asked for, or approved of it
    answers: int = 0
    first_by: str | None = None
    second_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What somebody has on the screen."""

    state: ApplyState
    version: int
    minor: int
    answers: int


@dataclass(slots=True)
class RequestWorld:
    """The request, its two documents as the ERP told them, the pages, and what came of it all."""

    rules: RequestRules
    row: Row = field(default_factory=Row)
    documents: dict[str, int] = field(default_factory=lambda: {"invoice": 100, "credit": 80})
    """What is left of each in the ERP's own rows, without what was applied for this request."""
    told: dict[str, int] = field(default_factory=lambda: {"invoice": 100, "credit": 80})
    copy: dict[str, int] = field(default_factory=lambda: {"invoice": 100, "credit": 80})
    pages: dict[str, Page] = field(default_factory=dict)
    posting: Literal["", "queued", "sent", "landed"] = ""
    ended: list[ApplyState] = field(default_factory=list)
    documents_there: int = 0
    wrong: list[str] = field(default_factory=list)

    def _kinds(self) -> dict[str, tuple[Callable[[], Sequence[Step]], Callable[..., None]]]:
        everybody = [(each,) for each in STAFF]
        readers = [(each,) for each in self.pages]
        return {
            "look": (lambda: everybody, self._look),
            "approve": (lambda: [(each, how) for each in self.pages for how in ("whole", "part")], self._approve),
            "reject": (lambda: readers, lambda by: self._end(ApplyState.REJECTED, by)),
            "withdraw": (lambda: [()], lambda: self._end(ApplyState.WITHDRAWN, None)),
            "expire": (lambda: [()], lambda: self._end(ApplyState.EXPIRED, None)),
            "ask": (lambda: readers, self._ask),
            "answer": (lambda: [()] if self.row.state is ApplyState.ASKED else [], self._answer),
            "edit": (lambda: [("invoice",), ("credit",)], self._edit),
            "send": (lambda: [()] if self.posting == "queued" else [], lambda: self._poster("sent")),
            "land": (lambda: [()] if self.posting == "sent" else [], self._land),
            "confirm": (lambda: [()] if self.posting == "landed" else [], self._confirm),
            "refuse": (lambda: [()] if self.posting == "sent" else [], self._refuse),
        }

    def possible(self) -> dict[str, Sequence[Step]]:
        """Every kind of step that is possible now, with its arguments."""
        return {kind: choices for kind, (may, _) in self._kinds().items() if (choices := may())}

    def perform(self, kind: str, *arguments: str) -> None:
        """Let it happen."""
        self._kinds()[kind][1](*arguments)

    def broken(self) -> str | None:
        """The first promise that is broken, or None."""
        if len(self.ended) > 1:
            return f"it ended twice: {self.ended}"
        if self.ended and self.ended[0] is not ApplyState.APPLIED and self.documents_there:
            return f"it is {self.ended[0]} and stands in the ERP"
        if self.documents != self.told:
            return f"the rows say {self.documents}, the ERP told {self.told}"
        if self.row.first_by is not None and self.row.first_by == self.row.second_by:
            return "one person was both"
        return self.wrong[0] if self.wrong else None

    # ------------------------------------------------------------ people

    def _look(self, by: str) -> None:
        row = self.row
        self.pages[by] = Page(state=row.state, version=row.version, minor=row.minor, answers=row.answers)

    def _is_current(self, by: str, sources: frozenset[ApplyState]) -> bool:
        page = self.pages[by]
        if self.rules.compares == "the page":
            return page.state in sources
        if self.rules.compares == "state":
            return self.row.state is page.state and page.state in sources
        return self.row.version == page.version and self.row.state in sources

    def _approve(self, by: str, how: str) -> None:
        page, row = self.pages[by], self.row
        two = row.first_by is not None or deciding.needs_second(Money.of(row.minor, "USD"), LIMITS)
        to = ApplyState.SECOND if two and row.first_by is None else ApplyState.POSTING
        if not self._is_current(by, apply_sources(to)):
            return
        minor = min(PART, row.minor) if how == "part" and row.first_by is None else row.minor
        two = row.first_by is not None or deciding.needs_second(Money.of(minor, "USD"), LIMITS)
        if self.rules.looks_again and not isinstance(self._plan(minor), Plan):
            return
        if not self._may_be_second(by, minor):
            return
        if how == "whole" and minor != page.minor:
            self.wrong.append(f"{by} saw {page.minor}, {minor} are applied")
        if page.answers != row.answers:
            self.wrong.append(f"{by} has not read the answer")
        row.version += 1
        row.minor = minor
        if two and row.first_by is None:
            row.state, row.first_by = ApplyState.SECOND, by
            return
        if minor > min(self.documents.values()):
            self.wrong.append(f"{minor} are applied where {self.documents} are left")
        row.state, self.posting = ApplyState.POSTING, "queued"
        row.second_by = by if row.first_by is not None else None
        row.first_by = row.first_by or by

    def _may_be_second(self, by: str, minor: int) -> bool:
        decider, amount = Decider(id=by, is_approver=STAFF[by]), Money.of(minor, "USD")
        if self.rules.second_is == "an approver":
            return self.row.first_by is None or decider.is_approver
        return deciding.refuse_decider(amount, LIMITS, decider, first_by=self.row.first_by) is None

    def _plan(self, minor: int) -> object:
        credit = CreditFacts(
            id="crd_1", customer_id="cus_1", number="CRN-1", kind=CreditKind.CREDIT_NOTE, currency="USD", issued_on=DAY,
            deleted=False, total_minor=80, unapplied_minor=self.documents["credit"], held_minor=0,
        )  # fmt: skip
        invoice = InvoiceFacts(
            id="inv_1", customer_id="cus_1", number="INV-1", currency="USD", issued_on=DAY, due_on=DAY, erp_status="open",
            is_parent=False, paused=False, total_minor=100, open_minor=self.documents["invoice"], held_minor=0,
        )  # fmt: skip
        return plan_application([Line(invoice_id="inv_1", minor=minor)], credit, {"inv_1": invoice}, BusinessSettings())

    def _end(self, to: ApplyState, by: str | None) -> None:
        sources = APPLY_OPEN
        if self.rules.ends_from == "what is being posted too":
            sources |= {ApplyState.POSTING}
        if not (self._is_current(by, sources) if by is not None else self.row.state in sources):
            return
        self.row.state = to
        self.row.version += 1
        self.ended.append(to)
        if self.rules.puts_back == "a copy":
            self.documents = dict(self.copy)

    def _ask(self, by: str) -> None:
        if self._is_current(by, apply_sources(ApplyState.ASKED) & APPLY_OPEN):
            self.row.state = ApplyState.ASKED
            self.row.version += 1

    def _answer(self) -> None:
        self.row.state = ApplyState.SUBMITTED
        self.row.version += 1
        self.row.answers += 1

    def _edit(self, document: str) -> None:
        """A person in the ERP, and the sync after it: the rows are the ERP's."""
        self.told[document] = {100: 40, 40: 100, 80: 20, 20: 80}[self.told[document]]
        self.documents[document] = self.told[document]

    # ------------------------------------------------------------ the poster

    def _poster(self, to: Literal["sent", "landed", ""]) -> None:
        self.posting = to

    def _land(self) -> None:
        self.posting = "landed"
        self.documents_there += 1

    def _confirm(self) -> None:
        self.posting = ""
        self.row.state = ApplyState.APPLIED
        self.row.version += 1
        self.ended.append(ApplyState.APPLIED)

    def _refuse(self) -> None:
        """The ERP said no: with staff again, for what was approved."""
        self.posting = ""
        self.row.state = ApplyState.POSTING_FAILED
        self.row.version += 1
        self.row.first_by = self.row.second_by = None
