"""The tokens of connections that need a person's consent: one place for all processes, one renewal at a time.

A pair is written before anybody is given it. A renewal without an answer leaves the pair that there is: it is tried again
with the same refresh token, which is what vendors keep it alive for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from connectors.declaring import TokenPair
from connectors.errors import ConsentGone, Misconfigured, OutcomeUnknown, Unavailable
from store import consents
from store.consents import Held
from store.database import Database
from store.envelopes import CannotOpen, Envelopes

# Less than the database lets anybody wait for a row: who waits is told that it is being renewed, and comes again.
RENEWED_WITHIN_SECONDS: Final = 4.0

_UNDER_WAY: Final[set[asyncio.Task[TokenPair]]] = set()

Renew = Callable[[TokenPair], Awaitable[TokenPair]]


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """`RotatingTokens` of one connection. Each method raises ConnectorError."""

    database: Database
    envelopes: Envelopes
    connection_id: str
    clock: Callable[[], datetime]

    async def current(self) -> TokenPair:
        """The pair as it is now. Raises Misconfigured where nobody has consented, or the vendor has ended it."""
        async with self.database.begin("tokens.read") as tx:
            held = await consents.read(tx, self.connection_id)
        return self._opened(held)

    async def renewed(self, used: TokenPair, renew: Renew) -> TokenPair:
        """The pair after `used`. Once begun it is finished, whoever stops waiting: the vendor's answer must be written."""
        renewal = asyncio.create_task(self._renewed(used, renew))
        _UNDER_WAY.add(renewal)
        renewal.add_done_callback(_UNDER_WAY.discard)
        return await asyncio.shield(renewal)

    async def _renewed(self, used: TokenPair, renew: Renew) -> TokenPair:
        held: Held | None = None
        try:
            async with self.database.begin("tokens.renew") as tx:
                held = await consents.hold(tx, self.connection_id)
                pair = self._opened(held)
                if pair.refresh != used.refresh:
                    return pair  # somebody else was faster
                async with asyncio.timeout(RENEWED_WITHIN_SECONDS):
                    newer = await renew(pair)
                await consents.replace(tx, self.envelopes, self.connection_id, packed(newer), at=self.clock())
        except (OutcomeUnknown, TimeoutError) as silent:
            raise Unavailable("The vendor did not answer a renewal of our consent.") from silent
        except ConsentGone:
            if held is not None:
                async with self.database.begin("tokens.lost") as tx:
                    await consents.lose(tx, self.connection_id, number=held.number, at=self.clock())
            raise
        except consents.HeldElsewhere as busy:
            raise Unavailable("Our consent is being renewed elsewhere.") from busy
        return newer

    def _opened(self, held: Held | None) -> TokenPair:
        if held is None:
            raise Misconfigured("Nobody has given consent yet: do it on the connection's page.")
        if held.is_lost:
            raise ConsentGone("The consent has ended: give it again on the connection's page.")
        try:
            return unpacked(self.envelopes.open(held.sealed, owner=consents.owner_of(self.connection_id)))
        except CannotOpen as error:
            raise Misconfigured(f"The stored consent cannot be opened: {error}.") from error


def packed(pair: TokenPair) -> str:
    """A pair as the one text that is sealed."""
    return json.dumps({"access": pair.access, "refresh": pair.refresh, "expires_at": pair.expires_at.isoformat()})


def unpacked(text: str) -> TokenPair:
    """The pair again."""
    told = json.loads(text)
    return TokenPair(
        access=told["access"], refresh=told["refresh"], expires_at=datetime.fromisoformat(told["expires_at"])
    )  # fmt: skip
