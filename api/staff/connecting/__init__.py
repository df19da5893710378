"""Connections to payment providers and ERPs: made, checked, changed, given secrets or consent, switched on and off by
administrators; how the reading of an ERP is getting on, for all staff.
"""

from typing import Final

from fastapi import APIRouter

from api.staff.connecting import consent, pages, reading

router: Final = APIRouter()
pages.router.include_router(consent.router)
for _each in (reading, pages):
    router.include_router(_each.router)

__all__ = ["router"]
