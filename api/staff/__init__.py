"""The staff pages: the inbox and what is decided there, customers, payments with their evidence, links, set-ups, settings;
and whose pages they are: sign-in, accounts, people, the access log.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from api.staff import (
    account,
    connecting,
    customers,
    deciding,
    exports,
    forgotten,
    inbox,
    links,
    log,
    payments,
    payouts,
    people,
    postings,
    reconciling,
    refunds,
    requests,
    second_factor,
    setups,
    sign_in,
    statements,
    timelines,
    viewing,
)
from api.staff.sign_in import on_sign_in_again

router: Final = APIRouter(prefix="/staff", include_in_schema=False)


@router.get("")
async def start() -> RedirectResponse:
    """Where staff begin."""
    return RedirectResponse("/staff/customers", status_code=303)


for _each in (
    sign_in,
    inbox,
    reconciling,
    payouts,
    customers,
    links,
    payments,
    refunds,
    requests,
    setups,
    deciding,
    connecting,
):
    router.include_router(_each.router)
for _own in (postings, forgotten, account, second_factor, people, viewing, log, timelines, statements, exports):
    router.include_router(_own.router)

__all__ = ["on_sign_in_again", "router"]
