"""The account overview: totals, counts and one page of invoices in one statement, whatever the customer's size.

One filter decides what is listed and what is counted. It takes or leaves whole groups, a group being a multi-site parent
with its sites or an invoice that stands alone; every leaf of a listed group counts, parents never do. So each figure can
be added up from the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

from domain.business import MOST_INVOICES, BusinessSettings
from store.database import Transaction

PAGE_GROUPS: Final = 50
_ORDERS: Final[Mapping[str, str]] = {
    "issued": "issued_on {0}, due_on {0}, number {0}",
    "due": "due_on {0}, issued_on {0}, number {0}",
    "number": "number {0}",
    "total": "g_total {0}, number",
    "topay": "g_open {0}, number",
}
SORTS: Final = frozenset(_ORDERS)
STATES: Final = ("open", "overdue", "paid")
SITES: Final = ("all", "single", "multi")

SELECTABLE: Final = """(s.available > 0 AND :may_pay AND NOT s.is_parent AND (
    (s.shown IN ('open', 'partially_paid') AND s.status <> 'unknown')
    OR (s.shown = 'in_dispute' AND :pay_disputed) OR (s.shown = 'in_instalments' AND :pay_instalments)))"""
"""May be chosen (domain/invoices.py says the same; a test compares them). `s` is `invoice_states`."""

_OVERVIEW: Final = """
WITH mine AS MATERIALIZED (
    SELECT s.id, s.parent_id, s.is_parent, s.number, s.site, s.po_number, s.currency, s.issued_on, s.due_on, s.paid_on,
           s.status, s.shown, s.counted AND NOT s.is_parent AS counted, s.total, greatest(s.open, 0) AS open, s.held,
           s.available, {selectable} AS selectable
    FROM invoice_states s),
asked AS (
    SELECT CASE WHEN :currency <> '' THEN :currency
                WHEN EXISTS (SELECT 1 FROM mine WHERE currency = :home) THEN :home
                ELSE coalesce((SELECT min(currency) FROM mine), :home) END AS currency),
leaves AS (
    SELECT m.*, coalesce(p.id, m.id) AS root, m.counted AND m.due_on < :today AS overdue
    FROM mine m LEFT JOIN mine p ON p.id = m.parent_id AND p.is_parent
    WHERE NOT m.is_parent AND m.currency = (SELECT currency FROM asked)),
groups AS (
    SELECT l.root, count(*) AS g_leaves, sum(l.total)::bigint AS g_total,
           coalesce(sum(l.open) FILTER (WHERE l.counted), 0)::bigint AS g_open,
           count(*) FILTER (WHERE l.selectable) AS g_selectable,
           bool_or(l.counted) AS has_open, bool_or(l.overdue) AS has_overdue,
           CASE WHEN count(DISTINCT l.shown) = 1 THEN min(l.shown) WHEN NOT bool_or(l.counted) THEN 'paid'
                WHEN sum(l.open) < sum(l.total) THEN 'partially_paid' ELSE 'open' END AS g_shown,
           CAST(:search AS text) IS NULL
           OR bool_or(l.number ILIKE :search OR l.site ILIKE :search OR l.po_number ILIKE :search) AS is_found
    FROM leaves l GROUP BY l.root),
listed AS (
    SELECT g.*, r.is_parent, r.number, r.issued_on, r.due_on
    FROM groups g JOIN mine r ON r.id = g.root
    WHERE CASE :state WHEN 'overdue' THEN g.has_overdue WHEN 'paid' THEN NOT g.has_open ELSE g.has_open END
      AND CASE :sites WHEN 'single' THEN NOT r.is_parent WHEN 'multi' THEN r.is_parent ELSE true END
      AND (g.is_found OR (r.is_parent AND (r.number ILIKE :search OR r.site ILIKE :search OR r.po_number ILIKE :search)))),
shown_leaves AS (SELECT l.*, g.is_parent AS is_site FROM leaves l JOIN listed g ON g.root = l.root),
oldest AS (
    SELECT l.id, l.available, l.root FROM shown_leaves l WHERE l.selectable AND :choose_all
    ORDER BY l.issued_on, l.due_on, l.number, l.id LIMIT :most),
