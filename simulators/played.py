"""How a vendor's simulator says by itself what it takes to play it: nobody else needs to know a word of the vendor's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import FastAPI


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What its connection is given, by the name of the connector's setting; a kind of method that it saves in a currency;
    the test method of its page that works; how many days until money that was taken so has settled, 0 where it has at once.
    """

    given: Mapping[str, str]
    kind: str
    currency: str
    use: str
    settles_in_days: int = 0


def tell(app: FastAPI, played: Played) -> None:
    """Answer it at /_test/played."""

    @app.get("/_test/played")
    async def about() -> dict[str, Any]:
        return asdict(played)
