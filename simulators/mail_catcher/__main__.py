"""`python -m simulators.mail_catcher --port HTTP --smtp-port N --data FILE.sqlite`; ports of 0 take free ones."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from simulators import serving
from simulators.mail_catcher.app import create
from simulators.mail_catcher.mailbox import Mailbox
from simulators.mail_catcher.receiving import Knobs, protocol


def main() -> int:
    """Serve both protocols until a signal; prints one line with the SMTP address and that of the pages."""
    parser = argparse.ArgumentParser(prog="python -m simulators.mail_catcher", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    smtp = serving.listen(arguments.host, arguments.smtp_port)
    listener = serving.listen(arguments.host, arguments.port)
    mailbox, knobs = Mailbox(arguments.data), Knobs()
    app = create(mailbox, knobs)

    @asynccontextmanager
    async def take_mail(_: FastAPI) -> AsyncIterator[None]:
        # Both protocols in one loop and one thread: the mailbox has one connection.
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: protocol(mailbox, knobs), sock=smtp)
        yield
        server.close()

    app.router.lifespan_context = take_mail
    try:
        serving.serve(app, listener, name=f"Mail catcher (SMTP on {serving.address_of(smtp)})")
    finally:
        mailbox.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
