"""Requests that are answered once, however often they come: each has an object of its own, and keeps its answer.

Nothing is locked while a request runs. Whatever it does is named after its object (the payment's id, the link's), so two
that run at once do the same thing once, the first answer that is stored is everybody's, and a crash between leaves
nothing to clean up: the next repetition goes on. Rows are kept, so a key means the same payment for ever.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.engine import Row

from store.database import Transaction

_COLUMNS: Final = "api_key_id, key_hash, request_hash, object_id, status, answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request by its key: what it makes, and its answer once there is one."""

    api_key_id: str
    key_hash: str
    request_hash: str
    object_id: str
    status: int | None
    answer: str | None
    is_new: bool


async def claim(
    tx: Transaction,
    *,
    api_key_id: str,
    idempotency_key: str,
    operation: str,
    request_hash: str,
    object_id: str,
    at: datetime,
) -> Asked:
    """Take the key for this request, or read what it was taken for. `object_id` is used only by who takes it."""
    key_hash = hashlib.sha256(idempotency_key.encode()).hexdigest()
    row = await tx.row(
        f"""INSERT INTO idempotent_requests (api_key_id, key_hash, operation, request_hash, object_id, asked_at)
            VALUES (:api_key, :key, :operation, :request, :object, :at) ON CONFLICT DO NOTHING RETURNING {_COLUMNS}""",
        api_key=api_key_id,
        key=key_hash,
        operation=operation,
        request=request_hash,
        object=object_id,
        at=at,
    )
    if row is not None:
        return _asked(row, is_new=True)
    return await _read(tx, api_key_id, key_hash)


async def lock(tx: Transaction, asked: Asked) -> Asked:
    """Wait for others who do the same in a transaction, and see what they left."""
    return await _read(tx, asked.api_key_id, asked.key_hash, lock="FOR UPDATE")


async def answer(tx: Transaction, asked: Asked, *, status: int, body: str, at: datetime) -> Asked:
    """Keep the answer, if none is kept yet; what is kept, which is everybody's answer."""
    await tx.run(
        """UPDATE idempotent_requests SET status = :status, answer = :body, answered_at = :at
           WHERE api_key_id = :api_key AND key_hash = :key AND status IS NULL""",
        api_key=asked.api_key_id,
        key=asked.key_hash,
        status=status,
        body=body,
        at=at,
    )
    return await _read(tx, asked.api_key_id, asked.key_hash)


async def makes(tx: Transaction, object_id: str) -> bool:
    """Whether a request was taken that makes this object, whether or not it exists already."""
    return await tx.row("SELECT 1 FROM idempotent_requests WHERE object_id = :id", id=object_id) is not None


async def _read(tx: Transaction, api_key_id: str, key_hash: str, *, lock: str = "") -> Asked:
    row = await tx.row(
        f"SELECT {_COLUMNS} FROM idempotent_requests WHERE api_key_id = :api_key AND key_hash = :key {lock}",
        api_key=api_key_id,
        key=key_hash,
    )
    assert row is not None
    return _asked(row, is_new=False)


def _asked(row: Row[Any], *, is_new: bool) -> Asked:
    return Asked(
        api_key_id=row.api_key_id,
        key_hash=row.key_hash,
        request_hash=row.request_hash,
        object_id=row.object_id,
        status=row.status,
        answer=row.answer,
        is_new=is_new,
    )
