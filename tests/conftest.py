"""The ground that tests stand on: real PostgreSQL, real Temporal, a real browser.

Each pytest process starts its own servers when the first test asks for them, and stops them at its end. All
asynchronous tests and fixtures of a process share one event loop, so clients may live for the session.
"""

import os
import secrets
import shutil
import sysconfig
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from connectors.conformance.leaving_out import LEFT_OUT
from launch import postgres, temporal
from store import provision
from tests.connectors.traps import APPLIES_TO
from tests.machine import (
    CHROMIUM_ARGUMENTS,
    ROLE_PASSWORD,
    ROLES,
    TEMPLATE,
    Database,
    chromium,
    close_to_visitors,
    create_database,
    drop_database,
    free_port,
    let_go,
    servers_home,
)

if TYPE_CHECKING:
    from tests.processes.house import House

# ---------------------------------------------------------------- PostgreSQL


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder with a short path (a socket's path must be short) for this process's servers."""
    folder = Path(tempfile.mkdtemp(prefix="duly-", dir=servers_home()))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_cluster(server_folder: Path) -> Iterator[postgres.Cluster]:
    """A running, empty PostgreSQL."""
    cluster = postgres.prepare_cluster(server_folder / "pg", admin_password=secrets.token_urlsafe())
    # A test machine that loses power loses nothing that matters; killing the server is still safe. A connection that a test
    # left half made keeps its database from being dropped until the server gives it up, which is a minute by default.
    options = ["fsync=off", "full_page_writes=off", "authentication_timeout=5"]
    program = cluster.program(log_file=server_folder / "postgres.log", options=options)
    running = program.start()
    try:
        running.wait_until_ready()
        yield cluster
    finally:
        let_go(cluster.admin_url(driver="postgresql"))
        running.stop()


@pytest.fixture(scope="session")
def migrated_template(postgres_cluster: postgres.Cluster) -> str:
    """The name of a database that is migrated once and copied for each test."""
    postgres_cluster.make_database(TEMPLATE)
    provision.prepare_now(postgres_cluster.admin_url(TEMPLATE), dict.fromkeys(ROLES, ROLE_PASSWORD))
    close_to_visitors(postgres_cluster, TEMPLATE)
    return TEMPLATE


@pytest.fixture
def database(postgres_cluster: postgres.Cluster, migrated_template: str) -> Iterator[Database]:
    """A fresh, migrated database for one test, with an address for each role."""
    fresh = create_database(postgres_cluster, template=migrated_template)
    yield fresh
    drop_database(fresh)


# ---------------------------------------------------------------- Temporal


@pytest.fixture(scope="session")
def temporal_address(server_folder: Path) -> Iterator[str]:
    """The address of a running development server, which all tests of this process share."""
    port = free_port()
    running = temporal.server(
        port=port,
        ui_port=None,
        database_file=server_folder / "temporal.db",
        log_file=server_folder / "temporal.log",
    ).start()
    try:
        running.wait_until_ready()
        yield f"127.0.0.1:{port}"
    finally:
        running.stop()


@pytest_asyncio.fixture(scope="session")
async def temporal_client(temporal_address: str) -> Client:
    """A client with Temporal's own data converter; ours connects to `temporal_address` itself."""
    return await Client.connect(temporal_address)


@pytest.fixture
def task_queue() -> str:
    """A task queue that no other test works on."""
    return f"test-{secrets.token_hex(6)}"


@pytest_asyncio.fixture
async def start_time_skipping() -> AsyncIterator[Callable[..., Awaitable[WorkflowEnvironment]]]:
    """Start a server whose clock jumps over waiting; one for each test, for a failing workflow task stops the
    jumping for good. Takes the keyword arguments of `WorkflowEnvironment.start_time_skipping`.
    """
    started: list[WorkflowEnvironment] = []
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"

    async def start(**options: object) -> WorkflowEnvironment:
        environment = await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(binary),
            **options,  # type: ignore[arg-type]
        )
        started.append(environment)
        return environment

    yield start
    for environment in started:
        await environment.shutdown()


# ---------------------------------------------------------------- Browser


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A running Chromium. `browser.new_context(java_script_enabled=False, color_scheme='dark', …)` makes a
    visitor of its own.
    """
    path = chromium()
    assert path is not None, "Chromium is missing: run `make browser`"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield running
        await running.close()


@pytest_asyncio.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An empty page of a new visitor."""
    context = await browser.new_context()
    yield await context.new_page()
    await context.close()


# ---------------------------------------------------------------- The whole house


@pytest_asyncio.fixture(scope="session")
async def house() -> AsyncIterator["House"]:
    """One running Duly for all tests of a pytest process that ask for it; each test has customers of its own."""
    from tests.processes import house as houses  # what few tests need is not loaded by all

    folder = Path(tempfile.mkdtemp(prefix="duly-house-", dir=servers_home()))
    running = await houses.start(folder)
    yield running
    await houses.stop(running)
    shutil.rmtree(folder, ignore_errors=True)


# ---------------------------------------------------------------- Which process runs what

TOGETHER: Final = (
    "tests/processes/",
    "tests/browser/",
    "tests/tryton/",
    *("tests/house/test_tidy.py", "tests/launch/test_machine.py", "tests/launch/test_check_command.py"),
    *("tests/connectors/test_a_package_from_elsewhere.py", "tests/simulators/test_demo_company.py"),
    *(f"tests/connectors/{vendor}/" for vendor in ("adyen", "stripe", "gocardless")),
    *(f"tests/connectors/{vendor}/" for vendor in APPLIES_TO),
)
"""What begins so slowly that one process begins it, and runs all that need it: two houses (one for browsers), however many
processes there are. One more would cost half a minute to begin and to end, and its schedules would never rest. A vendor's
simulator is begun once, too. By path: a mark for groups does nothing with this pytest.
"""


def _group_of(nodeid: str) -> str:
    return next((each for each in TOGETHER if nodeid.startswith(each)), nodeid)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """A house is left with the last test of its group: its schedules would cost a third of a core to the end of the run."""
    if nextitem is not None and _group_of(nextitem.nodeid) == _group_of(item.nodeid):
        return
    if isinstance(item, pytest.Function) and "house" in item.fixturenames:
        for made in item.session._fixturemanager.getfixturedefs("house", item) or ():  # there is no public way
            made.finish(item._request)  # type: ignore[arg-type]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Test by test, the large groups first."""
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class Together(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _group_of(nodeid)

    return Together(config, log)


# ---------------------------------------------------------------- Skips

_unexpected_skips: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    expected = "may_skip" in report.keywords or hasattr(report, "wasxfail") or _is_left_out(report)
    _note_skip(report.nodeid, report, expected=expected)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note_skip(report.nodeid, report, expected=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that did not run is a test that failed, unless it is marked `may_skip(reason)` or the conformance kit
    leaves it out by declaration, and counts that.
    """
    if _unexpected_skips and os.environ.get("CI") == "true" and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _unexpected_skips:
        terminalreporter.write_line(f"unexpected skip, a failure in CI: {line}", red=True)


def _is_left_out(report: pytest.TestReport) -> bool:
    return isinstance(report.longrepr, tuple) and report.longrepr[2].startswith(f"Skipped: {LEFT_OUT}")


def _note_skip(node: str, report: pytest.TestReport | pytest.CollectReport, *, expected: bool) -> None:
    if report.skipped and not expected:
        _unexpected_skips.append(node)
