"""Mails from templates: plain text and HTML of the same facts, formatted for the reader.

A template is `templates/NAME.txt`, whose first line is 'Subject: …', and `templates/NAME.html` beside it. Without the
HTML file it is text only (an SMS, say), and may use `portal_url` but not the clickable `portal_link`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from babel.dates import format_date, format_datetime
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateNotFound, meta, select_autoescape
from markupsafe import Markup, escape

from connectors.mail.ports import Message
from domain.money import Money

TEMPLATES: Final = Path(__file__).parent / "templates"

UNKNOWN_FACTS: Final = frozenset(
    {"customer_name", "amount", "payment_number", "reason", "since_at", "last_check_at", "next_check_at", "staff_url"}
)
CUSTOMER_FACTS: Final = frozenset({"customer_name", "portal_url", "contact_email"})

FACTS: Final[Mapping[str, frozenset[str]]] = {
    "portal_link": CUSTOMER_FACTS | {"expires_on"},
    "link_renewed": CUSTOMER_FACTS | {"expires_on"},
    "method_ready": CUSTOMER_FACTS | {"method_label"},
    "receipt": CUSTOMER_FACTS | {"payment_number", "amount", "paid_on", "method_label", "invoices", "unapplied"},
    "payment_failed": CUSTOMER_FACTS | {"amount", "method_label", "failed_on", "reason", "invoices"},
    "payment_returned": CUSTOMER_FACTS | {"amount", "method_label", "returned_on", "reason", "invoices"},
    "request_decided": CUSTOMER_FACTS | {"amount", "credit_number", "outcome", "reason"},
    "request_question": CUSTOMER_FACTS | {"credit_number", "question"},
    "request_waits_staff": frozenset({"customer_name", "amount", "credit_number", "since_at", "expires_at", "staff_url"}),
    "password_reset": frozenset({"staff_name", "staff_url", "until_at"}),
    "staff_invited": frozenset({"staff_name", "staff_url", "until_at"}),
    "refund_done": CUSTOMER_FACTS | {"amount", "method_label", "refunded_on", "invoices"},
    "refund_came_back": CUSTOMER_FACTS | {"amount", "method_label"},
    "unknown_outcome_staff": UNKNOWN_FACTS,
    "unknown_refund_staff": UNKNOWN_FACTS,
}
"""What each mail is told. `invoices`: a sequence of InvoiceAmount; `unapplied`, `contact_email`, `reason`: or
None; `outcome`: applied, rejected, expired or undone."""

_LOCALE: Final = "en"
_ACCENT: Final = re.compile(r"#[0-9a-fA-F]{6}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


class MailTemplateError(ValueError):
    """A template or its facts that cannot become a mail; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceAmount:
    """An invoice in a mail: its number, the amount that the mail speaks of, and its site on a multi-site invoice."""

    number: str
    amount: Money
    site: str | None = None


class Composer:
    """Templates from one folder."""

    def __init__(self, folder: Path, facts: Mapping[str, frozenset[str]]) -> None:
        self._facts = facts
        self._templates = _environment(folder)

    def compose(
        self,
        template: str,
        facts: Mapping[str, object],
        *,
        business_name: str,
        accent: str,
        message_id: str,
        to: str,
    ) -> Message:
        """Render one mail. Raises MailTemplateError for an unknown template, missing facts or a wrong colour."""
        self._check(template, facts, accent)
        known = {**facts, "business_name": _one_line(business_name), "accent": accent, "ink": _ink_on(accent)}
        subject, plain = self._plain(template, known)
        return Message(
            message_id=message_id, to=to, subject=subject, plain=plain, html=self._html_of(template, known, subject)
        )

    def _check(self, template: str, facts: Mapping[str, object], accent: str) -> None:
        if template not in self._facts:
            raise MailTemplateError(f"There is no mail template {template!r}; there are: {', '.join(sorted(self._facts))}.")
        if missing := self._facts[template] - facts.keys():
            raise MailTemplateError(f"The mail {template!r} needs to be told: {', '.join(sorted(missing))}.")
        if unknown := facts.keys() - self._facts[template]:
            raise MailTemplateError(f"The mail {template!r} does not speak of: {', '.join(sorted(unknown))}.")
        if not _ACCENT.fullmatch(accent):
            raise MailTemplateError("The accent colour is written as #rrggbb.")
        for name in ("portal_url", "staff_url"):
            if name in facts and urlsplit(str(facts[name])).scheme not in ("http", "https"):
                raise MailTemplateError(f"{name} is a web address that starts with https:// or http://.")

    def _plain(self, template: str, facts: Mapping[str, object]) -> tuple[str, str]:
        rendered = self._templates.get_template(f"{template}.txt").render(facts)
        first, _, rest = rendered.partition("\n")
        label, colon, subject = first.partition(":")
        if label != "Subject" or not colon:
            raise MailTemplateError(f"The first line of {template}.txt is 'Subject: …'.")
        return _one_line(subject), f"{rest.strip()}\n"

    def _html_of(self, template: str, facts: Mapping[str, object], subject: str) -> str:
        try:
            found = self._templates.get_template(f"{template}.html")
        except TemplateNotFound as absent:
            if absent.name != f"{template}.html":
                raise
            return ""
        url = facts.get("portal_url")
        link = {} if url is None else {"portal_link": _clickable(str(url))}
        return found.render(facts, subject=subject, **link)


class _Loader(FileSystemLoader):
    """Refuses a text template that uses `portal_link`, wherever in it, before anything is sent."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, path, is_current = super().get_source(environment, template)
        is_text = template.endswith(".txt")
        if is_text and "portal_link" in meta.find_undeclared_variables(environment.parse(source)):
            raise MailTemplateError(
                f"{template} is text only, and portal_link is a clickable link that needs HTML. Use portal_url instead."
            )
        return source, path, is_current


def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=_Loader(folder),
        # HTML is escaped; plain text is nobody's markup.
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"money": money, "day": day, "moment": moment}
    return environment


def money(amount: Money) -> str:
    """'£1,250.00', '¥125,000'."""
    return format_currency(amount.as_decimal(), amount.currency, locale=_LOCALE)


def day(on: date) -> str:
    """'16 March 2026': one order of day and month that nobody reads differently."""
    return format_date(on, "d MMMM yyyy", locale=_LOCALE)


def moment(at: datetime) -> str:
    """'16 March 2026, 14:05 UTC'."""
    return f"{format_datetime(at, 'd MMMM yyyy, HH:mm', tzinfo=UTC, locale=_LOCALE)} UTC"


def _clickable(url: str) -> Markup:
    return Markup('<a href="{url}" class="link" style="color:inherit;text-decoration:underline">{url}</a>').format(
        url=escape(url)
    )


def _one_line(text: str) -> str:
    """A header's value: a name that holds line breaks starts no header of its own."""
    return _CONTROL.sub(" ", text).strip()


def _ink_on(accent: str) -> str:
    """Black or white, whichever reads better on that colour (weights of the eye for red, green and blue, in thousandths)."""
    red, green, blue = (int(accent[start : start + 2], 16) for start in (1, 3, 5))
    return "#111418" if 299 * red + 587 * green + 114 * blue > 150_000 else "#ffffff"


_OURS: Final = Composer(TEMPLATES, FACTS)


def compose(
    template: str, facts: Mapping[str, object], *, business_name: str, accent: str, message_id: str, to: str
) -> Message:
    """Render one of our own mails (see FACTS). Raises MailTemplateError."""
    return _OURS.compose(template, facts, business_name=business_name, accent=accent, message_id=message_id, to=to)
