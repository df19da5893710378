"""A world for the balance rule: an ERP, the people who work in it, our postings on their way, and overlapping reads.

The world knows nothing of the rule under test. It tells what a store hears (`StoreEvent`), in the order in which the
store hears it, and knows the truth that the store can only infer. The same walk drives the pure rule, its broken
relatives and the SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

INVOICES: Final = ("inv_1", "inv_2")
PAYMENTS: Final = {"pay_1": 10, "pay_2": 7, "pay_3": 25}
MOST_PULLS: Final = 3
MOST_POSTINGS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One invoice in one answer of the ERP. `foreign` is what only the test knows: other people's part of `settled`."""

    invoice_id: str
    total: int
    settled: int
    seen: Mapping[str, int]
    foreign: int


@dataclass(frozen=True, slots=True)
class Held:
    """A payment reserves amounts by invoice."""

    payment_id: str
    lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Released:
    """A payment ended without money: its holds are gone."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class Allocated:
    """Allocations with their posting; the payment's holds, where it has some, are gone with them."""

    posting_id: str
    payment_id: str
    lines: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sent:
    """A posting is about to leave."""

    posting_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """All documents of a posting are known to be at the ERP."""

    posting_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A row of a read is to be stored. Only `read_seq` is right to use; the others serve `Bracket` and a wrong rule."""

    row: Row
    read_seq: int
    read_end_seq: int
    written_seq: int


StoreEvent = Held | Released | Allocated | Sent | Confirmed | Taken


@dataclass(slots=True)
class ErpDocument:
    """A payment's document in the ERP, bearing our reference."""

    payment_id: str
    invoice_id: str
    minor: int


@dataclass(slots=True)
class OurPosting:
    """A write on its way: the documents that it makes, and how many of them exist."""

    payment_id: str
    documents: Sequence[tuple[str, int]]
    landed: int = 0
    is_sent: bool = False
    is_confirmed: bool = False


@dataclass(slots=True)
class Pull:
    """A read under way: rows as the ERP computed them, and when their answers came."""

    read_seq: int
    rows: dict[str, Row] = field(default_factory=dict)
    arrived: dict[str, int] = field(default_factory=dict)


Step = tuple[str, ...]


