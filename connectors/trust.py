"""Whom a connector believes to be the vendor, over TLS."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The certificate authorities that this machine trusts, read once in a process: that takes longer than a call."""
    return httpx.create_ssl_context(trust_env=False)
