"""What a machine keeps: secrets that stay, ports that are remembered, one `duly up` at a time."""

import stat
from dataclasses import asdict
from pathlib import Path

import pytest

from launch.data_folder import AlreadyRunning, DataFolder, NotPreparedYet, Ports


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first = DataFolder(tmp_path).secrets()
    assert DataFolder(tmp_path).secrets() == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_two_folders_share_no_secret(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = DataFolder(tmp_path / "a").secrets(), DataFolder(tmp_path / "b").secrets()
    assert set(asdict(first).values()).isdisjoint(asdict(second).values())


def test_secrets_are_not_shown_by_accident(tmp_path: Path) -> None:
    made = DataFolder(tmp_path).secrets()
    assert not [text for text in asdict(made).values() if text in f"{made!r} {made}"]


def test_a_held_folder_keeps_a_second_one_out_and_is_free_afterwards(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with folder.held():
        assert folder.is_held()
        with pytest.raises(AlreadyRunning), DataFolder(tmp_path).held():
            pass
    assert not folder.is_held()


def test_ports_are_neighbours_and_remembered(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert folder.ports() == Ports.starting_at(8600)
    chosen = folder.ports(9100)
    assert sorted(asdict(chosen).values()) == list(range(9100, 9111))
    folder.write_info({"ports": asdict(chosen)})
    assert DataFolder(tmp_path).ports() == chosen
    assert DataFolder(tmp_path).ports(9200) == Ports.starting_at(9200)


def test_a_folder_that_was_never_started_says_how_to_start(tmp_path: Path) -> None:
    with pytest.raises(NotPreparedYet, match="duly up"):
        DataFolder(tmp_path).info()
