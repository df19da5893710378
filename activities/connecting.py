"""The connections that staff made, as connectors that this process has built: followed while it runs.

Every process (workers, API) compares the connections' versions with what it built, every other second and whenever it meets
something unknown. A connection that is switched off stays built: what it began must be seen through.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from activities.consenting import StoredTokens
from activities.pokes import QUEUE
from activities.providers import Providers, queue_of
from connectors.declaring import Given, RotatingTokens
from connectors.erp.declaring import Consent, Consented, ErpConnector
from connectors.erp.ports import LedgerErp
from connectors.errors import Misconfigured, OutcomeUnknown, Throttled, Unavailable
from connectors.payments.declaring import ConnectionSettings, PaymentConnector
from connectors.payments.ports import Capability, HasPages, PaymentProvider
from domain.methods import MethodKind
from store import managed
from store.database import Database
from store.envelopes import CannotOpen, Envelopes
from store.managed import ManagedConnection

logger = logging.getLogger(__name__)

SAVED: Final = Capability.SET_UP | Capability.CHARGE_SAVED
ONCE: Final = Capability.PAY_ONCE
EVERY_SECONDS: Final = 2.0
_CONSENTED_WITHIN_SECONDS: Final = 12
_CLOSE_AFTER_SECONDS: Final = 60.0
_LOOK_AGAIN_SECONDS: Final = 0.5
_KINDS: Final = {each.value: each for each in MethodKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What connections are built with: connectors by name, keys for their secrets, whether this Duly moves real money,
    and where a simulator plays a vendor (address by connector's name).
    """

    connectors: Mapping[str, PaymentConnector]
    erp_connectors: Mapping[str, ErpConnector] = field(default_factory=dict)
    envelopes: Envelopes
    is_live: bool
    addresses: Mapping[str, str] = field(default_factory=dict)

    def build(self, connector: str, given: Mapping[str, tuple[str, ...]], kinds: Collection[str]) -> PaymentProvider:
        """A connection of what it was given, the newest first. Raises Misconfigured with a sentence for staff."""
        if connector not in self.connectors:
            raise Misconfigured(f"No connector called {connector} is installed.")
        return self.connectors[connector].build(
            ConnectionSettings(
                values=given,
                is_live=self.is_live,
                kinds=frozenset(_KINDS[each] for each in kinds if each in _KINDS),
                base_url=self.addresses.get(connector),
            )
        )

    def build_erp(
        self, connector: str, given: Mapping[str, tuple[str, ...]], tokens: RotatingTokens | None = None
    ) -> LedgerErp:
        """The same of an ERP. Raises Misconfigured with a sentence for staff."""
        if connector not in self.erp_connectors:
            raise Misconfigured(f"No ERP connector called {connector} is installed.")
        return self.erp_connectors[connector].build(self.given_to_erp(connector, given, tokens))

    def given_to_erp(
        self, connector: str, given: Mapping[str, tuple[str, ...]], tokens: RotatingTokens | None = None
    ) -> Given:
        """What an ERP's connector works with."""
        return Given(values=given, is_live=self.is_live, base_url=self.addresses.get(connector), tokens=tokens)

    def consent_of(self, connector: str) -> Consent | None:
        """How a person's consent is asked for at an ERP's vendor, where it needs one."""
        declared = self.erp_connectors.get(connector)
        return None if declared is None else declared.consent

    async def consented(self, row: ManagedConnection, code: str, way_back: str) -> Consented:
        """What a code that came back is worth at the vendor. Raises Misconfigured with a sentence for staff, Unavailable."""
        declared = self.consent_of(row.connector)
        if declared is None:
            raise Misconfigured("This connector needs no consent.")
        try:
            async with asyncio.timeout(_CONSENTED_WITHIN_SECONDS):
                return await declared.exchange(self.given_to_erp(row.connector, self.opened(row)), code, way_back)
        except (OutcomeUnknown, Throttled, TimeoutError) as silent:
            raise Unavailable("The vendor did not answer") from silent

    def opened(self, row: ManagedConnection) -> Mapping[str, tuple[str, ...]]:
        """What a connection was given, its secrets opened. Raises Misconfigured when one cannot be."""
        given = {name: (value,) for name, value in row.given.items()}
        try:
            for each in row.secrets:
                secret = self.envelopes.open(each.sealed, owner=managed.owner_of(row.id, each.name))
                given[each.name] = (*given.get(each.name, ()), secret)
        except CannotOpen as error:
            raise Misconfigured(f"The stored secrets cannot be opened: {error}.") from error
        return given


