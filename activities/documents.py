"""Asking an ERP for its own PDFs. Nobody waits for it: what Duly typesets itself is there meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from temporalio import activity

from activities.failures import told_to_temporal
from activities.heartbeats import beating
from connectors.erp.ports import LedgerErp, TypesetsDocuments
from connectors.errors import Rejected
from store import document_files
from store.database import Database
from store.document_files import Wanted

_TYPESET: Final = frozenset({"invoice", "credit_note"})


class Documents:
    """The activities; `erps` are the connectors by connection, which may be built anew meanwhile."""

    def __init__(self, database: Database, erps: Mapping[str, LedgerErp], clock: Callable[[], datetime]) -> None:
        self._database = database
        self._erps = erps
        self._clock = clock

    @activity.defn
    async def fetch_documents(self, document_ids: Sequence[str]) -> int:
        """Ask for each that was not asked for in its present version; how many files are kept. Safe to run again."""
        async with beating(), told_to_temporal():
            async with self._database.begin("documents.wanted") as tx:
                wanted = await document_files.wanted(tx, document_ids)
            count = 0
            for each in wanted:
                file = await self._file(each)
                async with self._database.begin("documents.keep") as tx:
                    await document_files.keep(tx, each, file, at=self._clock())
                count += file is not None
            return count

    async def _file(self, each: Wanted) -> bytes | None:
        """None where this ERP typesets none of this kind, or says that there is none of this document."""
        erp: object = self._erps.get(each.connection_id)
        if not isinstance(erp, TypesetsDocuments) or each.kind not in _TYPESET:
            return None
        try:
            if each.kind == "invoice":
                return await erp.invoice_pdf(each.erp_id)
            return await erp.credit_note_pdf(each.erp_id)
        except Rejected:
            return None
