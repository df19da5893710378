"""The customers' portal: what is owed, what can be done about it, what happened. Pages read views and start processes."""

from fastapi import APIRouter

from api.portal import applying, invoice, methods, overview, pay, payments, requests, setups

router = APIRouter(include_in_schema=False)
for each in (overview, invoice, pay, payments, applying, requests, methods, setups):
    router.include_router(each.router)
