"""How customers come in: portal links and the sessions that they open. Tokens are stored hashed (`store/tokens.py`).

Read and written as `duly_staff` (pages) or `duly_worker` (links that are mailed); `duly_portal` sees none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from domain import business
from domain.business import BusinessSettings
from domain.methods import MethodKind
from domain.refusals import Refused
from store import tokens
from store.business import NEWEST
from store.database import Transaction
from store.identity import fresh_id

MOST_LINK_DAYS: Final = 90
OFFERS: Final = """(SELECT coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'connector', p.connector, 'mode', p.mode,
    'health', p.health, 'offers', p.offers, 'once', coalesce(p.once, p.offers),
    'preferred', p.preferred, 'countries', p.countries) ORDER BY p.id), '[]'::jsonb)
    FROM connections p WHERE p.role = 'payments' AND p.enabled)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOffer:
    """What one enabled payment connection can serve."""

    connection_id: str
    connector: str
    mode: str  # sandbox | live
    health: str
    currencies: Mapping[MethodKind, frozenset[str]]  # in which a kind is saved, and charged
    once: Mapping[MethodKind, frozenset[str]]  # in which a kind pays once, on the provider's page
    countries: Mapping[MethodKind, Mapping[str, frozenset[str]]]  # where the customer must be; a kind not named: anywhere
    preferred: frozenset[MethodKind] = frozenset()  # the kinds for which it goes before other connections

    def serves(self, kind: MethodKind, currency: str) -> bool:
        """Whether it saves that kind of method, and charges it in that currency."""
        return currency in self.currencies.get(kind, frozenset())

    def takes_once(self, kind: MethodKind, currency: str, country: str | None) -> bool:
        """Whether a customer of that country can make one payment of that kind on its page."""
        asked = self.countries.get(kind)
        may = asked is None or country in asked.get(currency, frozenset())
        return may and currency in self.once.get(kind, frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCustomer:
    """The customer whose account is open."""

    id: str
    number: str
    name: str
    currency: str
    email: str | None
    country: str | None
    time_zone: str
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSession:
    """A customer's session with everything that a page needs to begin: loaded by one statement.

    `reference` names the session without opening it (for signed forms); `family` is what row-level security is bound
    to: the customer first, then its children. `invoice_id` is set when a link to one invoice opened the session.
    `viewer` names the member of staff who only looks (store/viewing.py): then there is no link, and `link_id` is ''.
    """

    reference: str
    customer: SessionCustomer
    family: tuple[str, ...]
    link_id: str
    invoice_id: str | None
    person: str
    csrf: str
    started_at: datetime
    expires_at: datetime
    settings: BusinessSettings
    offers: tuple[PaymentOffer, ...]
    viewer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """A portal link at the only moment when its token is known."""

    id: str
    token: str
    customer_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPreview:
    """What may be said before somebody continues: nothing about the customer."""

    settings: BusinessSettings
    opens: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSession:
    """A session at the only moment when its token is known. `reference` is how signed forms name it."""

    token: str
    reference: str
    customer_id: str
    link_id: str
    invoice_id: str | None
    expires_at: datetime


async def create_link(
    tx: Transaction,
    customer_id: str,
    *,
    by: str,
    at: datetime,
    days: int,
    invoice_id: str | None = None,
    contact_id: str | None = None,
    link_id: str | None = None,
    token: str | None = None,
) -> NewLink:
    """A new portal link for a customer, good for `days` (never more than 90). The token is returned once.

    `link_id` and `token` are given where a repeated request must make the same link; else they are fresh.

    Raises Refused 'not_found' for an unknown customer or another one's contact, 'invoice_not_found' for an invoice
    that is neither the customer's nor its children's, or that a customer may not see.
    """
    row = await tx.row(
        """SELECT EXISTS (SELECT 1 FROM customers WHERE id = :customer AND NOT deleted) AS known,
                  CAST(:contact AS text) IS NULL
                  OR EXISTS (SELECT 1 FROM contacts WHERE id = :contact AND customer_id = :customer) AS has_contact,
                  CAST(:invoice AS text) IS NULL
                  OR EXISTS (SELECT 1 FROM invoices i JOIN customers c ON c.id = i.customer_id
                             WHERE i.id = :invoice AND (c.id = :customer OR c.parent_id = :customer)
                               AND NOT i.deleted AND i.status NOT IN ('draft', 'void')) AS has_invoice""",
        customer=customer_id,
        contact=contact_id,
        invoice=invoice_id,
    )
    if row is None or not row.known or not row.has_contact:
        raise Refused("not_found")
    if not row.has_invoice:
        raise Refused("invoice_not_found")
    link = NewLink(
        id=link_id or fresh_id("lnk"),
        token=token or tokens.fresh(),
        customer_id=customer_id,
        expires_at=at + timedelta(days=min(days, MOST_LINK_DAYS)),
    )
    await tx.run(
        """INSERT INTO portal_links (id, customer_id, contact_id, invoice_id, token_hash, created_by, created_at, expires_at)
           VALUES (:id, :customer, :contact, :invoice, :hash, :by, :at, :expires)""",
        id=link.id,
        customer=customer_id,
        contact=contact_id,
        invoice=invoice_id,
        hash=tokens.hashed(link.token),
        by=by,
        at=at,
        expires=link.expires_at,
    )
    return link


async def preview_link(tx: Transaction, token: str, *, at: datetime) -> LinkPreview:
    """Whether a link would open something now. A read: a mail scanner's GET consumes and marks nothing."""
    row = await tx.row(
        f"""SELECT {NEWEST} AS chosen, EXISTS (
               SELECT 1 FROM portal_links l JOIN customers c ON c.id = l.customer_id
               WHERE l.token_hash = :hash AND l.revoked_at IS NULL AND l.expires_at > :at AND NOT c.deleted) AS opens""",
        hash=tokens.hashed(token),
        at=at,
    )
    assert row is not None
    return LinkPreview(settings=business.from_rows(row.chosen), opens=row.opens)


async def open_session(tx: Transaction, link_token: str, *, at: datetime) -> OpenedSession | None:
    """A fresh session from a portal link; None for a link that is unknown, expired or revoked. Links are reusable."""
    token = tokens.fresh()
    row = await tx.row(
        f"""WITH used AS (UPDATE portal_links l SET last_used_at = :at FROM customers c
                WHERE l.token_hash = :link AND l.revoked_at IS NULL AND l.expires_at > :at
                  AND c.id = l.customer_id AND NOT c.deleted
                RETURNING l.id, l.customer_id, l.contact_id, l.invoice_id)
            INSERT INTO sessions (token_hash, kind, customer_id, link_id, csrf, person, started_at, seen_at, expires_at)
            SELECT :hash, 'portal', used.customer_id, used.id, :csrf,
                   coalesce((SELECT k.email FROM contacts k WHERE k.id = used.contact_id), 'portal link'), :at, :at,
                   CAST(:at AS timestamptz) + make_interval(hours => coalesce(({NEWEST} ->> 'session_hours')::int, :hours))
            FROM used
            RETURNING customer_id, link_id, expires_at, (SELECT invoice_id FROM used) AS invoice_id""",
        link=tokens.hashed(link_token),
        hash=tokens.hashed(token),
        csrf=tokens.form_token(token),
        at=at,
        hours=BusinessSettings().session_hours,
    )
    if row is None:
        return None
    return OpenedSession(
        token=token,
        reference=_reference(tokens.hashed(token)),
        customer_id=row.customer_id,
        link_id=row.link_id,
        invoice_id=row.invoice_id,
        expires_at=row.expires_at,
    )


async def load_session(tx: Transaction, token: str, *, at: datetime) -> PortalSession | None:
    """The portal session with that token, its customer, family, the settings and what can be paid with: one statement.

    None when it is unknown, over, ended, or its link was revoked.
    """
    row = await tx.row(
        f"""SELECT s.token_hash, s.csrf, s.person, s.started_at, s.expires_at, coalesce(l.id, '') AS link_id, l.invoice_id,
                   v.name AS viewer,
                   c.id, c.number, c.name, c.currency, c.email, c.country, c.time_zone, c.paused,
                   ARRAY(SELECT k.id FROM customers k WHERE k.parent_id = c.id AND NOT k.deleted ORDER BY k.id) AS children,
                   {NEWEST} AS chosen, {OFFERS} AS connected
            FROM sessions s LEFT JOIN portal_links l ON l.id = s.link_id LEFT JOIN staff v ON v.id = s.viewer_id
                 JOIN customers c ON c.id = s.customer_id
            WHERE s.token_hash = :hash AND s.kind = 'portal' AND s.ended_at IS NULL AND s.expires_at > :at
              AND CASE WHEN s.viewer_id IS NULL THEN l.id IS NOT NULL AND l.revoked_at IS NULL
                       ELSE v.active AND v.role <> 'viewer' END
              AND NOT c.deleted""",
        hash=tokens.hashed(token),
        at=at,
    )
    if row is None:
        return None
    return PortalSession(
        reference=_reference(row.token_hash),
        customer=SessionCustomer(
            id=row.id,
            number=row.number,
            name=row.name,
            currency=row.currency,
            email=row.email,
            country=row.country,
            time_zone=row.time_zone,
            paused=row.paused,
        ),
        family=(row.id, *row.children),
        link_id=row.link_id,
        invoice_id=row.invoice_id,
        person=row.person,
        csrf=row.csrf,
        started_at=row.started_at,
        expires_at=row.expires_at,
        settings=business.from_rows(row.chosen),
        offers=offers_from(row.connected),
        viewer=row.viewer,
    )


async def end_session(tx: Transaction, token: str, *, at: datetime) -> None:
    """Sign out, of the portal or of the staff pages. Ending twice is ending once."""
    await tx.run(
        "UPDATE sessions SET ended_at = :at WHERE token_hash = :hash AND ended_at IS NULL", hash=tokens.hashed(token), at=at
    )


async def revoke_links(tx: Transaction, customer_id: str, *, at: datetime) -> int:
    """Revoke every link of a customer; how many were open. Sessions that they opened are over at the next request."""
    return await tx.run(
        "UPDATE portal_links SET revoked_at = :at WHERE customer_id = :customer AND revoked_at IS NULL",
        customer=customer_id,
        at=at,
    )


async def customer_for(tx: Transaction, number_or_id: str) -> str | None:
    """The id of the one customer with that id or number; None when there is none. Raises LookupError for several."""
    rows = await tx.rows(
        "SELECT id FROM customers WHERE (id = :who OR number = :who) AND NOT deleted ORDER BY id LIMIT 2", who=number_or_id
    )
    if len(rows) > 1:
        raise LookupError(f"several customers have the number {number_or_id}: name the id")
    return None if not rows else str(rows[0].id)


async def contacts_with_email(tx: Transaction, email: str) -> Sequence[tuple[str, str]]:
    """(customer id, contact id) of everybody on record with that address, at most 20; contact '' is the customer itself."""
    rows = await tx.rows(
        """SELECT c.id AS customer_id, '' AS contact_id FROM customers c
           WHERE lower(c.email) = lower(:email) AND NOT c.deleted
           UNION ALL
           SELECT k.customer_id, k.id FROM contacts k JOIN customers c ON c.id = k.customer_id
           WHERE lower(k.email) = lower(:email) AND NOT c.deleted AND lower(coalesce(c.email, '')) <> lower(:email)
           ORDER BY customer_id, contact_id LIMIT 20""",
        email=email,
    )
    return [(row.customer_id, row.contact_id) for row in rows]


def offers_from(connected: Sequence[Mapping[str, Any]]) -> tuple[PaymentOffer, ...]:
    """Connections as pages read them. A kind that we do not know is left out."""
    known = {kind.value: kind for kind in MethodKind}
    return tuple(
        PaymentOffer(
            connection_id=each["id"],
            connector=each["connector"],
            mode=each["mode"],
            health=each["health"],
            currencies={known[kind]: frozenset(served) for kind, served in each["offers"].items() if kind in known},
            once={known[kind]: frozenset(served) for kind, served in each["once"].items() if kind in known},
            countries={
                known[kind]: {currency: frozenset(asked) for currency, asked in by_currency.items()}
                for kind, by_currency in each["countries"].items()
                if kind in known
            },
            preferred=frozenset(known[kind] for kind in each["preferred"] if kind in known),
        )
        for each in connected
    )


def offer_for(offers: Sequence[PaymentOffer], kind: MethodKind, currency: str) -> PaymentOffer | None:
    """The connection that saves a new method of that kind in that currency: the one that staff prefer for the kind, or else
    the first by name. None when there is none.
    """
    return _preferred([each for each in offers if each.serves(kind, currency)], kind)


def page_offer_for(
    offers: Sequence[PaymentOffer], kind: MethodKind, currency: str, country: str | None
) -> PaymentOffer | None:
    """The same, of one payment on a page, for a customer of that country."""
    return _preferred([each for each in offers if each.takes_once(kind, currency, country)], kind)


def _preferred(serving: Sequence[PaymentOffer], kind: MethodKind) -> PaymentOffer | None:
    return next((each for each in serving if kind in each.preferred), next(iter(serving), None))


def _reference(token_hash: str) -> str:
    """Enough of the hash to name a session in a signed form; far too little to find a token."""
    return token_hash[:16]
