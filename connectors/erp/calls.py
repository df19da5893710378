"""What the end of a call to an ERP means where all vendors are alike: what never left, what may have been done, how long to
wait, and what cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx

from connectors.errors import Misconfigured, OutcomeUnknown, Unavailable
from domain.money import MoneyError

# Nothing of the request has left this machine when one of these is raised.
_NEVER_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_MALFORMED: Final = (KeyError, TypeError, ValueError, IndexError, MoneyError)


@contextmanager
def sent_to(vendor: str) -> Iterator[None]:
    """Around the sending of a request: a failure before it left is Unavailable, one after that is OutcomeUnknown. For a read
    both mean the same, which is for the caller to say.
    """
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as wrong:
        raise Misconfigured(f"The address of {vendor} is not a web address.") from wrong
    except _NEVER_LEFT as absent:
        raise Unavailable(f"{vendor} could not be reached ({type(absent).__name__}).") from absent
    except httpx.TransportError as silent:
        raise OutcomeUnknown(f"{vendor} did not answer ({type(silent).__name__}).") from silent


def asked_to_wait(answer: httpx.Response, *, otherwise: int) -> int:
    """Seconds that an answer asks us to wait; `otherwise` where it says nothing, or not in seconds."""
    told = answer.headers.get("Retry-After", "").strip()
    return int(told) if told.isascii() and told.isdigit() else otherwise


@contextmanager
def readable(vendor: str) -> Iterator[None]:
    """Around the reading of an answer: one that cannot be understood is Unavailable, never 'nothing there'."""
    try:
        yield
    except _MALFORMED as malformed:
        raise Unavailable(f"{vendor}'s answer to a read cannot be read.") from malformed
