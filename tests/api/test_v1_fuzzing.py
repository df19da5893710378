"""The API asked by Schemathesis with what its own description allows, and with what it forbids: never a mistake of ours,
never an answer that is not described, and every operation says yes at least once.

The server is a real one, in a thread of its own; no worker runs behind it. Business says no with 422 to much that is well
formed, so that well-formed requests are accepted is not asked here.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks
from temporalio.client import Client

from api.app import create_app
from api.processes import Processes
from api.services import Services
from launch.drill.ground import free_block
from store import api_keys
from store.api_keys import Scope
from store.database import Database
from store.identity import fresh_id
from tests import machine
from tests.api.accounts import Accounts
from tests.api.house import connected

Operation = APIOperation[Any, Any, Any, Any]
AnyCase = Case[Any]
CHECKS: Final = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


@dataclass(slots=True)
class Known:
    """What is there: ids by the name of their parameter (`operation.parameter` where one needs another id), and a body that
    is right for each operation that takes one.
    """

    ids: dict[str, str]
    bodies: dict[str, dict[str, Any]]


@dataclass(slots=True)
class Tally:
    """How often each operation was asked, and what it answered."""

    seen: dict[str, Counter[int]] = field(default_factory=dict)

    def note(self, operation: str, status: int) -> None:
        self.seen.setdefault(operation, Counter())[status] += 1

    @property
    def asked(self) -> int:
        return sum(counts.total() for counts in self.seen.values())


def seed(accounts: Accounts) -> Known:
    """One of everything."""
    accounts.now = datetime.now(UTC)
    accounts.provider()
    customer = accounts.customer()
    invoice = accounts.invoice(customer, 1_000)
    method = accounts.method(customer, is_default=True)
    ids = {
        "customer_id": customer,
        "invoice_id": invoice,
        "payment_id": accounts.payment(customer, {invoice: 1_000}, state="captured", captured=1_000),
        "refund_id": fresh_id("rfd"),
        "method_id": method,
        "setup_id": accounts.setup(customer, state="redirected"),
        "name": "link_days",
    }
    accounts.run(
        """INSERT INTO refunds (id, payment_id, customer_id, amount, currency, state, run_id, request_hash, reason, note,
               requested_by, refund_key, requested_at, changed_at)
           VALUES (%s, %s, %s, 100, 'GBP', 'failed', 'r', 'h', 'Paid twice', '', 'key_1', 'k', %s, %s)""",
        [ids["refund_id"], ids["payment_id"], customer, accounts.now, accounts.now],
    )
    credit, other = accounts.credit(customer, 10_000_000), accounts.invoice(customer, 10_000_000)
    ids |= {
        "credit_id": credit,
        "request_id": accounts.apply_request(customer, credit, {other: 100}),
        "undo_apply_request.request_id": accounts.apply_request(customer, credit, {other: 100}, state="applied"),
    }
    line = {"invoice_id": invoice, "amount": 1_000}
    payment = {"customer_id": customer, "currency": "GBP", "invoices": [line], "method_id": method}
    setup = {"customer_id": customer, "kind": "card", "consent_wording": "Save this card for later."}
    bodies: dict[str, dict[str, Any]] = {
        "create_payment": payment,
        "create_refund": {"amount": 100, "currency": "GBP", "invoices": [], "reason": "Paid twice"},
        "create_apply_request": {"customer_id": customer, "credit_id": credit, "invoices": [line]},
        "approve_apply_request": {"version": 1},
        "reject_apply_request": {"version": 1, "reason": "Another site"},
        "ask_about_apply_request": {"version": 1, "question": "Which site?"},
        "answer_about_apply_request": {"version": 1, "answer": "The one in Leeds."},
        "undo_apply_request": {"version": 1, "reason": "Another site"},
        "create_method_setup": setup,
        "create_link": {"customer_id": customer},
        "change_setting": {"value": 30},
    }
    return Known(ids=ids, bodies=bodies)


async def _prepare(database: machine.Database, temporal_address: str) -> tuple[str, Client]:
    opened = Database(database.staff_url, pool_size=1)
    async with opened.begin("test") as tx:
        made = await api_keys.create(tx, label="Fuzzer", scopes=tuple(Scope), by="test", at=datetime.now(UTC))
    await opened.close()
    return made.key, await Client.connect(temporal_address, lazy=True)


@contextmanager
def serving(database: machine.Database, temporal_address: str) -> Iterator[tuple[str, str]]:
    """A running API in a thread of its own: its address and a key of every scope."""
    key, client = asyncio.run(_prepare(database, temporal_address))
    port = free_block(1)
    staff = Database(database.staff_url, pool_size=4)
    services = Services(
        portal=Database(database.portal_url, pool_size=2),
        staff=staff,
        connected=connected(staff),
        processes=Processes(client, task_queue="nobody", answer_within=timedelta(milliseconds=100)),
        clock=lambda: datetime.now(UTC),
        base_url=f"http://127.0.0.1:{port}",
        form_keys=(b"a key of thirty-two bytes, or so.",),
        api_requests_per_minute=10_000_000,
    )
    config = uvicorn.Config(create_app(services=services), port=port, log_level="critical", access_log=False, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            thread.join(0.05)
        yield services.base_url, key
    finally:
        server.should_exit = True
        thread.join()


def ask(operation: Operation, mode: GenerationMode, known: Known, key: str, tally: Tally, *, most: int) -> None:
    """Ask one operation often; of what is well formed, every second request is about something that is there."""
    name = str(operation.definition.raw["operationId"])
    authority = {"Authorization": f"Bearer {key}"}

    def once(case: AnyCase, *, is_about_known: bool) -> None:
        if is_about_known and mode is GenerationMode.POSITIVE:
            for parameter in case.path_parameters or {}:
                case.path_parameters[parameter] = known.ids.get(f"{name}.{parameter}", known.ids[parameter])
            if name in known.bodies:
                case.body = known.bodies[name]
            case.query = {}
        if "Idempotency-Key" in (case.headers or {}) and mode is GenerationMode.POSITIVE:
            case.headers["Idempotency-Key"] = fresh_id("chg")
        response = case.call(headers=authority)
        tally.note(name, response.status_code)
        case.validate_response(response, checks=CHECKS, headers=authority)

    tested = given(case=operation.as_strategy(generation_mode=mode), is_about_known=st.sampled_from((True, False)))(once)
    settings(max_examples=most, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))(
        tested
    )()


def fuzz(database: machine.Database, temporal_address: str, *, well_formed: int, malformed: int) -> Tally:
    known, tally = seed(Accounts(database.plain_admin_url)), Tally()
    with serving(database, temporal_address) as (address, key):
        schema = schemathesis.openapi.from_url(f"{address}/v1/openapi.json")
        for result in schema.get_all_operations():
            assert isinstance(result, Ok), result
            operation = result.ok()
            ask(operation, GenerationMode.POSITIVE, known, key, tally, most=well_formed)
            if operation.definition.raw["operationId"] != "list_settings":  # it takes nothing that could be wrong
                ask(operation, GenerationMode.NEGATIVE, known, key, tally, most=malformed)
    return tally


def every_operation_said_yes(tally: Tally) -> None:
    for name, counts in tally.seen.items():
        assert any(200 <= status < 300 for status in counts), (name, counts)
    assert len(tally.seen) == 35, sorted(tally.seen)
    assert all(status < 500 for counts in tally.seen.values() for status in counts)


def test_every_operation_says_yes_and_none_makes_a_mistake(database: machine.Database, temporal_address: str) -> None:
    tally = fuzz(database, temporal_address, well_formed=8, malformed=6)
    every_operation_said_yes(tally)
    assert tally.asked >= 200


@pytest.mark.long
def test_five_thousand_requests_find_no_mistake(database: machine.Database, temporal_address: str) -> None:
    tally = fuzz(database, temporal_address, well_formed=150, malformed=130)
    print({name: dict(counts) for name, counts in tally.seen.items()}, tally.asked)
    every_operation_said_yes(tally)
    assert tally.asked >= 5_000
