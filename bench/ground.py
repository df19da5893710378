"""What cases stand on: a PostgreSQL of their own that really syncs, its roles, and servers on free ports of loopback."""

import asyncio
import contextlib
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launch import postgres
from launch.health import answers_over_http
from launch.program import Program, Running
from store import provision
from store.database import Database

ROOT: Final = Path(__file__).parent.parent
DATABASE: Final = "duly"
_PASSWORD: Final = "a password for the bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A running, migrated database. `pid` is PostgreSQL's, for its processor time."""

    folder: Path
    cluster: postgres.Cluster
    pid: int

    def url(self, role: str) -> str:
        """SQLAlchemy's address for one of Duly's roles."""
        return self.cluster.url(role=role, password=_PASSWORD, database=DATABASE)

    @property
    def admin_url(self) -> str:
        """The superuser's address, as psycopg takes it."""
        return self.cluster.admin_url(DATABASE, driver="postgresql")

    @contextlib.asynccontextmanager
    async def database(self, role: str, *, pool_size: int = 8) -> AsyncIterator[Database]:
        """The product's own pool for a role."""
        opened = Database(self.url(role), pool_size=pool_size, statement_timeout_ms=60_000)
        try:
            yield opened
        finally:
            await opened.close()

    @contextlib.contextmanager
    def serving(
        self, factory: str, *, name: str, port: int | None = None, environment: Mapping[str, str] | None = None
    ) -> Iterator["Server"]:
        """uvicorn with one worker, as Duly runs it, for an application's factory: `bench.naive.app:create`."""
        port = port or free_port()
        program = Program(
            name=name,
            arguments=[sys.executable, "-m", "uvicorn", factory, "--factory", "--port", str(port), *_AS_DULY_RUNS],
            log_file=self.folder / f"{name}.log",
            is_ready=lambda: answers_over_http(f"http://127.0.0.1:{port}/health"),
            environment={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
        running = program.start()
        server = Server(running=running, port=port)
        try:
            running.wait_until_ready()
            yield server
        finally:
            server.running.stop()


_AS_DULY_RUNS: Final = ("--host", "127.0.0.1", "--no-access-log", "--timeout-graceful-shutdown", "3")


@dataclass(slots=True, kw_only=True)
class Server:
    """A program that answers over HTTP."""

    running: Running
    port: int

    @property
    def pid(self) -> int:
        return self.running.pid

    def kill(self) -> None:
        """What a crash does to it: kill -9."""
        self.running.kill()

    async def start_again(self) -> None:
        """On the same port; back when it answers. Started from here: a child ends with the thread that started it."""
        self.running = self.running.program.start()
        await asyncio.to_thread(self.running.wait_until_ready)


@contextlib.asynccontextmanager
async def ground(options: Sequence[str] = ()) -> AsyncIterator[Ground]:
    """A PostgreSQL in a temporary folder, durable as in production; stopped and deleted at the end."""
    folder = Path(tempfile.mkdtemp(prefix="duly-bench-"))
    folder.chmod(0o755)  # where PostgreSQL has an OS user of its own, that user passes through
    try:
        cluster = postgres.prepare_cluster(folder / "pg", admin_password=secrets.token_urlsafe())
        settings = ["shared_buffers=256MB", "max_wal_size=2GB", "autovacuum=off", *options]
        running = cluster.program(log_file=folder / "postgres.log", options=settings).start()
        try:
            running.wait_until_ready()
            cluster.make_database(DATABASE)
            await provision.prepare(cluster.admin_url(DATABASE), dict.fromkeys(provision.ROLES[1:], _PASSWORD))
            yield Ground(folder=folder, cluster=cluster, pid=running.pid)
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
