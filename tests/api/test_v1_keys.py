"""Keys: what comes in without one, with a wrong one, and with one that may do something else. Every route, enumerated."""

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from api.app import create_app
from api.security.logs import SecretsLeftOut
from api.v1 import ROUTES
from api.v1.allowance import Allowance
from api.v1.description import check
from api.v1.door import OPEN, scope_of
from store import api_keys
from store.api_keys import Scope
from store.database import Database
from store.identity import fresh_id
from tests import machine
from tests.api.house import House, open_house, statements

IDS = {
    "customer_id": "cus", "invoice_id": "inv", "payment_id": "pay", "method_id": "pm", "setup_id": "set",
    "refund_id": "rfd", "credit_id": "crd", "request_id": "req",
}  # fmt: skip


@pytest_asyncio.fixture
async def house(database: machine.Database) -> AsyncIterator[House]:
    async with open_house(database) as opened:
        yield opened


def address(path: str) -> str:
    """A path of a route with an id of the right form in it."""
    return re.sub(r"\{(\w+)\}", lambda found: fresh_id(IDS[found[1]]) if found[1] in IDS else "link_days", path)


def routes(house: House) -> list[tuple[str, str]]:
    """Every route below /v1 that needs a key."""
    return [(method, path) for method, path in house.routes() if path.startswith("/v1/") and path not in OPEN]


async def test_every_route_refuses_who_has_no_key_and_who_has_a_wrong_one(house: House) -> None:
    good, revoked = await house.key(), await house.key()
    async with house.services.staff.begin("test") as tx:
        assert await api_keys.revoke(tx, revoked.id, at=house.clock()) == revoked.id
    other = await house.key()
    mixed = f"duly_{good.prefix}_{other.key.rpartition(f'{other.prefix}_')[2]}"
    malformed = (None, "", "Bearer", "Bearer ", f"Basic {good.key}", good.key, "bearer")
    unknown = (
        revoked.key, mixed, good.key[:-1], f"{good.key}A", good.key.upper(), good.key.replace("_", "-"), "null", "é",
    )  # fmt: skip
    wrong = [("api_key_needed", value) for value in malformed]
    wrong += [("api_key_unknown", f"Bearer {value}") for value in unknown]
    visitor = house.browser()
    known = routes(house)
    assert len(known) == len(ROUTES) >= 20
    for method, path in known:
        # All of them at one door, then no key, a revoked one and a wrong secret at each.
        for rule, value in wrong if path == "/v1/customers" else (wrong[0], *wrong[len(malformed) : len(malformed) + 2]):
            headers = {} if value is None else {"Authorization": value.encode("latin-1")}
            answer = await visitor.request(method, address(path), headers=headers)  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()["rule"]) == (401, rule), (method, path, value)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await visitor.get("/v1/customers", headers={"Authorization": f"Bearer {good.key}"})).status_code == 200


async def test_every_route_needs_its_own_scope_and_says_which(house: House) -> None:
    """With every scope but the one it needs: 403, before the body is looked at; with that one alone: anything else."""
    for scope in set(Scope) - {Scope.REQUESTS_APPROVE}:  # which is asked for where a decision is written
        without = await house.program(*(each for each in Scope if each is not scope))
        alone = await house.program(scope)
        mine = [route for route in ROUTES if scope_of(route) is scope]
        assert mine, f"no route needs {scope}"
        for route in mine:
            method = "".join(route.methods or ())
            options: dict[str, Any] = {"json": {}, "headers": {"Idempotency-Key": "k"}} if method in {"POST", "PUT"} else {}
            refused = await without.request(method, address(route.path), **options)
            assert (refused.status_code, refused.json()["rule"]) == (403, "scope_needed"), (method, route.path)
            assert refused.json()["facts"] == {"scope": scope.value}
            assert (await alone.request(method, address(route.path), **options)).status_code not in {401, 403}, route.path
    assert house.accounts.rows("SELECT 1 FROM idempotent_requests") == []


async def test_nobody_without_a_key_learns_what_is_there(house: House) -> None:
    for path in ("/v1/", "/v1/nothing", "/v1/openapi.json/", "/v1//openapi.json", "/v1/customers/"):
        answer = await house.browser().get(path)
        assert (answer.status_code, answer.json()["rule"]) in {(401, "api_key_needed"), (404, "not_found")}, path
    program = await house.program()
    assert (await program.get("/nothing")).json()["rule"] == "not_found"
    wrong = await program.patch("/customers", json={})
    assert (wrong.status_code, wrong.json()["rule"], wrong.headers["allow"]) == (405, "operation_unknown", "GET")


async def test_what_is_stored_of_a_key_opens_nothing(house: House) -> None:
    made = await house.key()
    secret = made.key.rpartition(f"{made.prefix}_")[2]
    (row,) = house.accounts.rows("SELECT * FROM api_keys")
    assert secret not in str(row)
    assert made.key not in repr(made)
    visitor = house.browser()
    for stolen in (row[3], f"duly_{row[2]}_{row[3]}", f"duly_{row[2]}_{row[3][:43]}"):
        answer = await visitor.get("/v1/customers", headers={"Authorization": f"Bearer {stolen}"})
        assert answer.status_code == 401


