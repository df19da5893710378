"""Mails in one SQLite file, each delivery a row: a mail sent twice is two rows with one Message-ID."""

from __future__ import annotations

import email
import email.policy
import sqlite3
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_at TEXT NOT NULL, message_id TEXT NOT NULL, sender TEXT NOT NULL,
    recipient TEXT NOT NULL, from_header TEXT NOT NULL, to_header TEXT NOT NULL, subject TEXT NOT NULL,
    plain TEXT NOT NULL, html TEXT NOT NULL, source BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS mails_by_recipient ON mails (recipient);
"""

_SHOWN: Final = "id, received_at, message_id, sender, recipient, from_header, to_header, subject, plain, html"


class Mailbox:
    """Every mail that came in, newest first. Used by one thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def keep(self, *, sender: str, recipients: list[str], source: bytes) -> None:
        """Store one delivery to each recipient."""
        message = email.message_from_bytes(source, policy=email.policy.default)
        received_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO mails (received_at, message_id, sender, recipient, from_header, to_header, subject, plain, html,"
            " source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(received_at, str(message.get("Message-ID", "")), sender, recipient.lower()),
                    *(str(message.get(name, "")) for name in ("From", "To", "Subject")),
                    *(_text_of(message, "plain"), _text_of(message, "html"), source),
                )
                for recipient in recipients
            ],
        )
        self._connection.execute("COMMIT")

    def mails(self, *, to: str | None = None, limit: int = 500) -> list[dict[str, Any]]:
        """Mails, newest first; `to` is a whole address."""
        rows = self._connection.execute(
            f"SELECT {_SHOWN} FROM mails WHERE ? IS NULL OR recipient = lower(?) ORDER BY id DESC LIMIT ?", (to, to, limit)
        ).fetchall()
        return [dict(row) for row in rows]

    def mail(self, mail_id: int) -> dict[str, Any] | None:
        """One mail."""
        row = self._connection.execute(f"SELECT {_SHOWN} FROM mails WHERE id = ?", (mail_id,)).fetchone()
        return None if row is None else dict(row)

    def source(self, mail_id: int) -> bytes | None:
        """One mail as it came over the wire."""
        row = self._connection.execute("SELECT source FROM mails WHERE id = ?", (mail_id,)).fetchone()
        return None if row is None else bytes(row["source"])

    def empty(self) -> int:
        """Throw every mail away; answers how many."""
        return self._connection.execute("DELETE FROM mails").rowcount


def _text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    content = part.get_content()
    return content if isinstance(content, str) else ""
