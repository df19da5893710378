"""The hosted pages over HTTP: plain forms that work without scripts. A finished page sends the browser back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from simulators.sandbox_provider.checkout import SENTENCES, Checkout, EntryRefused, waiting_entry
from simulators.sandbox_provider.instruments import of_kind
from simulators.sandbox_provider.provider import Provider
from simulators.sandbox_provider.storage import Row
from simulators.sandbox_provider.words import amount_text, kind_name

_HERE: Final = Path(__file__).parent
_LARGEST_FORM: Final = 16 * 1024
_FINISHED: Final = {
    "completed": "The payment method is saved.",
    "succeeded": "The payment went through.",
    "settled": "The payment went through.",
    "returned": "The payment came back.",
    "pending": "Your bank accepted the debit. It takes a few days.",
    "failed": "This did not work. Nothing was charged.",
    "canceled": "You cancelled this. Nothing was charged.",
    "expired": "This page has expired. Nothing was charged.",
}


class HostedPages:
    """Draws pages and applies what was sent; one instance for a provider."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._checkout = Checkout(provider.storage, provider.clock, provider.charges, provider.setups)
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters["kind_name"] = kind_name

    def setup(self, token: str) -> Row | None:
        """The set-up of an address."""
        self._provider.schedule.run_due()
        return self._provider.setups.by_token(token)

    def charge(self, token: str, *, is_page: bool) -> Row | None:
        """The charge of an address: of a payment page, or of a saved card that the bank asks about."""
        self._provider.schedule.run_due()
        return self._provider.charges.by_token(token, is_page=is_page)

    def draw(self, row: Row, path: str, *, kind: str | None = None, refused: EntryRefused | None = None) -> Response:
        """The page as it stands now."""
        is_setup = "amount_minor" not in row.keys()  # noqa: SIM118 - a Row iterates its values
        open_now = row["status"] in {"open", "requires_action"}
        waiting = waiting_entry(row) if open_now else None
        facts: dict[str, object] = {
            "path": path,
            "is_setup": is_setup,
            "amount": None if is_setup else amount_text(row["amount_minor"], row["currency"]),
            "description": "" if is_setup else row["description"],
            "saves": is_setup or bool(row["save_method"]),
            "return_to": _with_session(row["return_url"], row["id"]),
            "back_host": urlsplit(row["return_url"]).hostname or "",
        }
        if row["status"] == "verifying":
            name, facts["problem"] = "deposits.html", _sentence(row["failure_code"])
        elif not open_now:
            name, facts["sentence"] = "finished.html", _FINISHED.get(row["status"], "This page is finished.")
            facts["went_well"] = row["status"] in {"completed", "succeeded", "settled", "pending"}
        elif waiting is not None:
            name, facts["card"] = "challenge.html", waiting
        else:
            name = "form.html"
            kinds: tuple[str, ...] = tuple(json.loads(row["kinds"]))
            chosen = kind if kind in kinds else kinds[0]
            facts |= {
                "kinds": kinds,
                "kind": chosen,
                "choices": of_kind(chosen),
                "problem": _sentence(row["failure_code"]) if refused is None else refused.sentence,
                "problem_field": "" if refused is None else refused.field,
            }
        html = self._templates.get_template(name).render(**facts)
        return HTMLResponse(html, status_code=422 if refused else 200, headers=_headers(row))

    def enter(self, row: Row, path: str, form: dict[str, str], submit: Callable[[Checkout, Row], None]) -> Response:
        """Apply a step; then back to the business when the page is finished, else the page again."""
        try:
            submit(self._checkout, row)
        except EntryRefused as refused:
            return self.draw(row, path, kind=form.get("kind"), refused=refused)
        table = "charges" if path.startswith(("/pages/pay/", "/pages/challenge/")) else "setups"
        now = self._provider.storage.one(f"SELECT * FROM {table} WHERE id = ?", row["id"])
        assert now is not None
        if now["status"] in {"open", "requires_action"} or (now["status"] == "verifying" and now["tries"] > 0):
            kind = form.get("kind")
            again = f"{path}?{urlencode({'kind': kind})}" if kind in json.loads(row["kinds"]) else path
            return RedirectResponse(again, status_code=303, headers=_headers(row))
        address = now["cancel_url"] if now["status"] == "canceled" else now["return_url"]
        return RedirectResponse(_with_session(address, now["id"]), status_code=303, headers=_headers(row))

    def missing(self) -> Response:
        """An address that leads nowhere."""
        html = self._templates.get_template("missing.html").render()
        return HTMLResponse(html, status_code=404)