class Connected:
    """Connectors by connection: those that this process's settings name, and those that staff made."""

    def __init__(
        self,
        database: Database,
        workshop: Workshop,
        fixed: Mapping[str, PaymentProvider] | None = None,
        *,
        erps: Mapping[str, LedgerErp] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.by_connection: dict[str, PaymentProvider] = dict(fixed or {})
        """Read by everybody, changed here only."""
        self.erps: dict[str, LedgerErp] = dict(erps or {})
        """The same for ERPs."""
        self.posters: dict[str, str | None] = dict.fromkeys(self.erps)
        """The ERPs that are written to, each with the queue of its calls: those that staff made have one of their own."""
        self.problems: dict[str, str] = {}
        """Why a connection could not be built, in a sentence for staff."""
        self.rates: dict[str, int] = {}
        """How many calls a second a connection may make, where its vendor says."""
        self.providers = Providers(self.by_connection, self.rates)
        self.page_origins = _origins(self.by_connection)
        """Where the pages of all of them live."""
        self.consent_origins: frozenset[str] = frozenset()
        """Where staff are sent to give consent: for their forms, and for no customer."""
        self._clock = clock
        self._asks_at: dict[str, str] = {}
        self._database = database
        self.workshop = workshop
        self._built: dict[str, int] = {}
        self._retired: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._looked_at = 0.0

    async def refresh(self) -> None:
        """Build what is new or was changed. What cannot be built is told in `problems`, and stays away."""
        async with self._lock:
            async with self._database.begin("connections.read") as tx:
                wanted = await managed.versions(tx)
                rows = [] if wanted == self._built else await managed.every(tx)
            self._looked_at = time.monotonic()
            for row in rows:
                if self._built.get(row.id) != row.version:
                    self._build(row)
            if rows:
                self.page_origins = _origins(self.by_connection)
                self.consent_origins = frozenset(self._asks_at.values())

    async def refresh_soon(self) -> bool:
        """The same, unless it was just done: for whoever meets something unknown. Whether it was done."""
        if time.monotonic() - self._looked_at < _LOOK_AGAIN_SECONDS:
            return False
        await self.refresh()
        return True

    async def follow(self, then: Callable[[], Awaitable[None]] | None = None) -> None:
        """Refresh for ever; a database that is away is tried again. `then` is called after each time."""
        while True:
            try:
                await self.refresh()
                if then is not None:
                    await then()
            except Exception as error:  # whatever it is, the connections that are built go on
                logger.warning("could not look at the connections: %s", type(error).__name__)
            await asyncio.sleep(EVERY_SECONDS)

    async def aclose(self) -> None:
        """Close everything that was built here."""
        for closing in self._retired:
            closing.cancel()
        await asyncio.gather(*self._retired, return_exceptions=True)
        for connection_id in self._built:
            for built in (self.by_connection, self.erps):
                if connection_id in built:
                    await _close(built.pop(connection_id))
        self._built.clear()

    def _build(self, row: ManagedConnection) -> None:
        before = self.by_connection.pop(row.id, None) or self.erps.pop(row.id, None)
        if before is not None:  # a call may be under way
            closing = asyncio.create_task(_close_later(before))
            self._retired.add(closing)
            closing.add_done_callback(self._retired.discard)
        self._built[row.id] = row.version
        self.problems.pop(row.id, None)
        if row.calls_per_second is not None and row.role == "payments":
            self.rates[row.id] = row.calls_per_second
        try:
            if row.role == "erp":
                self.posters[row.id] = queue_of(QUEUE, row.id)
                self._build_erp(row)
            else:
                self.by_connection[row.id] = self.workshop.build(row.connector, self.workshop.opened(row), row.kinds)
        except Misconfigured as error:
            self.problems[row.id] = str(error)
            logger.warning("connection %s does not start: %s", row.id, error)

    def _build_erp(self, row: ManagedConnection) -> None:
        opened = self.workshop.opened(row)
        consent, tokens = self.workshop.consent_of(row.connector), None
        if consent is not None:
            tokens = StoredTokens(self._database, self.workshop.envelopes, row.id, self._clock)
            page = urlsplit(consent.address(self.workshop.given_to_erp(row.connector, opened), "", ""))
            self._asks_at[row.id] = f"{page.scheme}://{page.netloc}"
        self.erps[row.id] = self.workshop.build_erp(row.connector, opened, tokens)


def offers_of(
    provider: PaymentProvider, kinds: Iterable[MethodKind], currencies: Sequence[str], wanted: Capability
) -> dict[str, list[str]]:
    """What a connection can do of these, whole as `wanted`: currencies by kind. A kind that it can in none is left out."""
    served = {kind.value: [each for each in currencies if wanted in provider.capabilities(kind, each)] for kind in kinds}
    return {kind: found for kind, found in served.items() if found}


def _origins(providers: Mapping[str, PaymentProvider]) -> frozenset[str]:
    return frozenset(origin for each in providers.values() if isinstance(each, HasPages) for origin in each.page_origins)


async def _close_later(provider: object) -> None:
    """Once no call of it can be under way any more, or at once when the process ends."""
    try:
        await asyncio.sleep(_CLOSE_AFTER_SECONDS)
    finally:
        await _close(provider)


async def _close(provider: object) -> None:
    close = getattr(provider, "aclose", None)
    if close is not None:
        await close()
