"""Renders pages: one function decides whether a request gets the whole page or the part that htmx asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FOLDER: Final = Path(__file__).parent
_ICONS: Final = "/static/vendor/icons.svg"


def icon(name: str, label: str | None = None) -> Markup:
    """One of Tabler's outline icons; decoration unless it has a label. `make assets` collects the names asked for."""
    spoken = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon" width="20" height="20" {}><use href="{}#{}"></use></svg>').format(
        spoken, static("vendor/icons.svg"), name
    )


@lru_cache(maxsize=256)
def _fingerprint(path: Path, changed_ns: int) -> str:  # noqa: ARG001 the moment of change is part of the key
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def static(path: str) -> str:
    """The address of a file under api/static, with its fingerprint, so that browsers may keep it for ever."""
    file = FOLDER / "static" / path
    if not file.exists():
        return f"/static/{path}"
    return f"/static/{path}?v={_fingerprint(file, file.stat().st_mtime_ns)}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(icon=icon, static=static)
    return environment


ENVIRONMENT: Final = _environment()


def is_fragment(request: Request) -> bool:
    """Whether htmx asks for a part. A page out of htmx's history is wanted whole."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def render(
    request: Request,
    template: str,
    *,
    block: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **facts: object,
) -> HTMLResponse:
    """The page, or its `block` when htmx asks. The same facts are shown either way."""
    page = ENVIRONMENT.get_template(template)
    known = {"request": request, **facts}
    if block is not None and is_fragment(request):
        body = "".join(page.blocks[block](page.new_context(known)))
    else:
        body = page.render(known)
    return HTMLResponse(body, status_code=status, headers={"Vary": "HX-Request", **(headers or {})})
