"""Every fault point that the source has, read from the source itself, and why some are never killed at.

A point that is neither killed at nor excused here fails the drill: a new activity or commit cannot be forgotten.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
READ: Final = ("activities", "api/processes.py", "api/webhooks.py", "api/security/sessions.py", "wiring.py")
"""Where processes move: the doors' other pages only read, or write what a person sees and repeats."""

_WAITS: Final = "waits half an hour for a page's end of life; tests/workflows/test_waiting.py moves the clock instead"
_DAYS: Final = "waits days for a reminder; tests/workflows/test_requests_wait.py moves the clock instead"
_REFUSED: Final = "only where the far side refuses for good; tests/processes/test_posting.py has it"
_NAMED: Final = "only for an event without a reference, of what was paid on a page and is disputed; tests/telling has it"
_AGAIN: Final = "only for an event of a second charge; tests/incidents/test_webhooks.py has it"
_LATE_REFUND: Final = "only for a refund's event after its end; tests/processes/test_refunds.py has a failure after success"
_PAYOUTS: Final = "only compares what a provider's clock brings once a day; tests/activities/test_payouts.py runs it again"
PAYOUTS: Final = tuple(
    f"{point}.{moment}_commit"
    for point in (
        *(f"payouts.{each}" for each in ("reading", "take", "to_read", "judge", "look")),
        *(f"deposits.{each}" for each in ("wanted", "judge")),
    )
    for moment in ("before", "after")
)
_CLOSES: Final = "one statement by a person's word, taken once; tests/processes/test_reconciling.py says it twice"
_AWAY: Final = "only while the ERP is away; the next run reads on from the same cursor"
EXCUSED: Final[Mapping[str, str]] = {
    "cancel_charge.before": _WAITS,
    "cancel_charge.after": _WAITS,
    "cancel_charge.read.before_commit": _WAITS,
    "cancel_charge.read.after_commit": _WAITS,
    "cancel_charge.before_send": _WAITS,
    "cancel_charge.after_answer": _WAITS,
    "cancel_setup.before": _WAITS,
    "cancel_setup.after": _WAITS,
    "cancel_setup.read.before_commit": _WAITS,
    "cancel_setup.read.after_commit": _WAITS,
    "cancel_setup.before_send": _WAITS,
    "cancel_setup.after_answer": _WAITS,
    "apply_event.named.before_commit": _NAMED,
    "apply_event.named.after_commit": _NAMED,
    "charged_again.told.before_commit": _AGAIN,
    "charged_again.told.after_commit": _AGAIN,
    "mend_refund.read.before_commit": _LATE_REFUND,
    "mend_refund.read.after_commit": _LATE_REFUND,
    "alarm_request.before": _DAYS,
    "alarm_request.after": _DAYS,
    "alarm_request.before_commit": _DAYS,
    "alarm_request.after_commit": _DAYS,
    "post.refuse.before_commit": _REFUSED,
    "post.refuse.after_commit": _REFUSED,
    "mail.unwritable.before_commit": _REFUSED,
    "mail.unwritable.after_commit": _REFUSED,
    "mail.refused.before_commit": _REFUSED,
    "mail.refused.after_commit": _REFUSED,
    "mail.tried.before_commit": "only while the mail server is away; a mail is then simply still queued",
    "mail.tried.after_commit": "only while the mail server is away; a mail is then simply still queued",
    **dict.fromkeys(PAYOUTS, _PAYOUTS),
    "close_difference.before": _CLOSES,
    "close_difference.after": _CLOSES,
    "close_difference.before_commit": _CLOSES,
    "close_difference.after_commit": _CLOSES,
    "metrics.before_commit": "a scrape only reads, and a drill's parts show no metrics",
    "metrics.after_commit": "a scrape only reads, and a drill's parts show no metrics",
    "sync.page.failed.before_commit": _AWAY,
    "sync.page.failed.after_commit": _AWAY,
    "webhook.refused.before_commit": "a forged delivery is noted and moves nothing",
    "webhook.refused.after_commit": "a forged delivery is noted and moves nothing",
}


def written(root: Path = ROOT) -> Mapping[str, str]:
    """Each point of the processes → the file that has it."""
    found: dict[str, str] = {}
    for room in READ:
        path = root / room
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for point in points_in(ast.parse(file.read_text())):
                found.setdefault(point, str(file.relative_to(root)))
    return found


def points_in(tree: ast.Module) -> Iterator[str]:
    """The points of a module: around its activities, its transactions, and those that it names itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef) and any(_is_activity(each) for each in node.decorator_list):
            yield from (f"{node.name}.before", f"{node.name}.after")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 1:
            argument = node.args[0]
            if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                continue
            if node.func.attr == "begin":
                yield from (f"{argument.value}.before_commit", f"{argument.value}.after_commit")
            elif node.func.attr == "reach":
                yield argument.value


def _is_activity(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Attribute) and decorator.attr == "defn" and ast.unparse(decorator.value) == "activity"
