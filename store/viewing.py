"""'View as customer': a portal session that a member of staff opens without a link, to look and nothing else.

No link is touched, so nothing counts as the customer's visit. It ends after half an hour at most, and with its owner's
rights: the statement of store/access.py asks for both at every request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.refusals import Refused
from store import tokens
from store.database import Transaction

AT_MOST: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A view that has just ended: who looked at whom, since when."""

    viewer_id: str
    customer_id: str
    reference: str
    started_at: datetime


async def open_view(tx: Transaction, customer_id: str, *, viewer_id: str, email: str, at: datetime) -> str:
    """Open a customer's portal for a member of staff; the session's token. Raises Refused 'not_found'."""
    token = tokens.fresh()
    begun = await tx.run(
        """INSERT INTO sessions (token_hash, kind, customer_id, viewer_id, csrf, person, started_at, seen_at, expires_at)
           SELECT :hash, 'portal', c.id, :viewer, :csrf, :person, :at, :at, :expires
           FROM customers c WHERE c.id = :customer AND NOT c.deleted""",
        hash=tokens.hashed(token),
        customer=customer_id,
        viewer=viewer_id,
        csrf=tokens.form_token(token),
        person=email,
        at=at,
        expires=at + AT_MOST,
    )
    if begun == 0:
        raise Refused("not_found")
    return token


async def end(tx: Transaction, token: str, *, at: datetime) -> Ended | None:
    """End the view with that token; None where it is none, or has ended. One that is over by time can still be ended."""
    row = await tx.row(
        """UPDATE sessions SET ended_at = :at WHERE token_hash = :hash AND viewer_id IS NOT NULL AND ended_at IS NULL
           RETURNING viewer_id, customer_id, token_hash, started_at""",
        hash=tokens.hashed(token),
        at=at,
    )
    if row is None:
        return None
    return Ended(
        viewer_id=row.viewer_id,
        customer_id=row.customer_id,
        reference=row.token_hash[:16],
        started_at=row.started_at,
    )


def reference_of(token: str) -> str:
    """How the access log names a view."""
    return tokens.hashed(token)[:16]
