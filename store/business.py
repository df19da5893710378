"""The business's own settings as versioned rows: the newest version of each name counts, the older ones are its history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain import business
from domain.business import BusinessSettings
from domain.refusals import Refused
from store.database import Transaction

NEWEST: Final = """(SELECT coalesce(jsonb_object_agg(newest.name, newest.value), '{}'::jsonb)
    FROM (SELECT DISTINCT ON (name) name, value FROM settings ORDER BY name, version DESC) newest)"""
"""A scalar sub-select: every setting that was ever changed, as one JSON object. Other statements embed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingVersion:
    """One version of one setting: what it became, by whom, when (UTC)."""

    name: str
    version: int
    value: object
    changed_by: str
    changed_at: datetime


async def load(tx: Transaction) -> BusinessSettings:
    """The settings as they are now; a name that was never changed has its default."""
    row = await tx.row(f"SELECT {NEWEST} AS chosen")
    chosen: Mapping[str, object] = {} if row is None else row.chosen
    return business.from_rows(chosen)


async def change(tx: Transaction, name: str, value: object, *, by: str, at: datetime) -> int:
    """Write the next version of a setting; the version's number.

    Raises Refused 'setting_unknown' or 'setting_invalid' (with the reason), and writes nothing then.
    """
    try:
        stored = business.checked(name, value)
    except KeyError:
        raise Refused("setting_unknown", name=name) from None
    except ValueError as error:
        raise Refused("setting_invalid", name=name, value=json.dumps(value, default=str), reason=str(error)) from None
    # Two people changing one setting at once both succeed, one after the other.
    await tx.run("SELECT pg_advisory_xact_lock(hashtextextended('setting/' || :name, 0))", name=name)
    row = await tx.row(
        """INSERT INTO settings (name, version, value, changed_by, changed_at)
           SELECT :name, coalesce(max(version), 0) + 1, CAST(:value AS jsonb), :by, :at FROM settings WHERE name = :name
           RETURNING version""",
        name=name,
        value=json.dumps(stored),
        by=by,
        at=at,
    )
    assert row is not None
    return int(row.version)


async def change_together(
    tx: Transaction, changes: Mapping[str, object], seen: Mapping[str, int], *, by: str, at: datetime
) -> Mapping[str, int]:
    """Write several settings as one; the new version of each. `seen` is the newest version that their author knew, of
    each setting that the decision was made from.

    Writes nothing when any of those has a newer version by now: the answer is empty then. Raises as `change`.
    """
    # In one order, so that two who save at once wait for each other and never in a circle.
    for name in sorted({*seen, *changes}):
        await tx.run("SELECT pg_advisory_xact_lock(hashtextextended('setting/' || :name, 0))", name=name)
    known = await versions(tx)
    if any(known.get(name, 0) != version for name, version in seen.items()):
        return {}
    return {name: await change(tx, name, value, by=by, at=at) for name, value in changes.items()}


async def versions(tx: Transaction) -> Mapping[str, int]:
    """The newest version of every setting that was ever changed."""
    rows = await tx.rows("SELECT name, max(version) AS version FROM settings GROUP BY name")
    return {row.name: row.version for row in rows}


async def history(tx: Transaction, name: str) -> Sequence[SettingVersion]:
    """Every version of one setting, the newest first; empty for one that was never changed."""
    return (await histories(tx, [name]))[name]


async def histories(tx: Transaction, names: Sequence[str]) -> Mapping[str, Sequence[SettingVersion]]:
    """The same of several settings."""
    rows = await tx.rows(
        """SELECT name, version, value, changed_by, changed_at FROM settings WHERE name = ANY(:names)
           ORDER BY version DESC""",
        names=list(names),
    )
    found: dict[str, list[SettingVersion]] = {name: [] for name in names}
    for row in rows:
        found[row.name].append(
            SettingVersion(
                name=row.name, version=row.version, value=row.value, changed_by=row.changed_by, changed_at=row.changed_at
            )
        )
    return found
