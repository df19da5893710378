"""Consent that an administrator gives at an ERP's vendor: the way there, the way back, and what is chosen after it.

What comes back is a hint in an address: it is believed once, in the session that went there, and its code is worth only what
the vendor says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from activities.consenting import packed
from api.services import Services
from api.staff.connecting.forms import typed_of_connection
from api.staff.connecting.pages import check_now, done_with, page_of, row_of, way_back
from api.staff.frame import Admin, Given, note
from connectors.declaring import ConnectorSetting
from connectors.erp.declaring import Consent
from connectors.errors import Misconfigured, Unavailable
from domain.refusals import Refusal, Refused
from store import consents, managed
from store.managed import ManagedConnection
from store.staff_accounts import StaffSession

router: Final = APIRouter()
ConnectionId = Annotated[str, Path(max_length=40)]
Word = Annotated[str, Form(max_length=500)]
Told = Annotated[str, Query(max_length=4000)]


@router.post("/{connection_id}/consent")
async def ask(request: Request, session: Admin, given: Given, connection_id: ConnectionId) -> Response:
    """To the vendor, with a state that is good for this session and once."""
    async with given.staff.begin("consent_ask") as tx:
        row = await row_of(tx, connection_id)
        declared = _declared(given, row)
        state = await consents.ask(tx, connection_id, session=session.reference, by=session.email, at=given.clock())
        await note(request, tx, session, "connection_consent_asked", object_id=connection_id)
    workshop = given.connected.workshop
    try:
        there = declared.address(workshop.given_to_erp(row.connector, workshop.opened(row)), state, way_back(given))
    except Misconfigured as error:
        return _refused(request, session, given, row, "consent_not_given", reason=str(error).rstrip("."))
    return RedirectResponse(there, status_code=303)


@router.get("/erps/consent")
async def come_back(
    request: Request, session: Admin, given: Given, state: Told = "", code: Told = "", error: Told = ""
) -> Response:
    """From the vendor: its code is exchanged for tokens, which are sealed and kept."""
    async with given.staff.begin("consent_came_back") as tx:
        connection_id = await consents.came_back(tx, state, session=session.reference, at=given.clock())
    if connection_id is None:
        raise Refused("consent_unknown")
    async with given.staff.begin("consent_connection") as tx:
        row = await row_of(tx, connection_id)
    if error or not code:
        return _refused(request, session, given, row, "consent_not_given", reason="somebody said no there")
    try:
        consented = await given.connected.workshop.consented(row, code, way_back(given))
    except (Misconfigured, Unavailable) as failed:
        return _refused(request, session, given, row, "consent_not_given", reason=str(failed).rstrip("."))
    async with given.staff.begin("consent_keep") as tx:
        row = await row_of(tx, connection_id)
        refusal = _mismatch(row, consented.learnt)
        if refusal is None:
            at = given.clock()
            offered = {each.name: each.choices for each in consented.learnt}
            envelopes, pair = given.connected.workshop.envelopes, packed(consented.tokens)
            await consents.keep(tx, envelopes, connection_id, pair, choices=offered, by=session.email, at=at)
            await managed.learn(tx, connection_id, _single(row, consented.learnt), at=at)
            await note(request, tx, session, "connection_consented", object_id=connection_id)
    if refusal is not None:
        return page_of(request, session, given, row, typed_of_connection(row), refusal)
    await check_now(given, connection_id)
    return done_with(connection_id, "consented")


@router.post("/{connection_id}/consent/choice")
async def choose(
    request: Request, session: Admin, given: Given, connection_id: ConnectionId, name: Word = "", value: Word = ""
) -> Response:
    """What the vendor left to choose, once: its customers belong to what was chosen."""
    async with given.staff.begin("consent_choice") as tx:
        row = await row_of(tx, connection_id)
        if value not in {word for word, _ in row.unchosen.get(name, ())}:
            raise Refused("not_found")
        await managed.learn(tx, connection_id, {name: value}, at=given.clock())
        await note(request, tx, session, "connection_chosen", object_id=connection_id, name=name)
    await check_now(given, connection_id)
    return done_with(connection_id, "changed")


def _declared(given: Services, row: ManagedConnection) -> Consent:
    declared = given.connected.workshop.consent_of(row.connector) if row.role == "erp" else None
    if declared is None:
        raise Refused("not_found")
    return declared


def _mismatch(row: ManagedConnection, learnt: tuple[ConnectorSetting, ...]) -> Refusal | None:
    """A consent for something else than what this connection has read so far, or for nothing at all."""
    before = {} if row.consent is None else {name: dict(offered) for name, offered in row.consent.choices.items()}
    for each in learnt:
        ours, offered = row.given.get(each.name), dict(each.choices)
        if not offered:
            return Refusal(rule="consent_not_given", facts={"title": row.title, "reason": f"{each.label} is missing"})
        if ours is not None and ours not in offered:
            known = before.get(each.name, {}).get(ours, ours)
            facts = {"theirs": ", ".join(offered.values()), "ours": known}
            return Refusal(rule="consent_for_another", facts=facts)
    return None


def _single(row: ManagedConnection, learnt: tuple[ConnectorSetting, ...]) -> Mapping[str, str]:
    """What there is no choice about."""
    return {
        each.name: each.choices[0][0] for each in learnt if len(each.choices) == 1 and each.name not in row.given
    }  # fmt: skip


def _refused(
    request: Request, session: StaffSession, given: Services, row: ManagedConnection, rule: str, *, reason: str
) -> Response:
    refusal = Refusal(rule=rule, facts={"title": row.title, "reason": reason})
    return page_of(request, session, given, row, typed_of_connection(row), refusal)
