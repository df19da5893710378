"""Refusals: the business says no. A code (the rule's name), facts, and the sentence that a person reads.

Every rule is a row of `RULES`, with its HTTP status; the sentence is filled with the facts. A refusal is a value: it is
stored with the process that it ended, shown on pages, and raised only where a page has nothing else to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

RULES: Final[Mapping[str, tuple[int, str]]] = {
    "nothing_selected": (422, "Choose at least one invoice to pay."),
    "too_many_invoices": (422, "One payment covers at most {most} invoices; this one names {asked}."),
    "custom_amount_too_wide": (
        422,
        "That amount would reach more than {most} invoices. The largest amount that one payment can cover is {largest}.",
    ),
    "custom_amount_above_open": (422, "That is more than is open. The most that can be paid now is {largest}."),
    "amount_not_positive": (422, "The amount must be more than zero."),
    "amount_unreadable": (422, "That is not an amount. Use digits, such as 1250.00."),
    "amount_empty": (422, "Enter an amount."),
    "amount_ambiguous": (422, "That amount can be read in two ways. Write 1250.00 or 1.25."),
    "amount_too_precise": (422, "That amount has more decimal places than the currency."),
    "amount_out_of_range": (422, "That amount is larger than any that can be paid here."),
    "currency_unknown": (422, "That currency is not known here."),
    "currency_mismatch": (422, "One payment is in one currency. Pay the invoices of each currency by themselves."),
    "invoice_not_found": (404, "One of these invoices does not exist."),
    "invoice_listed_twice": (422, "An invoice is named twice in this payment."),
    "parent_not_payable": (422, "Invoice {number} is split into sites: its sites are paid, not the invoice itself."),
    "invoice_paid": (409, "Invoice {number} is already paid."),
    "invoice_being_paid": (
        409,
        "Invoice {number} is being paid by {by} since {since}. It opens again if that payment does not succeed.",
    ),
    "invoice_requested": (
        409,
        "Invoice {number} is waiting for a request to apply a credit. It opens again if that request is not approved.",
    ),
    "invoice_not_payable": (409, "Invoice {number} cannot be paid here: {reason}."),
    "amount_exceeds_available": (409, "Invoice {number} has {available} left to pay, less than the {asked} asked for."),
    "partial_not_allowed": (422, "Invoices are paid in full here. Invoice {number} has {available} open."),
    "below_minimum": (422, "The smallest payment is {minimum} ({basis}). This one is {asked}."),
    "card_above_limit": (422, "Cards are for payments up to {limit}. This one is {asked}: pay it from a bank account."),
    "one_time_off": (422, "Paying once, with a method that is not kept, is switched off. Add a payment method first."),
    "saved_methods_off": (422, "Paying with a saved method is switched off."),
    "paying_off": (422, "Paying here is switched off. Ask us how to pay."),
    "method_not_found": (404, "That payment method does not exist."),
    "method_not_usable": (409, "{label} cannot be used now: {reason}."),
    "method_kind_not_offered": (422, "That kind of payment method is not offered for {currency}."),
    "pay_by_bank_off": (422, "Paying by bank is not offered here."),
    "consent_needed": (422, "A method is saved only when that was agreed to. Nothing was saved."),
    "no_provider": (409, "No payment provider is connected that can take this payment."),
    "method_in_use": (409, "{label} is paying something at this moment. It can be deleted once that payment is finished."),
    "new_default_needed": (422, "{label} is your default. Choose which method is the default next."),
    "facts_changed": (
        409,
        "Something changed since this page was drawn: {what}. Nothing was charged. Look at it again and confirm.",
    ),
    "form_used_differently": (422, "This form was already used for another payment. Nothing more was charged."),
    "form_expired": (422, "This form is too old or was changed on the way. Nothing was charged. Start again."),
    "return_url_foreign": (422, "A return address must be a page of this portal."),
    "body_too_large": (413, "That is too large to be read here. The limit is {limit}."),
    "too_many_requests": (429, "Too many requests. Try again in {seconds} seconds."),
    "cross_site": (403, "This form did not come from a page of ours. Open the page again and repeat it."),
    "not_found": (404, "There is no such page, or it is not yours."),
    "signed_out": (401, "Sign in first."),
    "not_open_here": (404, "No account is open here, so there is nothing to show. Come in by your link first."),
    "sign_in_failed": (401, "That e-mail address and password do not belong together."),
    "code_wrong": (401, "That code is not right, or was used before. Wait for the next one."),
    "password_wrong": (403, "That is not your password."),
    "password_too_short": (422, "A password has at least {least} characters."),
    "passwords_differ": (422, "The two passwords are not the same."),
    "second_factor_required": (409, "Everybody here needs a second factor: it cannot be switched off."),
    "second_factor_moved_on": (409, "Your second factor was changed in another window. Look at it again."),
    "last_admin": (409, "This is the last administrator. Make somebody else one first."),
    "staff_known": (409, "{email} is a member of staff already."),
    "email_unreadable": (422, "That is not an e-mail address."),
    "role_unknown": (422, "There is no such role."),
    "name_needed": (422, "Say how colleagues know this person."),
    "viewing_only": (403, "You are looking at this account as the customer sees it. Nothing can be changed from here."),
    "not_allowed": (403, "Your role does not allow this."),
    "setting_unknown": (422, "There is no setting called {name}."),
    "setting_invalid": (422, "{name} cannot be {value}: {reason}."),
    "connection_known": (409, "There is a connection called {id} already. Choose another short name."),
    "connection_invalid": (422, "This cannot work: {reason}. Nothing was saved."),
    "connection_moved_on": (
        409,
        "Somebody else changed this connection while you had it open. Nothing of yours is saved. Look at it again.",
    ),
    "connection_not_ready": (409, "It stays off: {reason}."),
    "consent_unknown": (
        409,
        "This way back was used before, is over, or began in another window. Begin again on the connection's page.",
    ),
    "consent_not_given": (409, "{title} gave no consent: {reason}. Nothing was changed."),
    "consent_for_another": (
        409,
        "That consent is for {theirs}, but this connection reads {ours}. Nothing was changed: connect it on its own.",
    ),
    "no_contact": (409, "This customer has no contact with an e-mail address."),
    "api_key_needed": (401, "Send an API key: 'Authorization: Bearer duly_…'. `duly apikey create` makes one."),
    "api_key_unknown": (401, "This API key is not known here, or was revoked."),
    "scope_needed": (403, "This API key lacks the scope {scope}."),
    "idempotency_key_needed": (400, "Send an Idempotency-Key of 1 to 200 visible characters, a new one for each new wish."),
    "idempotency_key_reused": (422, "This Idempotency-Key was already used for another request. Nothing was done."),
    "request_unreadable": (400, "The body is not JSON that can be read here."),
    "request_invalid": (422, "The request does not have the form that is described; 'errors' names each place."),
    "content_type_unsupported": (415, "Send a body as application/json."),
    "host_unknown": (400, "This site is reached at {url} only."),
    "operation_unknown": (405, "This address does not answer that method."),
    "cursor_unknown": (422, "This cursor does not belong to this list. Start again without one."),
    "customer_not_found": (404, "That customer does not exist."),
    "id_unknown": (404, "Nothing here has that id."),
    "posting_moved_on": (409, "This was decided by somebody else meanwhile, or the ERP has answered. Look at it again."),
    "difference_reason_needed": (422, "Say why: whoever looks at it later reads the reason."),
    "difference_moved_on": (
        409,
        "This difference was closed meanwhile, or ends only once both sides agree. Look at it again.",
    ),
    "credit_not_found": (404, "That credit does not exist."),
    "credits_not_requested": (409, "Asking to use {kind} is switched off here."),
    "credit_used_up": (409, "Nothing is left of {number}."),
    "amount_exceeds_credit": (409, "{number} has {available} left, less than the {asked} asked for."),
    "credit_currency": (422, "{number} is in {credit}: it cannot be used for an invoice in {invoice}."),
    "request_not_found": (404, "That request does not exist."),
    "request_moved_on": (
        409,
        "This request was decided or changed by somebody else meanwhile. Nothing was done. Look at it again.",
    ),
    "application_gone": (
        409,
        "Some of it is no longer on these invoices: the payment was returned or refunded. It cannot be taken off again.",
    ),
    "approver_needed": (403, "Above {limit} an approval needs somebody with the approver role."),
    "reason_needed": (422, "Say why: the customer reads it."),
    "question_needed": (422, "Write the question: the customer reads it."),
    "answer_needed": (422, "Write an answer."),
    "lines_differ": (422, "The approval names other invoices, or more, than the request."),
    "facts_moved": (409, "Something changed since this page was drawn: {what}. Nothing was done. Look at it again."),
    "refund_not_possible": (409, "This payment is {state}: there is nothing of it to give back."),
    "refund_above_captured": (409, "Of this payment {left} can still be refunded, less than the {asked} asked for."),
    "refund_line_above": (409, "Invoice {number} has {left} of this payment to take off, less than the {asked} asked for."),
    "refund_unapplied_above": (
        409,
        "{asked} would come off no invoice, and of this payment only {left} is on none. Choose which invoices reopen.",
    ),
    "refund_lines_exceed": (422, "The invoices to reopen come to {lines}, more than the refund of {asked}."),
    "refund_reason_needed": (422, "Say why the money goes back."),
    "refund_moved_on": (409, "This refund was decided by somebody else meanwhile, or is on its way. Look at it again."),
    "second_person_needed": (403, "You were the first: a second person must decide this."),
    "refund_not_found": (404, "That refund does not exist."),
    "payment_not_found": (404, "That payment does not exist."),
    "provider_gives_nothing_back": (409, "This payment's provider cannot give money back."),
    "refund_facts_changed": (
        409,
        "Something changed since this page was drawn: {what}. Nothing was refunded. Look at it again and confirm.",
    ),
    "statement_ahead": (422, "A statement ends today, {today}, at the latest: {day} has not come."),
    "statement_backwards": (422, "That period ends on {last}, before it begins on {first}."),
    "statement_format_off": (422, "Statements are given here as {offered}, not as {asked}."),
    "no_documents_chosen": (422, "Choose at least one invoice or credit note."),
    "too_many_documents": (422, "One file holds at most {most} documents; this asks for {asked}. Take them in parts."),
    "method_kept": (409, "{label} could not be removed at the provider, which said: {reason}."),
    "temporarily_unavailable": (503, "Something that is needed does not answer at this moment. Ask again soon."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refusal: `rule` is a key of RULES, `facts` are plain strings and numbers that fill its sentence."""

    rule: str
    facts: Mapping[str, str | int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"{self.rule!r} is not a rule of ours")

    @property
    def sentence(self) -> str:
        """What a person reads; a fact that is missing is left as a dash rather than hiding the refusal."""
        return RULES[self.rule][1].format_map(_Dashes(self.facts))

    @property
    def status(self) -> int:
        """The HTTP status of this rule."""
        return RULES[self.rule][0]


class _Dashes(dict[str, "str | int"]):
    def __missing__(self, key: str) -> str:
        return "—"


class Refused(Exception):
    """A refusal on its way to the edge, where no value can carry it."""

    def __init__(self, rule: str, **facts: str | int) -> None:
        self.refusal = Refusal(rule=rule, facts=facts)
        super().__init__(self.refusal.sentence)
