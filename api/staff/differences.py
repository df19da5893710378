"""What staff read of a difference: what it is, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from domain.differences import DifferenceKind as Kind


@dataclass(frozen=True, slots=True)
class Sentence:
    """`what` stands in lists; `do` beside the button."""

    what: str
    do: str


SENTENCES: Final[Mapping[Kind, Sentence]] = {
    Kind.OVERPAID: Sentence(
        "More was paid than is owed",
        "Give the money back, or apply it to another invoice in the ERP. It ends by itself once the figures agree.",
    ),
    Kind.HOLD_EXCEEDS_OPEN: Sentence(
        "A payment under way wants more than is owed",
        "Wait until the payment has ended: then it ends by itself, or more was paid than is owed.",
    ),
    Kind.EDITED_IN_ERP: Sentence(
        "A payment of ours was changed in the ERP",
        "The ERP's figures count. Put the payment back there, and it ends by itself.",
    ),
    Kind.CREDIT_OVERUSED: Sentence(
        "More of a credit is used or reserved than there is",
        "Take the credit off an invoice in the ERP, or decide the request that waits. It ends by itself.",
    ),
    Kind.MISSING_IN_ERP: Sentence(
        "The ERP confirmed a payment and does not have it",
        "Look for its reference in the ERP, deleted documents included. If it is gone, enter it again with that reference.",
    ),
    Kind.DUPLICATE_IN_ERP: Sentence(
        "The ERP has a payment twice",
        "Have the one that is too much reversed: it ends by itself at the next comparison. Or reverse it there yourself.",
    ),
    Kind.AMOUNT_IN_ERP: Sentence(
        "The ERP has a payment of ours with another amount",
        "The provider took what Duly says. Put the amount right in the ERP; it ends by itself at the next comparison.",
    ),
    Kind.DELETED_IN_ERP: Sentence(
        "A payment of ours was deleted in the ERP",
        "The customer has paid. Restore the payment in the ERP, or give the money back; then close this with the reason.",
    ),
    Kind.STANDS_IN_ERP: Sentence(
        "A payment that its bank took back still stands in the ERP",
        "Reverse it in the ERP. It ends by itself at the next comparison.",
    ),
    Kind.STRAY_IN_ERP: Sentence(
        "The ERP has a document with a reference of ours that Duly never had confirmed",
        "See who wrote it. Where Duly has no such payment, delete it in the ERP.",
    ),
    Kind.PAID_THEN_VOID: Sentence(
        "An invoice was voided that our customer has paid",
        "Move the money to another invoice in the ERP, or give it back; then close this with the reason.",
    ),
    Kind.FOREIGN_PAYMENT: Sentence(
        "A payment that a person entered in the ERP", "Nothing: it counts in what is open since it was read."
    ),
    Kind.ANOTHER_AMOUNT: Sentence(
        "The provider shows another amount than was asked for",
        "Ask the provider what it took and why, before anything else. Then close this with the reason.",
    ),
    Kind.ANOTHER_REFUND: Sentence(
        "The provider shows another refund than was asked for",
        "Ask the provider what it gave back and why. Then close this with the reason.",
    ),
    Kind.CHARGED_AGAIN: Sentence(
        "The provider shows a second charge for this payment: give it back there",
        "Give the charge that is not the payment's back in the provider's dashboard; then close this with the reason.",
    ),
    Kind.CHARGE_MISSING: Sentence(
        "The provider does not show a charge that is booked here",
        "Look for it in the provider's dashboard. If no money was taken, an engineer must look before it is booked back.",
    ),
    Kind.CHARGE_NOT_BOOKED: Sentence(
        "The provider shows a charge of a payment that ended without money here",
        "Give it back in the provider's dashboard, unless it is booked meanwhile; then it ends by itself.",
    ),
    Kind.RETURN_UNDONE: Sentence(
        "The provider shows the money of a returned payment as ours again",
        "See whether the customer has paid those invoices again. If not, enter the payment in the ERP; if so, give it back.",
    ),
    Kind.REFUND_AFTER_RETURN: Sentence(
        "A payment was returned by the bank and refunded too: the customer owes it",
        "Ask the customer for it, or write it off in the ERP; then close this with the reason.",
    ),
    Kind.PAYOUT_INCOMPLETE: Sentence(
        "A payout's parts do not sum up to it",
        "Wait: the provider may not have told them all. If it stays, ask the provider for the payout's statement.",
    ),
    Kind.PAYOUT_OF_STRANGERS: Sentence(
        "A payout has parts that are no payment or refund of ours",
        "See in the provider's dashboard who took them. Where others use the account too, close this with that reason.",
    ),
    Kind.PAID_OUT_AMOUNT: Sentence(
        "A payout has a payment or a refund of ours with another amount",
        "Ask the provider what it took and why, before anything else. Then close this with the reason.",
    ),
    Kind.PAID_OUT_AGAIN: Sentence(
        "A payment of ours was paid out twice",
        "See whether it was charged twice. If so, give one charge back in the provider's dashboard; then close this.",
    ),
    Kind.NOT_PAID_OUT: Sentence(
        "A payment was not paid out within the provider's term",
        "Look for it in the provider's dashboard: money that was taken may be held back. It ends by itself once paid out.",
    ),
    Kind.TAKEN_BACK_UNKNOWN: Sentence(
        "A payout takes a payment back that is not known to have come back",
        "The provider's event may be late. If this stays, let an engineer look before anything is booked.",
    ),
    Kind.DEPOSIT_MISSING: Sentence(
        "The ERP shows no deposit of a payout that was paid",
        "Look at the bank's statement. If it arrived, enter the deposit with the payout's reference; it ends by itself.",
    ),
    Kind.DEPOSIT_AMOUNT: Sentence(
        "The ERP shows a payout's deposit with another amount",
        "Compare the bank's statement with the payout's parts, and put the deposit right. It ends by itself.",
    ),
    Kind.CUSTOMER_TOTAL: Sentence(
        "What a customer owes by the ERP's own sum is not what was read of it",
        "All invoices are being read again. It ends by itself at the next comparison; if it does not, call an engineer.",
    ),
    Kind.LEDGER_TOTAL: Sentence(
        "The ERP's ledger and its own list of open invoices differ",
        "Look in the ERP for journal entries on the receivables account that belong to no invoice.",
    ),
}
