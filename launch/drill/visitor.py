"""A customer's browser without a screen: it follows a portal link, reads forms and sends them as a browser would."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlsplit

import httpx

from connectors.trust import trusted

PATIENCE_SECONDS: Final = 60.0
_ADDRESSES: Final = itertools.count(1)


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, and its fields as they stand; `choices` are the values of its radio buttons."""

    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """A field's value, '' where there is none."""
        return next((value for each, value in self.fields if each == name), "")

    def filled(self, changes: Mapping[str, str]) -> dict[str, str]:
        """What is sent."""
        return dict(self.fields) | dict(changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the browser shows; `goes_to` is set for a redirect, which is not followed."""

    status: int
    text: str
    forms: Sequence[Form]
    goes_to: str | None

    def form(self, action: str) -> Form:
        """The form that goes there. Raises LookupError."""
        found = next((each for each in self.forms if each.action == action), None)
        if found is None:
            raise LookupError(f"no form to {action} on a page of status {self.status}")
        return found


class Visitor:
    """One browser. `doors` are the addresses of the API processes: it uses them in turn, as through a balancer."""

    def __init__(self, base_url: str, doors: Sequence[str]) -> None:
        self._doors = itertools.cycle(doors)
        # An address of its own on loopback, so that limits by address see many visitors and not one.
        number = next(_ADDRESSES)
        address = f"127.{77 + number // 62_500 % 100}.{number // 250 % 250}.{number % 250 + 2}"
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(local_address=address, verify=trusted()),
            headers={"Host": urlsplit(base_url).netloc, "Sec-Fetch-Site": "same-origin"},
            timeout=30,
            follow_redirects=False,
        )

    async def aclose(self) -> None:
        """Close the window."""
        await self._http.aclose()

    async def follow(self, token: str) -> None:
        """Open a portal link and press Continue."""
        await self.persist("POST", f"/l/{token}")

    async def see(self, path: str) -> Page:
        """Open a page, trying again while nobody answers."""
        return await self.persist("GET", path)

    async def submit(self, form: Form, **changes: str) -> Page:
        """Send a form, and the same form again while nobody answers."""
        return await self.persist("POST", form.action, form.filled(changes))

    async def submit_once(self, form: Form, **changes: str) -> Page:
        """Send a form. Raises httpx.HTTPError where nobody answers."""
        return await self._ask("POST", form.action, form.filled(changes))

    async def see_once(self, path: str) -> Page:
        """Open a page. Raises httpx.HTTPError where nobody answers."""
        return await self._ask("GET", path)

    async def persist(self, method: str, path: str, data: Mapping[str, str] | None = None) -> Page:
        """Ask as a patient person does: a page that breaks is loaded again. Raises TimeoutError after a minute."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    page = await self._ask(method, path, data)
                except httpx.HTTPError:
                    await asyncio.sleep(0.3)
                    continue
                if page.status < 500:
                    return page
                await asyncio.sleep(0.3)

    async def _ask(self, method: str, path: str, data: Mapping[str, str] | None = None) -> Page:
        answer = await self._http.request(method, f"{next(self._doors)}{path}", data=data)
        return Page(
            status=answer.status_code,
            text=answer.text,
            forms=forms_of(answer.text),
            goes_to=answer.headers.get("location") if answer.is_redirect else None,
        )


def forms_of(html: str) -> list[Form]:
    """The forms of a page."""
    reader = _Reader()
    reader.feed(html)
    return reader.forms


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append(Form(action=given.get("action") or ""))
            self._is_open = True
        name, value = given.get("name"), given.get("value") or ""
        if tag != "input" or not self._is_open or name is None:
            return
        kind = given.get("type") or "text"
        if kind == "radio":
            self.forms[-1].choices.setdefault(name, []).append(value)
        if kind not in {"radio", "checkbox"} or "checked" in given:
            self.forms[-1].fields.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False
