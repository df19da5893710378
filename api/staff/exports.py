"""What was paid on imported invoices, as files of days that an accountant takes along. Each download is written down."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.responses import Response

from api.staff.frame import Admin, Given, note, page
from connectors.errors import Rejected, Unavailable

router: Final = APIRouter(prefix="/exports")
FileName = Annotated[str, Path(max_length=40)]


@router.get("")
async def show_exports(request: Request, session: Admin, given: Given) -> Response:
    """The days' files, the youngest first."""
    names: list[str] = []
    problem = None if given.days is not None else "No folder is set on this machine, so what is paid waits in Duly."
    if given.days is not None:
        try:
            names = [each.name for each in reversed(await asyncio.to_thread(given.days.files))]
        except Unavailable as away:
            problem = str(away)
    return page(request, session, "exports.html", names=names, problem=problem)


@router.get("/{name}")
async def download(request: Request, session: Admin, given: Given, name: FileName) -> Response:
    """One day's whole documents, as they are at this moment."""
    if given.days is None:
        raise HTTPException(404)
    try:
        content = await asyncio.to_thread(given.days.content, name)
    except Rejected as unknown:
        raise HTTPException(404) from unknown
    except Unavailable as away:
        raise HTTPException(503) from away
    async with given.staff.begin("export_downloaded") as tx:
        await note(request, tx, session, "export_downloaded", file=name)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)
