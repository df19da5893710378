"""A setting's value as its fields show it, and what was typed into them as a value, or as a sentence why not.

What a person typed is kept as it was typed: a page with a mistake on it comes back with everything on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import FormData

from api.formatting import Writer
from api.staff.deciding.groups import CHOICES, COLUMN_WORDS, Field
from domain.business import COLUMNS, FIXED_COLUMNS, checked
from domain.money import Money, MoneyError, parse_amount
from domain.refusals import Refusal

ROWS_MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountRow:
    """One currency's amount as it is typed, and what is wrong with it."""

    currency: str = ""
    amount: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """One setting's fields. `text` is a single field's, `rows` are amounts, `order` columns; `chosen` what is ticked."""

    text: str = ""
    chosen: frozenset[str] = frozenset()
    order: tuple[str, ...] = ()
    rows: tuple[AmountRow, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a form says: how each field is shown again, and the values of those that can be read."""

    typed: Mapping[str, Typed]
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def has_errors(self) -> bool:
        """Whether anything on it cannot be stored."""
        return any(each.error or any(row.error for row in each.rows) for each in self.typed.values())


def shown(asked: Field, value: Any) -> Typed:
    """A stored value as its fields show it."""
    if asked.kind == "switch":
        return Typed(chosen=frozenset({"yes"} if value else ()))
    if asked.kind == "amounts":
        return Typed(rows=tuple(AmountRow(currency=key, amount=Money.of(value[key], key).plain()) for key in sorted(value)))
    if asked.kind == "columns":
        return Typed(chosen=frozenset(value), order=(*value, *(each for each in COLUMNS if each not in value)))
    if asked.kind == "ticks":
        return Typed(chosen=frozenset(value))
    if asked.kind == "days":
        return Typed(text="\n".join(value))
    return Typed(text=str(value))


def read(fields: Sequence[Field], form: FormData) -> Reading:
    """Every field of a page out of its form."""
    typed: dict[str, Typed] = {}
    values: dict[str, object] = {}
    for each in fields:
        seen = _typed(each, form)
        value: object
        if each.kind == "amounts":
            seen, value = _amounts(seen)
        else:
            value = _value(each, seen)
        if not any(row.error for row in seen.rows):
            try:
                values[each.name] = checked(each.name, value)
            except ValueError as error:
                seen = Typed(
                    text=seen.text, chosen=seen.chosen, order=seen.order, rows=seen.rows, error=_why(each, seen, str(error))
                )
        typed[each.name] = seen
    return Reading(typed=typed, values=values)


def _typed(asked: Field, form: FormData) -> Typed:
    name = asked.name
    if asked.kind == "amounts":
        currencies = [str(each)[:12] for each in form.getlist(f"{name}.currency")][:ROWS_MOST]
        amounts = [str(each)[:40] for each in form.getlist(f"{name}.amount")][:ROWS_MOST]
        pairs = zip(currencies, amounts, strict=False)
        return Typed(rows=tuple(AmountRow(currency=currency, amount=amount) for currency, amount in pairs))
    chosen = frozenset(str(each) for each in form.getlist(name))
    if asked.kind == "columns":
        asked_order = dict.fromkeys(str(each) for each in form.getlist(f"{name}.order"))
        order = tuple(each for each in (*asked_order, *COLUMNS) if each in COLUMNS)
        return Typed(chosen=chosen | set(FIXED_COLUMNS), order=tuple(dict.fromkeys(order)))
    if asked.kind in {"switch", "ticks"}:
        return Typed(chosen=chosen)
    return Typed(text=str(form.get(name, ""))[:10_000].replace("\x00", "").replace("\r\n", "\n").strip())


def _value(asked: Field, seen: Typed) -> object:
    """What `checked` is asked about; a number that is none stays a text, which it refuses."""
    if asked.kind == "switch":
        return "yes" in seen.chosen
    if asked.kind == "columns":
        return [each for each in seen.order if each in seen.chosen]
    if asked.kind == "ticks":
        return sorted(seen.chosen)
    if asked.kind == "days":
        return seen.text.split()
    if asked.kind == "number":
        return int(seen.text) if seen.text.isascii() and seen.text.isdigit() and len(seen.text) < 10 else seen.text
    return seen.text


def _amounts(seen: Typed) -> tuple[Typed, Mapping[str, int]]:
    """Minor units by currency, and the rows with what is wrong beside each. A row with nothing in it is left out."""
    rows: list[AmountRow] = []
    found: dict[str, int] = {}
    for row in seen.rows:
        currency, amount = row.currency.strip().upper(), row.amount.strip()
        if not currency and not amount:
            continue
        error = ""
        try:
            money = parse_amount(amount, currency)
            if money.minor < 0:
                error = "An amount here is not below zero."
            elif currency in found:
                error = f"{currency} is here twice."
            found.setdefault(currency, money.minor)
        except MoneyError as unfit:
            error = "Write the currency in three letters, such as EUR." if not currency else unfit.sentence
        rows.append(AmountRow(currency=currency, amount=amount, error=error))
    return Typed(rows=tuple(rows)), found


def _why(asked: Field, seen: Typed, reason: str) -> str:
    """The rule's sentence, with the words of the page in it."""
    said = seen.text if asked.kind not in {"columns", "ticks"} else ""
    value = f"“{said[:60]}”" if said else "empty"
    return Refusal(rule="setting_invalid", facts={"name": asked.label, "value": value, "reason": reason}).sentence


def rearranged(reading: Reading, act: str) -> Reading:
    """The form after a button of its own: 'add/NAME', 'remove/NAME/ROW', 'up/NAME/COLUMN' or 'down/NAME/COLUMN'."""
    what, _, rest = act.partition("/")
    name, _, which = rest.partition("/")
    before = reading.typed.get(name)
    if before is None:
        return reading
    rows, order = list(before.rows), list(before.order)
    if what == "add" and len(rows) < ROWS_MOST:
        rows.append(AmountRow())
    elif what == "remove" and which.isascii() and which.isdigit() and int(which[:4]) < len(rows):
        rows.pop(int(which[:4]))
    elif what in {"up", "down"} and which in order:
        at = order.index(which)
        to = min(max(at + (-1 if what == "up" else 1), 0), len(order) - 1)
        order.insert(to, order.pop(at))
    after = Typed(text=before.text, chosen=before.chosen, order=tuple(order), rows=tuple(rows), error=before.error)
    return Reading(typed={**reading.typed, name: after}, values=reading.values)


def said(asked: Field, value: Any, write: Writer) -> str:
    """A value in words, for the history."""
    if asked.kind == "switch":
        return "on" if value else "off"
    if asked.kind == "choice":
        return CHOICES.get(value, str(value))
    if asked.kind == "amounts":
        return ", ".join(write.money(value[key], key) for key in sorted(value)) or asked.empty
    if asked.kind == "columns":
        return ", ".join(COLUMN_WORDS.get(each, each) for each in value)
    if asked.kind == "ticks":
        return ", ".join(asked.ticks.get(each, each) for each in value) or asked.empty
    if asked.kind == "days":
        return ", ".join(value) or asked.empty
    return f"{value} {asked.unit}".strip() or asked.empty or "empty"
