"""Starting a process where nobody works: one named error, whichever bound of ours or of the client's ends the wait."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.client import Client

from activities.requests import SetupRequest
from api.processes import Processes, Sight, Unanswered
from domain.methods import MethodKind
from store.identity import fresh_id
from workflows import ids


@pytest.mark.parametrize("wait_ms", [1, 50, 400])
async def test_nobody_answering_is_one_error_and_the_process_may_run(
    temporal_client: Client, task_queue: str, wait_ms: int
) -> None:
    processes = Processes(temporal_client, task_queue=task_queue, answer_within=timedelta(milliseconds=wait_ms))
    setup_id = fresh_id("set")
    request = SetupRequest(
        setup_id=setup_id,
        customer_id=fresh_id("cus"),
        kind=MethodKind.CARD,
        currency="USD",
        consent_wording="Keep it.",
        return_path="/methods",
        request_hash="hash",
    )
    with pytest.raises(Unanswered):
        await processes.start_setup(request)
    if wait_ms == 400:
        patient = Processes(temporal_client, task_queue=task_queue)
        assert await patient.describe(ids.method_setup(setup_id)) is Sight.RUNNING