chosen AS (
    SELECT id, available, root FROM oldest
    UNION SELECT l.id, l.available, l.root FROM leaves l
          WHERE l.selectable AND (l.id = ANY(:chosen) OR l.root = ANY(:chosen_parents))
            AND NOT l.root = ANY(:dropped_parents)),
summary AS (
    SELECT jsonb_build_object(
        'overdue', coalesce(sum(l.open) FILTER (WHERE l.overdue), 0),
        'balance', coalesce(sum(l.open) FILTER (WHERE l.counted), 0),
        'counted', count(*) FILTER (WHERE l.counted), 'overdue_count', count(*) FILTER (WHERE l.overdue),
        'selectable', count(*) FILTER (WHERE l.selectable), 'leaves', count(*),
        'groups', (SELECT count(*) FROM listed), 'currency', (SELECT currency FROM asked),
        'has_multi', EXISTS (SELECT 1 FROM mine WHERE is_parent),
        'all_overdue', (SELECT coalesce(sum(open) FILTER (WHERE overdue), 0) FROM leaves),
        'all_balance', (SELECT coalesce(sum(open) FILTER (WHERE counted), 0) FROM leaves),
        'all_leaves', (SELECT count(*) FROM leaves),
        'payable', (SELECT coalesce(sum(available) FILTER (WHERE selectable), 0) FROM leaves),
        'chosen', (SELECT coalesce(jsonb_agg(jsonb_build_array(id, available, root)), '[]'::jsonb) FROM chosen),
        'currencies', (SELECT coalesce(jsonb_agg(jsonb_build_array(currency, balance) ORDER BY currency), '[]'::jsonb)
                       FROM (SELECT currency, coalesce(sum(open) FILTER (WHERE counted), 0) AS balance
                             FROM mine WHERE NOT is_parent GROUP BY currency) by_currency)) AS facts
    FROM shown_leaves l),
paged AS (
    SELECT root, g_leaves, g_total, g_open, g_selectable, g_shown, has_overdue,
           row_number() OVER (ORDER BY {order}, root) AS place
    FROM listed ORDER BY place LIMIT :size OFFSET :skip)
SELECT 0 AS place, 0 AS depth, NULL AS id, NULL AS number, NULL AS site, NULL AS po_number, NULL::date AS issued_on,
       NULL::date AS due_on, NULL::date AS paid_on, NULL AS status, NULL AS shown, false AS overdue,
       NULL::bigint AS total, NULL::bigint AS open, NULL::bigint AS available, NULL::bigint AS held,
       false AS selectable, false AS counted, NULL::bigint AS leaves, NULL::bigint AS selectable_leaves,
       NULL AS held_by, NULL::timestamptz AS held_at, NULL AS holder_id, facts
FROM summary
UNION ALL
SELECT p.place, 0, m.id, m.number, m.site, m.po_number, m.issued_on, m.due_on, m.paid_on, m.status,
       CASE WHEN m.is_parent THEN p.g_shown ELSE m.shown END, p.has_overdue,
       CASE WHEN m.is_parent THEN p.g_total ELSE m.total END, CASE WHEN m.is_parent THEN p.g_open ELSE m.open END,
       m.available, m.held, m.selectable, m.counted, CASE WHEN m.is_parent THEN p.g_leaves END, p.g_selectable,
       h.started_by, h.held_at, h.holder_id, NULL
FROM paged p JOIN mine m ON m.id = p.root
LEFT JOIN LATERAL (SELECT q.started_by, x.held_at, x.holder_id FROM holds x LEFT JOIN payments q ON q.id = x.holder_id
                   WHERE x.invoice_id = m.id ORDER BY x.held_at LIMIT 1) h ON m.held > 0
UNION ALL
SELECT p.place, 1, l.id, l.number, l.site, l.po_number, l.issued_on, l.due_on, l.paid_on, l.status, l.shown, l.overdue,
       l.total, l.open, l.available, l.held, l.selectable, l.counted, NULL, NULL, h.started_by, h.held_at, h.holder_id, NULL
