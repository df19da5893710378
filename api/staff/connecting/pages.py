"""The pages of connections. What is saved holds at once: customers are offered what a provider that is on serves, and an ERP
that is on is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from api.services import Services
from api.staff.connecting.checking import problems_of
from api.staff.connecting.forms import (
    AnyConnector,
    Typed,
    choices_of,
    complaint,
    secrets_of,
    shown_settings,
    typed_of,
    typed_of_connection,
)
from api.staff.frame import Admin, Given, note, page
from connectors.erp.declaring import ErpConnector
from connectors.errors import Misconfigured
from connectors.payments.declaring import PaymentConnector
from domain.refusals import Refusal, Refused
from store import connections, managed
from store.database import Transaction
from store.managed import ManagedConnection
from store.staff_accounts import StaffSession
from store.views import staff_reading

router: Final = APIRouter(prefix="/connections")
ConnectionId = Annotated[str, Path(max_length=40)]
Name = Annotated[str, Path(max_length=60)]
Word = Annotated[str, Form(max_length=500)]


@router.get("")
async def show_connections(request: Request, session: Admin, given: Given) -> Response:
    """All of them, and what else can be connected."""
    async with given.staff.begin("connections") as tx:
        rows = await managed.every(tx)
        announced = await connections.announced(tx)
        read = await staff_reading.erps(tx)
    return page(
        request,
        session,
        "connections.html",
        read=read,
        rows=rows,
        announced=announced,
        connectors=_offered(given, "payments"),
        erps=_offered(given, "erp"),
        problems=given.connected.problems,
        titles={role: {name: each.title for name, each in _installed(given, role).items()} for role in ("payments", "erp")},
    )


@router.get("/new/{name}")
async def show_new(request: Request, session: Admin, given: Given, name: Name) -> Response:
    """The form of a new connection to a payment provider, as its connector asks for it."""
    return await _show_new(request, session, given, _connector(given, "payments", name))


@router.get("/erps/new/{name}")
async def show_new_erp(request: Request, session: Admin, given: Given, name: Name) -> Response:
    """The same for an ERP."""
    return await _show_new(request, session, given, _connector(given, "erp", name))


async def _show_new(request: Request, session: StaffSession, given: Services, connector: AnyConnector) -> Response:
    name = connector.name
    async with given.staff.begin("connection_new") as tx:
        taken = {each.id for each in await managed.every(tx)} | {each.id for each in await connections.announced(tx)}
        currencies = await managed.currencies_in_use(tx)
    kinds: frozenset[str] = frozenset()
    if isinstance(connector, PaymentConnector):
        everywhere = [each for each in connector.kinds if each not in connector.countries]
        kinds = frozenset(each.value for each in everywhere if each.currency in {None, *currencies} or not currencies)
    free = next(each for each in (name, *(f"{name}-{number}" for number in range(2, 99))) if each not in taken)
    typed = Typed(connection_id=free, title=connector.title, kinds=kinds, currencies=", ".join(currencies))
    return _new_page(request, session, given, connector, typed)


@router.post("/new/{name}")
async def make(request: Request, session: Admin, given: Given, name: Name) -> Response:
    """Make it, switched off; then ask the provider whether it would work."""
    return await _make(request, session, given, _connector(given, "payments", name))


@router.post("/erps/new/{name}")
async def make_erp(request: Request, session: Admin, given: Given, name: Name) -> Response:
    """The same for an ERP."""
    return await _make(request, session, given, _connector(given, "erp", name))


async def _make(request: Request, session: StaffSession, given: Services, connector: AnyConnector) -> Response:
    form = await request.form()
    typed, secrets = typed_of(form, connector), secrets_of(form, connector)
    refusal = complaint(typed, connector, secrets, is_new=True)
    if refusal is None and not given.connected.workshop.envelopes.can_seal:
        refusal = Refusal(rule="connection_invalid", facts={"reason": "DULY_MASTER_KEYS is not set, so no key can be kept"})
    if refusal is not None:
        return _new_page(request, session, given, connector, typed, refusal)
    values = {name: (value,) for name, value in {**typed.given, **secrets}.items() if value}
    choices = choices_of(typed, connector, given.connected.workshop, values)
    if isinstance(choices, Refusal):
        return _new_page(request, session, given, connector, typed, choices)
    at = given.clock()
    async with given.staff.begin("connection_make") as tx:
        made = await managed.add(
            tx,
            typed.connection_id,
            choices,
            connector=connector.name,
            mode="live" if given.connected.workshop.is_live else "sandbox",
            calls_per_second=connector.calls_per_second if isinstance(connector, PaymentConnector) else None,
            at=at,
            role="payments" if isinstance(connector, PaymentConnector) else "erp",
        )
        if made:
            for each, secret in secrets.items():
                await managed.add_secret(
                    tx, given.connected.workshop.envelopes, typed.connection_id, each, secret, by=session.email, at=at
                )
            await note(request, tx, session, "connection_made", object_id=typed.connection_id, connector=connector.name)
    if not made:
        taken = Refusal(rule="connection_known", facts={"id": typed.connection_id})
        return _new_page(request, session, given, connector, typed, taken)
    await check_now(given, typed.connection_id)
    return done_with(typed.connection_id, "made")


@router.get("/{connection_id}")
async def show_connection(request: Request, session: Admin, given: Given, connection_id: ConnectionId) -> Response:
    """One connection: how it is, what it was given, what it takes."""
    async with given.staff.begin("connection") as tx:
        row = await row_of(tx, connection_id)
    return page_of(request, session, given, row, typed_of_connection(row))


@router.post("/{connection_id}")
async def change(
    request: Request, session: Admin, given: Given, connection_id: ConnectionId, version: Word = ""
) -> Response:
    """Other choices, unless somebody else was faster."""
    form = await request.form()
    async with given.staff.begin("connection_change") as tx:
        row = await row_of(tx, connection_id)
        connector = _connector(given, row.role, row.connector)
        typed = typed_of(form, connector)
        refusal = complaint(typed, connector, {}, is_new=False)
        if version != str(row.version):
            refusal = Refusal(rule="connection_moved_on")
        if refusal is None:
            choices = _choices(given, connector, row, typed)
            if isinstance(choices, Refusal):
                refusal = choices
            else:
                await managed.change(tx, connection_id, choices, at=given.clock())
                await note(request, tx, session, "connection_changed", object_id=connection_id)
    if refusal is not None:
        return page_of(request, session, given, row, typed, refusal)
    await check_now(given, connection_id)
    return done_with(connection_id, "changed")


@router.post("/{connection_id}/secrets")
async def add_secret(
    request: Request, session: Admin, given: Given, connection_id: ConnectionId, name: Word = ""
) -> Response:
    """A newer secret. One that overlaps counts beside the one before it until that is ended; any other takes its place."""
    form = await request.form()
    async with given.staff.begin("connection_secret") as tx:
        row = await row_of(tx, connection_id)
        connector = _connector(given, row.role, row.connector)
        asked = next((each for each in shown_settings(connector, secret=True) if each.name == name), None)
        if asked is None:
            raise Refused("not_found")
        secret = secrets_of(form, connector).get(name, "")
        refusal = _refuse_secret(given, connector, row, name, secret, rotates=asked.is_rotated)
        if refusal is None:
            at, envelopes = given.clock(), given.connected.workshop.envelopes
            await managed.add_secret(tx, envelopes, connection_id, name, secret, by=session.email, at=at)
            if not asked.is_rotated:
                await managed.end_older_secrets(tx, connection_id, name, at=at)
            await note(request, tx, session, "connection_secret_added", object_id=connection_id, name=name)
    if refusal is not None:
        return page_of(request, session, given, row, typed_of_connection(row), refusal)
    await check_now(given, connection_id)
    return done_with(connection_id, "secret")


@router.post("/{connection_id}/secrets/end")
async def end_older(
    request: Request, session: Admin, given: Given, connection_id: ConnectionId, name: Word = ""
) -> Response:
    """Only the newest secret of that name counts from now on."""
    async with given.staff.begin("connection_secret_end") as tx:
        await row_of(tx, connection_id)
        if await managed.end_older_secrets(tx, connection_id, name, at=given.clock()):
            await note(request, tx, session, "connection_secret_ended", object_id=connection_id, name=name)
    await given.connected.refresh()
    return done_with(connection_id, "ended")


@router.post("/{connection_id}/check")
async def check(request: Request, session: Admin, given: Given, connection_id: ConnectionId) -> Response:
    """Ask the provider now, and say what it says."""
    async with given.staff.begin("connection_check") as tx:
        await row_of(tx, connection_id)
        await note(request, tx, session, "connection_checked", object_id=connection_id)
    await check_now(given, connection_id)
    return done_with(connection_id, "checked")


@router.post("/{connection_id}/switch")
async def switch(request: Request, session: Admin, given: Given, connection_id: ConnectionId, on: Word = "") -> Response:
    """On, once the provider has said that it would work; off at once. What has begun over it goes on either way."""
    turn_on = on == "yes"
    if turn_on:
        await check_now(given, connection_id)
    async with given.staff.begin("connection_switch") as tx:
        row = await row_of(tx, connection_id)
        fatal = next((each["sentence"] for each in row.problems if each["is_fatal"]), None)
        if not turn_on or fatal is None:
            await managed.switch(tx, connection_id, on=turn_on, at=given.clock())
            await note(request, tx, session, "connection_on" if turn_on else "connection_off", object_id=connection_id)
    if turn_on and fatal is not None:
        refusal = Refusal(rule="connection_not_ready", facts={"reason": fatal.rstrip(".")})
        return page_of(request, session, given, row, typed_of_connection(row), refusal)
    return done_with(connection_id, "on" if turn_on else "off")


def _installed(given: Services, role: str) -> Mapping[str, AnyConnector]:
    workshop = given.connected.workshop
    return workshop.erp_connectors if role == "erp" else workshop.connectors


def _offered(given: Services, role: str) -> list[AnyConnector]:
    """What can be connected here: nothing that only tests where money is real."""
    is_live = given.connected.workshop.is_live
    offered = [each for each in _installed(given, role).values() if not (each.only_tests and is_live)]
    return sorted(offered, key=lambda each: each.title)


def _connector(given: Services, role: str, name: str) -> AnyConnector:
    connector = _installed(given, role).get(name)
    if connector is None or connector not in _offered(given, role):
        raise Refused("not_found")
    return connector


async def row_of(tx: Transaction, connection_id: str) -> ManagedConnection:
    """The connection, locked. Raises Refused 'not_found'."""
    row = await managed.one(tx, connection_id)
    if row is None:
        raise Refused("not_found")
    return row


def _choices(given: Services, connector: AnyConnector, row: ManagedConnection, typed: Typed) -> managed.Choices | Refusal:
    """As they would be with the secrets that are stored."""
    try:
        opened = dict(given.connected.workshop.opened(row))
    except Misconfigured as error:
        return Refusal(rule="connection_invalid", facts={"reason": str(error).rstrip(".")})
    values = {name: held for name, held in opened.items() if name not in row.given}
    typed = replace(typed, given={**_learnt(connector, row), **typed.given})
    return choices_of(typed, connector, given.connected.workshop, {**values, **_single(typed.given)})


def _learnt(connector: AnyConnector, row: ManagedConnection) -> Mapping[str, str]:
    """What its vendor told of it: no form changes that."""
    if not isinstance(connector, ErpConnector) or connector.consent is None:
        return {}
    return {each.name: row.given[each.name] for each in connector.consent.learns if each.name in row.given}


def _refuse_secret(
    given: Services, connector: AnyConnector, row: ManagedConnection, name: str, secret: str, *, rotates: bool
) -> Refusal | None:
    """Whether the connection could be built with it."""
    if not secret:
        return Refusal(rule="connection_invalid", facts={"reason": "nothing was entered"})
    try:
        opened = dict(given.connected.workshop.opened(row))
        opened[name] = (secret, *(opened.get(name, ()) if rotates else ()))
        if isinstance(connector, ErpConnector):
            given.connected.workshop.build_erp(connector.name, opened)
        else:
            given.connected.workshop.build(connector.name, opened, row.kinds)
    except Misconfigured as error:
        return Refusal(rule="connection_invalid", facts={"reason": str(error).rstrip(".")})
    return None


def _single(values: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {name: (value,) for name, value in values.items() if value}


async def check_now(given: Services, connection_id: str) -> None:
    """Build it as it is stored, ask the provider, and store what is wrong."""
    await given.connected.refresh()
    found = await problems_of(given.connected, connection_id)
    async with given.staff.begin("connection_checked") as tx:
        await managed.checked(tx, connection_id, found, at=given.clock())


def done_with(connection_id: str, what: str) -> Response:
    """To the connection's page, which says what was done."""
    return RedirectResponse(f"/staff/connections/{connection_id}?done={what}", status_code=303)


