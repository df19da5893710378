"""Settings → database, connectors, client, activities, doors. The only place that knows concrete classes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from temporalio.client import (
    Client,
    Plugin,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.runtime import Runtime

from activities.applying import Applying
from activities.catching_up import CatchingUp
from activities.connecting import SAVED, Connected, Workshop, offers_of
from activities.decisions import Decisions
from activities.documents import Documents
from activities.events import Events
from activities.mailing import Mailing
from activities.method_changes import MethodChanges
from activities.payments import Payments
from activities.pokes import QUEUE, Pokes
from activities.posting import Postings
from activities.providers import queue_of
from activities.reconciling import Reconciling
from activities.refunds import Refunds
from activities.setups import Setups
from activities.syncing import Syncing
from api.processes import Processes
from api.services import Services
from connectors import registry
from connectors.declaring import Given
from connectors.erp.csv import DayBooks, Days
from connectors.erp.ports import LedgerErp
from connectors.mail.smtp import SmtpConfig, SmtpMail
from connectors.payments.declaring import ConnectionSettings
from connectors.payments.ports import PaymentProvider
from connectors.telemetry import metrics
from connectors.temporal.client import connect
from connectors.temporal.codec import UnknownKey
from domain.methods import MethodKind
from settings import Mode, Settings
from store import connections, consents, faults, managed
from store.database import Database
from store.envelopes import CannotOpen, Envelopes
from store.views import operations
from workflows import ids

if TYPE_CHECKING:
    from connectors.telemetry.traces import Tracing

PROVIDER: Final = "sandbox"
ERP: Final = "demo"
IMPORTED: Final = "csv"
"""The connection of what `duly import` takes in."""
CURRENCIES: Final = ("USD", "EUR", "GBP", "JPY")
SYNC_EVERY: Final = timedelta(seconds=15)
SWEEP_EVERY: Final = timedelta(seconds=30)
CATCH_UP_EVERY: Final = timedelta(days=1)
RECONCILE_EVERY: Final = timedelta(days=1)

Clock = Callable[[], datetime]


def now() -> datetime:
    """The clock of a running process."""
    return datetime.now(UTC)


class Looks:
    """Keeps a Schedule for each ERP, which is read, and for each connection that lists its events: also for those that staff
    make while this process runs.
    """

    def __init__(self, client: Client, connected: Connected) -> None:
        self._client = client
        self._connected = connected
        self._kept: dict[str, str | None] = {}  # on which queue each makes its calls

    async def follow(self) -> None:
        """Have what is new here read or asked for its events: now, and from then on every so often, as its rate allows."""
        providers = self._connected.providers
        for erp, queue in dict(self._connected.posters).items():
            if erp not in self._kept or self._kept[erp] != queue:
                await _keep_schedule(self._client, ids.sync(erp), "SyncErp", [erp, queue], SYNC_EVERY)
                self._kept[erp] = queue
        for each in list(self._connected.by_connection):
            queue, is_new = providers.queue_of(each, base=QUEUE), each not in self._kept
            if not is_new and self._kept[each] == queue:
                continue
            if providers.lists_events(each) is not None:
                schedule_id = ids.catch_up(each)
                await _keep_schedule(self._client, schedule_id, "CatchUp", [each, queue], CATCH_UP_EVERY, at_start=is_new)
            self._kept[each] = queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a worker works with."""

    client: Client
    database: Database
    pokes: Pokes
    payments: Payments
    setups: Setups
    method_changes: MethodChanges
    decisions: Decisions
    documents: Documents
    applying: Applying
    refunds: Refunds
    mailing: Mailing
    events: Events
    catching_up: CatchingUp
    reconciling: Reconciling
    connected: Connected
    looks: Looks
    mode: str
    clock: Clock
    erp: str
    """The connection to the ERP that the settings name."""

    def ledger(self, connection_id: str) -> tuple[Postings, Syncing]:
        """What writes to one ERP and reads it."""
        erps = self.connected.erps
        return (
            Postings(self.database, erps, self.clock, connection_id=connection_id, pokes=self.pokes),
            Syncing(self.database, erps, self.clock, connection_id=connection_id),
        )

    async def schedule(self) -> None:
        """Announce the connections and keep the Schedules as they are written here."""
        at = now()
        await self._wrap_secrets_anew()
        async with self.database.begin("announce") as tx:
            provider = self.connected.by_connection.get(PROVIDER)
            offers = {} if provider is None else offers_of(provider, MethodKind, CURRENCIES, SAVED)
            await connections.announce(
                tx, connection_id=PROVIDER, role="payments", connector=PROVIDER, mode=self.mode, offers=offers, at=at
            )
            for each in (ERP, *(found for found in self.connected.posters if found == IMPORTED)):
                await connections.announce(
                    tx, connection_id=each, role="erp", connector=each, mode=self.mode, offers={}, at=at
                )
        await _keep_schedule(self.client, ids.sweep(), "Sweep", [], SWEEP_EVERY)
        await _keep_schedule(self.client, ids.reconcile(), "Reconcile", ["schedule"], RECONCILE_EVERY)
        await self.looks.follow()
        self.pokes.poster()
        self.pokes.mailer()

    async def _wrap_secrets_anew(self) -> None:
        """A master key that was put before the others takes over; the older ones can go once every worker has begun anew."""
        envelopes = self.connected.workshop.envelopes
        if envelopes.can_seal:
            with contextlib.suppress(CannotOpen):  # staff are told on the connection's page why it does not start
                async with self.database.begin("wrap_secrets") as tx:
                    await managed.wrap_anew(tx, envelopes)
                    await consents.wrap_anew(tx, envelopes)


