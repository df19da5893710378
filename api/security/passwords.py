"""Passwords of staff: argon2id. Checking takes the same time whether or not the address is known."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LENGTH_MIN: Final = 12
_HASHER: Final = PasswordHasher()


def hashed(password: str) -> str:
    """What is stored. Raises ValueError for a password that is too short."""
    if len(password) < LENGTH_MIN:
        raise ValueError(f"a password has at least {LENGTH_MIN} characters")
    return _HASHER.hash(password)


async def hashed_later(password: str) -> str:
    """The same in a thread: it is slow on purpose, and others are waiting. Raises ValueError as `hashed` does."""
    return await asyncio.to_thread(hashed, password)


async def belongs(password: str, stored: str | None) -> bool:
    """Whether the password is the one that was hashed; `stored` None (nobody) is False, after the same work.

    Runs in a thread: it is slow on purpose.
    """
    genuine = await asyncio.to_thread(_verify, stored, password)
    return genuine and stored is not None


@lru_cache(maxsize=1)
def _nobodys() -> str:
    """The hash of a password that nobody has: unknown addresses cost what known ones cost."""
    return _HASHER.hash("nobody signs in with this")


def _verify(stored: str | None, password: str) -> bool:
    nobodys = _nobodys()  # asked for either way, so that the first check of a process tells nothing
    try:
        return _HASHER.verify(nobodys if stored is None else stored, password)
    except (VerificationError, InvalidHashError):
        return False
