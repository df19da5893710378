"""Named points around every activity, commit and outgoing call, at which a drill makes this process die or stumble.

Off unless a specification is installed at start-up: `point[@word]:action[:n]` entries joined by commas. `@word` limits
an entry to what bears that word in its name (`in_hand`): one payment among many. `n` is the how-manieth visit (1 by
default). `*:record` writes down every point that is passed. The actions:

- `kill9`: this process dies; `kill=NAME`: the process whose id is in the file NAME.pid beside the marker dies
- `raise`: FaultInjected; `sleep=SECONDS`: nothing happens for so long
- `drop_reply`, only at an `.after_commit`: the database has committed, and its caller is told of a lost connection

With `DULY_FAULT_MARKER` a file proves that a fault landed, once over all processes that share it. Nothing here is
reachable from outside the process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from sqlalchemy.exc import OperationalError

RECORD = "*:record"
_AIMS_FOR_SECONDS = 6


class FaultInjected(Exception):
    """Raised at a point whose action is `raise`."""


@dataclass(slots=True)
class _Order:
    """One entry of the specification; `spent` once it landed, here or in another process."""

    word: str
    action: str
    number: int
    visits: int = 0
    spent: bool = False


@dataclass(slots=True)
class _Plan:
    orders: dict[str, list[_Order]] = field(default_factory=dict)
    marker: Path | None = None
    records: bool = False


_plan = _Plan()
_name: ContextVar[str] = ContextVar("in_hand", default="")


def install(specification: str, marker: Path | None = None) -> None:
    """Read a specification; the empty one switches everything off. Raises ValueError for one that cannot be read."""
    entries = [entry for entry in (part.strip() for part in specification.split(",")) if entry]
    orders: dict[str, list[_Order]] = {}
    for entry in entries:
        if entry == RECORD:
            continue
        place, _, rest = entry.partition(":")
        point, _, word = place.partition("@")
        action, _, number = rest.partition(":")
        if action not in {"kill9", "raise", "drop_reply"} and not action.startswith(("sleep=", "kill=")):
            raise ValueError(f"{entry!r} names no action of ours")
        if action == "drop_reply" and not point.endswith(".after_commit"):
            raise ValueError(f"{entry!r}: only the reply to a commit can be dropped")
        if (action.startswith("kill=") or RECORD in entries) and marker is None:
            raise ValueError(f"{entry!r} needs a marker: what is beside it says whom to kill, and what was passed")
        orders.setdefault(point, []).append(_Order(word=word, action=action, number=int(number or 1)))
    _plan.orders, _plan.marker, _plan.records = orders, marker, RECORD in entries


@contextmanager
def in_hand(name: str) -> Iterator[None]:
    """What this task works on until the block ends: a process's id, or a posting's."""
    before = _name.set(name)
    try:
        yield
    finally:
        _name.reset(before)


async def reach(point: str) -> None:
    """Pass a point. Costs a look at two empty values when nothing is installed."""
    if not _plan.orders and not _plan.records:
        return
    name = _name.get()
    if _plan.records:
        _write_down(point, name)
    for order in _plan.orders.get(point, ()):
        if not order.spent and order.word in name and await _lands(order, point, name):
            await _act(order.action, point)


async def _lands(order: _Order, point: str, name: str) -> bool:
    """Whether it happens now. Once over all restarts of a process: the marker of an earlier landing disarms the point."""
    order.visits += 1
    if order.visits < order.number:
        return False
    landed = _landed(point, order.word)
    if _is_there(landed):
        order.spent = True
        return False
    target = order.action.removeprefix("kill=") if order.action.startswith("kill=") else ""
    if target and not await _aims(target, landed):
        return False  # it stays dead: a kill of the dead proves nothing, so a later visit does it
    order.spent = True
    if landed is None:
        return True
    try:
        descriptor = os.open(landed, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        if target:
            _aimed(target).rename(_aimed(target).with_name(f"{target}.pid"))
        return False
    os.write(descriptor, f"{time.time():.3f} {os.getpid()} {point} {name}\n".encode())
    os.fsync(descriptor)
    os.close(descriptor)
    return True


def _is_there(landed: Path | None) -> bool:
    return landed is not None and landed.exists()


def _landed(point: str, word: str) -> Path | None:
    if _plan.marker is None:
        return None
    return _plan.marker.with_name(f"{_plan.marker.name}.{point}{'@' if word else ''}{word}")


async def _aims(name: str, landed: Path | None) -> bool:
    """Wait a little for a target that somebody else killed just now; not when this very kill lands elsewhere meanwhile."""
    for _ in range(_AIMS_FOR_SECONDS * 10):
        if _is_there(landed):
            return False
        if _take_aim(name):
            return True
        await asyncio.sleep(0.1)
    return False


def _take_aim(name: str) -> bool:
    """Take the target's file away, so that nobody else aims at it before a nurse has brought it up again."""
    assert _plan.marker is not None
    try:
        _plan.marker.with_name(f"{name}.pid").rename(_aimed(name))
    except FileNotFoundError:
        return False
    return True


def _aimed(name: str) -> Path:
    assert _plan.marker is not None
    return _plan.marker.with_name(f"{name}.pid.{os.getpid()}")


async def _act(action: str, point: str) -> None:
    if action == "kill9":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action.startswith("kill="):
        os.kill(int(_aimed(action.removeprefix("kill=")).read_text()), signal.SIGKILL)
    elif action == "raise":
        raise FaultInjected(point)
    elif action == "drop_reply":
        lost = psycopg.OperationalError("consuming input failed: server closed the connection unexpectedly")
        raise OperationalError("COMMIT", {}, lost)
    else:
        await asyncio.sleep(float(action.removeprefix("sleep=")))


def _write_down(point: str, name: str) -> None:
    assert _plan.marker is not None
    with _plan.marker.with_name(f"{_plan.marker.name}.passed").open("a") as passed:
        passed.write(f"{time.time():.3f} {os.getpid()} {point} {name}\n")