async def _keep_schedule(
    client: Client,
    schedule_id: str,
    workflow: str,
    args: Sequence[str | None],
    every: timedelta,
    *,
    at_start: bool = False,
) -> None:
    """Make a Schedule that is not there, and let it run; one that is there takes these arguments, and stays as it is else.
    `at_start`: let one that is there run as well, unless it does.
    """
    action = ScheduleActionStartWorkflow(workflow, args=args, id=schedule_id, task_queue=QUEUE)
    schedule = Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=10)),
    )
    try:
        await client.create_schedule(schedule_id, schedule, trigger_immediately=True)
    except ScheduleAlreadyRunningError:
        handle = client.get_schedule_handle(schedule_id)
        await handle.update(lambda there: _with_action(client, there, action))
        if at_start:
            await handle.trigger(overlap=ScheduleOverlapPolicy.SKIP)


async def _with_action(
    client: Client, there: ScheduleUpdateInput, action: ScheduleActionStartWorkflow
) -> ScheduleUpdate | None:
    """A Schedule with another action; None where its arguments are these already. Whether it is paused stays as it is."""
    schedule = there.description.schedule
    before = schedule.action
    if isinstance(before, ScheduleActionStartWorkflow):
        with contextlib.suppress(UnknownKey):  # written with a key that is gone: nobody could start it any more
            # A queue that is none is not told to a Schedule that was made before there were any: an older worker may run it.
            if _told(await client.data_converter.decode(before.args)) == _told(action.args):
                return None
    return ScheduleUpdate(schedule=replace(schedule, action=action))


def _told(args: Sequence[object]) -> list[object]:
    return [each for each in args if each is not None]


def codec_keys(settings: Settings) -> list[tuple[str, bytes]]:
    """The payload codec's keys. Raises ValueError when there is none."""
    return [(key.key_id, key.secret) for key in settings.codec_keys()]


async def temporal_client(settings: Settings, *, runtime: Runtime | None = None, plugins: Sequence[Plugin] = ()) -> Client:
    """Connected, with our converter."""
    return await connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        keys=codec_keys(settings),
        runtime=runtime,
        plugins=plugins,
    )


