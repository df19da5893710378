"""Keeps several programs running: starts them, starts them again when they die, stops them in order.

One thread, which looks at each program five times a second. It decides nothing about what the programs are.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from launch.program import Program, ProgramFailed, Running

_LOOK_EVERY_SECONDS: Final = 0.2
_PAUSES_SECONDS: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_FORGIVEN_AFTER_SECONDS: Final = 60.0
_START_ATTEMPTS: Final = 3


@dataclass(slots=True)
class _Watched:
    """A program that was ready once. `deaths` counts those since it last ran for a while."""

    running: Running
    ready_at: float
    deaths: int = 0
    restarts: int = 0
    restart_at: float | None = None
    waits_for_ready: bool = False
    came_up: bool = False


class Supervisor:
    """`say` is told in a sentence whatever a person should know; `changed` is called after each change of processes;
    `stop_asked` ends waiting and watching.
    """

    def __init__(
        self,
        *,
        say: Callable[[str], None],
        stop_asked: Callable[[], bool],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._say = say
        self._stop_asked = stop_asked
        self._changed = changed
        self._watched: list[_Watched] = []

    def start(self, programs: Sequence[Program]) -> None:
        """Start them all at once and return when all are ready (or a stop was asked for). Raises ProgramFailed for one
        that does not come up in three attempts.
        """
        self.begin(programs)
        self.wait()

    def begin(self, programs: Sequence[Program]) -> None:
        """Start them all at once; `wait` says when they are ready."""
        self._watched += [_Watched(running=program.start(), ready_at=time.monotonic()) for program in programs]
        self._changed()

    def wait(self, *names: str) -> None:
        """Return when the programs of these names are ready, or all that were begun (or a stop was asked for). Raises
        ProgramFailed for one that does not come up in three attempts.
        """
        for watched in self._watched:
            if not watched.came_up and (not names or watched.running.program.name in names):
                self._bring_up(watched)

    def watch(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Restart what dies, until a stop is asked for or `until` says yes."""
        while not (self._stop_asked() or until()):
            for watched in self._watched:
                self._look_after(watched)
            time.sleep(_LOOK_EVERY_SECONDS)

    def stop(self, told: Callable[[str], None] = lambda _name: None) -> None:
        """Stop everything, the last started first, each one gone before the next is asked. Safe to call twice."""
        while self._watched:
            watched = self._watched[-1]
            told(watched.running.program.name)
            watched.running.stop()
            self._watched.pop()

    def processes(self) -> dict[str, dict[str, int]]:
        """`{name: {"pid": …, "restarts": …}}` of all programs."""
        return {
            watched.running.program.name: {"pid": watched.running.pid, "restarts": watched.restarts}
            for watched in self._watched
        }

    def _bring_up(self, watched: _Watched) -> None:
        for attempt in range(1, _START_ATTEMPTS + 1):
            try:
                watched.running.wait_until_ready(give_up=self._stop_asked)
            except ProgramFailed as error:
                watched.running.kill()
                if attempt == _START_ATTEMPTS:
                    raise
                self._say(f"{error.args[0].splitlines()[0]}; starting it again.")
                time.sleep(_PAUSES_SECONDS[attempt])
                watched.running = watched.running.program.start()
                self._changed()
            else:
                watched.ready_at, watched.came_up = time.monotonic(), True
                return

    def _look_after(self, watched: _Watched) -> None:
        now = time.monotonic()
        name = watched.running.program.name
        if watched.restart_at is not None:
            if now >= watched.restart_at:
                watched.running = watched.running.program.start()
                watched.restarts += 1
                watched.restart_at, watched.waits_for_ready = None, True
                self._changed()
            return
        status = watched.running.exit_status()
        if status is not None:
            watched.running.kill()  # what it left behind in its session
            if now - watched.ready_at > _FORGIVEN_AFTER_SECONDS:
                watched.deaths = 0
            pause_seconds = _PAUSES_SECONDS[min(watched.deaths, len(_PAUSES_SECONDS) - 1)]
            watched.deaths += 1
            watched.restart_at = now + pause_seconds
            self._say(f"{name} ended with {status}; starting it again{_in(pause_seconds)}.")
        elif watched.waits_for_ready and watched.running.is_ready():
            watched.waits_for_ready, watched.ready_at = False, now
            self._say(f"{name} is ready again.")


def _in(seconds: float) -> str:
    return f" in {seconds:g} s" if seconds else ""
