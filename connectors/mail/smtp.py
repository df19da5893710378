"""Mail by SMTP. A repeat carries the same Message-ID, so a mail server or program can tell it from a second mail."""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from typing import Final

from connectors.errors import Misconfigured, Rejected, Unavailable
from connectors.mail.ports import Message

Clock = Callable[[], datetime]

# What may stand in an envelope: one address, ASCII, nothing that ends a header or a command.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_MESSAGE_ID: Final = re.compile(r"<[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+>")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")


class Security(StrEnum):
    """How the connection to the mail server is protected. NONE is for a server on this machine."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """How to reach a mail server, and who the mail is from."""

    host: str
    port: int
    sender_address: str
    sender_name: str
    security: Security = Security.NONE
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_seconds: int = 20


class SmtpMail:
    """SendsMail over one mail server; a connection for each mail."""

    def __init__(self, config: SmtpConfig, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self._config = config
        self._clock = clock

    async def send(self, message: Message) -> None:
        """Hand one message over; the call returns when the server has accepted it.

        Raises Unavailable, Rejected (that address or that mail) or Misconfigured. A connection lost after the body
        was sent is Unavailable: a mail that arrives twice is better than one that never does.
        """
        await asyncio.to_thread(self._send, self._rendered(message), message.to)

    def _rendered(self, message: Message) -> EmailMessage:
        """The mail with its headers; nothing of the caller's can start a header of its own."""
        if not _ADDRESS.fullmatch(message.to):
            raise Rejected("ADDRESS_INVALID", "That is not an address that mail can be sent to.")
        if not _MESSAGE_ID.fullmatch(message.message_id) or _CONTROL.search(message.subject):
            raise Rejected("HEADER_INVALID", "The subject or Message-ID holds characters that a header may not.")
        local, _, domain = self._config.sender_address.rpartition("@")
        rendered = EmailMessage()
        rendered["From"] = Address(_CONTROL.sub(" ", self._config.sender_name), username=local, domain=domain)
        rendered["To"] = message.to
        rendered["Subject"] = message.subject
        rendered["Message-ID"] = message.message_id
        rendered["Date"] = format_datetime(self._clock())
        # Nobody's holiday notice answers this.
        rendered["Auto-Submitted"] = "auto-generated"
        rendered.set_content(message.plain, cte="quoted-printable")
        if message.html:
            rendered.add_alternative(message.html, subtype="html", cte="quoted-printable")
        return rendered

    def _send(self, rendered: EmailMessage, to: str) -> None:
        try:
            connection = self._connect()
        except ssl.SSLCertVerificationError as untrusted:
            raise Misconfigured("The mail server's certificate is not trusted.") from untrusted
        except (OSError, smtplib.SMTPException) as absent:
            raise Unavailable(f"The mail server could not be reached ({type(absent).__name__}).") from absent
        try:
            self._converse(connection, rendered, to)
        except ssl.SSLCertVerificationError as untrusted:
            raise Misconfigured("The mail server's certificate is not trusted.") from untrusted
        except smtplib.SMTPRecipientsRefused as refused:
            code, sentence = next(iter(refused.recipients.values()))
            raise _refusal(code, sentence) from refused
        except smtplib.SMTPDataError as refused:
            raise _refusal(refused.smtp_code, refused.smtp_error) from refused
        except smtplib.SMTPNotSupportedError as unable:
            raise Misconfigured(f"The mail server cannot do what is configured: {unable}") from unable
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPSenderRefused) as refused:
            if _is_temporary(refused.smtp_code):
                raise Unavailable(f"The mail server puts us off ({refused.smtp_code}).") from refused
            raise Misconfigured(f"The mail server does not accept our name or address ({refused.smtp_code}).") from refused
        except (OSError, smtplib.SMTPException) as silent:
            raise Unavailable(f"The mail server did not finish ({type(silent).__name__}).") from silent
        finally:
            _hang_up(connection)

    def _connect(self) -> smtplib.SMTP:
        # Our own name: asking the resolver for this machine's can take longer than the mail.
        hello = self._config.sender_address.rpartition("@")[2]
        if self._config.security is Security.TLS:
            return smtplib.SMTP_SSL(
                self._config.host,
                self._config.port,
                local_hostname=hello,
                timeout=self._config.timeout_seconds,
                context=ssl.create_default_context(),
            )
        return smtplib.SMTP(self._config.host, self._config.port, local_hostname=hello, timeout=self._config.timeout_seconds)

    def _converse(self, connection: smtplib.SMTP, rendered: EmailMessage, to: str) -> None:
        if self._config.security is Security.STARTTLS:
            connection.starttls(context=ssl.create_default_context())
        if self._config.username is not None:
            connection.login(self._config.username, self._config.password or "")
        connection.send_message(rendered, from_addr=self._config.sender_address, to_addrs=[to])


def _hang_up(connection: smtplib.SMTP) -> None:
    """Say goodbye; whether the server hears it changes nothing about the mail."""
    with suppress(OSError, smtplib.SMTPException):
        connection.quit()
    connection.close()


def _is_temporary(code: int) -> bool:
    return 400 <= code < 500


def _refusal(code: int, sentence: bytes | str) -> Rejected | Unavailable:
    text = sentence.decode(errors="replace") if isinstance(sentence, bytes) else sentence
    if _is_temporary(code):
        return Unavailable(f"The mail server puts us off: {code} {text}")
    return Rejected(str(code), text)
