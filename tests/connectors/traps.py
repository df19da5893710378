"""The ways in which an ERP's API makes an honest client wrong. Each connector closes each of them, or has it not.

A trap's test lies in the folder of its connector and is marked with `@trap(Trap.NAME)`. It walks in the naive way first
and counts the harm at the far side, and then shows that the connector does none: so the simulator is known to bite. What a
vendor has not is told in that folder's `absent.py` as `ABSENT: Final = {Trap.NAME: "why"}`. `make docs` makes the page of
both, and a test refuses an empty cell.
"""

from enum import StrEnum
from typing import Final

import pytest


class Trap(StrEnum):
    """What goes wrong for who does not know it."""

    LOST_ANSWER = "A write takes effect and its answer is lost: sent again, the document is there twice."
    LATE_EFFECT = "A request takes effect long after the client gave up: a look-up in between finds nothing."
    SEARCH_LAG = "A document just written is not found yet: 'none' is not a proof."
    STALE_VERSION = "A write with an old version is refused, or overwrites what a person did meanwhile."
    REPLAYED_KEY = "An idempotency key answers what once was, a document deleted since, or is not honoured at all."
    UPSERT_OVERWRITES = "A repeated write by our own reference changes the document that is there."
    DATE_ONLY_CURSOR = "A cursor cut to a day, or told in another time zone, loses rows for good."
    SAME_SECOND = "Two rows of one second: 'later than the last' loses the second."
    LATE_COMMIT = "A row is committed late with an earlier time: a cursor that has passed it never sees it."
    UNTOUCHED_INVOICE = "A payment or an application changes what is open and leaves the invoice's modification time alone."
    DELETED_ROW = "What is deleted or voided simply no longer comes: it stays open here for ever."
    CUT_LIST = "A list, or the links inside a document, is cut to a silent default (15, 20 or 100)."
    SHIFTING_PAGES = "A row changes while pages are read by offset: another slips through."
    NESTED_CREDITS = "A credit note inside an invoice comes without its allocations."
    REPEATED_ALLOCATIONS = "Allocations sent again are added to, or replace, the ones that are there."
    NEGATIVE_AMOUNTS = (
        "A payment's amount is negative where the journal wants it so; with the other sign the customer owes more."
    )
    ONE_INVOICE_A_LINE = "One line takes one invoice: the others are dropped or refused."
    LEFT_DRAFT = "Writing takes several calls: a crash leaves a draft that nobody counts, and the next try writes another."
    WRONG_OUTSTANDING = "The invoice's own open amount is not what its ledger says, or is refreshed late."
    PAID_WORD = "A word that sounds like paid is not cash, or one that sounds open is paid."
    NOT_BOOKED = "A payment is accepted and makes no ledger entry."
    CLOSED_PERIOD = (
        "A document dated in a closed period is refused: it is not the customer's fault, nor a reason to send it again."
    )
    CANNOT_UNDO = "What a bank reconciled, or a journal locked, cannot be taken back as other documents can."
    LIMITED_RATE = "Too many calls are refused, some without saying until when: a refusal before execution is no unknown."
    PARALLEL_RENEWAL = "Two processes renew with one refresh token: both are thrown out."
    HTML_ANSWER = "A gateway answers a page of HTML, with 200 or 502: it says nothing about the write."


def trap(*traps: Trap) -> pytest.MarkDecorator:
    """The mark of a test that closes these."""
    return pytest.mark.trap(*traps)


APPLIES_TO: Final = ["xero", "quickbooks", "netsuite", "business_central", "odoo", "erpnext"]
"""The connectors of the table, in its order; each is a folder beside this file."""
