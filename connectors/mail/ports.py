"""Sending mail: one message to one address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One mail, rendered. `message_id` is ours and the same on every try, so that a repeat can be recognised."""

    message_id: str
    to: str
    subject: str
    plain: str
    html: str


class SendsMail(Protocol):
    """Hands a message to a mail server."""

    async def send(self, message: Message) -> None:
        """Raises Unavailable (try again), Rejected (bad address) or Misconfigured."""
        ...
