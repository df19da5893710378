"""What a customer does on a hosted page, decided by the test number that was entered."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from simulators.sandbox_provider.charges import Charges
from simulators.sandbox_provider.clock import Clock
from simulators.sandbox_provider.instruments import BY_BEHAVIOUR, Challenge, Instrument, recognise
from simulators.sandbox_provider.methods import Entry
from simulators.sandbox_provider.setups import Setups
from simulators.sandbox_provider.storage import Row, Storage

SENTENCES: Final = {
    "declined": "This card was declined. Nothing was charged. Try another one.",
    "insufficient_funds": "This card was declined: there is not enough money. Nothing was charged. Try another one.",
    "card_expired": "This card has expired. Nothing was charged. Try another one.",
    "processing_error": "The bank could not process this just now. Nothing was charged. Try it again.",
    "authentication_failed": "Your bank could not confirm that it is you. Nothing was charged. Try again, or another card.",
    "verification_needed": "This account needs verification first. Save it as a payment method, or use another one.",
    "amounts_do_not_match": "Those are not the two amounts. Look at your statement and try again.",
}


class EntryRefused(Exception):
    """What was typed cannot be used; the sentence is for the customer, `field` is where to look."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        self.sentence = sentence


class Checkout:
    """Applies a customer's steps. Each call is one transaction, and does nothing on a page that is finished."""

    def __init__(self, storage: Storage, clock: Clock, charges: Charges, setups: Setups) -> None:
        self._storage = storage
        self._clock = clock
        self._charges = charges
        self._setups = setups

    def read_entry(self, kinds: tuple[str, ...], form: dict[str, str]) -> Entry:
        """The test number that was typed or chosen. Raises EntryRefused; what was typed is not kept."""
        chosen = BY_BEHAVIOUR.get(form.get("use", ""))
        today = datetime.fromtimestamp(self._clock.now_ms() // 1000, UTC)
        if chosen is not None:
            if chosen.kind not in kinds:
                raise EntryRefused("number", "That kind of payment method cannot be used here.")
            return _entry(chosen, 12, today.year + 3)
        kind = form.get("kind", kinds[0])
        if kind not in kinds:
            raise EntryRefused("number", "That kind of payment method cannot be used here.")
        instrument = recognise(kind, form.get("number", ""), form.get("bank_code", ""))
        if instrument is None:
            raise EntryRefused("number", "Test numbers only: use one from the list. Nothing you typed was kept.")
        if kind != "card":
            return _entry(instrument, None, None)
        month, year = _expiry(form.get("expiry", ""))
        if (year, month) < (today.year, today.month):
            raise EntryRefused("expiry", "That date is in the past.")
        cvc = form.get("cvc", "").strip()
        if not (cvc.isascii() and cvc.isdigit() and len(cvc) in {3, 4}):
            raise EntryRefused("cvc", "Type any three digits.")
        return _entry(instrument, month, year)

    def submit_setup(self, setup: Row, entry: Entry) -> None:
        """A method was entered to be saved."""
        instrument = entry.instrument
        with self._storage.transaction():
            if setup["status"] != "open":
                return
            decline = _applies(instrument.page_decline, once=instrument.page_decline_once, tries=setup["tries"])
            if decline is not None:
                self._setups.note_attempt(setup["id"], decline)
            elif instrument.challenge is not Challenge.NEVER:
                self._storage.update("setups", setup["id"], waiting=json.dumps(entry.stored()), failure_code=None)
            else:
                self._setups.complete(setup["id"], entry)

    def answer_setup_challenge(self, setup: Row, *, approve: bool) -> None:
        """The bank asked while a card was being saved."""
        entry = waiting_entry(setup)
        with self._storage.transaction():
            if setup["status"] != "open" or entry is None:
                return
            if approve:
                self._setups.complete(setup["id"], entry)
            else:
                self._setups.note_attempt(setup["id"], "authentication_failed")

    def submit_payment(self, charge: Row, entry: Entry) -> None:
        """A method was entered to pay with."""
        instrument, tries = entry.instrument, charge["tries"]
        with self._storage.transaction():
            if charge["status"] != "requires_action":
                return
            decline = _applies(instrument.page_decline, once=instrument.page_decline_once, tries=tries)
            decline = decline or _applies(instrument.charge_decline, once=instrument.charge_decline_once, tries=tries)
            if instrument.needs_micro_deposits:
                decline = "verification_needed"
            if decline is not None:
                self._charges.note_attempt(charge["id"], decline)
            elif instrument.challenge is not Challenge.NEVER:
                self._storage.update("charges", charge["id"], waiting=json.dumps(entry.stored()), failure_code=None)
            else:
                self._charges.accept(charge["id"], entry)

    def answer_payment_challenge(self, charge: Row, *, approve: bool) -> None:
        """The bank asked while a charge was being made, on a payment page or for a saved card."""
        entry = waiting_entry(charge)
        with self._storage.transaction():
            if charge["status"] != "requires_action" or entry is None:
                return
            failure = entry.instrument.decline_after_challenge if approve else "authentication_failed"
            if failure is None:
                self._charges.accept(charge["id"], entry)
            elif charge["is_page"]:
                self._charges.note_attempt(charge["id"], failure)
            else:
                self._charges.move(charge["id"], "failed", changes={"failure_code": failure, "waiting": None})


def waiting_entry(row: Row) -> Entry | None:
    """The card that waits for the bank's question to be answered."""
    if row["waiting"] is None:
        return None
    stored = json.loads(row["waiting"])
    return _entry(BY_BEHAVIOUR[stored["behaviour"]], stored["exp_month"], stored["exp_year"])


def _entry(instrument: Instrument, month: int | None, year: int | None) -> Entry:
    if instrument.kind != "card":
        month = year = None
    return Entry(instrument=instrument, exp_month=month, exp_year=year)


def _applies(decline: str | None, *, once: bool, tries: int) -> str | None:
    return None if once and tries > 0 else decline


def _expiry(text: str) -> tuple[int, int]:
    """Month and four-digit year of '04/29'. Raises EntryRefused."""
    month, _, year = text.replace(" ", "").partition("/")
    if not (month.isdecimal() and year.isdecimal() and month.isascii() and year.isascii()):
        raise EntryRefused("expiry", "Write the date as month and year, such as 04/29.")
    if not 1 <= int(month) <= 12 or len(year) not in {2, 4}:
        raise EntryRefused("expiry", "Write the date as month and year, such as 04/29.")
    return int(month), int(year) + (2000 if len(year) == 2 else 0)
