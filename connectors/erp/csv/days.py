"""The folder: one file a day, only ever added to at its end, and only the youngest of them.

A document is written in one append, under a lock of the whole folder, and confirmed once the disk has it. Whatever stops
that leaves either all of it, or a tail that is no document: nobody reads such a tail, and the next append cuts it off first.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from connectors.erp.csv import rows
from connectors.erp.csv.rows import Entry, Written
from connectors.errors import OutcomeUnknown, Rejected, Unavailable

_FILE: Final = re.compile(r"payments-\d{4}-\d\d-\d\d\.csv")
_LOCK: Final = ".lock"

Step = Callable[[str], None]


def _nothing(_: str) -> None:
    """No drill."""


class Days:
    """Blocks while it works: call it in a thread. `step` hears what is about to happen, for crash drills.

    Every method raises Unavailable where the folder cannot be read, and where somebody has changed a file.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime], *, step: Step = _nothing) -> None:
        self._folder = folder
        self._clock = clock
        self._step = step
        self._one_at_a_time = threading.Lock()
        self._read: dict[str, tuple[int, int]] = {}  # by file: bytes and lines that were taken in
        self._entries: dict[str, list[Written]] = {}
        self._by_key: dict[str, list[Entry]] = {}

    def files(self) -> list[Path]:
        """The days' files, the oldest first."""
        with _readable():
            return sorted(each for each in self._folder.iterdir() if _FILE.fullmatch(each.name))

    def content(self, name: str) -> bytes:
        """One day's whole documents. Raises Rejected where there is no such file."""
        if _FILE.fullmatch(name) is None:
            raise Rejected("FILE_NOT_FOUND", "There is no such file.")
        with _readable():
            path = self._folder / name
            if not path.is_file():
                raise Rejected("FILE_NOT_FOUND", "There is no such file.")
            raw = path.read_bytes()
            return raw[: rows.whole(raw, file=name, line=1)[1]]

    def find(self, reference: str) -> list[Written]:
        """Every document that bears a reference."""
        with self._one_at_a_time:
            self._refresh()
            return list(self._entries.get(reference, ()))

    def of(self, key: str) -> list[Entry]:
        """Every document that moves that money."""
        with self._one_at_a_time:
            self._refresh()
            return list(self._by_key.get(key, ()))

    def ready(self) -> None:
        """Raises Unavailable unless something could be written."""
        with self._locked():
            self.find("")

    def write(self, entry: Entry, allowed: Callable[[], None]) -> Written:
        """Add a document, or find what an earlier try added. `allowed` is asked under the lock, and raises Rejected.

        Raises OutcomeUnknown where the disk may have it.
        """
        with self._locked():
            self._step("locked")
            for earlier in self.find(entry.reference):
                if not earlier.entry.says_the_same_as(entry):
                    raise Rejected("REFERENCE_DIFFERS", f"{entry.reference} is in {earlier.file} with another content.")
                return earlier
            allowed()
            with _readable():
                path = self._open_file()
                self._cut(path)
                is_new = not path.exists()
            self._step("cut")
            text = rows.rows(entry, at=self._clock())
            try:
                self._append(path, (rows.headings() + text if is_new else text).encode())
            except OSError as failed:
                raise OutcomeUnknown(f"The day's file could not be written ({type(failed).__name__}).") from failed
            self._step("synced")
            return self.find(entry.reference)[0]

    # ------------------------------------------------------------ inside

    def _open_file(self) -> Path:
        """Today's file; where the clock went back, the youngest there is: a day that was closed stays closed."""
        today = f"payments-{self._clock().date().isoformat()}.csv"
        youngest = max((each.name for each in self.files()), default=today)
        return self._folder / max(today, youngest)

    def _cut(self, path: Path) -> None:
        """Cut a tail off that is no document: whoever wrote it was killed before anybody was told of it."""
        if not path.exists():
            return
        taken, _ = self._read.get(path.name, (0, 0))
        if path.stat().st_size > taken:
            with path.open("r+b") as file:
                file.truncate(taken)
                os.fsync(file.fileno())
        if taken == 0:
            path.unlink()

    def _append(self, path: Path, content: bytes) -> None:
        is_new = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            self._step("opened")
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
                self._step("written")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _refresh(self) -> None:
        """Take in what was added since the last look; all of it anew where a file is shorter, or gone."""
        with _readable():
            sizes = {each.name: each.stat().st_size for each in self.files()}
            if any(sizes.get(name, -1) < taken for name, (taken, _) in self._read.items()):
                self._read, self._entries, self._by_key = {}, {}, {}
            for name, size in sizes.items():
                taken, line = self._read.get(name, (0, 1))
                if size > taken:
                    self._take_in(name, taken, line)

    def _take_in(self, name: str, start: int, line: int) -> None:
        with (self._folder / name).open("rb") as file:
            file.seek(start)
            raw = file.read()
        found, taken = rows.whole(raw, file=name, line=line)
        for each in found:
            self._entries.setdefault(each.entry.reference, []).append(each)
            self._by_key.setdefault(each.entry.key, []).append(each.entry)
        self._read[name] = (start + taken, line + raw[:taken].count(b"\n"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _readable():
            descriptor = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            with _readable():
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as absent:
        raise Unavailable(f"The folder of days' files cannot be used ({type(absent).__name__}).") from absent
    except ValueError as changed:
        raise Unavailable(f"A day's file was changed: {changed}") from changed