def traced(settings: Settings, *, service: str) -> Tracing | None:
    """Tracing switched on for this process, where an endpoint is set; else nothing of it is even loaded."""
    if settings.traces_endpoint is None:
        return None
    from connectors.telemetry import traces

    tracing = traces.over_http(
        settings.traces_endpoint, settings.trace_headers(), service=service, percent=settings.traces_percent
    )
    tracing.switch_on()
    return tracing


@contextlib.asynccontextmanager
async def watched(settings: Settings, *, clock: Clock = now) -> AsyncIterator[None]:
    """A worker's metrics while inside: its process, and the books, which are read when they are asked for.

    They have a connection of their own: a scrape neither waits for work nor is waited for.
    """
    if settings.metrics_address is None or settings.worker_database_url is None:
        yield
        return
    books = Database(settings.worker_database_url.get_secret_value(), pool_size=1, statement_timeout_ms=3000)

    async def read() -> metrics.Figures:
        async with books.begin("metrics") as tx:
            return await operations.figures(tx, at=clock())

    registry = metrics.new_registry()
    registry.register(metrics.BooksCollector(metrics.from_loop(read, asyncio.get_running_loop())))
    with metrics.served(settings.metrics_address, registry):
        yield
    await books.close()


def providers(settings: Settings) -> dict[str, PaymentProvider]:
    """The payment providers that the settings name, by connection."""
    if settings.provider_url is None:
        return {}
    given = ConnectionSettings(
        values={
            "address": (settings.provider_url,),
            "api_key": (settings.provider_api_key.get_secret_value(),),
            "webhook_secret": settings.webhook_secrets(),
        },
        is_live=False,
        kinds=frozenset(MethodKind),
    )
    return {PROVIDER: registry.payment_connectors()[PROVIDER].build(given)}


def connections_of(settings: Settings, database: Database, *, erps: Mapping[str, LedgerErp] | None = None) -> Connected:
    """The payment providers that the settings name and those that staff connected; the latter once it is refreshed. `erps`
    that the settings name: none where nothing is read or posted.
    """
    workshop = Workshop(
        connectors=registry.payment_connectors(),
        erp_connectors=registry.erp_connectors(),
        envelopes=Envelopes([(key.key_id, key.secret) for key in settings.sealing_keys()]),
        is_live=settings.mode is Mode.LIVE,
        addresses=settings.simulated_providers(),
    )
    return Connected(database, workshop, providers(settings), erps=erps)


def erp(settings: Settings) -> LedgerErp:
    """The ERP that the settings name. Raises ValueError without one."""
    if settings.erp_url is None:
        raise ValueError("DULY_ERP_URL is not set: there is no ERP to read invoices from")
    values = {
        "address": (settings.erp_url,),
        "api_key": (settings.erp_api_key.get_secret_value(),),
        "request_life_seconds": (str(settings.erp_request_life_seconds),),
    }
    return registry.erp_connectors()[ERP].build(Given(values=values, is_live=False))


def days(settings: Settings, *, clock: Clock = now) -> Days | None:
    """The folder of what was paid on imported invoices, where one is set."""
    return None if settings.export_dir is None else Days(settings.export_dir, clock)


def erps(settings: Settings, *, clock: Clock = now) -> dict[str, LedgerErp]:
    """The ERPs that the settings name, by connection: the folder for what was paid on imported invoices is one. Raises
    ValueError without the first.
    """
    found = {ERP: erp(settings)}
    folder = days(settings, clock=clock)
    if folder is not None and settings.export_dir is not None:
        settings.export_dir.mkdir(parents=True, exist_ok=True)
        found[IMPORTED] = DayBooks(folder)
    return found


