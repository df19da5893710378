"""The SMTP side: accepts, refuses or puts off as the knobs say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from simulators.mail_catcher.mailbox import Mailbox


@dataclass(slots=True, kw_only=True)
class Knobs:
    """`refuse`: addresses refused for good. `temporary`: so many mails are put off. `drop_after`: kept, not answered."""

    refuse: list[str] = field(default_factory=list)
    temporary: int = 0
    drop_after: int = 0
    delay_ms: int = 0


class Receiver:
    """aiosmtpd's handler: the names of its methods are aiosmtpd's."""

    def __init__(self, mailbox: Mailbox, knobs: Knobs) -> None:
        self._mailbox = mailbox
        self._knobs = knobs

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        """Take or refuse one recipient."""
        del server, session
        if address.lower() in {refused.lower() for refused in self._knobs.refuse}:
            return "550 5.1.1 There is no such mailbox"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take one mail."""
        del session
        if self._knobs.delay_ms:
            await asyncio.sleep(timedelta(milliseconds=self._knobs.delay_ms).total_seconds())
        if self._knobs.temporary > 0:
            self._knobs.temporary -= 1
            return "451 4.3.0 Try again later"
        content = envelope.content or b""
        self._mailbox.keep(
            sender=envelope.mail_from or "",
            recipients=list(envelope.rcpt_tos),
            source=content if isinstance(content, bytes) else content.encode(),
        )
        if self._knobs.drop_after > 0:
            self._knobs.drop_after -= 1
            cast("asyncio.WriteTransport", server.transport).abort()
        return "250 Kept"


def protocol(mailbox: Mailbox, knobs: Knobs) -> SMTP:
    """One connection's protocol."""
    return SMTP(Receiver(mailbox, knobs), hostname="mail-catcher.example", data_size_limit=10 * 2**20)
