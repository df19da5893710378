"""Payouts as staff see them: charges less refunds and fees is what was paid out, is what the ERP shows as its deposit."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api.staff.frame import Given, Viewer, note, page
from domain.refusals import Refused
from store import connections, managed
from store.database import Transaction
from store.views import staff_payouts as views

router: Final = APIRouter()
Named = Annotated[str, Path(max_length=200)]


@router.get("/payouts")
async def show_payouts(request: Request, session: Viewer, given: Given) -> Response:
    """What providers paid out, the newest first."""
    async with given.staff.begin("staff_payouts") as tx:
        lines = list(await views.lines(tx))
        names = await _names(tx)
    is_longer = len(lines) > views.SHOWN
    return page(request, session, "payouts.html", lines=lines[: views.SHOWN], is_longer=is_longer, names=names)


@router.get("/payouts/{connection_id}/{payout_id}")
async def show_payout(request: Request, session: Viewer, given: Given, connection_id: Named, payout_id: Named) -> Response:
    """One payout with its parts. Raises Refused 'not_found'."""
    async with given.staff.begin("staff_payout") as tx:
        payout = await views.one(tx, connection_id, payout_id)
        if payout is None:
            raise Refused("not_found")
        parts = list(await views.parts(tx, connection_id, payout_id))
        names = await _names(tx)
        await note(request, tx, session, "payout_viewed", object_id=payout_id)
    is_longer = len(parts) > views.PARTS_SHOWN
    return page(
        request,
        session,
        "payout.html",
        payout=payout,
        parts=parts[: views.PARTS_SHOWN],
        is_longer=is_longer,
        names=names,
    )


async def _names(tx: Transaction) -> dict[str, str]:
    return {each.id: each.connector for each in await connections.announced(tx)} | {
        each.id: each.title for each in await managed.every(tx)
    }
