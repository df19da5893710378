"""What surrounds every page of the portal: whose business it is, who is reading, where one can go."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from api.formatting import Writer, writer_for
from api.security.sessions import csrf_of, services
from domain.business import BusinessSettings
from store.access import PortalSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """The frame of a page. `menu` is (label, address, whether it is the page one is on)."""

    business_name: str
    accent_colour: str
    lang: str
    csrf: str
    customer_name: str | None = None
    customer_number: str | None = None
    initials: str = ""
    menu: tuple[tuple[str, str, bool], ...] = ()
    contact_email: str = ""
    viewer: str | None = None  # the member of staff who looks at this account, and may do nothing else

    def leads_to(self, href: str) -> bool:
        """Whether the menu has it: a page that the business does not show is linked from nowhere else either."""
        return any(address == href for _, address, _ in self.menu)


def shell_for(request: Request, session: PortalSession) -> Shell:
    """The frame for somebody whose account is open."""
    settings = session.settings
    menu = [("Invoices", "/"), ("Payments", "/payments"), ("Credits", "/credits"), ("Statements", "/statements")]
    menu.append(("Payment methods", "/methods"))
    if not settings.show_statements:
        menu.remove(("Statements", "/statements"))
    if not settings.show_credits:
        menu.remove(("Credits", "/credits"))
    if not settings.show_methods:
        menu.remove(("Payment methods", "/methods"))
    if not settings.show_payments:
        menu.remove(("Payments", "/payments"))
    here = request.url.path
    return Shell(
        business_name=settings.business_name,
        accent_colour=settings.accent_colour,
        lang=writer(request, session).tag,
        csrf=csrf_of(request),
        customer_name=session.customer.name,
        customer_number=session.customer.number,
        initials=initials(session.customer.name),
        menu=tuple((label, href, _is_under(here, href)) for label, href in menu),
        contact_email=settings.contact_email if settings.show_contact else "",
        viewer=session.viewer,
    )


def shell_for_nobody(request: Request, settings: BusinessSettings | None = None) -> Shell:
    """The frame of a page that says nothing about any customer."""
    known = settings or BusinessSettings()
    return Shell(
        business_name=known.business_name,
        accent_colour=known.accent_colour,
        lang="en-GB",
        csrf=csrf_of(request),
        contact_email=known.contact_email if known.show_contact else "",
    )


def writer(request: Request, session: PortalSession) -> Writer:
    """Writes amounts and dates for this customer, at this moment."""
    customer = session.customer
    return writer_for(country=customer.country, time_zone=customer.time_zone, now=services(request).clock())


def initials(name: str) -> str:
    """'BF' for 'Brightwater Facilities Ltd'."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "·"


def _is_under(here: str, href: str) -> bool:
    if href == "/":
        return here in {"/", "/pay"} or here.startswith("/invoices/")
    return here == href or here.startswith(f"{href}/") or (href == "/credits" and here.startswith("/requests/"))
