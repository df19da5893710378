"""Portal links open accounts, so no log may hold one: the server's access log shows '/l/…' and nothing after it."""

from __future__ import annotations

import logging
import re
from typing import Final

_LINK: Final = re.compile(r"/l/[A-Za-z0-9_%.~-]+")


class LinksLeftOut(logging.Filter):
    """Replaces the token of a link in a record's message and arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: records are changed, not dropped."""
        if isinstance(record.msg, str):
            record.msg = without_links(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(without_links(each) if isinstance(each, str) else each for each in record.args)
        return True


def without_links(text: str) -> str:
    """The text with the token of every link left out."""
    return _LINK.sub("/l/…", text)


def keep_links_out() -> None:
    """Put the filter on the server's loggers; doing it twice is doing it once."""
    for name in ("uvicorn.access", "uvicorn.error"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, LinksLeftOut) for each in logger.filters):
            logger.addFilter(LinksLeftOut())
