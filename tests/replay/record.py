"""Records histories: `python -m tests.replay.record`. A recorded history is never overwritten: delete nothing, add names.

Runs a whole Duly, plays each case, and writes tests/replay/histories/<workflow>/<case>.json with the (throw-away) key
that its payloads are encrypted with in keys.json.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from activities.requests import CloseOrder, MethodChange, RefundDecision, SendAgain, SendLinks
from api.processes import Sight
from store.identity import fresh_id
from tests.processes import house as houses
from tests.processes import refunding
from tests.processes.house import House, now, until
from tests.processes.requesting import Requests
from tests.processes.test_providers_tell import DEBIT
from tests.processes.test_reconciling import compared

FOLDER: Final = Path(__file__).parent / "histories"

Case = Callable[[House], Awaitable[str]]


async def _paid(house: House) -> str:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.pay(request)
    await house.reaches(request.payment_id, "captured")
    return f"payment/{request.payment_id}"


async def _declined(house: House) -> str:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id, use="card_charge_declined")
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.pay(request)
    return f"payment/{request.payment_id}"


async def _refused(house: House) -> str:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_001)], method_id=method_id)
    await house.pay(request)
    return f"payment/{request.payment_id}"


async def _by_page(house: House) -> str:
    customer_id, (invoice_id,) = await house.customer()
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=None)
    answer = await house.pay(request)
    assert answer.redirect_url is not None
    await house.fill_in(answer.redirect_url, "card_ok")
    await house.processes.hint(f"payment/{request.payment_id}", "return")
    await house.reaches(request.payment_id, "captured")
    return f"payment/{request.payment_id}"


async def _unknown_then_found(house: House) -> str:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id)
    await house.provider_fault("charge", "drop_after", our_ref=f"{request.payment_id}-1")
    await house.pay(request)
    await house.reaches(request.payment_id, "captured", within_seconds=60)
    return f"payment/{request.payment_id}"


async def _debit_in_flight(house: House) -> str:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id, use="us_bank_account_6789", kind="us_bank_account")
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id, **DEBIT)
    await house.pay(request)
    return f"payment/{request.payment_id}"


async def _set_up(house: House) -> str:
    customer_id, _ = await house.customer()
    method_id = await house.saved_method(customer_id)
    row = await house.one("SELECT id FROM method_setups WHERE method_id = :id", id=method_id)
    return f"setup/{row.id}"


async def _removed(house: House) -> str:
    customer_id, _ = await house.customer()
    method_id = await house.saved_method(customer_id)
    change = MethodChange(change_id=fresh_id("chg"), method_id=method_id, customer_id=customer_id, action="remove")
    await house.processes.change_method(change)
    return f"method/{method_id}/{change.change_id}"


async def _default(house: House) -> str:
    customer_id, _ = await house.customer()
    method_id = await house.saved_method(customer_id)
    change = MethodChange(change_id=fresh_id("chg"), method_id=method_id, customer_id=customer_id, action="default")
    await house.processes.change_method(change)
    return f"method/{method_id}/{change.change_id}"


async def _documents(house: House) -> str:
    _, invoice_ids = await house.customer()
    await house.processes.fetch_documents(invoice_ids)
    (run,) = [each async for each in house.client.list_workflows("WorkflowType = 'FetchDocuments'")]
    await house.client.get_workflow_handle(run.id).result()
    return run.id


async def _links(house: House) -> str:
    customer_id, _ = await house.customer()
    batch = fresh_id("bat")
    await house.processes.send_links(SendLinks(batch_id=batch, contacts=((customer_id, ""),), by="test"))

    async def queued() -> bool:
        return bool(await house.rows("SELECT 1 FROM outbox WHERE process_id = :id", id=batch))

    await until(queued, what="the batch")
    return f"links/{batch}"


async def _late(house: House) -> str:
    """A settled debit: its event comes after the payment's process has closed."""
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id, use="us_bank_account_6789", kind="us_bank_account")
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=method_id, **DEBIT)
    await house.pay(request)
    await house.advance(timedelta(days=2, hours=1))
    await house.reaches(request.payment_id, "captured")

    async def closed() -> bool:
        return await house.processes.describe(f"payment/{request.payment_id}") is Sight.ENDED

    await until(closed, what="the payment's end")
    await house.advance(timedelta(days=3))

    async def handled() -> str | None:
        rows = await house.rows(
            "SELECT id FROM inbox WHERE our_ref = :ref AND state = 'handled'", ref=f"{request.payment_id}-1"
        )
        return rows[-1].id if rows else None

    return f"late/{await until(handled, what='the late event')}"


