"""What the doors are given: built once by the composition root (or by a test) and read by every route."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from fastapi.telemetry import TelemetryConfig

from activities.connecting import Connected
from api.counting import Counts
from api.processes import Processes
from connectors.erp.csv import Days
from connectors.telemetry.metrics import new_registry
from store.access import PaymentOffer
from store.database import Database

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a route may use. `portal` reads as `duly_portal` (SELECT only, bound by row-level security), `staff`
    reads and writes sessions, links, settings, the access log and the webhook inbox as `duly_staff`.

    `form_keys` sign forms, the newest first; each of them verifies. `sealing_keys` (id, 32 bytes) seal what
    must be read again (api/security/sealing.py), the newest first. `connected` are the payment providers: they verify
    deliveries, and their pages are the only ones to which a customer is ever sent, besides `provider_origins`
    (scheme://host:port).
    `api_requests_per_minute` is what one key may ask of one process.
    `days` is the folder of what was paid on imported invoices, where this machine has it.
    `counts` are shown at `metrics_address` (host:port), never where customers come in.
    """

    portal: Database
    staff: Database
    processes: Processes
    clock: Clock
    base_url: str
    form_keys: tuple[bytes, ...]
    connected: Connected
    sealing_keys: tuple[tuple[str, bytes], ...] = ()
    provider_origins: frozenset[str] = frozenset()
    temporal_ui_url: str | None = None
    mail_url: str | None = None
    api_requests_per_minute: int = 1_200
    counts: Counts = field(default_factory=lambda: Counts(new_registry()))
    metrics_address: str | None = None
    days: Days | None = None
    is_traced: bool = False
    close_traces: Callable[[], None] = lambda: None

    @property
    def has_secure_cookies(self) -> bool:
        """Whether the portal is reached over https, so that its cookies may insist on it."""
        return self.base_url.startswith("https://")

    def page_origins(self) -> frozenset[str]:
        """Where customers may be sent: the pages of the providers that are connected at this moment."""
        return self.provider_origins | self.connected.page_origins

    def form_origins(self) -> frozenset[str]:
        """Where a form of ours may lead on to: those pages, and those on which staff give consent."""
        return self.page_origins() | self.connected.consent_origins

    def that_start(self, offers: tuple[PaymentOffer, ...]) -> tuple[PaymentOffer, ...]:
        """Without those whose connection cannot even be built here: a master key is gone, a package was taken away. What is
        offered over them could only end in 'we don't know yet'.
        """
        broken = self.connected.problems
        return tuple(each for each in offers if each.connection_id not in broken) if broken else offers

    @property
    def telemetry(self) -> TelemetryConfig:
        """FastAPI's own tracing: one span a request, where traces are wanted. It is told everything, for whatever a
        variable of the environment says: it would write down addresses and messages of errors otherwise.
        """
        return {
            "tracing": self.is_traced,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
            "auto_configure": False,
            "exclude": _is_not_worth_a_trace,
        }

    def may_send_to(self, url: str | None) -> bool:
        """Whether a customer may be redirected there: a page of a connected provider and nothing else."""
        if url is None:
            return False
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            return False
        return f"{parts.scheme}://{parts.netloc}" in self.page_origins()


def _is_not_worth_a_trace(scope: MutableMapping[str, Any]) -> bool:
    return bool(scope["path"].startswith(("/health", "/static/")))
