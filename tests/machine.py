"""What tests borrow from the machine: ports, a database each, a browser's command line."""

import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from launch.postgres import Cluster

TEMPLATE: Final = "duly_template"
ROOM_FOR_SERVERS: Final = 4 * 1024**3
ROLES: Final = ("duly_portal", "duly_worker", "duly_staff")
ROLE_PASSWORD: Final = "a password for tests"

# No sandbox: the tests also run as root. The rest keeps Chromium from calling home.
CHROMIUM_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

AXE_SCRIPT: Final = Path(__file__).parent.parent / "node_modules" / "axe-core" / "axe.min.js"


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def chromium() -> str | None:
    """The path of the machine's Chromium, or None. The one without a window does less and is the same engine."""
    known = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, known)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A fresh, migrated database that belongs to one test. Addresses are SQLAlchemy's, one per role."""

    name: str
    cluster: Cluster

    @property
    def admin_url(self) -> str:
        """The superuser's: for provisioning and for looking behind the scenes."""
        return self.cluster.admin_url(self.name)

    @property
    def portal_url(self) -> str:
        return self.url_of("duly_portal")

    @property
    def worker_url(self) -> str:
        return self.url_of("duly_worker")

    @property
    def staff_url(self) -> str:
        return self.url_of("duly_staff")

    def url_of(self, role: str) -> str:
        return self.cluster.url(role=role, password=ROLE_PASSWORD, database=self.name)

    @property
    def plain_admin_url(self) -> str:
        """The superuser's address as psycopg and psql take it."""
        return self.cluster.admin_url(self.name, driver="postgresql")


def servers_home() -> str | None:
    """Where test servers keep their files: in memory where there is room for all of them, else where temporary files go.

    A database for each test means some four hundred files made and removed: seconds on a disk that trims what is removed.
    """
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM_FOR_SERVERS
    return str(memory) if has_room else None


_kept: dict[str, psycopg.Connection[tuple[Any, ...]]] = {}


def administrator(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """The superuser's connection to postgresql://…, kept for whoever asks again: to open one costs a server 10 ms, and as
    much to learn the tables.
    """
    kept = _kept.get(url)
    if kept is None or kept.closed:
        kept = _kept[url] = psycopg.connect(url, autocommit=True)
    return kept


def let_go(url: str) -> None:
    """Close what is kept open there, before the database or its server goes."""
    kept = _kept.pop(url, None)
    if kept is not None:
        kept.close()


def create_database(cluster: Cluster, *, template: str) -> Database:
    name = f"test_{secrets.token_hex(6)}"
    # The name and the template are ours, no outside text. Files of a server that does not sync are copied soonest whole.
    statement = f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'
    administrator(cluster.admin_url(driver="postgresql")).execute(statement.encode())
    return Database(name=name, cluster=cluster)


def close_to_visitors(cluster: Cluster, database_name: str) -> None:
    """A database can be copied only while nobody is connected to it."""
    with psycopg.connect(cluster.admin_url(driver="postgresql"), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{database_name}" ALLOW_CONNECTIONS false'.encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database_name])


def drop_database(database: Database) -> None:
    let_go(database.plain_admin_url)
    statement = f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)'
    administrator(database.cluster.admin_url(driver="postgresql")).execute(statement.encode())