async def _resumed(house: House) -> str:
    """A payment page whose process was forgotten, taken up as the sweep does it."""
    customer_id, (invoice_id,) = await house.customer()
    request = house.request(customer_id, [(invoice_id, 10_000)], method_id=None)
    answer = await house.pay(request)
    assert answer.redirect_url is not None
    workflow_id = f"payment/{request.payment_id}"
    await house.forget(workflow_id)
    await house.fill_in(answer.redirect_url, "card_ok")
    await house.client.start_workflow("ResumePayment", request.payment_id, id=workflow_id, task_queue="duly")
    await house.reaches(request.payment_id, "captured")
    return workflow_id


async def _setup_resumed(house: House) -> str:
    """A set-up whose process was forgotten while the customer was at the provider, taken up as the sweep does it."""
    customer_id, _ = await house.customer()
    setup_id, page_url = await house.opened_setup(customer_id)
    workflow_id = f"setup/{setup_id}"
    await house.forget(workflow_id)
    await house.fill_in(page_url, "card_ok")
    await house.client.start_workflow("ResumeSetup", setup_id, id=workflow_id, task_queue="duly")
    await house.completed_setup(setup_id)
    return workflow_id


async def _sent_again(house: House) -> str:
    customer_id, (invoice_id,) = await house.customer()
    method_id = await house.saved_method(customer_id)
    posting_id = await house.refused_posting(customer_id, invoice_id, 10_000, method_id=method_id)
    await house.processes.send_again(SendAgain(posting_id=posting_id, attempts=1, by="stf_1"))
    await house.is_posted(posting_id.removesuffix("-captured"))
    return f"again/{posting_id}/1"


async def _refunded(house: House) -> str:
    payment_id, invoice_id = await refunding.paid(house)
    request = refunding.wish(payment_id, 3_000, [(invoice_id, 3_000)])
    assert (await refunding.ask(house, request)).state == "refunded"
    return f"refund/{request.refund_id}"


async def _refund_refused(house: House) -> str:
    payment_id, invoice_id = await refunding.paid(house)
    request = refunding.wish(payment_id, 10_001, [(invoice_id, 10_001)])
    assert (await refunding.ask(house, request)).state == "refused"
    return f"refund/{request.refund_id}"


async def _refund_unknown(house: House) -> str:
    payment_id, invoice_id = await refunding.paid(house)
    request = refunding.wish(payment_id, 3_000, [(invoice_id, 3_000)])
    await house.provider_fault("refund", "drop_after", our_ref=request.refund_id)
    await refunding.ask(house, request)
    await refunding.reaches(house, request.refund_id, "refunded", within_seconds=60)
    return f"refund/{request.refund_id}"


async def _refund_of_two(house: House) -> str:
    """Approved by a second person; its event came while it was slow."""
    await refunding.limit(house, 0)
    payment_id, invoice_id = await refunding.paid(house)
    request = refunding.wish(payment_id, 3_000, [(invoice_id, 3_000)])
    await house.provider_post("/v1/test/settings", {"refund_path": "stays_pending"})
    assert (await refunding.ask(house, request)).state == "awaiting_second"
    decision = RefundDecision(refund_id=request.refund_id, version=1, agrees=True, by="stf_bob")
    await house.processes.decide_refund(decision)
    await refunding.reaches(house, request.refund_id, "processing")
    await house.provider_post("/v1/test/refunds/move", {"our_ref": request.refund_id, "status": "succeeded"})
    await refunding.reaches(house, request.refund_id, "refunded")
    await house.provider_post("/v1/test/settings", {"refund_path": "succeeds"})
    await refunding.limit(house, 10**9)
    return f"refund/{request.refund_id}"


async def _refund_resumed(house: House) -> str:
    """A refund whose process was forgotten, taken up as the sweep does it."""
    payment_id, invoice_id = await refunding.paid(house)
    request = refunding.wish(payment_id, 3_000, [(invoice_id, 3_000)])
    await house.provider_post("/v1/test/settings", {"refund_path": "stays_pending"})
    assert (await refunding.ask(house, request)).state == "processing"
    workflow_id = f"refund/{request.refund_id}"
    await house.forget(workflow_id)
    await house.client.start_workflow("ResumeRefund", request.refund_id, id=workflow_id, task_queue="duly")
    await house.provider_post("/v1/test/refunds/move", {"our_ref": request.refund_id, "status": "succeeded"})
    await refunding.reaches(house, request.refund_id, "refunded")
    await house.provider_post("/v1/test/settings", {"refund_path": "succeeds"})
    return workflow_id


async def _applied(house: House) -> str:
    requests = Requests(house)
    request_id = await requests.applied(await requests.case())
    await requests.ends(request_id)
    return f"apply/{request_id}"


