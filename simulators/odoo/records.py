"""Records as Odoo keeps and shows them: models with fields, links as [id, name], domains in prefix notation.

Shapes: https://www.odoo.com/documentation/19.0/developer/reference/external_api.html (search_read, read, create, fields_get)
and https://www.odoo.com/documentation/17.0/developer/reference/backend/orm.html#search-domains (domains).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

Record = dict[str, Any]

# Which model a field of a model links to; a field that is not here holds a value.
LINKS: Final[Mapping[str, str]] = {
    "company_id": "res.company",
    "currency_id": "res.currency",
    "company_currency_id": "res.currency",
    "country_id": "res.country",
    "parent_id": "res.partner",
    "partner_id": "res.partner",
    "commercial_partner_id": "res.partner",
    "partner_shipping_id": "res.partner",
    "property_account_receivable_id": "account.account",
    "account_id": "account.account",
    "destination_account_id": "account.account",
    "payment_account_id": "account.account",
    "journal_id": "account.journal",
    "move_id": "account.move",
    "reversed_entry_id": "account.move",
    "payment_id": "account.payment",
    "debit_move_id": "account.move.line",
    "credit_move_id": "account.move.line",
    "order_id": "sale.order",
    "partner_invoice_id": "res.partner",
    "invoice_payment_term_id": "account.payment.term",
}
_MOMENT: Final = "%Y-%m-%d %H:%M:%S"


class Refused(Exception):
    """An exception of Odoo's, by its Python name; the transaction is rolled back before it is told."""

    def __init__(self, name: str, message: str, *, status: int = 422) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.status = status


def user_error(message: str) -> Refused:
    """What is meant for people: status 422 in JSON-2."""
    return Refused("odoo.exceptions.UserError", message)


class Records:
    """All records of one database, by model and id. `fields` are the stored ones; `computed` are asked for each time."""

    def __init__(self, fields: dict[str, set[str]], computed: Mapping[str, Mapping[str, Callable[[Record], Any]]]) -> None:
        self.fields = fields
        self.computed = computed
        self.tables: dict[str, dict[int, Record]] = {model: {} for model in fields}
        self._numbers: dict[str, itertools.count[int]] = {}
        self.offset = timedelta()

    def now(self) -> str:
        """This server's clock, UTC, to the second."""
        return (datetime.now(UTC) + self.offset).strftime(_MOMENT)

    def known(self, model: str) -> set[str]:
        """The names of a model's fields."""
        if model not in self.fields:
            raise Refused("werkzeug.exceptions.NotFound", f"the model {model!r} does not exist", status=404)
        return {"id", "create_date", "write_date", *self.fields[model], *self.computed.get(model, {})}

    def make(self, model: str, **values: Any) -> Record:
        """A new record; a field that is not known is refused as Odoo does."""
        self._check(model, values)
        number = next(self._numbers.setdefault(model, itertools.count(1)))
        made = {name: values.get(name, False) for name in self.fields[model]}
        made |= {"id": number, "create_date": self.now(), "write_date": self.now()}
        self.tables[model][number] = made
        return made

    def change(self, model: str, record: Record, **values: Any) -> None:
        """Write values, and the time of it."""
        self._check(model, values)
        record.update(values, write_date=self.now())

    def get(self, model: str, number: int) -> Record:
        """A record that must exist."""
        found = self.tables[model].get(number)
        if found is None:
            missing = f"Record does not exist or has been deleted. (Record: {model}({number},))"
            raise Refused("odoo.exceptions.MissingError", missing, status=404)
        return found

    def all(self, model: str) -> list[Record]:
        """Every record of a model, in the order of ids."""
        return [self.tables[model][each] for each in sorted(self.tables[model])]

    def _check(self, model: str, values: Iterable[str]) -> None:
        for name in values:
            if name not in self.known(model):
                raise Refused("builtins.ValueError", f"Invalid field {name!r} on model {model!r}", status=500)

    # ------------------------------------------------------------ reading

    def value(self, model: str, record: Record, name: str) -> Any:
        """A field's value, through links where its name is dotted."""
        first, _, rest = name.partition(".")
        if first not in self.known(model):
            raise Refused("builtins.ValueError", f"Invalid field {model}.{first} in leaf", status=500)
        computed = self.computed.get(model, {}).get(first)
        found = computed(record) if computed is not None else record[first]
        if not rest:
            return found
        return self.value(LINKS[first], self.tables[LINKS[first]][found], rest) if found else False

    def shown(self, model: str, record: Record, names: Iterable[str]) -> Record:
        """As a read shows it: the id, and each field in its form."""
        told: Record = {"id": record["id"]}
        for name in names:
            told[name] = self._form(name, self.value(model, record, name))
        return told

    def _form(self, name: str, value: Any) -> Any:
        if name in LINKS and value:
            return [value, self.name_of(LINKS[name], value)]
        return float(value) if isinstance(value, Decimal) else value

    def name_of(self, model: str, number: int) -> str:
        """What a link is called."""
        record = self.tables[model][number]
        return str(record.get("name") or number)

    def search(self, model: str, domain: list[Any]) -> list[Record]:
        """Records that a domain allows, in the order of ids; archived ones too where `active` is asked for elsewhere."""
        return [each for each in self.all(model) if self._allows(model, each, list(domain))]

    def _allows(self, model: str, record: Record, domain: list[Any]) -> bool:
        terms = list(domain)

        def term() -> bool:
            leaf = terms.pop(0)
            if leaf == "|":
                first, second = term(), term()
                return first or second
            if leaf == "&":
                first, second = term(), term()
                return first and second
            if leaf == "!":
                return not term()
            name, operator, wanted = leaf
            return _holds(self.value(model, record, name), operator, wanted)

        held = True
        while terms:
            held = term() and held
        return held


def _holds(value: Any, operator: str, wanted: Any) -> bool:
    match operator:
        case "=":
            return bool(value == wanted)
        case "!=":
            return bool(value != wanted)
        case "in":
            return value in wanted
        case "not in":
            return value not in wanted
        case "=like":
            return isinstance(value, str) and re.fullmatch(_pattern(wanted), value, re.DOTALL) is not None
        case ">" | ">=" | "<" | "<=":
            if value is False and not isinstance(wanted, int | float):
                return False
            return bool({">": value > wanted, ">=": value >= wanted, "<": value < wanted, "<=": value <= wanted}[operator])
    raise Refused("builtins.ValueError", f"Invalid operator {operator!r}", status=500)


def _pattern(like: str) -> str:
    """SQL's LIKE: an underscore is any one character, a percent sign any text."""
    return "".join({"%": ".*", "_": "."}.get(each, re.escape(each)) for each in like)