def page_routes(provider: Provider) -> APIRouter:
    """Every hosted page."""
    routes = APIRouter(prefix="/pages", include_in_schema=False)
    pages = HostedPages(provider)
    style = (_HERE / "templates" / "style.css").read_text(encoding="utf-8")

    def find(place: str, token: str) -> Row | None:
        return pages.setup(token) if place == "setup" else pages.charge(token, is_page=place == "pay")

    @routes.get("/style.css")
    async def stylesheet() -> Response:
        return Response(style, media_type="text/css", headers={"Cache-Control": "max-age=300"})

    @routes.get("/{place}/{token}")
    async def show(place: str, token: str, kind: str | None = None) -> Response:
        row = find(place, token)
        return pages.missing() if row is None else pages.draw(row, f"/pages/{place}/{token}", kind=kind)

    @routes.post("/{place}/{token}")
    async def enter(request: Request, place: str, token: str) -> Response:
        form = await _form_of(request)
        row = find(place, token)  # after the last await: two clicks cannot both see it open
        if row is None or place == "challenge":
            return pages.missing()

        def submit(checkout: Checkout, row: Row) -> None:
            entry = checkout.read_entry(tuple(json.loads(row["kinds"])), form)
            (checkout.submit_setup if place == "setup" else checkout.submit_payment)(row, entry)

        return pages.enter(row, f"/pages/{place}/{token}", form, submit)

    routes.include_router(_answers(provider, pages, find))
    return routes


def _answers(provider: Provider, pages: HostedPages, find: Callable[[str, str], Row | None]) -> APIRouter:
    """What a customer answers after the first form: the bank, the small deposits, or 'cancel'."""
    routes = APIRouter()

    @routes.post("/{place}/{token}/challenge")
    async def answer(request: Request, place: str, token: str) -> Response:
        form = await _form_of(request)
        row = find(place, token)  # after the last await: two clicks cannot both see it open
        if row is None:
            return pages.missing()
        approve = form.get("answer") == "approve"

        def submit(checkout: Checkout, row: Row) -> None:
            if place == "setup":
                checkout.answer_setup_challenge(row, approve=approve)
            else:
                checkout.answer_payment_challenge(row, approve=approve)

        return pages.enter(row, f"/pages/{place}/{token}", form, submit)

    @routes.post("/setup/{token}/deposits")
    async def deposits(request: Request, token: str) -> Response:
        form = await _form_of(request)
        row = find("setup", token)  # after the last await: two clicks cannot both see it open
        if row is None:
            return pages.missing()
        amounts = [
            int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0
            for text in (form.get("first", "").strip(), form.get("second", "").strip())
        ]

        def submit(_checkout: Checkout, row: Row) -> None:
            with provider.storage.transaction():
                provider.setups.confirm_deposits(row["id"], amounts[0], amounts[1])

        return pages.enter(row, f"/pages/setup/{token}", form, submit)

    @routes.post("/{place}/{token}/cancel")
    async def cancel(request: Request, place: str, token: str) -> Response:
        form = await _form_of(request)
        row = find(place, token)  # after the last await: two clicks cannot both see it open
        if row is None:
            return pages.missing()

        def submit(_checkout: Checkout, row: Row) -> None:
            with provider.storage.transaction():
                (provider.setups if place == "setup" else provider.charges).move(row["id"], "canceled")

        return pages.enter(row, f"/pages/{place}/{token}", form, submit)

    return routes


def _headers(row: Row) -> dict[str, str]:
    """A form's redirect back to the business counts as its target, so its origin is named."""
    origins = {f"{part.scheme}://{part.netloc}" for part in map(urlsplit, (row["return_url"], row["cancel_url"]))}
    return {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {' '.join(sorted(origins))}"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def _with_session(address: str, session_id: str) -> str:
    """The way back, with the session's id for convenience: whoever receives it must ask, not believe."""
    parts = urlsplit(address)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("session", session_id)]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _sentence(failure_code: str | None) -> str:
    return SENTENCES.get(failure_code, "That did not work. Nothing was charged.") if failure_code else ""


async def _form_of(request: Request) -> dict[str, str]:
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _LARGEST_FORM:
            return {}
    return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=20))
