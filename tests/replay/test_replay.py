"""Recorded histories replay on every change; an edited one fails; none is overwritten."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

import worker
from connectors.temporal.client import data_converter
from tests.replay.record import CASES, FOLDER
from workflows import versions

HISTORIES = sorted(path for path in FOLDER.rglob("*.json") if path.name not in {"keys.json", "digests.json"})


def _name(path: Path) -> str:
    return path.relative_to(FOLDER).with_suffix("").as_posix()


def _converter(path: Path) -> DataConverter:
    key = json.loads((FOLDER / "keys.json").read_text())[_name(path)]
    return data_converter([(key["id"], base64.b64decode(key["key"]))], namespace="default")


def _replayer(path: Path) -> Replayer:
    return Replayer(workflows=worker.WORKFLOWS, workflow_runner=worker.runner(), data_converter=_converter(path))


def _history(path: Path, edit: tuple[str, str] = ("", "")) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text().replace(*edit))


@pytest.mark.parametrize("path", HISTORIES, ids=_name)
async def test_a_recorded_history_still_replays(path: Path) -> None:
    await _replayer(path).replay_workflow(_history(path))


@pytest.mark.parametrize("path", [each for each in HISTORIES if each.parent.name in versions.MOVE_ON], ids=_name)
async def test_what_never_ends_replays_as_it_moves_to_a_new_version(path: Path) -> None:
    moving = Replayer(
        workflows=worker.WORKFLOWS, workflow_runner=worker.runner(versioned=True), data_converter=_converter(path)
    )
    await moving.replay_workflow(_history(path))


async def test_a_history_that_was_edited_fails() -> None:
    path = FOLDER / "PayInvoices/captured.json"
    edited = _history(path, ('"name": "charge"', '"name": "charge_twice"'))
    assert edited != _history(path)
    with pytest.raises(NondeterminismError):
        await _replayer(path).replay_workflow(edited)


def test_every_workflow_has_a_recorded_history() -> None:
    assert {each.__name__ for each in worker.WORKFLOWS} == {path.parent.name for path in HISTORIES}
    assert {_name(path) for path in HISTORIES} == set(CASES)


def test_no_recorded_history_was_overwritten() -> None:
    """Digests are added when a case is recorded and never changed."""
    digests = json.loads((FOLDER / "digests.json").read_text())
    assert {_name(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in HISTORIES} == digests