async def hands(settings: Settings, stack: contextlib.AsyncExitStack, *, clock: Clock = now) -> Hands:
    """Everything a worker needs; closed by the stack."""
    faults.install(settings.fault, settings.fault_marker)
    if settings.worker_database_url is None:
        raise ValueError("DULY_WORKER_DATABASE_URL is not set: a worker has no database")
    database = Database(settings.worker_database_url.get_secret_value(), pool_size=16)
    stack.push_async_callback(database.close)
    tracing = traced(settings, service="duly-worker")
    if tracing is not None:
        stack.push_async_callback(asyncio.to_thread, tracing.close)
    client = await temporal_client(
        settings,
        runtime=metrics.runtime(settings.temporal_metrics_address),
        plugins=[] if tracing is None else [tracing.plugin],
    )
    connected = connections_of(settings, database, erps=erps(settings, clock=clock))
    if IMPORTED in connected.posters:
        connected.posters[IMPORTED] = queue_of(QUEUE, IMPORTED)
    for each in (*connected.by_connection.values(), *connected.erps.values()):
        close_with(stack, each)
    stack.push_async_callback(connected.aclose)
    await connected.refresh()
    mail = SmtpMail(
        SmtpConfig(host=settings.smtp_host, port=settings.smtp_port, sender_address=settings.mail_from, sender_name="Duly")
    )
    pokes = Pokes(client, erps=connected.posters)
    registered = connected.providers
    setups = Setups(database, registered, clock, pokes, base_url=settings.base_url)
    return Hands(
        client=client,
        database=database,
        pokes=pokes,
        payments=Payments(database, registered, clock, pokes, base_url=settings.base_url, erp=ERP),
        setups=setups,
        method_changes=MethodChanges(database, registered, clock),
        decisions=Decisions(database, clock, pokes),
        documents=Documents(database, connected.erps, clock),
        applying=Applying(database, clock, pokes, erp=ERP),
        refunds=Refunds(database, registered, clock, pokes, erp=ERP),
        mailing=Mailing(database, mail, clock, pokes, base_url=settings.base_url),
        events=Events(database, registered, clock, client, pokes, setups, erp=ERP),
        catching_up=CatchingUp(database, registered, clock, client),
        reconciling=Reconciling(database, registered, connected.erps, connected.posters, clock),
        connected=connected,
        looks=Looks(client, connected),
        mode=settings.mode.value,
        clock=clock,
        erp=ERP,
    )


def close_with(stack: contextlib.AsyncExitStack, connector: object) -> None:
    """Close the connector's connections when the stack ends, where it has any."""
    close = getattr(connector, "aclose", None)
    if close is not None:
        stack.push_async_callback(close)


def services(settings: Settings, *, clock: Clock = now) -> Services:
    """What the doors are given. Temporal is connected lazily, so that pages are up before it is."""
    faults.install(settings.fault, settings.fault_marker)
    if settings.portal_database_url is None or settings.staff_database_url is None:
        raise ValueError("DULY_PORTAL_DATABASE_URL and DULY_STAFF_DATABASE_URL are not set: the API has no database")
    tracing = traced(settings, service="duly-api")
    staff = Database(settings.staff_database_url.get_secret_value())
    return Services(
        portal=Database(settings.portal_database_url.get_secret_value()),
        staff=staff,
        processes=Processes(_client_that_connects_later(settings, [] if tracing is None else [tracing.plugin])),
        clock=clock,
        base_url=settings.base_url,
        form_keys=(settings.form_key.get_secret_value().encode(),),
        sealing_keys=tuple(codec_keys(settings)),
        connected=connections_of(settings, staff),
        temporal_ui_url=settings.temporal_ui_url,
        mail_url=settings.mail_url,
        api_requests_per_minute=settings.api_requests_per_minute,
        metrics_address=settings.metrics_address,
        days=days(settings, clock=clock),
        is_traced=tracing is not None,
        close_traces=tracing.close if tracing is not None else lambda: None,
    )


def _client_that_connects_later(settings: Settings, plugins: Sequence[Plugin]) -> Client:
    """Opens nothing yet, so that pages are up before Temporal is. Made in a thread: a factory may be called in a loop."""
    coroutine = connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        keys=codec_keys(settings),
        lazy=True,
        plugins=plugins,
    )
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
