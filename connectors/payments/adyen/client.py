"""HTTP to Adyen, and what each way of failing means for the caller.

Adyen's own library writes the requests (method, path, query); how they travel is ours. Its own way waits in a thread, lets
errors of the network through as they are, and takes a body that cannot be read for an empty one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urlsplit

import Adyen  # type: ignore[import-untyped]
import httpx

from connectors.errors import ConnectorError, Misconfigured, OutcomeUnknown, Rejected, Throttled, Unavailable
from connectors.payments.adyen import signing
from connectors.trust import trusted
from domain.methods import MethodKind

VERSION: Final = "v72"
"""What Adyen's Checkout answers look like. Moved on purpose only: with the official description that the tests read."""

KINDS: Final = frozenset({MethodKind.CARD, MethodKind.US_BANK_ACCOUNT, MethodKind.SEPA_DEBIT})
PAGE_ORIGINS: Final = frozenset(
    {
        *("https://test.adyen.link", "https://eu.adyen.link", "https://us.adyen.link", "https://au.adyen.link"),
        *("https://checkoutshopper-test.adyen.com", "https://checkoutshopper-live.adyen.com"),
    }
)
LONGEST_KEY: Final = 64

_LARGEST_ANSWER: Final = 16 * 1024 * 1024
_LONGEST_RETRY_AFTER_SECONDS: Final = 3600
_UNDER_WAY: Final = "704"
_NOTHING_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NEVER_SENDABLE: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_PREFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{2,60}")
_NAME: Final = re.compile(r"[A-Za-z0-9]{1,64}")

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdyenConfig:
    """One connection. `hmac_keys` as the Customer Area shows them (hexadecimal), the newest first.

    `live_prefix`: of a live account's own addresses. `presumed_after_days`: business days without a chargeback after which a
    bank debit counts as settled: Adyen tells failures only. `kinds`: what may be paid and saved with. `base_url` stands in
    for Adyen's own address.
    """

    api_key: str
    merchant_account: str
    hmac_keys: tuple[str, ...]
    is_live: bool
    live_prefix: str | None = None
    kinds: frozenset[MethodKind] = KINDS
    presumed_after_days: int = 7
    page_origins: frozenset[str] = PAGE_ORIGINS
    base_url: str | None = None
    connect_timeout: timedelta = timedelta(seconds=3)
    read_timeout: timedelta = timedelta(seconds=10)

    def __post_init__(self) -> None:
        """Raises Misconfigured: with a short key anybody could sign."""
        if not self.api_key.strip() or not self.api_key.isascii() or not self.api_key.isprintable():
            raise Misconfigured("Adyen needs an API key of an API credential: AQE….")
        if not self.merchant_account.isascii() or not self.merchant_account.isprintable() or not self.merchant_account:
            raise Misconfigured("Adyen needs the name of a merchant account.")
        signing.keys_of(self.hmac_keys)
        if self.is_live and self.base_url is None and not _PREFIX.fullmatch(self.live_prefix or ""):
            raise Misconfigured("A live account of Adyen's has addresses of its own: their prefix is missing.")
        address = urlsplit(self.url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise Misconfigured("Adyen's address must be an http or https URL.")
        if self.is_live and address.scheme != "https":
            raise Misconfigured("A live key is sent over https only.")
        if not 1 <= self.presumed_after_days <= 60:
            raise Misconfigured("A bank debit of Adyen's is presumed settled after 1 to 60 business days.")
        if not self.kinds <= KINDS:
            raise Misconfigured("Adyen's connector takes cards, US bank accounts and SEPA debits.")

    @property
    def url(self) -> str:
        """Where requests go, without the version."""
        if self.base_url is not None:
            return self.base_url.rstrip("/")
        if self.is_live:
            return f"https://{self.live_prefix}-checkout-live.adyenpayments.com/checkout"
        return "https://checkout-test.adyen.com"

    def __repr__(self) -> str:
        """Without the keys."""
        return f"AdyenConfig(is_live={self.is_live}, merchant_account={self.merchant_account!r}, url={self.url!r})"


class _Written(Exception):
    """A request as the library would have sent it."""

    def __init__(self, method: str, path: str, body: Body | None) -> None:
        super().__init__(path)
        self.method, self.path, self.body = method, path, body


class _Pen:
    """In the place of the library's own HTTP client: it writes, and sends nothing."""

    user_agent = ""

    def request(self, method: str, url: str, json: Body | None = None, **_: object) -> None:
        """Hand over what was written."""
        raise _Written(method, url, json)


class Client:
    """Adyen's Checkout API with one connection's own key; `aclose` it. Every id in a path is checked by `name`."""

    def __init__(self, config: AdyenConfig) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{config.url}/{VERSION}",
            headers={"X-API-Key": config.api_key, "Accept": "application/json"},
            timeout=httpx.Timeout(config.read_timeout.total_seconds(), connect=config.connect_timeout.total_seconds()),
            # An idle connection is dropped by us first: one that the other side closed looks like an unknown outcome.
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30),
            follow_redirects=False,
            trust_env=False,
            verify=trusted(),
        )
        library = Adyen.AdyenClient(xapikey="is ours to send", platform="test")
        library.http_client, library.http_init = _Pen(), True
        checkout = Adyen.services.AdyenCheckoutApi(client=library)
        self.payments, self.links = checkout.payments_api, checkout.payment_links_api
        self.modifications, self.tokens = checkout.modifications_api, checkout.recurring_api
        for api in (self.payments, self.links, self.modifications, self.tokens):
            api.baseUrl = ""  # it would change words inside an address of its own making

    async def aclose(self) -> None:
        """Close the pool."""
        await self._http.aclose()

    async def write(self, call: Callable[..., object], *given: object, key: str | None = None) -> Body:
        """Something that may change something. Raises ConnectorError."""
        written = _written(lambda: call(*given))
        headers = {} if key is None else {"Idempotency-Key": fitting(key)}
        return await self._ask(written, headers)

    async def read(self, call: Callable[..., object], *given: object, query: Mapping[str, str] | None = None) -> Body | None:
        """Something that changes nothing; None where Adyen knows no such thing. Raises Unavailable, Throttled or
        Misconfigured.
        """
        try:
            return await self._ask(_written(lambda: call(*given, **_query(query))), {})
        except OutcomeUnknown as unread:
            raise Unavailable(str(unread)) from unread
        except Rejected:
            return None

    async def remove(self, call: Callable[..., object], *given: object, query: Mapping[str, str]) -> None:
        """Delete. Raises ConnectorError."""
        await self._ask(_written(lambda: call(*given, **_query(query))), {})

    async def _ask(self, written: _Written, headers: Mapping[str, str]) -> Body:
        try:
            answer = await self._http.request(written.method, written.path, json=written.body, headers=headers)
        except _NOTHING_LEFT as refused:
            raise Unavailable(f"Adyen cannot be reached ({type(refused).__name__}).") from refused
        except _NEVER_SENDABLE as mistake:
            raise Misconfigured(f"Adyen's address cannot be used ({type(mistake).__name__}).") from mistake
        except httpx.HTTPError as unread:
            raise OutcomeUnknown(f"Adyen's answer was not read ({type(unread).__name__}).") from unread
        if answer.status_code == 204:
            return {}
        told = _object(answer)
        if 200 <= answer.status_code < 300:
            if told is None:
                raise OutcomeUnknown("Adyen's answer cannot be read.")
            return told
        raise _sorted(answer, told or {})


