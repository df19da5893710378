"""Plain pages for vendors that are played: what a customer is asked, and the buttons; no scripts, nothing kept."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from fastapi.responses import HTMLResponse

_STYLE: Final = (
    "body{color-scheme:light dark;font:1.05rem/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem}"
    "fieldset{border:1px solid #767676;border-radius:.5rem;margin:0 0 1rem}label{display:block;padding:.6rem 0}"
    "button,.leave{font:inherit;display:inline-block;min-height:44px;padding:.55rem 1.2rem;margin:0 .5rem .5rem 0}"
)


def form(title: str, *, legend: str, choices: Sequence[tuple[str, str]], submit: str, leave: str | None) -> HTMLResponse:
    """One of several things to choose (value, label), sent as `use` to the page's own address."""
    options = "".join(
        f'<label><input type="radio" name="use" value="{escape(value)}" required> {escape(label)}</label>'
        for value, label in choices
    )
    return _page(
        title,
        f'<form method="post"><fieldset><legend>{escape(legend)}</legend>{options}</fieldset>'
        f"<button>{escape(submit)}</button>{_leaving(leave)}</form>",
    )


def question(title: str, *, action: str, answers: Sequence[tuple[str, str]]) -> HTMLResponse:
    """A question with a button for each answer (value, label), sent as `answer` to `action`."""
    buttons = "".join(f'<button name="answer" value="{escape(value)}">{escape(label)}</button>' for value, label in answers)
    return _page(title, f'<form method="post" action="{escape(action)}">{buttons}</form>')


def finished(title: str, *, back: str | None) -> HTMLResponse:
    """Nothing is left to do here."""
    return _page(title, f'<p><a href="{escape(back)}">Go back</a></p>' if back else "")


def _leaving(address: str | None) -> str:
    return f'<a class="leave" href="{escape(address)}">Leave without doing anything</a>' if address else ""


def _page(title: str, body: str) -> HTMLResponse:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    html = f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>'
    return HTMLResponse(f"{html}{body}</main></body></html>", headers={"Cache-Control": "no-store"})
