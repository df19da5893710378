"""What the business decides: the same settings, checks and history as `duly settings`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from api.v1 import answers, schemas
from api.v1.door import Given, Needs
from api.v1.listing import json_answer
from api.v1.once import act_of
from domain.business import BusinessSettings
from domain.refusals import Refused
from store import access_log, business
from store.api_keys import KeyHolder, Scope
from store.business import SettingVersion

router: Final = APIRouter(tags=["settings"])
Reader = Annotated[KeyHolder, Depends(Needs(Scope.SETTINGS_READ))]
Writer = Annotated[KeyHolder, Depends(Needs(Scope.SETTINGS_WRITE))]
Name = Annotated[str, Path(pattern="^[a-z_]{1,60}$", examples=["link_days"])]
_DEFAULTS: Final = asdict(BusinessSettings())


@router.get("/settings", response_model=answers.Settings)
async def list_settings(holder: Reader) -> Response:
    """Every setting as it is now."""
    values = asdict(holder.settings)
    return json_answer({"settings": [{"name": name, "value": values[name], "default": _DEFAULTS[name]} for name in values]})


@router.get("/settings/{name}", response_model=answers.SettingWithHistory)
async def get_setting(given: Given, _: Reader, name: Name) -> Response:
    """One setting, with every version of it."""
    _check(name)
    async with given.staff.begin("api.setting") as tx:
        now, versions = await business.load(tx), await business.history(tx, name)
    return json_answer(_told(name, now, versions))


@router.put("/settings/{name}", response_model=answers.SettingWithHistory)
async def change_setting(
    request: Request, given: Given, holder: Writer, name: Name, asked: schemas.SettingChange
) -> Response:
    """Change one setting from now on. The old versions are kept."""
    _check(name)
    at = given.clock()
    async with given.staff.begin("api.setting") as tx:
        version = await business.change(tx, name, asked.value, by=f"{holder.label} ({holder.id})", at=at)
        act = act_of(request, holder, "setting_changed", None, name)
        await access_log.note(tx, act, at=at)
        now, versions = await business.load(tx), await business.history(tx, name)
    assert versions[0].version == version
    return json_answer(_told(name, now, versions))


def _check(name: str) -> None:
    if name not in _DEFAULTS:
        raise Refused("setting_unknown", name=name)


def _told(name: str, now: BusinessSettings, versions: Sequence[SettingVersion]) -> dict[str, Any]:
    history = [
        {"version": each.version, "value": each.value, "changed_by": each.changed_by, "changed_at": each.changed_at}
        for each in versions
    ]
    return {"name": name, "value": asdict(now)[name], "default": _DEFAULTS[name], "history": history}