def name(text: str) -> str:
    """An id of Adyen's, which is letters and digits. Raises Rejected for anything else, and nothing is sent."""
    if not _NAME.fullmatch(text):
        raise Rejected("not_found", "That is no id of Adyen's.")
    return text


def fitting(key: str) -> str:
    """The key as Adyen takes it: at most 64 characters."""
    return key if len(key) <= LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()


def _written(call: Callable[[], object]) -> _Written:
    try:
        call()
    except _Written as written:
        return written
    raise AssertionError("the library sent something by itself")


def _query(query: Mapping[str, str] | None) -> dict[str, object]:
    """The library joins these as they are."""
    return {} if query is None else {"query_parameters": {each: quote(value, safe="") for each, value in query.items()}}


def _sorted(answer: httpx.Response, told: Body) -> ConnectorError:
    """What an answer that is an error means. Only what says clearly that nothing happened is taken to say so."""
    status = answer.status_code
    code = str(told.get("errorCode") or f"http_{status}")[:80]
    if status in {401, 403}:
        return Misconfigured(f"Adyen refuses our API key, or what it may do (HTTP {status}, {code}).")
    if status == 429:
        return Throttled("Adyen asks for patience.", retry_after_seconds=_retry_after(answer))
    if code == _UNDER_WAY or (status < 500 and answer.headers.get("transient-error") == "true"):
        return Throttled("Adyen is still at work on this.", retry_after_seconds=1)
    if not 400 <= status < 500 or "errorCode" not in told:
        return OutcomeUnknown(f"Adyen answered HTTP {status}.")
    sentence = str(told.get("message") or "")[:300]
    return Rejected(code, sentence)


def _object(answer: httpx.Response) -> Body | None:
    if len(answer.content) > _LARGEST_ANSWER:
        return None
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _retry_after(answer: httpx.Response) -> int:
    text = answer.headers.get("retry-after", "").strip()
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1
    return max(1, min(seconds, _LONGEST_RETRY_AFTER_SECONDS))
