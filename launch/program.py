"""One program that runs beside us: how it starts, how it is asked to stop, how it is known to be ready.

Nothing here knows which program it is. Restarting is the supervisor's business (`launch/supervisor.py`).
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PATIENCE_AFTER_KILL_SECONDS: Final = 5.0


class ProgramFailed(Exception):
    """A program ended, or never became ready. The message holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is needed to start one program again and again, always the same way.

    `environment` is added to ours. `is_ready` is asked often until it says yes; it must not raise.
    `os_user` is set only where a program refuses to run as root (PostgreSQL does).
    """

    name: str
    arguments: Sequence[str]
    log_file: Path
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    os_user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    ready_within_seconds: float = 60.0
    stops_within_seconds: float = 20.0

    def start(self) -> "Running":
        """Start it in a session of its own, so that Ctrl-C in a terminal reaches only us."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                list(self.arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                cwd=self.log_file.parent,
                start_new_session=True,
                user=self.os_user,
                group=self.os_user,
                extra_groups=None if self.os_user is None else [],
                preexec_fn=_dies_with(os.getpid(), self.stop_signal),
            )
        return Running(self, process)


class Running:
    """A started program."""

    def __init__(self, program: Program, process: "subprocess.Popen[bytes]") -> None:
        self.program = program
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_status(self) -> int | None:
        """None while it runs; else what it ended with (negative: the signal that ended it)."""
        return self._process.poll()

    def is_ready(self) -> bool:
        return self.exit_status() is None and self.program.is_ready()

    def wait_until_ready(self, *, give_up: Callable[[], bool] = lambda: False) -> None:
        """Return once `is_ready` says yes, or when `give_up` does; raise ProgramFailed if the program ends first or
        takes too long.
        """
        deadline = time.monotonic() + self.program.ready_within_seconds
        pause_seconds = 0.02
        while not (give_up() or self.program.is_ready()):
            status = self.exit_status()
            if status is not None:
                raise ProgramFailed(f"{self.program.name} ended with {status}\n{self._end_of_log()}")
            if time.monotonic() > deadline:
                waited = f"{self.program.ready_within_seconds:g} s"
                raise ProgramFailed(f"{self.program.name} not ready after {waited}\n{self._end_of_log()}")
            time.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 1.5, 0.25)

    def ask_to_stop(self) -> None:
        """Send the stop signal to the program itself; it tells its own children."""
        if self.exit_status() is None:
            self._process.send_signal(self.program.stop_signal)

    def stop(self) -> None:
        """Ask it to stop, wait, and end whatever is left of its group. Safe to call twice."""
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self.program.stops_within_seconds)
        self.kill()

    def kill(self) -> None:
        """Kill the program and everything it started in its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_PATIENCE_AFTER_KILL_SECONDS)

    def _end_of_log(self, lines_max: int = 25) -> str:
        lines = self.program.log_file.read_text(errors="replace").splitlines()
        return "\n".join([f"the end of {self.program.log_file}:", *lines[-lines_max:]])


def _dies_with(parent_pid: int, stop_signal: signal.Signals) -> Callable[[], None] | None:
    """Where the kernel can do it (Linux), a child is told to stop when we die without a word."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() != parent_pid:  # we died between fork and prctl
            os._exit(1)

    return prepare