def _new_page(
    request: Request,
    session: StaffSession,
    given: Services,
    connector: AnyConnector,
    typed: Typed,
    refusal: Refusal | None = None,
) -> Response:
    return page(
        request,
        session,
        "connection_new.html",
        status=200 if refusal is None else refusal.status,
        connector=connector,
        asked=shown_settings(connector, secret=False),
        secrets=shown_settings(connector, secret=True),
        typed=typed,
        refusal=refusal,
        is_erp=isinstance(connector, ErpConnector),
        webhooks=f"{given.base_url}/webhooks/",
        is_live=given.connected.workshop.is_live,
        way_back=way_back(given) if isinstance(connector, ErpConnector) and connector.consent is not None else None,
    )


def way_back(given: Services) -> str:
    """Where vendors send people back to after their consent; it is entered there."""
    return f"{given.base_url}/staff/connections/erps/consent"


def page_of(
    request: Request,
    session: StaffSession,
    given: Services,
    row: ManagedConnection,
    typed: Typed,
    refusal: Refusal | None = None,
) -> Response:
    """One connection, with what was typed about it; a refusal stands at its head."""
    connector = _installed(given, row.role).get(row.connector)
    return page(
        request,
        session,
        "connection.html",
        status=200 if refusal is None else refusal.status,
        row=row,
        connector=connector,
        asked=shown_settings(connector, secret=False) if connector is not None else [],
        secrets=shown_settings(connector, secret=True) if connector is not None else [],
        typed=typed,
        refusal=refusal,
        done=request.query_params.get("done", "") if request.method == "GET" else "",
        is_erp=row.role == "erp",
        why_not=given.connected.problems.get(row.id),
        webhook_url=f"{given.base_url}/webhooks/{row.id}",
        way_back=way_back(given),
        consent=connector.consent if isinstance(connector, ErpConnector) else None,
    )
