"""Customers: a list to search, and beside it one customer with everything that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.formatting import zone
from api.staff import words
from api.staff.frame import Given, Viewer, note, page
from domain.refusals import Refused
from store.access import NewLink
from store.database import Transaction
from store.staff_accounts import StaffSession
from store.views import staff as views

router: Final = APIRouter()
Search = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerList:
    """One page of the list. `query` is what keeps the list as it is while one looks at a customer."""

    lines: Sequence[views.CustomerLine]
    search: str
    query: str
    more: str | None


@router.get("/customers")
async def show_customers(
    request: Request,
    session: Viewer,
    given: Given,
    q: Search = "",
    after_name: Annotated[str | None, Query(max_length=400)] = None,
    after_id: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """The list, fifty at a time."""
    async with given.staff.begin("staff_customers") as tx:
        listed = await _list(tx, q, None if after_name is None else (after_name, after_id))
    return page(request, session, "customers.html", block="list", listed=listed, chosen=None)


@router.get("/customers/{customer_id}")
async def show_customer(request: Request, session: Viewer, given: Given, customer_id: str, q: Search = "") -> Response:
    """One customer, beside the list that it was chosen from."""
    return await customer_page(request, session, given, customer_id, search=q)


async def customer_page(
    request: Request,
    session: StaffSession,
    given: Given,
    customer_id: str,
    *,
    search: str = "",
    new_link: NewLink | None = None,
    refusal: Refused | None = None,
) -> Response:
    """The page of a customer; `new_link` is shown this once. Raises Refused 'not_found'."""
    async with given.staff.begin("staff_customer") as tx:
        chosen = await views.customer(tx, customer_id)
        if chosen is None:
            raise Refused("not_found")
        today = given.clock().astimezone(zone(chosen.time_zone)).date()
        facts = {
            "listed": await _list(tx, search, None),
            "balances": await views.balances(tx, customer_id, today=today),
            "invoices": await views.invoices(tx, customer_id),
            "contacts": await views.contacts(tx, customer_id),
            "methods": await views.methods(tx, customer_id),
            "payments": await views.payments(tx, customer_id, limit=20),
            "links": await views.links(tx, customer_id, limit=20),
            "events": await views.events(tx, customer_id, limit=30),
            "acts": await views.acts(tx, customer_id, limit=20),
        }
        if request.method == "GET":
            await note(request, tx, session, "customer_viewed", customer_id=customer_id)
    return page(
        request,
        session,
        "customer.html",
        status=200 if refusal is None else refusal.refusal.status,
        block=None,
        chosen=chosen,
        today=today,
        now=given.clock(),
        new_link=None if new_link is None else f"{given.base_url}/l/{new_link.token}",
        new_link_until=None if new_link is None else new_link.expires_at,
        refusal=None if refusal is None else refusal.refusal,
        why_not=words.why_not(session.offers, chosen.currency, session.settings),
        **facts,
    )


async def _list(tx: Transaction, search: str, after: tuple[str, str] | None) -> CustomerList:
    lines = list(await views.customers(tx, search=search, after=after))
    query = urlencode({"q": search}) if search else ""
    more = None
    if len(lines) > views.PAGE:
        lines.pop()
        more = urlencode({"q": search, "after_name": lines[-1].sort_name, "after_id": lines[-1].id})
    return CustomerList(lines=lines, search=search, query=query, more=more)
