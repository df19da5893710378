"""HTTP to the demo ERP, and what its answers and silences mean.

Reads and writes differ in one thing: a write without a clear answer may have happened, a read never changed anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from connectors.erp.calls import asked_to_wait, sent_to
from connectors.errors import Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.trust import trusted

_RETRY_AFTER_SECONDS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoErpConfig:
    """How to reach one demo ERP. `request_life_seconds` is how long a request of ours can still take effect."""

    base_url: str
    api_key: str = field(repr=False)
    name: str = "demo"
    request_timeout_seconds: int = 10
    request_life_seconds: int = 30
    has_unique_references: bool = False


class DemoErpClient:
    """One connection pool; every method raises ConnectorError and nothing else."""

    def __init__(self, config: DemoErpConfig) -> None:
        self._http = httpx.AsyncClient(
            base_url=config.base_url,
            headers={"Authorization": f"Bearer {config.api_key}"},
            timeout=httpx.Timeout(config.request_timeout_seconds, connect=3, pool=config.request_timeout_seconds),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
            # Loopback and private addresses: a proxy of the environment's is not asked.
            trust_env=False,
            verify=trusted(),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def read(
        self, path: str, *, query: Mapping[str, str | int] | None = None, body: object | None = None
    ) -> Mapping[str, Any]:
        """Ask for something; a failure is Unavailable, because nothing was changed."""
        try:
            answer = await self._http.request("GET" if body is None else "POST", path, params=query, json=body)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as wrong:
            raise Misconfigured("The address of the demo ERP is not a web address.") from wrong
        except httpx.TransportError as silent:
            raise Unavailable(f"The demo ERP did not answer a read ({type(silent).__name__}).") from silent
        _raise_for_refusal(answer)
        content = _json_of(answer) if answer.is_success else None
        if content is None:
            raise Unavailable(f"The demo ERP answered a read with {answer.status_code} and nothing readable.")
        return content

    async def read_file(self, path: str) -> bytes:
        """Ask for a file; a failure is Unavailable, because nothing was changed."""
        try:
            answer = await self._http.get(path)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as wrong:
            raise Misconfigured("The address of the demo ERP is not a web address.") from wrong
        except httpx.TransportError as silent:
            raise Unavailable(f"The demo ERP did not answer a read ({type(silent).__name__}).") from silent
        _raise_for_refusal(answer)
        if not answer.is_success or not answer.content.startswith(b"%PDF-"):
            raise Unavailable(f"The demo ERP answered a read with {answer.status_code} and no PDF.")
        return answer.content

    async def write(self, path: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        """Ask for a document to be written; without a clear answer, OutcomeUnknown."""
        with sent_to("The demo ERP"):
            answer = await self._http.post(path, json=body)
        _raise_for_refusal(answer)
        content = _json_of(answer) if answer.is_success else None
        if content is None:
            raise OutcomeUnknown(f"The demo ERP answered a write with {answer.status_code} and nothing readable.")
        return content


def _raise_for_refusal(answer: httpx.Response) -> None:
    """Raise what is as clear for a read as for a write: refused before anything was done, or refused for good."""
    status = answer.status_code
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        raise Unavailable("The demo ERP says that it is down.")
    if status == httpx.codes.TOO_MANY_REQUESTS:
        wait = asked_to_wait(answer, otherwise=_RETRY_AFTER_SECONDS)
        raise Throttled("The demo ERP asks for patience.", retry_after_seconds=wait)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise Misconfigured("The demo ERP does not accept our API key.")
    if answer.is_client_error:
        error = (_json_of(answer) or {}).get("error")
        told: Mapping[str, object] = error if isinstance(error, dict) else {}
        raise Rejected(
            str(told.get("code", f"HTTP_{status}")),
            str(told.get("message", f"The demo ERP refused with status {status} and no reason.")),
        )


def _json_of(answer: httpx.Response) -> dict[str, Any] | None:
    """The answer's object; None for what is not JSON or not an object."""
    try:
        content = answer.json()
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
