"""API keys: who a program is and what it may do. A key is shown once; what is stored of it opens nothing.

A key is written 'duly_{prefix}_{secret}': the prefix finds the row and may be shown, the secret is 256 random bits of
which only the SHA-256 is kept. Read and written as `duly_staff`; the portal and the workers see none of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from domain import business
from domain.business import BusinessSettings
from store import tokens
from store.access import OFFERS, PaymentOffer, offers_from
from store.business import NEWEST
from store.database import Transaction
from store.identity import fresh_id

_FORM: Final = re.compile(r"duly_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_NOBODYS: Final = tokens.hashed("")
_ALPHABET: Final = "abcdefghjkmnpqrstvwxyz0123456789"


class Scope(StrEnum):
    """What a key may do; it has any number of these."""

    CUSTOMERS_READ = "customers:read"
    INVOICES_READ = "invoices:read"
    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"
    REFUNDS_READ = "refunds:read"
    REFUNDS_WRITE = "refunds:write"
    CREDITS_READ = "credits:read"
    REQUESTS_READ = "requests:read"
    REQUESTS_WRITE = "requests:write"
    REQUESTS_DECIDE = "requests:decide"
    REQUESTS_APPROVE = "requests:approve"  # no route needs it: a decision asks for it where two people are needed
    METHODS_READ = "methods:read"
    METHODS_WRITE = "methods:write"
    LINKS_READ = "links:read"
    LINKS_WRITE = "links:write"
    SETTINGS_READ = "settings:read"
    SETTINGS_WRITE = "settings:write"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key at the only moment when all of it is known."""

    id: str
    prefix: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """A key as it is listed."""

    id: str
    label: str
    prefix: str
    scopes: tuple[str, ...]
    created_by: str
    created_at: datetime
    last_used_on: date | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """The program behind a request, with the settings and the payment connections that answers need: one statement.

    The secret stays with the request: links that it makes are derived from it, so that they can be told again.
    """

    id: str
    label: str
    scopes: frozenset[str]
    settings: BusinessSettings
    offers: tuple[PaymentOffer, ...]
    secret: str = field(repr=False)

    def token_for(self, link_id: str) -> str:
        """The token of a portal link that this key makes: the same for the same link, unknown to who lacks the key."""
        digest = hmac.digest(self.secret.encode(), f"link/{link_id}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def create(tx: Transaction, *, label: str, scopes: Collection[Scope], by: str, at: datetime) -> NewKey:
    """A new key with these scopes."""
    prefix, secret = "".join(secrets.choice(_ALPHABET) for _ in range(12)), tokens.fresh()
    made = NewKey(id=fresh_id("key"), prefix=prefix, key=f"duly_{prefix}_{secret}")
    await tx.run(
        """INSERT INTO api_keys (id, label, prefix, secret_hash, scopes, created_by, created_at)
           VALUES (:id, :label, :prefix, :hash, :scopes, :by, :at)""",
        id=made.id,
        label=label,
        prefix=prefix,
        hash=tokens.hashed(secret),
        scopes=sorted(each.value for each in scopes),
        by=by,
        at=at,
    )
    return made


async def load(tx: Transaction, key: str, *, at: datetime) -> KeyHolder | None:
    """Who holds this key; None for one that is unknown or revoked. Its day of last use is kept, once a day."""
    form = _FORM.fullmatch(key)
    if form is None:
        return None
    prefix, secret = form.groups()
    row = await tx.row(
        f"""SELECT k.id, k.label, k.scopes, k.secret_hash, k.last_used_on, {NEWEST} AS chosen, {OFFERS} AS connected
            FROM api_keys k WHERE k.prefix = :prefix AND k.revoked_at IS NULL""",
        prefix=prefix,
    )
    # The comparison takes as long for a prefix that nobody has.
    if not hmac.compare_digest(_NOBODYS if row is None else row.secret_hash, tokens.hashed(secret)) or row is None:
        return None
    if row.last_used_on != at.date():
        await tx.run("UPDATE api_keys SET last_used_on = :today WHERE id = :id", today=at.date(), id=row.id)
    return KeyHolder(
        id=row.id,
        label=row.label,
        scopes=frozenset(row.scopes),
        settings=business.from_rows(row.chosen),
        offers=offers_from(row.connected),
        secret=secret,
    )


async def has_scope(tx: Transaction, key_id: str, scope: Scope) -> bool:
    """Whether a key that is not revoked has this scope at this moment. For workers, who see nothing else of keys."""
    row = await tx.row("SELECT key_has_scope(:id, :scope) AS told", id=key_id, scope=scope.value)
    assert row is not None
    return bool(row.told)


async def listed(tx: Transaction) -> Sequence[KeyLine]:
    """Every key that was ever made, the newest first."""
    rows = await tx.rows(
        """SELECT id, label, prefix, scopes, created_by, created_at, last_used_on, revoked_at
           FROM api_keys ORDER BY created_at DESC, id DESC"""
    )
    return [
        KeyLine(
            id=row.id,
            label=row.label,
            prefix=row.prefix,
            scopes=tuple(row.scopes),
            created_by=row.created_by,
            created_at=row.created_at,
            last_used_on=row.last_used_on,
            revoked_at=row.revoked_at,
        )
        for row in rows
    ]


async def revoke(tx: Transaction, id_or_prefix: str, *, at: datetime) -> str | None:
    """Revoke a key from the next request on; its id, or None where no such key is open."""
    row = await tx.row(
        """UPDATE api_keys SET revoked_at = :at WHERE (id = :which OR prefix = :which) AND revoked_at IS NULL
           RETURNING id""",
        which=id_or_prefix,
        at=at,
    )
    return None if row is None else str(row.id)
