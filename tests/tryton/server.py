"""A real Tryton: installed from `requirements-tryton.lock` in an environment of its own, run as a program of its own.

Making its tables takes a minute and more, so that is done once (`make tryton`) and kept as a dump. Each pytest process
restores the dump once, and has one server over a copy of it.
"""

import hashlib
import os
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psycopg

from launch import postgres
from launch.program import Program, Running
from tests.machine import free_port
from tests.tryton.desk import Desk

ROOT: Final = Path(__file__).parents[2]
ENVIRONMENT: Final = ROOT / ".venv-tryton"
LOCK: Final = ROOT / "requirements-tryton.lock"
ADMIN_PASSWORD: Final = "a password for the tests' Tryton"
DULY: Final = "duly"
DULY_PASSWORD: Final = "a password for Duly in the tests' Tryton"
TEMPLATE: Final = "tryton_template"


def tables_dump() -> Path:
    """Where an empty database with all tables is kept: under a name that changes with the lock."""
    return _kept("tables", LOCK)


def company_dump() -> Path:
    """Where the ready company's database is kept: under a name that changes with the lock and with what makes it."""
    return _kept("company", LOCK, *(Path(__file__).with_name(f"{name}.py") for name in ("company", "desk")))


def _kept(name: str, *made_of: Path) -> Path:
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in made_of)).hexdigest()[:16]
    return ENVIRONMENT / f"{name}-{digest}.dump"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running Tryton over one database."""

    address: str
    database: str
    running: Running

    def desk(self, *, user: str = "admin", password: str = ADMIN_PASSWORD) -> Desk:
        """A person who signs in."""
        return Desk(self.address, self.database, user=user, password=password)

    def stop(self) -> None:
        """End the program; its database stays."""
        self.running.stop()


def surroundings(cluster: postgres.Cluster) -> Mapping[str, str]:
    """How Tryton's own PostgreSQL client finds the cluster; its password is in no file."""
    return {
        "PGHOST": str(cluster.socket_folder),
        "PGUSER": postgres.ADMIN,
        "PGPASSWORD": cluster.admin_password,
        "TRYTOND_DATABASE_URI": "postgresql://",
        "LC_ALL": "C.UTF-8",
    }


def serve(cluster: postgres.Cluster, database: str, folder: Path) -> Server:
    """Start a server over a database, and wait until it answers."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / f"{database}.conf"
    settings.write_text(f"[database]\npath = {folder}\n[web]\nlisten = 127.0.0.1:{port}\n[session]\nmax_attempt = 1000\n")
    address = f"http://127.0.0.1:{port}"
    program = Program(
        name="trytond",
        arguments=[str(ENVIRONMENT / "bin" / "trytond"), "-c", str(settings), "-d", database],
        log_file=folder / f"{database}.log",
        is_ready=lambda: _answers(f"{address}/rpc/"),
        environment=surroundings(cluster),
    )
    running = program.start()
    try:
        running.wait_until_ready()
    except BaseException:
        running.kill()
        raise
    return Server(address=address, database=database, running=running)


def _answers(address: str) -> bool:
    try:
        answer = httpx.post(address, json={"id": 1, "method": "common.server.version", "params": []}, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.is_success


def restore(cluster: postgres.Cluster, dump: Path) -> None:
    """Put what is kept on a cluster, as the database that others are copied from."""
    cluster.make_database(TEMPLATE)
    tool("pg_restore", cluster, "--no-owner", "--dbname", TEMPLATE, str(dump))


def restore_company(cluster: postgres.Cluster) -> None:
    """The ready company, closed to visitors: what is open cannot be copied."""
    restore(cluster, company_dump())
    with psycopg.connect(cluster.admin_url(driver="postgresql"), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{TEMPLATE}" ALLOW_CONNECTIONS false'.encode())


def copy_of_template(cluster: postgres.Cluster) -> str:
    """A company of its own; answers its database's name."""
    name = f"tryton_{secrets.token_hex(4)}"
    with psycopg.connect(cluster.admin_url(driver="postgresql"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}" STRATEGY FILE_COPY'.encode())
    return name


def tool(name: str, cluster: postgres.Cluster, *arguments: str) -> None:
    """Run a program of the embedded PostgreSQL against a cluster."""
    command = [str(postgres.binary(name)), "--no-password", *arguments]
    subprocess.run(command, check=True, env={**os.environ, **surroundings(cluster)})
