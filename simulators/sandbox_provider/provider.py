"""Everything that makes up one running provider, put together once."""

from __future__ import annotations

from pathlib import Path

from simulators.sandbox_provider.charges import Charges
from simulators.sandbox_provider.clock import Clock
from simulators.sandbox_provider.events import Outbox
from simulators.sandbox_provider.faults import Faults
from simulators.sandbox_provider.idempotency import Idempotency
from simulators.sandbox_provider.methods import Methods
from simulators.sandbox_provider.payouts import Payouts
from simulators.sandbox_provider.refunds import Refunds
from simulators.sandbox_provider.schedule import Schedule
from simulators.sandbox_provider.settings import Knobs, Settings
from simulators.sandbox_provider.setups import Setups
from simulators.sandbox_provider.storage import Storage
from simulators.sandbox_provider.webhooks import Sender


class Provider:
    """The parts, by name."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self.settings = settings
        self.storage = Storage(path)
        self.knobs = Knobs(settings, self.storage)
        self.clock = Clock(self.storage)
        self.sender = Sender(self.storage, self.knobs, settings.webhook_secrets)
        self.outbox = Outbox(self.storage, self.clock, self.knobs, self.sender.wake)
        self.methods = Methods(self.storage, self.clock, self.outbox)
        self.charges = Charges(self.storage, self.clock, self.knobs, self.outbox, self.methods, settings.public_url)
        self.setups = Setups(self.storage, self.clock, self.outbox, self.methods, settings.public_url)
        self.refunds = Refunds(self.storage, self.clock, self.knobs, self.outbox, self.charges)
        self.payouts = Payouts(self.storage, self.clock)
        self.schedule = Schedule(self.storage, self.clock, self.charges, self.setups, self.refunds, self.payouts)
        self.idempotency = Idempotency(self.storage, self.clock)
        self.faults = Faults(self.storage, self.knobs)