FROM paged p JOIN shown_leaves l ON l.root = p.root AND l.is_site
LEFT JOIN LATERAL (SELECT q.started_by, x.held_at, x.holder_id FROM holds x LEFT JOIN payments q ON q.id = x.holder_id
                   WHERE x.invoice_id = l.id ORDER BY x.held_at LIMIT 1) h ON l.held > 0
ORDER BY place, depth, number, id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is asked for. `search` is what a person typed; `page` counts from 1; `currency` '' is the customer's own
    (`home`), or one in which there are invoices.
    """

    home: str
    currency: str = ""
    state: str = "open"
    sites: str = "all"
    search: str = ""
    sort: str = "issued"
    descending: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is selected: leaves by id, whole parents, parents taken out again, or the oldest of all that is listed."""

    ids: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    dropped_parents: tuple[str, ...] = ()
    everything: bool = False


class Chosen(NamedTuple):
    """A selected leaf, what it still takes, and the group that it belongs to."""

    id: str
    available: int
    group: str


class OverviewRow(NamedTuple):
    """One row of the list, in the order in which templates unpack it. Amounts are minor units.

    `depth` is 1 for a site of the parent above it. For a parent `shown` and `overdue` are said of its sites together,
    `leaves` is the number of its sites, `total` and `open` are their sums;
    for a leaf `leaves` is None. `open` is at least 0.
    """

    place: int
    depth: int
    id: str
    number: str
    site: str | None
    po_number: str | None
    issued_on: date
    due_on: date
    paid_on: date | None
    status: str
    shown: str
    overdue: bool
    total: int
    open: int
    available: int
    held: int
    selectable: bool
    counted: bool
    leaves: int | None
    selectable_leaves: int | None
    held_by: str | None
    held_at: Any
    holder_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The overview's figures (minor units of the filter's currency) and one page of its list.

    `overdue`, `balance`, `selectable`, `leaves` and `groups` are of what is listed; `all_…` and `payable` of the whole
    account in this currency. `chosen` is what is selected and may be, with what each still takes.
    """

    rows: Sequence[OverviewRow]
    currency: str
    has_multi: bool
    overdue: int
    overdue_count: int
    balance: int
    counted: int
    selectable: int
    leaves: int
    groups: int
    all_overdue: int
    all_balance: int
    all_leaves: int
    payable: int
    chosen: tuple[Chosen, ...] = ()
    currencies: Mapping[str, int] = field(default_factory=dict)


def may_choose(settings: BusinessSettings) -> dict[str, bool]:
    """The values that SELECTABLE needs."""
    return {
        "may_pay": settings.may_pay,
        "pay_disputed": settings.pay_disputed,
        "pay_instalments": settings.pay_instalments,
    }


async def overview(tx: Transaction, wanted: Filter, choice: Choice, settings: BusinessSettings, *, today: date) -> Overview:
    """One page of 50 groups with all totals, in one statement. `today` is the customer's."""
    direction = "DESC" if wanted.descending else "ASC"
    statement = _OVERVIEW.replace("{selectable}", SELECTABLE).replace(
        "{order}", _ORDERS.get(wanted.sort, _ORDERS["issued"]).format(direction)
    )
    rows = await tx.rows(
        statement,
        **may_choose(settings),
        currency=wanted.currency,
        home=wanted.home,
        state=wanted.state,
        sites=wanted.sites,
        search=_pattern(wanted.search),
        today=today,
        chosen=list(choice.ids),
        chosen_parents=list(choice.parents),
        dropped_parents=list(choice.dropped_parents),
        choose_all=choice.everything,
        most=MOST_INVOICES,
        size=PAGE_GROUPS,
        skip=(wanted.page - 1) * PAGE_GROUPS,
    )
    facts = dict(rows[0][-1])
    facts["chosen"] = tuple(Chosen(*each) for each in facts["chosen"])
    facts["currencies"] = {str(each[0]): int(each[1]) for each in facts["currencies"]}
    return Overview(rows=[OverviewRow._make(row[:-1]) for row in rows[1:]], **facts)


def _pattern(search: str) -> str | None:
    """What ILIKE takes for 'contains these characters', whatever they are."""
    if not search:
        return None
    escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