async def _expired(house: House) -> str:
    """Reminded, told to approvers, expired: its days are made seconds, and the process is told to look."""
    requests = Requests(house)
    request_id = await requests.ask(await requests.case())
    async with house.admin.begin("record") as tx:
        await tx.run(
            """UPDATE apply_requests SET remind_at = cast(:at AS timestamptz) + interval '2 seconds',
                      escalate_at = cast(:at AS timestamptz) + interval '4 seconds',
                      expires_at = cast(:at AS timestamptz) + interval '6 seconds' WHERE id = :id""",
            at=now(),
            id=request_id,
        )
    await house.processes.hint(f"apply/{request_id}", "look")
    await requests.reaches(request_id, "expired")
    await requests.ends(request_id)
    return f"apply/{request_id}"


async def _undone(house: House) -> str:
    requests = Requests(house)
    request_id = await requests.applied(await requests.case())
    await requests.decide(request_id, "undo", text="The wrong invoice")
    row = await house.one(
        "SELECT id FROM timeline WHERE process_id = :id AND kind = 'decided' AND facts ->> 'action' = 'undo'", id=request_id
    )
    workflow_id = f"undo/{request_id}/{row.id.rpartition('/')[2]}"

    async def closed() -> bool:
        return await house.processes.describe(workflow_id) is Sight.ENDED

    await until(closed, what="the end of the decision")
    return workflow_id


async def _compared(house: House) -> str:
    await compared(house)
    return await _newest(house, "Reconcile")


async def _closed(house: House) -> str:
    difference = fresh_id("dif")
    await house.processes.close_difference(CloseOrder(difference_id=difference, reason="looked into", by="stf_1"))
    return await _newest(house, "CloseDifference")


async def _newest(house: House, workflow: str) -> str:
    async for each in house.client.list_workflows(f'WorkflowType = "{workflow}" AND ExecutionStatus = "Completed"'):
        return each.id
    raise LookupError(workflow)


CASES: Final[dict[str, Case]] = {
    "PayInvoices/captured": _paid,
    "PayInvoices/declined": _declined,
    "PayInvoices/refused": _refused,
    "PayInvoices/by_page": _by_page,
    "PayInvoices/unknown_then_found": _unknown_then_found,
    "PayInvoices/debit_in_flight": _debit_in_flight,
    "ResumePayment/page_paid_meanwhile": _resumed,
    "AddPaymentMethod/completed": _set_up,
    "ResumeSetup/completed_meanwhile": _setup_resumed,
    "ChangePaymentMethod/removed": _removed,
    "ChangePaymentMethod/default": _default,
    "SendPortalLinks/one": _links,
    "SendPostingAgain/queued": _sent_again,
    "FetchDocuments/kept": _documents,
    "LateEvent/settled": _late,
    "RefundPayment/refunded": _refunded,
    "RefundPayment/refused": _refund_refused,
    "RefundPayment/unknown_then_found": _refund_unknown,
    "RefundPayment/second_person_and_slow": _refund_of_two,
    "ResumeRefund/succeeded_meanwhile": _refund_resumed,
    "ApplyCredit/applied": _applied,
    "ApplyCredit/expired_after_reminders": _expired,
    "UndoApplication/undone": _undone,
    "PostToErp/after_payments": lambda _: asyncio.sleep(0, "post/demo"),
    "SendMail/after_payments": lambda _: asyncio.sleep(0, "mail/outgoing"),
    "SyncErp/a_run": lambda house: _newest(house, "SyncErp"),
    "CatchUp/a_run": lambda house: _newest(house, "CatchUp"),
    "Sweep/a_run": lambda house: _newest(house, "Sweep"),
    "Reconcile/a_run": _compared,
    "CloseDifference/moved_on": _closed,
}


async def main() -> None:
    """Play the cases that have no file yet."""
    missing = [name for name in CASES if not (FOLDER / f"{name}.json").exists()]
    if not missing:
        print("every case is recorded; give a new one a new name")
        return
    house = await houses.start(Path(tempfile.mkdtemp(prefix="duly-record-")))
    try:
        for name in missing:
            workflow_id = await CASES[name](house)
            history = await house.client.get_workflow_handle(workflow_id).fetch_history()
            path = FOLDER / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(history.to_json())
            print(name, len(history.events))
        keys_file = FOLDER / "keys.json"
        keys = json.loads(keys_file.read_text()) if keys_file.exists() else {}
        key_id, _, secret = house.machine.secrets.codec_key.partition(":")
        recorded = {name: {"id": key_id, "key": secret} for name in missing}
        keys_file.write_text(json.dumps(keys | recorded, indent=1, sort_keys=True) + "\n")
        _add_digests(missing)
    finally:
        await houses.stop(house)


def _add_digests(names: list[str]) -> None:
    """A digest is written once, so that a history that changes later is noticed."""
    file = FOLDER / "digests.json"
    digests = json.loads(file.read_text()) if file.exists() else {}
    added = {name: hashlib.sha256((FOLDER / f"{name}.json").read_bytes()).hexdigest() for name in names}
    file.write_text(json.dumps(digests | added, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
