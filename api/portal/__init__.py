"""The customers' portal: what is owed, what can be done about it, what happened. Pages read views and start processes."""

from fastapi import APIRouter, Depends

from api.portal import applying, invoice, methods, overview, papers, pay, payments, requests, setups, statements
from api.security.sessions import only_reads_while_viewing

router = APIRouter(include_in_schema=False, dependencies=[Depends(only_reads_while_viewing)])
for each in (papers, overview, invoice, pay, payments, applying, requests, methods, setups, statements):
    router.include_router(each.router)
