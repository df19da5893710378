"""Questions to a part whether it works. They answer, they do not raise.

What a question needs is imported by it: `duly up` starts the parts before it loads what asks them.
"""

import asyncio
import socket
import ssl
from urllib.parse import urlsplit


def answers_over_http(url: str, timeout_seconds: float = 2.0) -> bool:
    """Whether a GET of `url` gives a 2xx."""
    return failure_over_http(url, timeout_seconds) is None


def failure_over_http(url: str, timeout_seconds: float = 2.0) -> str | None:
    """None when a GET of `url` gives a 2xx, else what went wrong."""
    import httpx

    try:
        # No proxies: the parts are neighbours.
        with httpx.Client(trust_env=False, timeout=timeout_seconds, verify=_verification(url)) as client:
            answer = client.get(url)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    return None if answer.is_success else f"HTTP {answer.status_code}"


def failure_over_tcp(host: str, port: int, timeout_seconds: float = 2.0) -> str | None:
    """None when somebody listens there, else what went wrong."""
    try:
        socket.create_connection((host, port), timeout=timeout_seconds).close()
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    return None


async def failure_of_temporal(address: str, namespace: str, timeout_seconds: float = 5.0) -> str | None:
    """None when the frontend serves, else what went wrong."""
    from temporalio.client import Client
    from temporalio.service import RPCError

    try:
        client = await asyncio.wait_for(Client.connect(address, namespace=namespace), timeout_seconds)
        healthy = await client.service_client.check_health()
    except (RPCError, RuntimeError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    return None if healthy else "says that it is not serving"


async def failure_of_database(url: str) -> str | None:
    """None when the role of `url` can sign in, else what went wrong. Passwords do not occur in it."""
    from sqlalchemy.exc import SQLAlchemyError

    from store.database import Database

    database = Database(url, pool_size=1)
    try:
        async with database.engine.connect():
            return None
    except SQLAlchemyError as error:
        return str(error.__cause__ or error).strip().splitlines()[0]
    finally:
        await database.close()


def _verification(url: str) -> ssl.SSLContext | bool:
    """Reading all certificates takes longer than a plain question on loopback."""
    return ssl.create_default_context() if urlsplit(url).scheme == "https" else False
