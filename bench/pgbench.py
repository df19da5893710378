"""pgbench, which comes with the embedded PostgreSQL: one prepared statement, many clients, no Python in between."""

import asyncio
import os
import re
from pathlib import Path

from bench.case import Sample
from bench.ground import DATABASE, Ground
from launch.postgres import ADMIN, binary


class PgbenchFailed(Exception):
    """pgbench did not do what it was asked; the message is what it said."""


async def run(ground: Ground, script: str, *, clients: int, turns: int) -> Sample:
    """Every client runs the script `turns` times. A script may use :client_id, and :n for a counter that it raises."""
    file = ground.folder / "script.sql"
    await asyncio.to_thread(file.write_text, script)
    process = await asyncio.create_subprocess_exec(
        *_command(ground, file, clients=clients, turns=turns),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PGPASSWORD": ground.cluster.admin_password, "LC_ALL": "C"},
    )
    said, complained = (text.decode() for text in await process.communicate())
    rate = re.search(r"^tps = ([0-9.]+)", said, re.MULTILINE)
    failures = re.search(r"number of failed transactions: (\d+)", said)
    if process.returncode != 0 or rate is None or failures is None or failures[1] != "0":
        raise PgbenchFailed(f"{complained}\n{said}")
    done = clients * turns
    return Sample(operations=done, wall_seconds=done / float(rate[1]))


def _command(ground: Ground, file: Path, *, clients: int, turns: int) -> list[str]:
    connection = ["--host", str(ground.cluster.socket_folder), "--username", ADMIN]
    counts = ["--client", str(clients), "--jobs", "1", "--transactions", str(turns), "--define", "n=0"]
    return [
        str(binary("pgbench")), *connection, "--no-vacuum", "--protocol", "prepared", *counts,
        "--file", str(file), DATABASE,
    ]  # fmt: skip
