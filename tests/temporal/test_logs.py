"""What a command answers on standard output is the answer and nothing else, however badly Temporal is doing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from launch import temporal
from tests.machine import free_port

ASKS: Final = """
import asyncio, datetime, sys
from connectors.temporal.client import connect

async def ask():
    client = await connect(sys.argv[1], namespace="default", keys=[("k", b"0" * 32)])
    print("connected", flush=True)
    sys.stdin.readline()
    try:
        await client.get_workflow_handle("x").describe(rpc_timeout=datetime.timedelta(seconds=8))
    except Exception as error:
        print("answer", type(error).__name__)
    await asyncio.sleep(0.5)

asyncio.run(ask())
"""


def test_what_temporals_core_warns_of_is_no_part_of_an_answer(tmp_path: Path) -> None:
    port = free_port()
    server = temporal.server(
        port=port, ui_port=None, database_file=tmp_path / "temporal.db", log_file=tmp_path / "temporal.log"
    ).start()
    try:
        server.wait_until_ready()
        command = [sys.executable, "-c", ASKS, f"127.0.0.1:{port}"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as asking:
            assert asking.stdout is not None
            assert asking.stdout.readline() == "connected\n"
            server.kill()
            told, logged = asking.communicate("\n", timeout=60)
    finally:
        server.stop()
    assert told == "answer RPCError\n"
    assert "retried" in logged
