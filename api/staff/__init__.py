"""The staff pages: sign-in, the inbox, customers, payments with their evidence, portal links, set-ups of payment methods."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from api.staff import customers, inbox, links, payments, refunds, setups, sign_in

router: Final = APIRouter(prefix="/staff", include_in_schema=False)


@router.get("")
async def start() -> RedirectResponse:
    """Where staff begin."""
    return RedirectResponse("/staff/customers", status_code=303)


for _each in (sign_in, inbox, customers, links, payments, refunds, setups):
    router.include_router(_each.router)

__all__ = ["router"]
