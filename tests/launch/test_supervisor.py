"""Programs are started, started again and stopped; none is left behind. The programs are real ones."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from launch.program import Program, ProgramFailed
from launch.supervisor import Supervisor

SLEEPER = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"


class Stage:
    """A supervisor with what it said, and a way to end its watching."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.stop_asked = threading.Event()
        self.supervisor = Supervisor(say=self.said.append, stop_asked=self.stop_asked.is_set)

    def program(self, name: str, code: str = SLEEPER, *, ready_within_seconds: float = 20.0) -> Program:
        """A Python program that is ready once it has made the file of its name."""
        mark = self.folder / name
        return Program(
            name=name,
            arguments=[sys.executable, "-c", code, str(mark)],
            log_file=self.folder / f"{name}.log",
            is_ready=mark.exists,
            ready_within_seconds=ready_within_seconds,
            stops_within_seconds=1.0,
        )

    def pid(self, name: str) -> int:
        return self.supervisor.processes()[name]["pid"]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.stop_asked.set()
    made.supervisor.stop()


def wait_for(condition: Callable[[], bool], *, within_seconds: float = 20.0) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_program_that_dies_is_started_again_and_said_so(stage: Stage) -> None:
    stage.supervisor.start([stage.program("sleeper")])
    first_pid = stage.pid("sleeper")
    watching = threading.Thread(target=stage.supervisor.watch)
    watching.start()
    os.kill(first_pid, signal.SIGKILL)
    wait_for(lambda: "sleeper is ready again." in stage.said)
    stage.stop_asked.set()
    watching.join()
    assert stage.pid("sleeper") != first_pid
    assert stage.said[0] == "sleeper ended with -9; starting it again."
    assert stage.supervisor.processes()["sleeper"]["restarts"] == 1


def test_a_program_that_keeps_dying_is_started_more_and_more_slowly(stage: Stage) -> None:
    dies = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
    stage.supervisor.start([stage.program("moth", dies)])
    watching = threading.Thread(target=stage.supervisor.watch)
    watching.start()
    wait_for(lambda: any("in 1 s" in line for line in stage.said))
    stage.stop_asked.set()
    watching.join()
    assert [line.split("starting it again")[1] for line in stage.said if "ended" in line][:3] == [
        ".",
        " in 0.5 s.",
        " in 1 s.",
    ]


def test_the_last_started_stops_first(stage: Stage) -> None:
    stage.supervisor.start([stage.program("ground")])
    stage.supervisor.start([stage.program("house")])
    told: list[str] = []
    stage.supervisor.stop(told=told.append)
    assert told == ["house", "ground"]
    assert stage.supervisor.processes() == {}


def test_stopping_leaves_no_process_not_even_a_deaf_grandchild(stage: Stage) -> None:
    code = (
        "import pathlib, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "deaf = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)'; "
        "child = subprocess.Popen([sys.executable, '-c', deaf]); "
        "pathlib.Path(sys.argv[1] + '.pid').write_text(str(child.pid)); pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
    )
    stage.supervisor.start([stage.program("parent", code)])
    parent_pid, child_pid = stage.pid("parent"), int((stage.folder / "parent.pid").read_text())
    assert psutil.pid_exists(child_pid)
    stage.supervisor.stop()
    wait_for(lambda: not is_alive(parent_pid) and not is_alive(child_pid), within_seconds=5)


def test_a_program_that_never_becomes_ready_is_named_with_the_end_of_its_log(stage: Stage) -> None:
    code = "import sys; sys.exit('the paper tray is empty')"
    with pytest.raises(ProgramFailed, match=r"(?s)printer ended with 1.*the paper tray is empty"):
        stage.supervisor.start([stage.program("printer", code)])
    assert stage.said == ["printer ended with 1; starting it again."] * 2


def test_a_program_that_hangs_before_it_is_ready_is_given_up(stage: Stage) -> None:
    hangs = stage.program("sloth", "import time; time.sleep(600)", ready_within_seconds=0.2)
    with pytest.raises(ProgramFailed, match=r"sloth not ready after 0\.2 s"):
        hangs.start().wait_until_ready()


def test_a_stop_that_is_asked_for_ends_the_waiting_for_ready(stage: Stage) -> None:
    stage.stop_asked.set()
    stage.supervisor.start([stage.program("sloth", "import time; time.sleep(600)", ready_within_seconds=600)])
    stage.supervisor.stop()
    assert stage.supervisor.processes() == {}


@pytest.mark.may_skip("only Linux tells a child that its parent died")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_programs_do_not_outlive_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys, time
from launch.program import Program
mark = pathlib.Path({str(tmp_path / "mark")!r})
program = Program(name="sleeper", arguments=[sys.executable, "-c", {SLEEPER!r}, str(mark)],
                  log_file=mark.with_suffix(".log"), is_ready=mark.exists)
running = program.start()
running.wait_until_ready()
print(running.pid, flush=True)
time.sleep(600)
"""
    supervisor = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    child_pid = int(supervisor.stdout.readline())
    assert is_alive(child_pid)
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    wait_for(lambda: not is_alive(child_pid), within_seconds=5)


def is_alive(pid: int) -> bool:
    """A zombie that its new parent has not buried yet is not alive."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_what_is_begun_is_waited_for_by_name_while_the_others_are_on_their_way(stage: Stage) -> None:
    never = "import time; time.sleep(600)"
    stage.supervisor.begin([stage.program("sloth", never), stage.program("sleeper")])
    stage.supervisor.wait("sleeper")
    assert (stage.folder / "sleeper").exists()
    (stage.folder / "sloth").touch()
    stage.supervisor.wait()
    assert list(stage.supervisor.processes()) == ["sloth", "sleeper"]


def test_what_was_begun_and_does_not_come_up_is_told_when_it_is_waited_for(stage: Stage) -> None:
    stage.supervisor.begin([stage.program("moth", "raise SystemExit(3)"), stage.program("sleeper")])
    stage.supervisor.wait("sleeper")
    with pytest.raises(ProgramFailed, match="moth ended with 3"):
        stage.supervisor.wait()
