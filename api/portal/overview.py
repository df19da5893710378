"""The account at a glance: what is owed, what is selected, and the invoices to select from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api import pages
from api.formatting import Writer, places
from api.portal.shell import shell_for, writer
from api.portal.statuses import lateness, obstacle, tag
from api.portal.ways import by_bank as bank_offer
from api.security.forms import FormSigner
from api.security.sessions import given_services, portal_session
from api.services import Services
from domain.business import MOST_INVOICES, BusinessSettings
from domain.ids import is_id
from domain.refusals import Refused
from store.access import PortalSession
from store.identity import fresh_id
from store.views.portal import PAGE_GROUPS, SITES, SORTS, STATES, Choice, Chosen, Filter, Overview, OverviewRow, overview

router: Final = APIRouter(include_in_schema=False)
_PAGES_MOST: Final = 100_000


class ListedRow(NamedTuple):
    """One row as the template unpacks it: everything is written already."""

    id: str
    is_site: bool
    leaves: int
    number: str
    beside: str
    issued: str
    due: str
    late: str
    is_late: bool
    label: str
    colour: str
    note: str
    total: str
    open: str
    minor: int
    may_select: bool
    is_checked: bool
    group: str
    is_partly: bool
    is_expanded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the list's controls lead: the same list with one thing changed."""

    filter: Filter

    def to(self, **changes: object) -> str:
        """The address of the list with these changes; a change of what is listed begins at its first page."""
        changed = replace(self.filter, **{"page": 1, **changes})  # type: ignore[arg-type]
        return f"/?{query}" if (query := urlencode(fields_of(changed))) else "/"


def fields_of(wanted: Filter) -> list[tuple[str, str]]:
    """The query of a filter: what differs from the list that one sees first."""
    plain = Filter(home=wanted.home)
    fields = [
        ("currency", wanted.currency, plain.currency),
        ("state", wanted.state, plain.state),
        ("sites", wanted.sites, plain.sites),
        ("q", wanted.search, plain.search),
        ("sort", f"{'-' if wanted.descending else ''}{wanted.sort}", plain.sort),
        ("page", str(wanted.page), "1"),
    ]
    return [(name, value) for name, value, usual in fields if value != usual]


def filter_of(request: Request, session: PortalSession) -> Filter:
    """What an address asks for; what cannot be read is left out. Of two values the last counts: it is the button's."""
    query = request.query_params
    known = {name: query.getlist(name)[-1] for name in ("currency", "state", "sites", "q", "sort", "page") if name in query}
    sort = known.get("sort", "issued")
    page = known.get("page", "1")
    currency = known.get("currency", "")
    return Filter(
        home=session.customer.currency,
        currency=currency if len(currency) == 3 and currency.isascii() and currency.isupper() else "",
        state=known["state"] if known.get("state") in STATES else "open",
        sites=known["sites"] if known.get("sites") in SITES else "all",
        search=known.get("q", "").strip().replace("\x00", "")[:100],
        sort=sort.removeprefix("-") if sort.removeprefix("-") in SORTS else "issued",
        descending=sort.startswith("-"),
        page=min(int(page), _PAGES_MOST) if page.isascii() and page.isdigit() and int(page[:9]) > 0 else 1,
    )


def choice_of(request: Request) -> Choice:
    """What an address selects. Raises Refused 'too_many_invoices': more ids than one payment covers are never cut.

    A parent's box that was drawn ticked (`was`) and still is says nothing; ticked anew it selects its sites, unticked it
    drops them.
    """
    query = request.query_params
    ids = tuple(dict.fromkeys(each for each in query.getlist("i") if is_id(each, "inv")))
    if len(ids) > MOST_INVOICES:
        raise Refused("too_many_invoices", most=MOST_INVOICES, asked=len(ids))
    ticked = {each for each in query.getlist("p") if is_id(each, "inv")}
    was = {each for each in query.getlist("was") if is_id(each, "inv")}
    asked = query.get("select", "")
    if asked == "none":
        return Choice()
    return Choice(
        ids=ids,
        parents=tuple(sorted(ticked - was))[:MOST_INVOICES],
        dropped_parents=tuple(sorted(was - ticked))[:MOST_INVOICES],
        everything=asked == "all",
    )


