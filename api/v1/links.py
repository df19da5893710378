"""Portal links: made, listed and revoked. A link opens a customer's whole account, so its address is told once."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic_core import from_json
from starlette.responses import Response

from api.services import Services
from api.v1 import answers, fields, schemas
from api.v1.door import Given, Needs
from api.v1.listing import cursors_of, json_answer, page_of
from api.v1.once import IdempotencyKey, Told, Wish, act_of, answer_once
from domain.refusals import Refused
from store import access, access_log, idempotency
from store.api_keys import KeyHolder, Scope
from store.idempotency import Asked
from store.views import integration
from store.views.integration import LinkRow

router: Final = APIRouter(tags=["portal links"])
Reader = Annotated[KeyHolder, Depends(Needs(Scope.LINKS_READ))]
Writer = Annotated[KeyHolder, Depends(Needs(Scope.LINKS_WRITE))]


@router.get("/links", response_model=answers.PortalLinks)
async def list_links(given: Given, _: Reader, wanted: Annotated[schemas.OfCustomer, Query()]) -> Response:
    """Portal links without their addresses, the newest first; expired and revoked ones too."""
    cursors = cursors_of(given, "links", wanted)
    after = cursors.read(wanted.cursor)
    async with given.staff.begin("api.links") as tx:
        rows = await integration.links(tx, customer_id=wanted.customer_id, after=after, limit=wanted.limit)
    return page_of("links", rows, LinkRow._fields, limit=wanted.limit, cursor=lambda row: cursors.write(row.id))


@router.post("/links", response_model=answers.OpenLink, status_code=201)
async def create_link(
    request: Request, given: Given, holder: Writer, idempotency_key: IdempotencyKey, asked: schemas.NewLink
) -> Response:
    """A portal link for a customer. Treat its address like a key; a repetition tells the same one."""
    wish = Wish(operation="create_link", asked=asked, prefix="lnk", customer_id=asked.customer_id)
    return await answer_once(
        request,
        given,
        holder,
        wish,
        idempotency_key,
        partial(_make, request, given, holder, asked),
        finish=partial(_with_address, given, holder),
    )


@router.delete("/customers/{customer_id}/links", response_model=answers.Revoked)
async def revoke_links(
    request: Request, given: Given, holder: Writer, customer_id: Annotated[fields.CustomerId, Path()]
) -> Response:
    """Revoke every link of a customer: whoever came in by one is out at the next request."""
    async with given.staff.begin("api.revoke") as tx:
        if await integration.customer(tx, customer_id) is None:
            raise Refused("customer_not_found")
        revoked = await access.revoke_links(tx, customer_id, at=given.clock())
        act = act_of(request, holder, "links_revoked", customer_id, None)
        await access_log.note(tx, act, at=given.clock())
    return json_answer({"revoked": revoked})


async def _make(request: Request, given: Services, holder: KeyHolder, asked: schemas.NewLink, claimed: Asked) -> Told:
    """The link of this request, made by whoever comes first."""
    link_id = claimed.object_id
    async with given.staff.begin("api.link") as tx:
        await idempotency.lock(tx, claimed)
        if await integration.customer(tx, asked.customer_id) is None:
            raise Refused("customer_not_found")
        row = await integration.link(tx, link_id)
        if row is None:
            await access.create_link(
                tx,
                asked.customer_id,
                by=holder.label,
                at=given.clock(),
                days=asked.days or holder.settings.link_days,
                invoice_id=asked.invoice_id,
                contact_id=asked.contact_id,
                link_id=link_id,
                token=holder.token_for(link_id),
            )
            act = act_of(request, holder, "link_created", asked.customer_id, link_id)
            await access_log.note(tx, act, at=given.clock())
            row = await integration.link(tx, link_id)
    assert row is not None
    return Told.of(201, row._asdict())


def _with_address(given: Services, holder: KeyHolder, told: Told, link_id: str) -> Told:
    """The address is made again from the key each time, and kept nowhere."""
    if told.status != 201:
        return told
    return Told.of(201, {**from_json(told.body), "url": f"{given.base_url}/l/{holder.token_for(link_id)}"})