class World:
    """The ERP, its people and our messages. `choices(kind)` lists what could happen, `perform` makes it happen."""

    def __init__(self) -> None:
        self.seq = 0
        self.totals = dict.fromkeys(INVOICES, 100)
        self.foreign = dict.fromkeys(INVOICES, 0)
        self.documents: dict[str, ErpDocument] = {}
        self.postings: dict[str, OurPosting] = {}
        self.in_flight: dict[str, Sequence[tuple[str, int]]] = {}
        self.net: dict[str, dict[str, int]] = {}
        self.used: set[str] = set()
        self.pulls: dict[str, Pull] = {}
        self.edited: set[str] = set()
        """Invoices on which a person touched a document of ours: the ERP wins there, so our books alone say nothing."""
        self.events: list[StoreEvent] = []
        self._kinds: dict[str, tuple[Callable[[], list[Step]], Callable[..., None]]] = {
            "open": (self._may_open, self._open),
            "decline": (lambda: [(each,) for each in self.in_flight], self._decline),
            "capture": (lambda: [(each,) for each in self.in_flight], self._capture),
            "undo": (self._may_undo, self._undo),
            "move": (self._may_move, self._move),
            "send": (self._may_send, self._send),
            "land": (self._may_land, self._land),
            "confirm": (self._may_confirm, self._confirm),
            "person pays": (lambda: [(each,) for each in INVOICES], self._person_pays),
            "person changes total": (self._may_change_total, self._person_changes_total),
            "person edits": (lambda: [(each,) for each in self.documents], self._person_edits),
            "person deletes": (lambda: [(each,) for each in self.documents], self._person_deletes),
            "pull": (self._may_pull, self._pull),
            "read": (self._may_read, self._read),
            "arrive": (self._may_arrive, self._arrive),
            "apply": (self._may_apply, self._apply),
            "forget pull": (lambda: [(each,) for each in self.pulls], self._forget_pull),
        }

    def choices(self, kind: str) -> list[Step]:
        """Arguments with which a step of that kind is possible now."""
        return self._kinds[kind][0]()

    def perform(self, kind: str, *arguments: str) -> list[StoreEvent]:
        """Let it happen; what the store hears of it."""
        self._kinds[kind][1](*arguments)
        events, self.events = self.events, []
        return events

    def perform_one_of(self, kind: str, pick: int) -> list[StoreEvent]:
        """Let the pick-th possible step of a kind happen, or nothing where none is possible."""
        choices = self.choices(kind)
        return self.perform(kind, *choices[pick % len(choices)]) if choices else []

    def true_open(self, invoice_id: str) -> int:
        """What the ERP itself would say at this moment."""
        row = self._row(invoice_id)
        return row.total - row.settled

    def quiet_night(self) -> list[StoreEvent]:
        """Everything on its way arrives, then one read of everything is stored."""
        heard: list[StoreEvent] = []
        while any(self.choices(kind) for kind in ("send", "land", "confirm")):
            for kind in ("send", "land", "confirm"):
                heard += self.perform_one_of(kind, 0)
        self.pulls.clear()
        heard += self.pull_at_once()
        for choice in self.choices("apply"):
            heard += self.perform("apply", *choice)
        return heard

    def pull_at_once(self) -> list[StoreEvent]:
        """A read that begins and is answered with nothing in between; its rows are stored later, or never."""
        if not self._may_pull():
            return []
        self.perform("pull")
        name = list(self.pulls)[-1]
        for invoice_id in INVOICES:
            self.perform("read", name, invoice_id)
            self.perform("arrive", name, invoice_id)
        return []

    # ------------------------------------------------------------ our side

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def _may_open(self) -> list[Step]:
        shapes = ("one", "other", "both", "twice")
        return [(payment, shape) for payment in PAYMENTS if payment not in self.used for shape in shapes]

    def _open(self, payment_id: str, shape: str) -> None:
        minor = PAYMENTS[payment_id]
        self.used.add(payment_id)
        self.in_flight[payment_id] = {
            "one": [("inv_1", minor)],
            "other": [("inv_2", minor)],
            "both": [("inv_1", minor), ("inv_2", minor + 1)],
            "twice": [("inv_1", minor), ("inv_1", 2)],
        }[shape]
        self.events.append(Held(payment_id, _summed(self.in_flight[payment_id])))

    def _decline(self, payment_id: str) -> None:
        del self.in_flight[payment_id]
        self.events.append(Released(payment_id))

    def _capture(self, payment_id: str) -> None:
        documents = self.in_flight.pop(payment_id)
        self.net[payment_id] = dict.fromkeys(INVOICES, 0)
        self._post(payment_id, documents)

    def _post(self, payment_id: str, documents: Sequence[tuple[str, int]]) -> None:
        posting_id = f"pst_{len(self.postings) + 1}_{payment_id}"
        self.postings[posting_id] = OurPosting(payment_id, documents)
        for invoice_id, minor in documents:
            self.net[payment_id][invoice_id] += minor
        self.events.append(Allocated(posting_id, payment_id, _summed(documents)))

    def _postings_of(self, payment_id: str) -> list[OurPosting]:
        return [each for each in self.postings.values() if each.payment_id == payment_id]

    def _may_undo(self) -> list[Step]:
        return [
            (payment_id,)
            for payment_id, net in self.net.items()
            if any(net.values()) and len(self._postings_of(payment_id)) < MOST_POSTINGS
        ]

    def _undo(self, payment_id: str) -> None:
        self._post(payment_id, [(each, -minor) for each, minor in self.net[payment_id].items() if minor])

    def _may_move(self) -> list[Step]:
        return [each for each in self._may_undo() if self.net[each[0]]["inv_1"] > 0]

    def _move(self, payment_id: str) -> None:
        self._post(payment_id, [("inv_1", -4), ("inv_2", 4)])

    def _may_send(self) -> list[Step]:
        # The poster's order: what shares a document (here, the payment) waits for what was before it.
        waiting: list[Step] = []
        blocked: set[str] = set()
        for posting_id, posting in self.postings.items():
            if posting.payment_id not in blocked and not posting.is_sent:
                waiting.append((posting_id,))
            if not posting.is_confirmed:
                blocked.add(posting.payment_id)
        return waiting

    def _send(self, posting_id: str) -> None:
        self.postings[posting_id].is_sent = True
        self.events.append(Sent(posting_id, self._next()))

    def _may_land(self) -> list[Step]:
        return [(key,) for key, each in self.postings.items() if each.is_sent and each.landed < len(each.documents)]

    def _land(self, posting_id: str) -> None:
        posting = self.postings[posting_id]
        invoice_id, minor = posting.documents[posting.landed]
        self.documents[f"{posting_id}/{posting.landed}"] = ErpDocument(posting.payment_id, invoice_id, minor)
        posting.landed += 1

    def _may_confirm(self) -> list[Step]:
        return [
            (key,) for key, each in self.postings.items() if each.landed == len(each.documents) and not each.is_confirmed
        ]

    def _confirm(self, posting_id: str) -> None:
        self.postings[posting_id].is_confirmed = True
        self.events.append(Confirmed(posting_id, self._next()))

    # ------------------------------------------------------------ people in the ERP

    def _person_pays(self, invoice_id: str) -> None:
        self.foreign[invoice_id] += 30

    def _may_change_total(self) -> list[Step]:
        return [(each, total) for each in INVOICES for total in ("80", "130")]

    def _person_changes_total(self, invoice_id: str, total: str) -> None:
        self.totals[invoice_id] = int(total)

    def _person_edits(self, document: str) -> None:
        self.documents[document].minor += 3
        self.edited.add(self.documents[document].invoice_id)

    def _person_deletes(self, document: str) -> None:
        self.edited.add(self.documents.pop(document).invoice_id)

    # ------------------------------------------------------------ reads

    def _row(self, invoice_id: str) -> Row:
        ours = [each for each in self.documents.values() if each.invoice_id == invoice_id]
        return Row(
            invoice_id=invoice_id,
            total=self.totals[invoice_id],
            settled=self.foreign[invoice_id] + sum(each.minor for each in ours),
            seen=_summed([(each.payment_id, each.minor) for each in ours]),
            foreign=self.foreign[invoice_id],
        )

    def _may_pull(self) -> list[Step]:
        return [()] if len(self.pulls) < MOST_PULLS else []

    def _pull(self) -> None:
        read_seq = self._next()
        self.pulls[f"pull_{read_seq}"] = Pull(read_seq)

    def _may_read(self) -> list[Step]:
        return [(name, each) for name, pull in self.pulls.items() for each in INVOICES if each not in pull.rows]

    def _read(self, name: str, invoice_id: str) -> None:
        self.pulls[name].rows[invoice_id] = self._row(invoice_id)

    def _may_arrive(self) -> list[Step]:
        return [(name, each) for name, pull in self.pulls.items() for each in pull.rows if each not in pull.arrived]

    def _arrive(self, name: str, invoice_id: str) -> None:
        self.pulls[name].arrived[invoice_id] = self._next()

    def _may_apply(self) -> list[Step]:
        return [(name, each) for name, pull in self.pulls.items() for each in pull.arrived]

    def _apply(self, name: str, invoice_id: str) -> None:
        pull = self.pulls[name]
        self.events.append(Taken(pull.rows[invoice_id], pull.read_seq, pull.arrived[invoice_id], written_seq=self._next()))

    def _forget_pull(self, name: str) -> None:
        del self.pulls[name]


