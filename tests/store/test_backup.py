"""What docs/operations/backup-and-restore.md tells to do: the dump, restored, is the same books behind the same wall."""

from __future__ import annotations

import re
import secrets
import subprocess
from pathlib import Path

from connectors.payments.ports import ChargeStatus
from launch.postgres import binary
from store import checks, safety
from store.checks import Horizons
from store.database import Database
from tests import machine
from tests.store.money import books_of

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "backup-and-restore.md"


def options(program: str) -> list[str]:
    """The options that the page gives a program."""
    found = re.search(rf"^{program} (.*?) (?:--file|--dbname) ", PAGE.read_text(), re.MULTILINE)
    assert found is not None
    return found[1].split()


async def test_a_dump_restored_is_the_same_books_behind_the_same_wall(database: machine.Database, tmp_path: Path) -> None:
    async with books_of(database) as books:
        customer_id, (first, second) = await books.customer(1_000, 2_000)
        await books.record(await books.opened(customer_id, (first, 1_000)), ChargeStatus.CAPTURED)
        await books.opened(customer_id, (second, 2_000))
        before = await books.rows("SELECT * FROM journal_lines ORDER BY 1, 2")
    cluster, dump, name = database.cluster, tmp_path / "duly.dump", f"restored_{secrets.token_hex(4)}"
    at = ["--host", str(cluster.socket_folder), "--username", "postgres", "--no-password"]
    password = {"PGPASSWORD": cluster.admin_password, "LC_ALL": "C"}
    run(["pg_dump", *options("pg_dump"), *at, "--file", str(dump), database.name], password)
    cluster.make_database(name)
    run(["pg_restore", *options("pg_restore"), *at, "--dbname", name, str(dump)], password)
    restored = machine.Database(name=name, cluster=cluster)
    portal = Database(restored.portal_url)
    try:
        await safety.assert_safe(portal)
        async with books_of(restored) as books:
            assert await books.rows("SELECT * FROM journal_lines ORDER BY 1, 2") == before
            async with books.store.begin("test") as tx:
                looked = [
                    await checks.look(tx, each, at=books.at, horizons=Horizons(), most=1) for each in checks.INVARIANTS
                ]
            assert [each.name for each in looked if not each.holds] == []
    finally:
        await portal.close()
        machine.drop_database(restored)


def run(arguments: list[str], environment: dict[str, str]) -> None:
    program, *rest = arguments
    done = subprocess.run([binary(program), *rest], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
