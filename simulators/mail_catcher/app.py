"""The HTTP side: pages to read mails, JSON for tests, knobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field

from simulators.mail_catcher.mailbox import Mailbox
from simulators.mail_catcher.receiving import Knobs

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# A mail's HTML is a stranger's: no script, no request of its own, links only in a new tab.
_MAIL_HEADERS: Final = _HEADERS | {
    "Content-Security-Policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    ),
}


class KnobsBody(BaseModel):
    """Knobs to turn; only what is sent is changed, `reset` first turns all off."""

    model_config = ConfigDict(extra="forbid")

    reset: bool = False
    refuse: list[str] | None = None
    temporary: int | None = Field(default=None, ge=0)
    drop_after: int | None = Field(default=None, ge=0)
    delay_ms: int | None = Field(default=None, ge=0, le=600_000)


def create(mailbox: Mailbox, knobs: Knobs) -> FastAPI:
    """The application over a mailbox."""
    app = FastAPI(title="Mail catcher", docs_url=None, redoc_url=None, openapi_url=None)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    _add_pages(app, mailbox, environment)
    _add_api(app, mailbox, knobs)
    return app


def _add_pages(app: FastAPI, mailbox: Mailbox, environment: Environment) -> None:
    def page(template: str, **facts: Any) -> HTMLResponse:
        return HTMLResponse(environment.get_template(template).render(**facts), headers=_HEADERS)

    def existing(mail_id: int) -> dict[str, Any]:
        mail = mailbox.mail(mail_id)
        if mail is None:
            raise HTTPException(status_code=404, detail="There is no such mail.")
        return mail

    @app.get("/", response_class=HTMLResponse)
    async def inbox(to: str = "") -> HTMLResponse:
        return page("inbox.html", mails=mailbox.mails(to=to.strip() or None), asked=to.strip())

    @app.get("/mails/{mail_id}", response_class=HTMLResponse)
    async def mail(mail_id: int) -> HTMLResponse:
        return page("mail.html", mail=existing(mail_id))

    @app.get("/mails/{mail_id}/html", response_class=HTMLResponse)
    async def html(mail_id: int) -> HTMLResponse:
        # Links open a tab of their own: the frame cannot follow them.
        shown = existing(mail_id)["html"].replace("<head>", '<head><base target="_blank">', 1)
        return HTMLResponse(shown, headers=_MAIL_HEADERS)

    @app.get("/mails/{mail_id}/source")
    async def source(mail_id: int) -> Response:
        existing(mail_id)
        return Response(mailbox.source(mail_id), media_type="text/plain; charset=utf-8", headers=_HEADERS)


def _add_api(app: FastAPI, mailbox: Mailbox, knobs: Knobs) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "program": "mail-catcher"}

    @app.get("/api/messages")
    async def messages(to: str | None = None, limit: int = 500) -> list[dict[str, Any]]:
        """Mails, newest first: id, received_at, message_id, sender, recipient, subject, plain, html and headers."""
        return mailbox.mails(to=to, limit=limit)

    @app.delete("/api/messages")
    async def empty() -> dict[str, int]:
        return {"deleted": mailbox.empty()}

    @app.post("/test/knobs")
    async def turn(body: KnobsBody) -> dict[str, Any]:
        fresh = Knobs()
        for name in Knobs.__slots__:
            sent = getattr(body, name)
            if body.reset:
                setattr(knobs, name, getattr(fresh, name))
            if sent is not None:
                setattr(knobs, name, sent)
        return {name: getattr(knobs, name) for name in Knobs.__slots__}
