"""A person at Tryton's desk, by JSON-RPC: what an accountant does in the client. Shares no code with the connector."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import httpx

Row = dict[str, Any]


class Refused(Exception):
    """Tryton's own error, as its client would show it."""


class Warned(Refused):
    """A question whether it is meant, by the name under which it is confirmed."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Desk:
    """One signed-in person of one database."""

    def __init__(self, address: str, database: str, *, user: str, password: str) -> None:
        self._http = httpx.Client(base_url=address, trust_env=False, timeout=60)
        self._path = f"/{database}/rpc/"
        self._context: Row = {}
        user_id, token = self._call("common.db.login", [user, {"password": password}])[:2]
        self.user_id: int = user_id
        session = base64.b64encode(f"{user}:{user_id}:{token}".encode()).decode()
        self._http.headers["Authorization"] = f"Session {session}"
        self.refresh()

    def close(self) -> None:
        """Leave."""
        self._http.close()

    def refresh(self) -> None:
        """Read one's preferences again: the company that one works for is among them."""
        self._context = self._call("model.res.user.get_preferences", [True, {}])

    def do(self, method: str, *arguments: object, **context: object) -> Any:
        """One call of the server, with the person's context and more of it. A warning is read, and confirmed."""
        params = [*arguments, {**self._context, **context}]
        try:
            return self._call(method, params)
        except Warned as warned:
            self.create("res.user.warning", user=self.user_id, name=warned.name)
            return self._call(method, params)

    def create(self, model: str, **values: object) -> int:
        """One record; answers its id."""
        made: int = self.do(f"model.{model}.create", [values])[0]
        return made

    def search(self, model: str, *domain: object) -> list[int]:
        """Ids, as Tryton orders them."""
        found: list[int] = self.do(f"model.{model}.search", list(domain), 0, None, None)
        return found

    def rows(self, model: str, domain: Sequence[object], fields: Sequence[str]) -> list[Row]:
        """Records with these fields."""
        found: list[Row] = self.do(f"model.{model}.search_read", list(domain), 0, None, [("id", "ASC")], list(fields))
        return found

    def write(self, model: str, record: int, **values: object) -> None:
        """Change one record."""
        self.do(f"model.{model}.write", [record], values)

    def press(self, model: str, button: str, *records: int) -> None:
        """A button of these records."""
        self.do(f"model.{model}.{button}", list(records))

    def walk(
        self, wizard: str, *steps: tuple[str, Mapping[str, object]], model: str = "", records: Sequence[int] = ()
    ) -> Any:
        """Go through a wizard: its states in order, each with what was entered; answers what the last state said."""
        with self.opened(wizard, model=model, records=records) as step:
            said = None
            for state, entered in steps:
                said = step(state, entered)
            return said

    @contextmanager
    def opened(self, wizard: str, *, model: str = "", records: Sequence[int] = ()) -> Iterator[Any]:
        """An open wizard: call what is given with a state and what was entered."""
        context: Row = {}
        if records:
            context = {"active_model": model, "active_id": records[0], "active_ids": list(records)}
        session, *_ = self.do(f"wizard.{wizard}.create", **context)
        try:
            yield lambda state, entered: self.do(f"wizard.{wizard}.execute", session, entered, state, **context)
        finally:
            self.do(f"wizard.{wizard}.delete", session, **context)

    def _call(self, method: str, params: Sequence[object]) -> Any:
        body = json.dumps({"id": 1, "method": method, "params": params}, default=_written)
        answer = self._http.post(self._path, content=body, headers={"Content-Type": "application/json"})
        if answer.status_code != httpx.codes.OK:
            raise Refused(f"{method}: {answer.status_code} {answer.text[:200]}")
        told = json.loads(answer.text, object_hook=_read)
        if "error" in told:
            if told["error"][0] == "UserWarning":
                raise Warned(told["error"][1][0])
            raise Refused(f"{method}: {str(told['error'])[:800]}")
        return told["result"]


def _written(value: object) -> Row:
    if isinstance(value, datetime):
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime", **{name: getattr(value, name) for name in names}}
    if isinstance(value, date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    raise TypeError(type(value).__name__)


def _read(given: Row) -> Any:
    kind = given.pop("__class__", None)
    if kind == "date":
        return date(**given)
    if kind == "datetime":
        return datetime(**given)  # noqa: DTZ001 - Tryton tells UTC and does not say so
    if kind == "Decimal":
        return Decimal(given["decimal"])
    return given
