"""Seed after seed until told to stop: `python -m tests.simulation.soak [--seed N] [--minutes M] [--json FILE]`.

Each process has a database of its own on one throw-away PostgreSQL. A seed that breaks a promise is printed with its steps
and the command that plays it again; the status is 1 then. Ctrl-C ends it after the seeds in hand.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import multiprocessing.connection
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from launch import postgres
from store import provision
from tests.machine import ROLE_PASSWORD, ROLES, TEMPLATE, close_to_visitors, create_database, servers_home
from tests.simulation.seeds import Ground, Story, play

PLAY_SECONDS_MAX = 60
"""A seed takes a second or two; one that takes this long has lost its way."""


@contextmanager
def databases(count: int) -> Iterator[list[dict[str, str]]]:
    """A PostgreSQL for as long as this lasts; so many migrated databases on it, each by its addresses."""
    folder = Path(tempfile.mkdtemp(prefix="duly-soak-", dir=servers_home()))
    cluster = postgres.prepare_cluster(folder / "pg", admin_password=secrets.token_urlsafe())
    program = cluster.program(log_file=folder / "postgres.log", options=["fsync=off", "full_page_writes=off"])
    running = program.start()
    try:
        running.wait_until_ready()
        cluster.make_database(TEMPLATE)
        provision.prepare_now(cluster.admin_url(TEMPLATE), dict.fromkeys(ROLES, ROLE_PASSWORD))
        close_to_visitors(cluster, TEMPLATE)
        made = [create_database(cluster, template=TEMPLATE) for _ in range(count)]
        yield [{"worker_url": each.worker_url, "portal_url": each.portal_url, "admin_url": each.admin_url} for each in made]
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def work(addresses: dict[str, str], asked: Connection, operations: int | None) -> None:
    """One process: plays the seeds that it is given, until it is given None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("temporalio.activity").setLevel(logging.CRITICAL)  # what a sweep finds is no news here
    asyncio.run(_work(addresses, asked, operations))


async def _work(addresses: dict[str, str], asked: Connection, operations: int | None) -> None:
    ground = Ground(**addresses)
    await ground.open()
    try:
        while (seed := await asyncio.to_thread(asked.recv)) is not None:
            try:
                async with asyncio.timeout(PLAY_SECONDS_MAX):
                    story = await play(ground, seed, operations=operations)
            except TimeoutError:
                story = Story(seed=seed, operations=operations or 0, broken=f"not over after {PLAY_SECONDS_MAX} s")
            asked.send(story)
    finally:
        await ground.close()


class Tally:
    """What was played, and what broke."""

    def __init__(self, first: int) -> None:
        self.began = time.monotonic()
        self.first = first
        self.seeds = self.operations = self.faults = self.turns = self.looks = 0
        self.payments: Counter[str] = Counter()
        self.failing: list[tuple[int, str]] = []

    def add(self, story: Story) -> None:
        self.seeds += 1
        self.operations += len(story.steps)
        self.faults += story.faults
        self.turns += story.turns
        self.looks += story.looks
        self.payments.update(story.payments)
        if story.broken is not None:
            self.failing.append((story.seed, story.broken))

    def told(self) -> dict[str, Any]:
        return {
            "first_seed": self.first,
            "seeds": self.seeds,
            "operations": self.operations,
            "faults": self.faults,
            "turns": self.turns,
            "looks": self.looks,
            "payments": dict(self.payments),
            "failing": [{"seed": seed, "broken": broken} for seed, broken in self.failing],
            "seconds": int(time.monotonic() - self.began),
        }


def soak(*, first: int, minutes: int | None, count: int | None, operations: int | None, processes: int) -> Tally:
    """Hand out seeds in order until the time is over, so many were played, or Ctrl-C."""
    tally = Tally(first)
    until = None if minutes is None else time.monotonic() + 60 * minutes
    last = None if count is None else first + count
    fork = multiprocessing.get_context("spawn")
    with databases(processes) as grounds:
        pipes: list[Connection] = []
        workers: list[Any] = []
        for addresses in grounds:
            ours, theirs = fork.Pipe()
            worker = fork.Process(target=work, args=(addresses, theirs, operations), daemon=True)
            worker.start()
            pipes.append(ours)
            workers.append(worker)
        following = first
        busy: set[Connection] = set()
        is_over = False
        for pipe in pipes:
            if last is None or following < last:
                pipe.send(following)
                busy.add(pipe)
                following += 1
        while busy:
            try:
                ready: Any = multiprocessing.connection.wait(list(busy))
            except KeyboardInterrupt:
                is_over = True
                continue
            for pipe in ready:
                _hear(tally, pipe.recv())
                is_over = is_over or (until is not None and time.monotonic() > until)
                if is_over or following == last:
                    busy.remove(pipe)
                else:
                    pipe.send(following)
                    following += 1
        for pipe, worker in zip(pipes, workers, strict=True):
            pipe.send(None)
            worker.join(timeout=20)
    return tally


def _hear(tally: Tally, story: Story) -> None:
    tally.add(story)
    if story.broken is not None:
        print(story.told(), flush=True)
    elif tally.seeds % 100 == 0:
        print(f"{tally.seeds} seeds, {len(tally.failing)} failing", flush=True)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the first seed (drawn where none is given)")
    parser.add_argument("--minutes", type=int, default=None, help="stop after so many minutes")
    parser.add_argument("--count", type=int, default=None, help="stop after so many seeds")
    parser.add_argument("--operations", type=int, default=None, help="operations a seed (50 to 80, drawn, by default)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path, default=None, help="write the tally to a file")
    given = parser.parse_args()
    first = given.seed if given.seed is not None else secrets.randbelow(10**9)
    print(f"from seed {first} on", flush=True)
    tally = soak(
        first=first,
        minutes=given.minutes,
        count=given.count,
        operations=given.operations,
        processes=1 if given.count == 1 else given.processes,
    )
    told = tally.told()
    if given.json is not None:
        given.json.write_text(json.dumps(told, indent=2) + "\n")
    print(json.dumps(told))
    return 1 if tally.failing else 0


if __name__ == "__main__":
    sys.exit(main())
