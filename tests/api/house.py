"""The real application on a real PostgreSQL, asked as a browser would ask; and who signs in to it."""

import re
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import event
from starlette.routing import Mount
from temporalio.client import Client

from activities.connecting import Connected, Workshop
from api.app import create_app
from api.processes import Processes
from api.security import passwords
from api.services import Services
from connectors import registry
from connectors.erp.declaring import ErpConnector
from connectors.payments.declaring import PaymentConnector
from connectors.payments.ports import PaymentProvider
from store import access, api_keys, staff_accounts
from store.access import NewLink
from store.api_keys import NewKey, Scope
from store.database import Database
from store.envelopes import Envelopes
from store.staff_accounts import Role
from tests import machine
from tests.api.accounts import Accounts

BASE_URL = "http://duly.test:8600"
PROVIDER = "http://provider.test:9000"
PASSWORD = "a password that is long enough"
HASHED = passwords.hashed(PASSWORD)
_FIELD = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


@dataclass(slots=True)
class Hands:
    """A clock that tests move."""

    now: datetime = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(slots=True)
class House:
    """The application, its databases and its clock."""

    app: FastAPI
    services: Services
    clock: Hands
    accounts: Accounts
    base_url: str = BASE_URL
    browsers: list[httpx.AsyncClient] = field(default_factory=list)

    def browser(self, *, address: str = "203.0.113.9", raises: bool = True) -> httpx.AsyncClient:
        """A new visitor, who sends what a browser sends along with a form of ours. A mistake of ours fails the test."""
        transport = httpx.ASGITransport(self.app, client=(address, 50_000), raise_app_exceptions=raises)
        opened = httpx.AsyncClient(
            transport=transport, base_url=self.base_url, headers={"Sec-Fetch-Site": "same-origin", "Origin": "null"}
        )
        self.browsers.append(opened)
        return opened

    async def link(self, customer: str, **more: Any) -> NewLink:
        async with self.services.staff.begin("test") as tx:
            return await access.create_link(tx, customer, by="test", at=self.clock(), days=90, **more)

    async def key(self, scopes: Collection[Scope] = tuple(Scope), *, label: str = "Test shop") -> NewKey:
        async with self.services.staff.begin("test") as tx:
            return await api_keys.create(tx, label=label, scopes=scopes, by="test", at=self.clock())

    async def program(self, *scopes: Scope, raises: bool = True) -> httpx.AsyncClient:
        """A program with a key of these scopes, or of all of them; it sends what programs send."""
        transport = httpx.ASGITransport(self.app, client=("203.0.113.77", 50_000), raise_app_exceptions=raises)
        made = await self.key(scopes or tuple(Scope))
        opened = httpx.AsyncClient(
            transport=transport, base_url=f"{self.base_url}/v1", headers={"Authorization": f"Bearer {made.key}"}
        )
        self.browsers.append(opened)
        return opened

    async def customer_browser(self, customer: str) -> httpx.AsyncClient:
        """A visitor who came in by a link."""
        visitor = self.browser()
        answer = await visitor.post(f"/l/{(await self.link(customer)).token}")
        assert answer.status_code == 303, answer.text
        return visitor

    async def staff_browser(self, role: Role, *, email: str | None = None) -> httpx.AsyncClient:
        """A visitor who signed in with a password."""
        email = email or f"{role.word}@duly.example"
        async with self.services.staff.begin("test") as tx:
            await staff_accounts.add(
                tx, email=email, name=role.word.title(), role=role, password_hash=HASHED, at=self.clock()
            )
        visitor = self.browser(address=f"198.51.100.{role}")
        answer = await submit(visitor, "/staff/sign-in", "/staff/sign-in", email=email, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return visitor

    def routes(self) -> list[tuple[str, str]]:
        """(method, path) of every route of the application, whatever router it came with."""
        found = list(_routes_of(self.app))
        assert len(found) > 10
        return found


def _routes_of(app: FastAPI, prefix: str = "") -> Iterator[tuple[str, str]]:
    for each in iter_route_contexts(app.routes):
        for method in sorted(getattr(each, "methods", None) or ()):
            yield method, f"{prefix}{each.path}"
    for mounted in app.routes:
        if isinstance(mounted, Mount) and isinstance(mounted.app, FastAPI):
            yield from _routes_of(mounted.app, f"{prefix}{mounted.path}")


@contextmanager
def statements(*databases: Database) -> Iterator[list[str]]:
    """Every statement but BEGIN, COMMIT and the two settings of the transaction."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "set_config" not in statement:
            seen.append(statement)

    for each in databases:
        event.listen(each.engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for each in databases:
            event.remove(each.engine.sync_engine, "before_cursor_execute", note)


async def submit(
    visitor: httpx.AsyncClient, page: str, action: str, headers: dict[str, str] | None = None, **fields: Any
) -> httpx.Response:
    """Read a page, take its form's token, and send the form."""
    return await visitor.post(action, data={"csrf": await token_on(visitor, page), **fields}, headers=headers)


async def token_on(visitor: httpx.AsyncClient, page: str) -> str:
    """The token that the forms of a page carry."""
    found = _FIELD.search((await visitor.get(page)).text)
    assert found is not None, f"{page} has no form of ours"
    return found[1]


async def absent_temporal() -> Client:
    """A client whose server is away: what is only woken by it must not be lost, and nothing else may need it."""
    return await Client.connect("127.0.0.1:1", lazy=True)


@cache
def installed() -> tuple[Mapping[str, PaymentConnector], Mapping[str, ErpConnector]]:
    """What is installed is read once for all tests of a process."""
    return registry.payment_connectors(), registry.erp_connectors()


def connected(
    database: Database, providers: Mapping[str, PaymentProvider] | None = None, *, addresses: Mapping[str, str] | None = None
) -> Connected:
    """These providers, and what staff connect on their pages; `addresses` where simulators play vendors."""
    workshop = Workshop(
        connectors=installed()[0],
        erp_connectors=installed()[1],
        envelopes=Envelopes([("test", bytes(range(32)))]),
        is_live=False,
        addresses=addresses or {},
    )
    return Connected(database, workshop, providers)


@asynccontextmanager
async def open_house(
    database: machine.Database,
    temporal: Client | None = None,
    *,
    task_queue: str = "nobody",
    base_url: str = BASE_URL,
    providers: Mapping[str, PaymentProvider] | None = None,
    addresses: Mapping[str, str] | None = None,
) -> AsyncIterator[House]:
    """Everything real but the wire; `temporal` None for what starts no process."""
    clock = Hands()
    staff = Database(database.staff_url, pool_size=4)
    services = Services(
        portal=Database(database.portal_url, pool_size=2),
        staff=staff,
        processes=Processes(temporal, task_queue=task_queue, answer_within=timedelta(seconds=1)),  # type: ignore[arg-type]
        clock=clock,
        base_url=base_url,
        form_keys=(b"a key of thirty-two bytes, or so.",),
        sealing_keys=(("test", bytes(range(32))),),
        provider_origins=frozenset({PROVIDER}),
        connected=connected(staff, providers, addresses=addresses),
        api_requests_per_minute=300,
    )
    house = House(
        app=create_app(services=services),
        services=services,
        clock=clock,
        accounts=Accounts(database.plain_admin_url),
        base_url=base_url,
    )
    try:
        yield house
    finally:
        for visitor in house.browsers:
            await visitor.aclose()
        await services.portal.close()
        await services.staff.close()
