"""The customers' portal: what is owed, what can be done about it, what happened. Pages read views and start processes."""

from fastapi import APIRouter

from api.portal import invoice, methods, overview, pay, payments, setups

router = APIRouter(include_in_schema=False)
for each in (overview, invoice, pay, payments, methods, setups):
    router.include_router(each.router)