@router.get("/")
async def show_overview(
    request: Request,
    session: Annotated[PortalSession, Depends(portal_session)],
    given: Annotated[Services, Depends(given_services)],
) -> Response:
    """Two statements: the session's and this page's."""
    write = writer(request, session)
    wanted = filter_of(request, session)
    choice = choice_of(request)
    settings = session.settings
    async with given.portal.read_as(session.family, hide_paused=settings.exclude_paused) as tx:
        seen = await overview(tx, wanted, choice, settings, today=write.today)
    wanted = replace(wanted, currency=seen.currency if wanted.currency else "")
    chosen, notice = _within_limit(seen, choice, everything_on_page=request.query_params.get("select") == "page")
    expanded = set(request.query_params.getlist("open"))
    rows = _listed(seen.rows, {each.id for each in chosen}, expanded, settings, write, seen.currency)
    on_page = {row.id for row in rows}
    return pages.render(
        request,
        "portal/overview.html",
        block="account",
        shell=shell_for(request, session),
        write=write,
        settings=settings,
        seen=seen,
        rows=rows,
        filter=wanted,
        addresses=Addresses(filter=wanted),
        kept=[(name, value) for name, value in fields_of(wanted) if name != "q"],
        carried=[each for each in chosen if each.id not in on_page],
        chosen_count=len(chosen),
        chosen_minor=sum(each.available for each in chosen),
        notice=notice,
        custom=request.query_params.get("custom", "")[:24],
        most=MOST_INVOICES,
        by_bank=_by_bank(session, given, seen),
        places=places(seen.currency),
        page_count=max(1, -(-seen.groups // PAGE_GROUPS)),
    )


def _by_bank(session: PortalSession, given: Services, seen: Overview) -> str | None:
    """The payment that one click would make of the whole account, signed, with what it says: '…/GBP/125000'; None where it
    cannot be paid by bank at once.
    """
    if seen.payable <= 0 or seen.all_leaves > MOST_INVOICES or bank_offer(session, seen.currency) is None:
        return None
    signed = FormSigner(given.form_keys).sign(
        fresh_id("pay"), customer_id=session.customer.id, session=session.reference, issued_at=given.clock()
    )
    return f"{signed}/{seen.currency}/{seen.payable}"


def _within_limit(seen: Overview, choice: Choice, *, everything_on_page: bool) -> tuple[list[Chosen], str]:
    """What is selected, at most 200, and the sentence that says so where something was left out."""
    chosen = list(seen.chosen)
    if choice.everything and seen.selectable > MOST_INVOICES:
        oldest = f"{MOST_INVOICES} of {seen.selectable}: one payment covers at most {MOST_INVOICES}. These are the oldest."
        return chosen[:MOST_INVOICES], oldest
    if everything_on_page:
        known = {each.id for each in chosen}
        page = [row for row in seen.rows if row.selectable and row.id not in known]
        if len(chosen) + len(page) > MOST_INVOICES:
            return chosen, f"One payment covers at most {MOST_INVOICES} invoices, so this page was not added."
        return [*chosen, *(Chosen(row.id, row.available, row.id) for row in page)], ""
    if len(chosen) <= MOST_INVOICES:
        return chosen, ""
    kept = [each for each in chosen if each.id in choice.ids or each.group not in choice.parents]
    return kept, (
        f"Those sites are more than fit: one payment covers at most {MOST_INVOICES} invoices, so none of them was selected."
    )


def _listed(
    rows: Sequence[OverviewRow],
    chosen: set[str],
    expanded: set[str],
    settings: BusinessSettings,
    write: Writer,
    currency: str,
) -> list[ListedRow]:
    """The rows as they are written. A parent's box follows from its sites."""
    sites: dict[int, list[OverviewRow]] = {}
    for row in rows:
        if row.depth == 1:
            sites.setdefault(row.place, []).append(row)
    parent_of = {row.place: row.id for row in rows if row.leaves is not None}
    listed = []
    for row in rows:
        under = [site for site in sites.get(row.place, []) if site.selectable] if row.leaves is not None else []
        ticked = sum(site.id in chosen for site in under)
        late, is_late = lateness(row.shown, due_on=row.due_on, paid_on=row.paid_on, today=write.today)
        label, colour = tag(row.shown, is_overdue=row.overdue)
        listed.append(
            ListedRow(
                id=row.id,
                is_site=row.depth == 1,
                leaves=row.leaves or 0,
                number=row.number,
                beside=_beside(row),
                issued=write.day(row.issued_on),
                due=write.day(row.due_on),
                late=late,
                is_late=is_late,
                label=label,
                colour=colour,
                note=_note(row, settings, write, currency),
                total=write.money(row.total, currency),
                open=write.money(row.open, currency),
                minor=row.available,
                may_select=bool(under) if row.leaves is not None else row.selectable,
                is_checked=ticked == len(under) > 0 if row.leaves is not None else row.id in chosen,
                group=parent_of.get(row.place, ""),
                is_partly=0 < ticked < len(under),
                is_expanded=row.id in expanded or 0 < ticked < len(under),
            )
        )
    return listed


def _order(number: str | None) -> str:
    """The purchase order, once: many businesses write 'PO' into the number itself."""
    if not number:
        return ""
    return number if number.upper().startswith("PO") else f"PO {number}"


def _beside(row: OverviewRow) -> str:
    parts = [row.site or "", _order(row.po_number)]
    return " · ".join(part for part in parts if part)


def _note(row: OverviewRow, settings: BusinessSettings, write: Writer, currency: str) -> str:
    """Who holds it, since when; or why it cannot be chosen."""
    if row.leaves is not None:
        return ""
    if row.held > 0 and row.held_at is not None:
        who = f"being paid by {person(row.held_by)} since {write.moment(row.held_at)}"
        if (row.holder_id or "").startswith("req_"):
            who = f"kept for a request of {write.moment(row.held_at)}"
        return who if row.available == 0 else f"{write.money(row.held, currency)} {who}"
    return obstacle(row.shown, row.status, settings) if row.counted and not row.selectable else ""


def person(started_by: str | None) -> str:
    """Who started a payment, as one may be named to a colleague."""
    if not started_by or started_by in {"portal", "portal link"}:
        return "someone with your link"
    return started_by
