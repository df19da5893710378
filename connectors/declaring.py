"""What any connector declares and is given: settings that become a form for staff, and their values when it is built."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connectors.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSetting:
    """One thing that a connection must be given. `label` and `help` are read by staff.

    A secret is stored sealed and never shown again. One that `is_rotated` overlaps with the one before it: both are given
    to `build`, the newest first. `choices` are (word, label): then it is one of them, the first where nothing is said.
    """

    name: str
    label: str
    help: str = ""
    is_secret: bool = False
    is_rotated: bool = False
    is_optional: bool = False
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What a vendor's consent page led to. The refresh token is good for one renewal, which answers the next pair."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: datetime  # of the access token, UTC


class RotatingTokens(Protocol):
    """The one place where a connection's tokens are, for all processes that use it."""

    async def current(self) -> TokenPair:
        """The pair as it is now. Raises Misconfigured where nobody has given consent yet."""
        ...

    async def renewed(self, used: TokenPair, renew: Callable[[TokenPair], Awaitable[TokenPair]]) -> TokenPair:
        """The pair after `used`: what another process renewed it to meanwhile, else what `renew` answers.

        One renewal at a time for each connection, and the new pair is stored before anybody is given it: two renewals with
        one refresh token make the vendor revoke both. Raises what `renew` raises, and then stores no pair; after
        ConsentGone nobody is given this one again.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What one connection was given: its settings by name (the newest first).

    `base_url` stands in for the vendor's own address where a simulator plays the vendor; never where money is real.
    `tokens` are there for a connector that needs a person's consent at the vendor.
    """

    values: Mapping[str, tuple[str, ...]]
    is_live: bool
    base_url: str | None = None
    tokens: RotatingTokens | None = None

    def one(self, name: str) -> str:
        """The setting as it is now. Raises Misconfigured without one."""
        found = self.optional(name)
        if found is None:
            raise Misconfigured(f"{name} is missing.")
        return found

    def optional(self, name: str) -> str | None:
        """The setting as it is now; None where nothing was given."""
        return next((each for each in self.values.get(name, ()) if each), None)

    def every(self, name: str) -> tuple[str, ...]:
        """Every value that still counts, the newest first."""
        return self.values.get(name, ())
