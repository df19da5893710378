"""A process's timeline (I2): a page, JSON for programs, PDF as evidence for people. Each export is in the access log."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from api.documents import typesetting
from api.formatting import Writer
from api.services import Services
from api.staff import words
from api.staff.frame import Given, Viewer, note, page, writer
from domain.ids import is_id
from domain.refusals import Refused
from store.database import Transaction
from store.staff_accounts import StaffSession
from store.views import staff_timelines as views
from store.views.staff_timelines import Process, Told

router: Final = APIRouter()
ProcessId = Annotated[str, Path(max_length=100)]
KINDS: Final = {
    "pay": "Payment",
    "rfd": "Refund",
    "req": "Request to apply a credit",
    "set": "Set-up of a payment method",
    "pm": "Payment method",
}


@router.get("/timeline/{process_id}.json")
async def export_json(request: Request, session: Viewer, given: Given, process_id: ProcessId) -> Response:
    """Every event with its time (UTC), who did it and its facts. The customer is named by id alone."""
    found = await _exported(request, session, given, process_id, "json")
    told = {
        "process": {
            "id": found.id,
            "kind": _kind(found),
            "state": found.state,
            "amount": found.amount,
            "currency": found.currency,
        },
        "customer_id": found.customer_id,
        "made_at": given.clock().isoformat(),
        "made_by": session.staff_id,
        "events": [_event(each) for each in found.events],
    }
    return JSONResponse(told, headers=_file(f"{found.id}.json"))


@router.get("/timeline/{process_id}.pdf")
async def export_pdf(request: Request, session: Viewer, given: Given, process_id: ProcessId) -> Response:
    """The same, typeset for a person."""
    found = await _exported(request, session, given, process_id, "pdf")
    drawn = await asyncio.to_thread(_typeset, found, session, writer(request, session))
    return Response(drawn, media_type="application/pdf", headers=_file(f"{found.id}.pdf"))


@router.get("/timeline/{process_id}")
async def show_timeline(request: Request, session: Viewer, given: Given, process_id: ProcessId) -> Response:
    """What happened to one process, and who did it: the page of those that have no other."""
    async with given.staff.begin("staff_timeline") as tx:
        found = await _found(tx, process_id)
    return page(request, session, "timeline.html", found=found, kind=_kind(found))


async def _found(tx: Transaction, process_id: str) -> Process:
    """Raises Refused for what is none."""
    known = any(is_id(process_id, prefix) for prefix in KINDS)
    found = await views.process(tx, process_id) if known else None
    if found is None:
        raise Refused("not_found")
    return found


async def _exported(request: Request, session: StaffSession, given: Services, process_id: str, form: str) -> Process:
    async with given.staff.begin("export_timeline") as tx:
        found = await _found(tx, process_id)
        await note(request, tx, session, "timeline_exported", customer_id=found.customer_id, object_id=process_id, form=form)
    return found


def _kind(found: Process) -> str:
    return KINDS[found.id.partition("_")[0]]


def _event(each: Told) -> dict[str, Any]:
    return {
        "at": each.at.isoformat(),
        "kind": each.kind,
        "words": words.event(each.kind),
        "actor": each.actor,
        "actor_name": each.actor_name,
        "facts": each.facts,
    }


def _typeset(found: Process, session: StaffSession, write: Writer) -> bytes:
    business = session.settings.business_name
    made = f"made at {_exact(write, write.now)}, by {session.name}"
    amount = "" if found.amount is None or found.currency is None else f" of {write.money(found.amount, found.currency)}"
    title = f"{_kind(found)}{amount}"
    rows = [
        (_exact(write, each.at), words.event(each.kind), each.actor_name or "", _facts(each, found, write))
        for each in found.events
    ]
    story = [
        typesetting.paragraph(business, quiet=True),
        typesetting.heading(title),
        typesetting.paragraph(f"Customer: {found.customer_name} ({found.customer_number})"),
        typesetting.paragraph(f"State: {words.state(found.state)}"),
        typesetting.paragraph(f"Reference: {found.id}"),
        typesetting.gap(),
        typesetting.table(("When", "What happened", "Who", "Evidence"), rows, (5, 7, 4, 6)),
        typesetting.gap(),
        typesetting.paragraph(f"Times are those of {write.time_zone}. {made[0].upper()}{made[1:]}.", quiet=True),
    ]
    return typesetting.typeset(story, title=f"{title} · {business}", foot=f"{business} · {made}")


def _facts(each: Told, found: Process, write: Writer) -> str:
    told = dict(each.facts)
    minor = told.pop("minor", None)
    if isinstance(minor, int):
        told = {"amount": write.money(minor, found.currency) if found.currency else minor, **told}
    return "; ".join(f"{name}: {value}" for name, value in words.facts(told))


def _exact(write: Writer, moment: datetime) -> str:
    return f"{moment.astimezone(write.time_zone):%Y-%m-%d %H:%M:%S %Z}"


def _file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
