"""Show a page of settings, save it, put one of its settings back; nothing that somebody else saved is overwritten unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.responses import Response

from api import brand
from api.formatting import Writer
from api.services import Services
from api.staff.deciding.groups import BY_SLUG, CHOICES, COLUMN_WORDS, GROUPS, Field, Group
from api.staff.deciding.reading import Reading, Typed, read, rearranged, said, shown
from api.staff.frame import Admin, Given, note, page, writer
from domain.business import FIXED_COLUMNS, BusinessSettings, checked
from domain.refusals import Refusal, Refused
from store import business
from store.business import SettingVersion
from store.database import Transaction
from store.staff_accounts import StaffSession

router: Final = APIRouter(prefix="/settings")
_DEFAULTS: Final = asdict(BusinessSettings())
_AA: Final = 450  # hundredths
_REARRANGE: Final = ("add/", "remove/", "up/", "down/")
Past = Mapping[str, Sequence[SettingVersion]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of a history, in words. `version` is what it was changed from; 0 is the default."""

    label: str
    by: str
    at: datetime
    before: str
    after: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A page as it is drawn. `seen` are the versions that its author knows."""

    group: Group
    typed: Mapping[str, Typed]
    seen: Mapping[str, int]
    past: Past
    meanwhile: Sequence[Change] = ()
    refusal: Refusal | None = None
    status: int = 200


@router.get("")
async def start(_: Admin) -> RedirectResponse:
    """Where settings begin."""
    return RedirectResponse(f"/staff/settings/{GROUPS[0].slug}", status_code=303)


@router.get("/{slug}")
async def show_group(request: Request, session: Admin, given: Given, slug: str) -> Response:
    """One page of settings as they are now."""
    group = _group(slug)
    async with given.staff.begin("staff_settings") as tx:
        past = await _past(tx, group)
    return _drawn(request, session, _fresh(group, past))


@router.post("/{slug}")
async def save_group(request: Request, session: Admin, given: Given, slug: str) -> Response:
    """Save what was changed on a page, all of it or nothing; or rearrange its rows and save nothing."""
    group = _group(slug)
    form = await request.form()
    seen = {each.name: _number(form.get(f"seen.{each.name}")) for each in group.fields}
    reading = read(group.fields, form)
    act = str(form.get("act", "save"))
    async with given.staff.begin("staff_settings") as tx:
        past = await _past(tx, group)
        if act != "save":
            again = rearranged(reading, act) if act.startswith(_REARRANGE) else reading
            return _drawn(request, session, Sheet(group=group, typed=again.typed, seen=seen, past=past))
        if reading.has_errors:
            return _drawn(request, session, Sheet(group=group, typed=reading.typed, seen=seen, past=past, status=422))
        changes = {name: value for name, value in reading.values.items() if value != _value_at(past[name], name, seen[name])}
        written = await _write(request, tx, session, given, changes, seen)
        if written or not changes:
            return _back_to(group, "saved" if written else "same")
        past = await _past(tx, group)
    return _drawn(request, session, _overtaken(request, session, group, reading, changes, seen, past))


@router.post("/{slug}/back")
async def put_back(request: Request, session: Admin, given: Given, slug: str) -> Response:
    """Make an older value the newest version: the history goes on, nothing of it is taken away."""
    group = _group(slug)
    name, version, newest = _asked_back(group, await request.form())
    async with given.staff.begin("staff_settings") as tx:
        past = await _past(tx, group)
        if version not in {0, *(each.version for each in past[name])}:
            raise Refused("not_found")
        value = _value_at(past[name], name, version)
        try:
            checked(name, value)
        except ValueError as error:
            label = next(each.label for each in group.fields if each.name == name)
            facts = {"name": label, "value": "that again", "reason": str(error)}
            refusal = Refusal(rule="setting_invalid", facts=facts)
            return _drawn(request, session, _fresh(group, past, refusal=refusal, status=refusal.status))
        if await _write(request, tx, session, given, {name: value}, {name: newest}):
            return _back_to(group, "back")
        past = await _past(tx, group)
    told = _since(request, session, group, {name: newest}, past)
    return _drawn(request, session, _fresh(group, past, meanwhile=told, status=409))


async def _write(
    request: Request,
    tx: Transaction,
    session: StaffSession,
    given: Services,
    changes: Mapping[str, object],
    seen: Mapping[str, int],
) -> Mapping[str, int]:
    """The new versions, noted one by one; empty when there was nothing to write, or somebody was faster."""
    if not changes:
        return {}
    written = await business.change_together(tx, changes, seen, by=session.email, at=given.clock())
    for name, version in written.items():
        await note(request, tx, session, "setting_changed", object_id=name, version=version)
    return written


def _group(slug: str) -> Group:
    if slug not in BY_SLUG:
        raise Refused("not_found")
    return BY_SLUG[slug]


async def _past(tx: Transaction, group: Group) -> Past:
    return await business.histories(tx, [each.name for each in group.fields])


def _number(text: object) -> int:
    """A version out of a form; -1, which none is, for what is not one."""
    word = str(text)
    return int(word) if word.isascii() and word.isdigit() and len(word) < 10 else -1


def _asked_back(group: Group, form: FormData) -> tuple[str, int, int]:
    name, _, versions = str(form.get("back", "")).partition("/")
    version, _, newest = versions.partition("/")
    if name not in {each.name for each in group.fields}:
        raise Refused("not_found")
    return name, _number(version), _number(newest)


def _back_to(group: Group, done: str) -> Response:
    return RedirectResponse(f"/staff/settings/{group.slug}?done={done}", status_code=303)


def _newest(versions: Sequence[SettingVersion]) -> int:
    return versions[0].version if versions else 0


def _value_at(versions: Sequence[SettingVersion], name: str, version: int) -> Any:
    """What a setting was at a version; its default at 0, and at one that never was."""
    return next((each.value for each in versions if each.version == version), _DEFAULTS[name])


def _fresh(
    group: Group, past: Past, *, meanwhile: Sequence[Change] = (), refusal: Refusal | None = None, status: int = 200
) -> Sheet:
    """The page as it is stored."""
    seen = {name: _newest(versions) for name, versions in past.items()}
    typed = {each.name: shown(each, _value_at(past[each.name], each.name, seen[each.name])) for each in group.fields}
    return Sheet(group=group, typed=typed, seen=seen, past=past, meanwhile=meanwhile, refusal=refusal, status=status)


def _overtaken(
    request: Request,
    session: StaffSession,
    group: Group,
    reading: Reading,
    changes: Mapping[str, object],
    seen: Mapping[str, int],
    past: Past,
) -> Sheet:
    """Somebody saved in between: what was typed stays, all else is as it is now, and what they changed is told."""
    now = _fresh(group, past)
    typed = {name: reading.typed[name] if name in changes else now.typed[name] for name in now.typed}
    told = _since(request, session, group, seen, past)
    return Sheet(group=group, typed=typed, seen=now.seen, past=past, meanwhile=told, status=409)


def _since(request: Request, session: StaffSession, group: Group, seen: Mapping[str, int], past: Past) -> Sequence[Change]:
    """Each setting that is not what the page was drawn from: from what, to what, by whom at last."""
    write = writer(request, session)
    told = []
    for each in group.fields:
        versions = past[each.name]
        if each.name not in seen or not versions or _newest(versions) == seen[each.name]:
            continue
        before = _value_at(versions, each.name, seen[each.name])
        told.append(_change(each, versions[0], before, seen[each.name], write))
    return told


def _change(asked: Field, to: SettingVersion, before: Any, version: int, write: Writer) -> Change:
    return Change(
        label=asked.label,
        by=to.changed_by,
        at=to.changed_at,
        before=said(asked, before, write),
        after=said(asked, to.value, write),
        version=version,
    )


def _history(asked: Field, versions: Sequence[SettingVersion], write: Writer) -> Sequence[Change]:
    """The newest first, each with what it was before."""
    older = [each.version for each in versions[1:]] + [0]
    return [
        _change(asked, each, _value_at(versions, asked.name, before), before, write)
        for each, before in zip(versions, older, strict=False)
    ]


def _drawn(request: Request, session: StaffSession, sheet: Sheet) -> Response:
    write = writer(request, session)
    accent = sheet.typed.get("accent_colour")
    return page(
        request,
        session,
        "settings.html",
        status=sheet.status,
        groups=GROUPS,
        sheet=sheet,
        done=request.query_params.get("done", "") if request.method == "GET" else "",
        history={each.name: _history(each, sheet.past[each.name], write) for each in sheet.group.fields},
        column_words=COLUMN_WORDS,
        fixed_columns=FIXED_COLUMNS,
        choices=CHOICES,
        accent=None if accent is None or accent.error else _accent(accent.text),
    )


def _accent(colour: str) -> dict[str, object]:
    """How a colour will look, and whether white text can be read on it as it is."""
    light, dark = brand.shades(colour)
    contrast = brand.contrast_with_white(colour)
    return {
        "light": light,
        "dark": dark,
        "is_readable": contrast >= _AA,
        "contrast": f"{contrast // 100}.{contrast // 10 % 10}",
    }
