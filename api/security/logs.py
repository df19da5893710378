"""Portal links and password links open accounts, API keys the API, so no log may hold one: only its beginning is left."""

from __future__ import annotations

import logging
import re
from typing import Final

_LINK: Final = re.compile(r"(/l/|/staff/set-password/)[A-Za-z0-9_%.~-]+")
_KEY: Final = re.compile(r"(duly_[a-z0-9]{12}_)[A-Za-z0-9_%.~-]+")


class SecretsLeftOut(logging.Filter):
    """Replaces what opens something in a record's message and arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: records are changed, not dropped."""
        if isinstance(record.msg, str):
            record.msg = without_secrets(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(without_secrets(each) if isinstance(each, str) else each for each in record.args)
        return True


def without_secrets(text: str) -> str:
    """The text with the token of every link and the secret of every key left out."""
    return _KEY.sub(r"\1…", _LINK.sub(r"\1…", text))


def keep_secrets_out() -> None:
    """Put the filter on the server's loggers; doing it twice is doing it once."""
    for name in ("uvicorn.access", "uvicorn.error"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, SecretsLeftOut) for each in logger.filters):
            logger.addFilter(SecretsLeftOut())
