"""What a package of a payment connector declares: its name, what staff must give it, and how a connection is built of that.

The entry point of a package (group `duly.payments`) names one `PaymentConnector`. Its settings become the form on which
staff connect it; secrets are stored sealed, and `build` gets them opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from connectors.errors import Misconfigured
from connectors.payments.ports import PaymentProvider
from domain.methods import MethodKind


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
class ConnectionSettings:
    """What one connection was given: its settings by name (the newest first), and the kinds of methods it is to take.

    `base_url` stands in for the vendor's own address where a simulator plays the vendor; never where money is real.
    """

    values: Mapping[str, tuple[str, ...]]
    is_live: bool
    kinds: frozenset[MethodKind]
    base_url: str | None = None

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentConnector:
    """A connector that can be connected.

    `build` raises Misconfigured with a sentence for staff: a short webhook secret, a test key on a live connection.
    `kinds` is the most that it can take, `countries` where the customer must be for it: by kind and currency, as ISO 3166
    codes; a kind that is not named is taken from everywhere. `calls_per_second` is how often the vendor lets one account
    call; None where it does not say. `events` are those that must be switched on over there, in the vendor's words.
    `only_tests` is set where no real money can ever move. `page` is its page of the documentation.
    """

    name: str
    title: str
    settings: tuple[ConnectorSetting, ...]
    build: Callable[[ConnectionSettings], PaymentProvider]
    kinds: tuple[MethodKind, ...]
    countries: Mapping[MethodKind, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    calls_per_second: int | None = None
    only_tests: bool = False
    events: tuple[str, ...] = ()
    page: str | None = None
