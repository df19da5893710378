"""What the environment sets, and what a test may turn while the program runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulators.sandbox_provider.storage import Storage

_DAY = 86_400
_SHORTEST_SECRET = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Read once at the start. Secrets are newest first; a delivery is signed with each of them.

    `debit_seconds` are the delays of a bank debit from acceptance to success, settlement and return, on the test clock.
    """

    api_key: str
    webhook_secrets: tuple[str, ...]
    public_url: str
    webhook_url: str | None
    debit_seconds: tuple[int, int, int]
    search_lag_seconds: int
    magic_amounts: bool


class SettingsError(ValueError):
    """The environment does not make sense; the message says what to set."""


def read_settings(environment: Mapping[str, str], *, public_url: str, webhook_url: str | None) -> Settings:
    """Settings from SANDBOX_* variables. Raises SettingsError."""
    api_key = environment.get("SANDBOX_API_KEY", "")
    secrets = tuple(part.strip() for part in environment.get("SANDBOX_WEBHOOK_SECRETS", "").split(",") if part.strip())
    if len(api_key) < _SHORTEST_SECRET:
        raise SettingsError(f"Set SANDBOX_API_KEY to at least {_SHORTEST_SECRET} characters.")
    if not secrets or min(map(len, secrets)) < _SHORTEST_SECRET:
        raise SettingsError(
            f"Set SANDBOX_WEBHOOK_SECRETS to one or more secrets, at least {_SHORTEST_SECRET} characters each, "
            "with commas between them, the newest first."
        )
    delays = environment.get("SANDBOX_DEBIT_SECONDS", f"{2 * _DAY},{4 * _DAY},{6 * _DAY}").split(",")
    if len(delays) != 3 or not all(delay.strip().isdigit() for delay in delays):
        raise SettingsError("Set SANDBOX_DEBIT_SECONDS to three whole numbers: succeed, settle, return.")
    lag = environment.get("SANDBOX_SEARCH_LAG_SECONDS", "0")
    if not lag.isdecimal():
        raise SettingsError("Set SANDBOX_SEARCH_LAG_SECONDS to a whole number of seconds.")
    succeed, settle, come_back = (int(delay) for delay in delays)
    return Settings(
        api_key=api_key,
        webhook_secrets=secrets,
        public_url=public_url.rstrip("/"),
        webhook_url=webhook_url,
        debit_seconds=(succeed, settle, come_back),
        search_lag_seconds=int(lag),
        magic_amounts=environment.get("SANDBOX_MAGIC_AMOUNTS", "1") != "0",
    )


class Knobs:
    """The settings in force: a test's own where it turned one, else the environment's."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage

    @property
    def debit_seconds(self) -> tuple[int, int, int]:
        """Delays to success, settlement and return, in seconds of the test clock."""
        succeed, settle, come_back = self._settings.debit_seconds
        return (
            self._storage.number("debit_succeed_seconds", succeed),
            self._storage.number("debit_settle_seconds", settle),
            self._storage.number("debit_return_seconds", come_back),
        )

    @property
    def search_lag_seconds(self) -> int:
        """How long a search by reference does not see what was just made, in real seconds."""
        return self._storage.number("search_lag_seconds", self._settings.search_lag_seconds)

    @property
    def magic_amounts(self) -> bool:
        """Whether an amount may carry a fault."""
        return bool(self._storage.knob("magic_amounts", self._settings.magic_amounts))

    @property
    def refund_path(self) -> str:
        """What becomes of the next refunds: succeeds, stays_pending, fails or fails_after_success."""
        return str(self._storage.knob("refund_path", "succeeds"))

    @property
    def webhook_url(self) -> str | None:
        """Where events go; None: they wait."""
        url = self._storage.knob("webhook_url", self._settings.webhook_url)
        return url if isinstance(url, str) and url else None
