"""Connections to payment providers and ERPs: made, checked, changed, given new secrets and switched off by administrators;
how the reading of an ERP is getting on, for all staff.
"""

from typing import Final

from fastapi import APIRouter

from api.staff.connecting import pages, reading

router: Final = APIRouter()
for _each in (reading, pages):
    router.include_router(_each.router)

__all__ = ["router"]