OURS: Final = {"send": 4.0, "land": 4.0, "confirm": 4.0}
PEOPLE: Final = {"person pays": 1.0, "person changes total": 1.0, "person edits": 0.2, "person deletes": 0.2}
AT_THE_ERP: Final = {**OURS, **PEOPLE}
"""What may happen several times within one compound step, and how often. An edit of ours silences an invoice: rare."""

SINGLE: Final = {
    **AT_THE_ERP,
    "open": 4.0,
    "decline": 0.3,
    "capture": 4.0,
    "undo": 2.0,
    "move": 1.0,
    "pull": 3.0,
    "read": 4.0,
    "arrive": 4.0,
    "apply": 4.0,
    "forget pull": 2.0,
}


def kind_at(world: World, weights: Mapping[str, float], position: float) -> str:
    """The kind of step that is possible now and lies at a position from 0 to 1 of their weights."""
    possible = {kind: weight for kind, weight in weights.items() if world.choices(kind)}
    left = position * sum(possible.values())
    for kind, weight in possible.items():
        left -= weight
        if left < 0:
            return kind
    return next(reversed(possible))


def random_step(world: World, random: Random) -> list[StoreEvent]:
    """One simple or compound step.

    Compound steps matter: with single ones alone, walks of this length do not even meet the story of a row that is
    stamped when it is written.
    """

    def one_of(weights: Mapping[str, float]) -> list[StoreEvent]:
        return world.perform_one_of(kind_at(world, weights, random.random()), random.randrange(64))

    form = random.random()
    if form < 0.25:
        return [event for _ in range(random.randint(1, 5)) for event in one_of(AT_THE_ERP)]
    if form < 0.4:
        return world.pull_at_once()
    return one_of(SINGLE)


def _summed(pairs: Sequence[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for key, minor in pairs:
        sums[key] = sums.get(key, 0) + minor
    return {key: minor for key, minor in sums.items() if minor}
