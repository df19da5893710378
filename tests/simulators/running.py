"""Simulators as their users meet them: programs of their own, on free ports, stopped or killed by the test."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

START_SECONDS_MAX: Final = 30
ROOT: Final = Path(__file__).parents[2]


@dataclass(slots=True)
class Program:
    """One running program and the address that it printed."""

    url: str
    process: subprocess.Popen[str]
    lines: list[str]

    def stop(self) -> int:
        """Ask it to end; answers its exit status."""
        self.process.terminate()
        return self.process.wait(timeout=10)

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait(timeout=10)


def start(module: str, *arguments: str, environment: dict[str, str] | None = None) -> Program:
    """Start `python -m module` and read its first line, which ends with its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    program = Program(url=line.rpartition(" ")[2], process=process, lines=[line])
    try:
        assert " listening on http://" in line, f"{module} did not start: {line!r}"
        _wait_until_healthy(program)
    except BaseException:
        # Nobody else knows of it yet: it would outlive the tests.
        program.kill()
        raise
    return program


def _wait_until_healthy(program: Program) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    with httpx.Client(trust_env=False) as client:
        while True:
            try:
                if client.get(f"{program.url}/health").is_success:
                    return
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the program listens but does not answer"
            time.sleep(0.02)


@dataclass(slots=True)
class DemoErpProgram:
    """A running demo ERP with its key, and the tests' desk in it."""

    program: Program
    api_key: str
    data: Path
    _client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        self._client = httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)

    @property
    def url(self) -> str:
        return self.program.url

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request with the key."""
        return self._client.request(method, path, **options)

    def answer(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of a request that succeeds."""
        response = self.call(method, path, **options)
        assert response.is_success, response.text
        return None if response.status_code == 204 else response.json()

    def knobs(self, **knobs: Any) -> None:
        self.answer("POST", "/test/knobs", json=knobs)

    def act(self, act: str, **fields: Any) -> str:
        touched: str = self.answer("POST", "/test/act", json={"act": act, **fields})["touched"]
        return touched

    def invoice(self, invoice_id: str) -> dict[str, Any]:
        rows = self.answer("POST", "/invoices/lookup", json={"ids": [invoice_id]})["rows"]
        found: dict[str, Any] = rows[0]
        return found


def start_demo_erp(data: Path, *, api_key: str = "a key for tests", port: int = 0) -> DemoErpProgram:
    """Start a demo ERP over a file of books."""
    program = start(
        "simulators.demo_erp",
        *("--port", str(port), "--data", str(data)),
        environment={"DEMO_ERP_API_KEY": api_key},
    )
    return DemoErpProgram(program=program, api_key=api_key, data=data)
