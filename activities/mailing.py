"""Outgoing mail: rows become messages with facts loaded at that moment; each is handed over, and only then closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from temporalio import activity

from activities.heartbeats import beating
from activities.pokes import Pokes
from activities.requests import SendLinks
from connectors.errors import Misconfigured, Rejected, Unavailable
from connectors.mail.compose import InvoiceAmount, compose
from connectors.mail.ports import Message, SendsMail
from domain.business import BusinessSettings
from domain.ids import shown_number
from domain.money import Money
from domain.refusals import Refused
from store import access, business, faults, outbox, password_links, wanted
from store.database import Database, Transaction
from store.views import credits as requests
from store.views.credits import RequestPage

BATCH: Final = 50
GIVE_UP_AFTER: Final = 5
"""So many failures and no success: the server is away, and a round ends."""

PASSWORD_LINKS: Final[Mapping[str, password_links.Purpose]] = {"password_reset": "reset", "staff_invited": "invitation"}
"""Templates that carry a link with which a member of staff sets a password."""

UNKNOWN: Final[Mapping[str, str]] = {
    "unknown_outcome_staff": """SELECT p.*, p.id AS payment_id, p.opened_at AS begun_at, c.name
        FROM payments p JOIN customers c ON c.id = p.customer_id WHERE p.id = :id""",
    "unknown_refund_staff": """SELECT r.*, r.requested_at AS begun_at, c.name
        FROM refunds r JOIN customers c ON c.id = r.customer_id WHERE r.id = :id""",
}
"""Templates that tell staff of an outcome that nobody knows yet, and where its facts are."""

REASONS: Final[Mapping[str, str]] = {
    "insufficient_funds": "There was not enough money on the account.",
    "card_expired": "The card has expired.",
    "account_closed": "The bank account is closed.",
    "no_account": "The bank knows no such account.",
    "R01": "There was not enough money on the account.",
    "R29": "The account's holder did not authorise the debit.",
    "authentication_failed": "Your bank could not confirm that it was you.",
    "not_sent": "We could not reach the payment provider.",
}
"""Codes of a failure, in the customer's words. A code without words says nothing rather than something wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRound:
    """What a round did; `down` when the mail server took nothing."""

    sent: int
    down: bool
    more: bool


