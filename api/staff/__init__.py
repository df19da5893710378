"""The staff pages: sign-in, customers, payments with their evidence, portal links, set-ups of payment methods."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api.staff import customers, links, payments, setups, sign_in

router: Final = APIRouter(prefix="/staff", include_in_schema=False)
for _each in (sign_in, customers, links, payments, setups):
    router.include_router(_each.router)

__all__ = ["router"]
