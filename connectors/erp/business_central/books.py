"""Documents of Duly's in Business Central: journals that wait, and what they left in the general ledger.

The API shows no customer ledger entries, so that what we wrote is told by what it says itself: each line bears our document
number, and its description our reference, the amount and what it is for. The general ledger keeps both.

Every document has a journal of its own. Posting a journal posts all that is in it, and a request to post may take effect
ten minutes after it was given up: with one journal for all it would then post the half of another document.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from connectors.erp.business_central import wire
from connectors.erp.business_central.client import BusinessCentralClient
from domain.money import Money

PREFIX: Final = "DULY"
_BEHIND: Final = "DULZ"
ON_ACCOUNT: Final = "-"
PAYMENTS: Final = ("customerPaymentJournals", "customerPayments")
REVERSALS: Final = ("journals", "journalLines")
LEDGER: Final = "generalLedgerEntries"
_LEDGER_FIELDS: Final = "id,entryNumber,postingDate,documentNumber,accountNumber,description,debitAmount,creditAmount"
_SAID: Final = re.compile(r"(\S+) (-?\d+(?:\.\d+)?) ([A-Z]{3}) (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the description of one of our lines says. `about` is the number of an invoice, of the payment that is taken back,
    or that it is for none.
    """

    reference: str
    amount: Money
    about: str

    def text(self) -> str:
        """As it is written, at most 100 characters."""
        return f"{self.reference} {self.amount.plain()} {self.amount.currency} {self.about}"

    @classmethod
    def read(cls, text: object) -> Said | None:
        """From a description; None for somebody else's."""
        found = _SAID.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            return None
        try:
            return cls(reference=found[1], amount=wire.amount(found[2], found[3]), about=found[4])
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """A journal of ours with the lines that wait in it."""

    kind: tuple[str, str]
    id: str
    etag: str
    lines: Sequence[Mapping[str, Any]]

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{self.kind[0]}({self.id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What one document of ours left in the general ledger. It does not stand where a person reversed it."""

    number: str
    reference: str
    id: str
    on: str
    said: tuple[Said, ...]
    stands: bool

    @property
    def amount(self) -> Money:
        """All of it."""
        return total(self.said)


def total(said: Sequence[Said]) -> Money:
    """What lines come to. Raises IndexError without any."""
    found = Money.zero(said[0].amount.currency)
    for each in said:
        found += each.amount
    return found


def number_of(reference: str) -> str:
    """Our document number: twenty characters that follow from the reference, which is too long for the field."""
    digest = hashlib.blake2b(reference.encode(), digest_size=10).digest()
    return PREFIX + base64.b32encode(digest).decode()


def code_of(reference: str) -> str:
    """The name of the document's own journal: ten characters, of the same digest."""
    return "D" + number_of(reference)[len(PREFIX) :][:9]


class Books:
    """Look-ups. Each raises ConnectorError, and ValueError or KeyError on what is malformed."""

    def __init__(self, client: BusinessCentralClient) -> None:
        self._client = client

    async def journal(self, kind: tuple[str, str], reference: str) -> Journal | None:
        """The journal of a document, where there is one."""
        found = await self._client.rows(kind[0], {"filter": f"code eq {wire.quoted(code_of(reference))}"})
        for row in found:
            if row["displayName"] != reference[:50]:
                continue
            lines = await self._client.rows(f"{kind[0]}({row['id']})/{kind[1]}")
            return Journal(kind=kind, id=str(row["id"]), etag=str(row["@odata.etag"]), lines=lines)
        return None

    async def posted(self, reference: str) -> Posted | None:
        """What the document left in the ledger; None where nothing is."""
        wanted = f"documentNumber eq {wire.quoted(number_of(reference))}"
        rows = await self._client.rows(LEDGER, {"filter": wanted, "select": _LEDGER_FIELDS})
        return posted_in(rows).get(reference)

    async def about(self, words: Sequence[str]) -> Sequence[Posted]:
        """Every posted document of ours whose lines say one of these words."""
        if not words:
            return ()
        said = " or ".join(f"contains(description,{wire.quoted(f' {word}')})" for word in words)
        wanted = f"documentNumber ge '{PREFIX}' and documentNumber lt '{_BEHIND}' and ({said})"
        rows = await self._client.rows(LEDGER, {"filter": wanted, "select": _LEDGER_FIELDS})
        return list(posted_in(rows).values())


def posted_in(rows: Sequence[Mapping[str, Any]]) -> dict[str, Posted]:
    """Our documents among rows of the ledger, by their references: a line is there once for each of its two accounts."""
    said: dict[str, dict[str, Said]] = {}
    sums: dict[str, dict[tuple[str, str], int]] = {}
    first: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        read = Said.read(row["description"])
        if read is None or number_of(read.reference) != row["documentNumber"]:
            continue
        said.setdefault(read.reference, {})[str(row["description"])] = read
        first.setdefault(read.reference, row)
        # What a person reversed is there a second time with the other sign, on the same accounts.
        side = 1 if Fraction(row["debitAmount"]) else -1
        counts = sums.setdefault(read.reference, {})
        key = (str(row["accountNumber"]), str(row["description"]))
        counts[key] = counts.get(key, 0) + side
    return {
        reference: Posted(
            number=str(first[reference]["documentNumber"]),
            reference=reference,
            id=str(first[reference]["id"]),
            on=str(first[reference]["postingDate"]),
            said=tuple(each for _, each in sorted(lines.items())),
            stands=any(sums[reference].values()),
        )
        for reference, lines in said.items()
    }