async def test_a_keys_last_use_is_kept_once_a_day_and_its_read_is_one_statement(house: House) -> None:
    program = await house.program()
    counts = []
    for _ in range(2):
        for _ in range(2):
            with statements(house.services.staff) as seen:
                assert (await program.get("/settings")).status_code == 200
            counts.append(len(seen))
        house.clock.move(days=1)
    assert counts == [2, 1, 2, 1]
    (row,) = house.accounts.rows("SELECT last_used_on FROM api_keys")
    assert row[0] == (house.clock() - timedelta(days=1)).date()


async def test_neither_customers_nor_workers_read_keys_and_staff_cannot_change_what_one_may_do(
    house: House, database: machine.Database
) -> None:
    await house.key()
    for role, statement in (
        ("duly_portal", "SELECT 1 FROM api_keys"), ("duly_portal", "SELECT 1 FROM idempotent_requests"),
        ("duly_worker", "SELECT 1 FROM api_keys"), ("duly_portal", "SELECT key_has_scope('', '')"),
        ("duly_staff", "SELECT key_has_scope('', '')"), ("duly_worker", "SELECT 1 FROM idempotent_requests"),
        ("duly_staff", "UPDATE api_keys SET scopes = '{}'"), ("duly_staff", "DELETE FROM api_keys"),
        ("duly_staff", "UPDATE idempotent_requests SET object_id = 'pay_x'"),
        ("duly_staff", "DELETE FROM idempotent_requests"),
    ):  # fmt: skip
        opened = Database(database.url_of(role), pool_size=1)
        with pytest.raises(Exception, match="permission denied"):
            async with opened.begin("test") as tx:
                await tx.run(statement)
        await opened.close()


async def test_no_log_holds_a_key(house: House, caplog: pytest.LogCaptureFixture) -> None:
    made = await house.key()
    secret = made.key.rpartition(f"{made.prefix}_")[2]
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 0, "%s", (f"GET /v1/customers?key={made.key}",), None)
    SecretsLeftOut().filter(record)
    assert secret not in record.getMessage()
    assert made.prefix in record.getMessage(), "whose key it was is still said"
    with caplog.at_level(logging.DEBUG):
        visitor = house.browser()
        for key in (made.key, f"{made.key}x"):
            await visitor.get("/v1/customers", headers={"Authorization": f"Bearer {key}"})
    assert not any(secret in each.getMessage() for each in caplog.records if not each.name.startswith("httpcore"))


def test_a_route_that_forgot_its_scope_stops_the_factory() -> None:
    planted = APIRouter()

    @planted.get("/everything")
    async def everything() -> None:
        """Nobody asked who may."""

    with pytest.raises(LookupError, match="needs no scope"):
        check([*ROUTES, *(route for route in planted.routes if isinstance(route, APIRoute))])
    with pytest.raises(LookupError, match="names the rules"):
        check(ROUTES[1:])


async def test_a_mistake_of_ours_and_a_database_that_is_away_are_problems_too(house: House) -> None:
    (api,) = [each.app for each in house.app.routes if isinstance(each, Mount) and isinstance(each.app, FastAPI)]

    @api.get("/mistake")
    async def mistake() -> None:
        raise ZeroDivisionError

    program = await house.program(raises=False)
    answer = await program.get("/mistake")
    assert (answer.status_code, answer.json()["type"]) == (500, "about:blank")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert "ZeroDivision" not in answer.text
    await house.services.staff.close()
    gone = Database("postgresql+psycopg://duly_staff:x@127.0.0.1:1/duly", pool_size=1)
    async with _without_database(house, gone) as visitor:
        away = await visitor.get("/v1/customers", headers={"Authorization": program.headers["Authorization"]})
    assert (away.status_code, away.json()["rule"]) == (503, "temporarily_unavailable")
    assert away.headers["retry-after"] == "2"


def _without_database(house: House, gone: Database) -> httpx.AsyncClient:
    """A visitor of the same house whose staff's database does not answer."""
    app = create_app(services=replace(house.services, staff=gone))
    transport = httpx.ASGITransport(app, client=("203.0.113.9", 50_000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=house.base_url)


async def test_a_key_that_asks_too_often_is_told_when_and_another_is_not_concerned(house: House) -> None:
    allowed = house.services.api_requests_per_minute
    eager, calm = await house.program(), await house.program()
    codes = [(await eager.get("/settings")).status_code for _ in range(allowed)]
    assert set(codes) == {200}
    refused = await eager.get("/settings")
    assert (refused.status_code, refused.json()["rule"]) == (429, "too_many_requests")
    assert (await calm.get("/settings")).status_code == 200
    house.clock.move(seconds=int(refused.headers["Retry-After"]))
    assert (await eager.get("/settings")).status_code == 200


def test_an_allowance_comes_back_evenly_and_never_above_a_minute_of_it() -> None:
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    allowance = Allowance(per_minute=6)
    assert [allowance.take("key", at=at) for _ in range(7)] == [None] * 6 + [10]
    assert allowance.take("key", at=at + timedelta(seconds=9)) == 1
    assert allowance.take("key", at=at + timedelta(seconds=10)) is None
    late = at + timedelta(hours=9)
    assert [allowance.take("key", at=late) for _ in range(7)] == [None] * 6 + [10]
    # A clock that was set back gives nothing and takes nothing.
    assert allowance.take("key", at=at) == 10
