"""Fetch the ERP's own PDFs of documents that somebody wanted to see."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.documents import Documents
from workflows import policies


@workflow.defn
class FetchDocuments:
    """One wish. An ERP that is down is not waited for long: whoever looks the next time asks again."""

    @workflow.run
    async def run(self, document_ids: list[str]) -> int:
        """How many files are kept."""
        try:
            return await workflow.execute_activity_method(Documents.fetch_documents, document_ids, **policies.ASK.options())
        except ActivityError:
            return 0
