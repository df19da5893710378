"""`duly up --demo` for real: the company is there, its links open, its staff sign in, and the next start finds it all."""

import contextlib
import json
import re
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from launch.data_folder import DataFolder
from launch.demo import DEBIT_SECONDS, SETTINGS, STAFF_EMAIL
from launch.drill.ground import free_block

DULY = Path(sysconfig.get_path("scripts")) / "duly"
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class Demo:
    """A running demo and what it printed."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        self.folder = DataFolder(data_dir)
        output = data_dir.with_name(f"printed-{time.monotonic_ns()}")
        with output.open("w") as out:
            command = [str(DULY), "up", "--demo", "--data-dir", str(data_dir), *arguments]
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 240
        while "Ctrl-C stops everything" not in output.read_text():
            assert self.process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.2)
        self.printed = output.read_text()
        self.links = re.findall(r"http://\S+/l/\S+", self.printed)

    @property
    def password(self) -> str:
        found = re.search(rf"{STAFF_EMAIL}\s+(\S+)", self.printed)
        assert found is not None
        return found[1]

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        where = self.folder.info()["addresses"]["database"].split("host=")[1]
        password = self.folder.secrets().staff_password
        with psycopg.connect(host=where, dbname="duly", user="duly_staff", password=password) as connection:
            return connection.execute(statement.encode()).fetchall()

    def browser(self) -> httpx.Client:
        headers = {"Sec-Fetch-Site": "same-origin"}
        return httpx.Client(
            base_url=self.folder.info()["addresses"]["api"],
            trust_env=False,
            follow_redirects=True,
            headers=headers,
            timeout=30,
        )

    def stop(self) -> None:
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(timeout=90) == 0
        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="duly-") as folder:
        yield Path(folder) / "data"


def test_the_demo_opens_is_looked_at_and_finds_itself_again(data_dir: Path) -> None:
    first = Demo(data_dir, "--port", str(free_block(7)))
    try:
        _look_at(first)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            first.stop()
    again = Demo(data_dir)
    try:
        assert again.password == first.password
        assert not set(again.links) & set(first.links), "a link is shown once; each start makes fresh ones"
        assert again.rows("SELECT count(*) FROM invoices") == first_counts(again)
        assert again.rows("SELECT max(version) FROM settings") == [(1,)], "the settings were set once"
        assert again.rows("SELECT count(*) FROM staff") == [(2,)]
        with again.browser() as visitor:
            assert visitor.get(first.links[0]).status_code == 200, "the old links still open"
    finally:
        again.stop()


def first_counts(demo: Demo) -> list[tuple[object, ...]]:
    """What the ERP has, counted there."""
    key = demo.folder.secrets().erp_api_key
    with httpx.Client(
        base_url=demo.folder.info()["addresses"]["erp"], headers={"Authorization": f"Bearer {key}"}, trust_env=False
    ) as erp:
        count, cursor, more = 0, 0, True
        while more:
            page = erp.get("/invoices", params={"since": cursor, "limit": 500}).json()
            count, cursor, more = count + len(page["rows"]), page["next"], page["more"]
    return [(count,)]


def _look_at(demo: Demo) -> None:
    assert len(demo.links) == 7
    assert demo.rows("SELECT count(*) FROM invoices") == first_counts(demo)
    assert demo.rows("SELECT count(*) >= 40 FROM customers") == [(True,)]
    with demo.browser() as visitor:
        page = visitor.get(demo.links[0])
        assert str(SETTINGS["business_name"]) in page.text
        opened = visitor.post(demo.links[0])
        assert opened.status_code == 200
        assert "Brightwater" in opened.text
    with demo.browser() as staff:
        form = staff.get("/staff")
        found = CSRF.search(form.text)
        fields = {"email": STAFF_EMAIL, "password": demo.password, **({"csrf": found[1]} if found else {})}
        inside = staff.post(str(form.url.path), data=fields)
        assert inside.status_code == 200
        assert "Brightwater" in inside.text
    assert f"paid after {DEBIT_SECONDS[0]} s" in demo.printed
    assert json.loads((demo.folder.path / "demo.json").read_text()).keys() == {"staff_password"}


def test_no_invoice_of_the_company_carries_a_fault_of_the_sandbox() -> None:
    """Amounts that end in 9001 to 9012 are magic at the sandbox; a demo is not the place for its faults."""
    from datetime import date

    from simulators.company.generate import generate

    totals = [invoice["total"] for invoice in generate(date(2026, 3, 16)).invoices]
    assert [total for total in totals if 9001 <= total % 10_000 <= 9012] == []
