"""Xero's sign-in: codes, tokens that rotate, the organisations that a person chose (xero_identity.yaml).

A refresh token is good once. One that comes a second time ends everything that came of the same consent, as RFC 9700 §4.14.2
has it; Xero tells of it by invalid_grant (https://developer.xero.com/documentation/guides/oauth2/auth-flow).
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Grant:
    """What one consent led to."""

    tenants: list[tuple[str, str]]
    refresh: str = ""
    access: set[str] = field(default_factory=set)
    is_open: bool = True
    renewals: int = 0


class Identity:
    """Codes and grants."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self.client_id = client_id
        self.basic = "Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self.codes: dict[str, tuple[str, Grant]] = {}
        self.grants: list[Grant] = []
        self.lives_seconds = 1800

    def consent(self, way_back: str, tenants: list[tuple[str, str]]) -> str:
        """A person says yes: the code that comes back."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = (way_back, Grant(tenants=tenants))
        return code

    def granted(self, tenants: list[tuple[str, str]]) -> Grant:
        """A grant without the way there."""
        grant = Grant(tenants=tenants)
        self.grants.append(grant)
        self._next_pair(grant)
        return grant

    def token(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        """The token endpoint's status and answer."""
        if authorization != self.basic:
            return 400, {"error": "invalid_client"}
        if form.get("grant_type") == "authorization_code":
            way_back, grant = self.codes.pop(form.get("code", ""), ("", Grant(tenants=[])))
            if not way_back or way_back != form.get("redirect_uri"):
                return 400, {"error": "invalid_grant"}
            self.grants.append(grant)
            return 200, self._next_pair(grant)
        for grant in self.grants:
            if grant.refresh == form.get("refresh_token") and grant.is_open:
                grant.renewals += 1
                return 200, self._next_pair(grant)
            if form.get("refresh_token", "").startswith(f"{id(grant)}."):
                grant.is_open = False  # used before: everybody is thrown out
        return 400, {"error": "invalid_grant"}

    def _next_pair(self, grant: Grant) -> dict[str, Any]:
        grant.refresh = f"{id(grant)}.{secrets.token_urlsafe(12)}"
        access = secrets.token_urlsafe(12)
        grant.access.add(access)
        return {
            "access_token": access,
            "refresh_token": grant.refresh,
            "expires_in": self.lives_seconds,
            "token_type": "Bearer",
        }

    def of(self, authorization: str) -> Grant | None:
        """Whose access token it is; None where it is nobody's any more."""
        token = authorization.removeprefix("Bearer ")
        return next((each for each in self.grants if each.is_open and token in each.access), None)

    def expire(self) -> None:
        """Every access token is over."""
        for each in self.grants:
            each.access.clear()
