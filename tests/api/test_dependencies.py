"""What a route depends on is asked in the event loop: a function that is not asynchronous costs a thread each request."""

import inspect
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from api.app import create_app
from api.services import Services
from store.database import Database
from tests.api.house import Hands, connected


def dependants(app: FastAPI) -> Iterator[tuple[str, Dependant]]:
    for each in iter_route_contexts(app.routes):
        if (dependant := getattr(each, "dependant", None)) is not None:
            yield str(each.path), dependant
    for mounted in app.routes:
        if isinstance(mounted, Mount) and isinstance(mounted.app, FastAPI):
            yield from dependants(mounted.app)


def in_a_thread(dependant: Dependant) -> Iterator[Any]:
    for each in dependant.dependencies:
        call = each.call
        if not (inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__)):
            yield call
        yield from in_a_thread(each)


async def test_no_route_waits_for_a_thread() -> None:
    nowhere = Database("postgresql+psycopg://nobody@localhost/nothing")
    services = Services(
        portal=nowhere, staff=nowhere, processes=None, clock=Hands(), base_url="http://duly.test", form_keys=(b"key",),  # type: ignore[arg-type]
        connected=connected(nowhere),
    )  # fmt: skip
    found = list(dependants(create_app(services=services)))
    assert len(found) > 30
    assert {(path, call.__name__) for path, dependant in found for call in in_a_thread(dependant)} == set()