class Mailing:
    """The activities; what they need is given once by the worker."""

    def __init__(
        self,
        database: Database,
        mail: SendsMail,
        clock: Callable[[], datetime],
        pokes: Pokes,
        *,
        base_url: str,
    ) -> None:
        self._database = database
        self._mail = mail
        self._clock = clock
        self._pokes = pokes
        self._base_url = base_url

    @activity.defn
    async def queue_links(self, order: SendLinks) -> int:
        """One mail for each contact that has an address; the same batch queues each once."""
        at = self._clock()
        async with self._database.begin("queue_links") as tx:
            for customer_id, contact_id in order.contacts:
                row = await tx.row(
                    """SELECT coalesce((SELECT k.email FROM contacts k WHERE k.id = :contact AND k.customer_id =
                        c.id), c.email) AS email
                       FROM customers c WHERE c.id = :customer AND NOT c.deleted""",
                    customer=customer_id,
                    contact=contact_id,
                )
                if row is None or not row.email:
                    continue
                await outbox.queue(
                    tx,
                    template="link_renewed" if order.by == "portal" else "portal_link",
                    to_address=row.email,
                    at=at,
                    process_id=order.batch_id,
                    customer_id=customer_id,
                    facts={"contact_id": contact_id, "by": order.by, "invoice_id": order.invoice_id or ""},
                )
        self._pokes.mailer()
        return len(order.contacts)

    @activity.defn
    async def send_round(self) -> MailRound:
        """Send what waits, oldest first. A mail is closed after the server took it: a kill between sends it twice,
        with one Message-ID, never not at all.
        """
        async with beating():
            async with self._database.begin("mail.waiting") as tx:
                waiting = await outbox.waiting(tx, limit=BATCH)
            sent = failed = 0
            for each in waiting:
                with faults.in_hand(f"{each.id} {each.process_id}"):
                    is_closed = await self._one(each)
                if is_closed:
                    sent += 1
                    continue
                failed += 1
                if failed == GIVE_UP_AFTER and sent == 0:
                    break
            # One full mailbox is not a mail server that is away: the others are served first the next time.
            return MailRound(sent=sent, down=failed > 0, more=sent == BATCH)

    async def _one(self, mail: outbox.Outgoing) -> bool:
        try:
            async with self._database.begin("mail.compose") as tx:
                message = await self._compose(tx, mail)
        except (LookupError, ValueError, Refused) as unwritable:
            async with self._database.begin("mail.unwritable") as tx:
                await outbox.close(tx, mail.id, state="refused", at=self._clock(), error=str(unwritable))
            return True
        await faults.reach("mail.before_send")
        try:
            await self._mail.send(message)
        except (Unavailable, Misconfigured) as error:
            async with self._database.begin("mail.tried") as tx:
                await outbox.tried(tx, mail.id, error=str(error))
            return False
        except Rejected as error:
            async with self._database.begin("mail.refused") as tx:
                await outbox.close(tx, mail.id, state="refused", at=self._clock(), error=error.sentence)
            return True
        await faults.reach("mail.after_answer")
        async with self._database.begin("mail.sent") as tx:
            await outbox.close(tx, mail.id, state="sent", at=self._clock())
        return True

    async def _compose(self, tx: Transaction, mail: outbox.Outgoing) -> Message:
        settings = await business.load(tx)
        if mail.template in UNKNOWN:
            facts = await self._unknown_facts(tx, mail, UNKNOWN[mail.template])
        elif mail.template == "request_waits_staff":
            facts = await self._waiting_facts(tx, mail)
        elif mail.template in PASSWORD_LINKS:
            facts = await self._password_facts(tx, mail)
        else:
            facts = await self._customer_facts(tx, mail, settings)
        return compose(
            mail.template,
            facts,
            business_name=settings.business_name,
            accent=settings.accent_colour,
            message_id=f"<{mail.id}@duly.example>",
            to=mail.to_address,
        )

    async def _customer_facts(self, tx: Transaction, mail: outbox.Outgoing, settings: BusinessSettings) -> dict[str, object]:
        row = await tx.row("SELECT name FROM customers WHERE id = :id", id=mail.customer_id)
        facts: dict[str, object] = {
            "customer_name": row.name if row is not None else "",
            "contact_email": settings.contact_email or None if settings.show_contact else None,
            "portal_url": self._base_url,
        }
        if mail.template in {"portal_link", "link_renewed"}:
            return facts | await self._link_facts(tx, mail, settings)
        if mail.template == "method_ready":
            method = await tx.row(
                "SELECT brand, last4, kind FROM payment_methods WHERE id = :id", id=mail.facts.get("method_id")
            )
            label = "Your payment method"
            if method is not None:
                brand = method.brand.title() if method.kind == "card" else method.brand
                label = f"{brand} ending {method.last4}"
            return facts | {"method_label": label, "portal_url": f"{self._base_url}/methods"}
        if mail.template in {"request_decided", "request_question"}:
            return facts | await self._request_facts(tx, mail)
        if mail.template in {"refund_done", "refund_came_back"}:
            return facts | await self._refund_facts(tx, mail)
        return facts | await self._payment_facts(tx, mail)

    async def _request_facts(self, tx: Transaction, mail: outbox.Outgoing) -> dict[str, object]:
        asked = await self._request(tx, mail)
        facts: dict[str, object] = {
            "credit_number": asked.credit_number,
            "portal_url": f"{self._base_url}/requests/{asked.id}",
        }
        if mail.template == "request_question":
            return facts | {"question": asked.question or ""}
        decided = sum(line.asked if line.approved is None else line.approved for line in asked.lines)
        return facts | {
            "amount": Money.of(decided, asked.currency),
            "outcome": mail.facts.get("outcome", ""),
            "reason": asked.reason or "",
        }

    async def _waiting_facts(self, tx: Transaction, mail: outbox.Outgoing) -> dict[str, object]:
        asked = await self._request(tx, mail)
        return {
            "customer_name": asked.customer_name,
            "amount": Money.of(asked.amount, asked.currency),
            "credit_number": asked.credit_number,
            "since_at": asked.opened_at,
            "expires_at": asked.expires_at or self._clock(),
            "staff_url": f"{self._base_url}/staff/requests/{asked.id}",
        }

    async def _request(self, tx: Transaction, mail: outbox.Outgoing) -> RequestPage:
        asked = await requests.request(tx, mail.process_id or "")
        if asked is None:
            raise LookupError(mail.process_id)
        return asked

    async def _link_facts(self, tx: Transaction, mail: outbox.Outgoing, settings: BusinessSettings) -> dict[str, object]:
        """The link is made here, so that its token is in the mail and nowhere else; a second try makes another."""
        link = await access.create_link(
            tx,
            mail.customer_id or "",
            by=mail.facts.get("by", ""),
            at=self._clock(),
            days=settings.link_days,
            invoice_id=mail.facts.get("invoice_id") or None,
            contact_id=mail.facts.get("contact_id") or None,
        )
        return {"portal_url": f"{self._base_url}/l/{link.token}", "expires_on": link.expires_at.date()}

    async def _password_facts(self, tx: Transaction, mail: outbox.Outgoing) -> dict[str, object]:
        """As above: the token is in the mail and nowhere else. Who has left meanwhile is sent nothing."""
        row = await tx.row("SELECT id, name FROM staff WHERE id = :id AND active", id=mail.process_id)
        if row is None:
            raise LookupError(mail.process_id)
        link = await password_links.create(tx, row.id, PASSWORD_LINKS[mail.template], at=self._clock())
        url = f"{self._base_url}/staff/set-password/{link.token}"
        return {"staff_name": row.name, "staff_url": url, "until_at": link.expires_at}

    async def _refund_facts(self, tx: Transaction, mail: outbox.Outgoing) -> dict[str, object]:
        row = await tx.row(
            """SELECT r.*, p.method_label FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = :id""",
            id=mail.facts.get("refund_id"),
        )
        if row is None:
            raise LookupError(mail.facts.get("refund_id"))
        facts: dict[str, object] = {
            "amount": Money.of(row.amount, row.currency),
            "method_label": row.method_label,
            "portal_url": f"{self._base_url}/payments/{row.payment_id}",
        }
        if mail.template == "refund_came_back":
            return facts
        lines = await tx.rows(
            """SELECT i.number, i.site, -sum(a.amount)::bigint AS amount
               FROM allocations a JOIN invoices i ON i.id = a.invoice_id
               WHERE a.posting_id = :posting GROUP BY i.id ORDER BY i.issued_on, i.number""",
            posting=f"{row.payment_id}-refunded-{row.id}",
        )
        opened = [
            InvoiceAmount(number=line.number, amount=Money.of(line.amount, row.currency), site=line.site) for line in lines
        ]
        return facts | {"refunded_on": row.changed_at.date(), "invoices": opened}

    async def _payment_facts(self, tx: Transaction, mail: outbox.Outgoing) -> dict[str, object]:
        row = await tx.row("SELECT * FROM payments WHERE id = :id", id=mail.process_id)
        if row is None:
            raise LookupError(mail.process_id)
        amount = Money.of(row.amount, row.currency)
        code = mail.facts.get("code") or row.failure_code
        facts: dict[str, object] = {
            "amount": amount,
            "method_label": row.method_label,
            "invoices": await self._lines(tx, row.id, row.currency, allocated=mail.template == "receipt"),
            "portal_url": f"{self._base_url}/payments/{row.id}",
        }
        on = row.changed_at.date()
        if mail.template == "receipt":
            free = await wanted.unapplied(tx, row.id)
            unapplied = Money.of(free, row.currency) if free > 0 else None
            return facts | {"payment_number": shown_number(row.id), "paid_on": on, "unapplied": unapplied}
        day = "failed_on" if mail.template == "payment_failed" else "returned_on"
        return facts | {day: on, "reason": REASONS.get(code or "")}

    async def _lines(self, tx: Transaction, payment_id: str, currency: str, *, allocated: bool) -> Sequence[InvoiceAmount]:
        rows = await tx.rows(
            """SELECT i.number, i.site, sum(l.amount)::bigint AS amount FROM allocations l JOIN invoices i ON i.id =
                l.invoice_id
               WHERE l.payment_id = :id AND l.amount > 0 GROUP BY i.id ORDER BY i.issued_on, i.number"""
            if allocated
            else """SELECT i.number, i.site, l.amount FROM payment_lines l JOIN invoices i ON i.id = l.invoice_id
                    WHERE l.payment_id = :id ORDER BY l.position""",
            id=payment_id,
        )
        return [InvoiceAmount(number=row.number, amount=Money.of(row.amount, currency), site=row.site) for row in rows]

    async def _unknown_facts(self, tx: Transaction, mail: outbox.Outgoing, statement: str) -> dict[str, object]:
        row = await tx.row(statement, id=mail.process_id)
        if row is None:
            raise LookupError(mail.process_id)
        now = self._clock()
        return {
            "customer_name": row.name,
            "amount": Money.of(row.amount, row.currency),
            "payment_number": shown_number(row.payment_id),
            "reason": row.check_note,
            "since_at": row.unknown_since or row.begun_at,
            "last_check_at": row.last_checked_at or now,
            "next_check_at": row.next_check_at or now,
            "staff_url": f"{self._base_url}/staff/payments/{row.payment_id}",
        }
