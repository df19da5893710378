"""One machine from start to stop: real PostgreSQL, Temporal and simulators, on ports and in a folder of their own."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from launch.data_folder import DataFolder
from launch.drill.ground import free_block

DULY = Path(sysconfig.get_path("scripts")) / "duly"
PARTS = {"postgres", "temporal", "sandbox_provider", "demo_erp", "mail_catcher"}


class RunningGround:
    """A machine in a process of its own, and what it printed."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir
        self.output = data_dir.with_suffix(".out")
        with self.output.open("w") as out:
            command = [sys.executable, "-m", "tests.launch.ground", str(data_dir), str(port)]
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        wait_for(lambda: "Ctrl-C stops everything" in self.printed() or self.process.poll() is not None)
        assert self.process.poll() is None, self.printed()

    def printed(self) -> str:
        return self.output.read_text()

    def info(self) -> dict[str, Any]:
        return DataFolder(self.data_dir).info()

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def machine() -> Iterator[RunningGround]:
    with tempfile.TemporaryDirectory(prefix="duly-") as folder:
        running = RunningGround(Path(folder) / "data", free_block(7))
        yield running
        running.stop()


def wait_for(condition: Callable[[], bool], *, within_seconds: float = 60.0) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def duly(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "250", **variables}
    return subprocess.run([str(DULY), *arguments], check=False, capture_output=True, text=True, env=environment)


def test_every_part_runs_and_says_where(machine: RunningGround) -> None:
    assert set(machine.info()["processes"]) == PARTS
    addresses = machine.info()["addresses"]
    for part in ("provider", "erp", "mail"):
        assert httpx.get(f"{addresses[part]}/health", trust_env=False).is_success
        assert addresses[part] in machine.printed()
    assert httpx.get(addresses["temporal_ui"], trust_env=False, follow_redirects=True).is_success


def test_the_database_has_its_roles_and_tables(machine: RunningGround) -> None:
    folder = DataFolder(machine.data_dir)
    socket_folder = machine.info()["addresses"]["database"].split("host=")[1]
    with psycopg.connect(
        host=socket_folder, dbname="duly", user="duly_worker", password=folder.secrets().worker_password
    ) as connection:
        assert connection.execute("SELECT count(*) FROM invoices").fetchone() == (0,)


def test_info_gives_scripts_the_addresses_and_no_password(machine: RunningGround) -> None:
    said = duly("info", "--json", "--data-dir", str(machine.data_dir)).stdout
    facts = json.loads(said)
    assert {"api", "database", "temporal", "provider", "erp", "mail"} <= set(facts)
    assert facts["running"] is True
    secrets = DataFolder(machine.data_dir).secrets()
    assert secrets.admin_password not in said
    assert secrets.erp_api_key not in said


def test_a_second_up_on_the_same_folder_says_that_it_is_running(machine: RunningGround) -> None:
    second = duly("up", "--data-dir", str(machine.data_dir))
    assert second.returncode == 1
    assert "already running" in second.stdout
    assert machine.info()["addresses"]["api"] in second.stdout


def test_a_taken_port_is_named(machine: RunningGround, tmp_path: Path) -> None:
    refused = duly("up", "--data-dir", str(tmp_path / "other"), "--port", str(machine.info()["ports"]["temporal"]))
    assert refused.returncode == 1
    assert f"port {machine.info()['ports']['temporal']} (api) is taken" in refused.stdout
    assert DataFolder(tmp_path / "other").is_held() is False


def test_the_doctor_pings_everything_and_shows_no_secret(machine: RunningGround) -> None:
    seen = duly("doctor", "--data-dir", str(machine.data_dir))
    lines = {line[2:].rsplit(maxsplit=2)[0].strip(): line[0] for line in seen.stdout.splitlines() if line[:1] in "✓✗"}
    assert {name for name, mark in lines.items() if mark == "✓"} >= {"portal db", "worker db", "staff db", "temporal"}
    assert "✓ provider" in seen.stdout
    assert "✗ api" in seen.stdout  # nobody stands on this ground
    assert seen.returncode == 1
    secrets = DataFolder(machine.data_dir).secrets()
    assert secrets.form_key not in seen.stdout
    assert secrets.worker_password not in seen.stdout


def test_a_part_that_is_killed_comes_back_and_is_said_to(machine: RunningGround) -> None:
    for part in sorted(PARTS):
        before = machine.info()["processes"][part]["pid"]
        os.kill(before, signal.SIGKILL)
        wait_for(lambda name=part: f"{name} is ready again" in machine.printed())  # type: ignore[misc]
        assert machine.info()["processes"][part]["pid"] != before


def test_files_are_for_their_owner_only(machine: RunningGround) -> None:
    for file in [*machine.data_dir.glob("*.sqlite"), *machine.data_dir.glob("*.json"), machine.data_dir / "temporal.db"]:
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


def test_a_stop_leaves_no_process_and_the_next_start_finds_everything_again() -> None:
    with tempfile.TemporaryDirectory(prefix="duly-") as folder:
        data_dir, port = Path(folder) / "data", free_block(7)
        secrets = None
        for how in (signal.SIGINT, signal.SIGTERM):
            running = RunningGround(data_dir, port)
            family = running.family()
            assert len(family) >= len(PARTS)
            assert secrets in {None, DataFolder(data_dir).secrets()}
            secrets = DataFolder(data_dir).secrets()
            running.stop(how)
            assert running.process.returncode == 0
            assert [process for process in family if process.is_running()] == []
            assert DataFolder(data_dir).is_held() is False


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@pytest.mark.may_skip("only Linux tells a child that its parent died")
def test_a_machine_that_is_killed_takes_its_parts_along_and_can_start_again() -> None:
    with tempfile.TemporaryDirectory(prefix="duly-") as folder:
        data_dir, port = Path(folder) / "data", free_block(7)
        first = RunningGround(data_dir, port)
        family = first.family()
        first.stop(signal.SIGKILL)
        psutil.wait_procs(family, timeout=20)
        assert [process for process in family if process.is_running()] == []
        RunningGround(data_dir, port).stop()
