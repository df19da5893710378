"""The folder where one machine keeps everything of its own: databases, logs, keys, addresses.

<folder>/lock            held by the `duly up` that runs on this folder
<folder>/info.json       ports, addresses and processes of that run; ports are kept for the next one
<folder>/secrets.json    keys and passwords, made once
<folder>/demo.json       the password of the demo's member of staff, made once
<folder>/postgres/  <folder>/temporal.db  <folder>/*.sqlite  <folder>/log/
"""

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

DEFAULT_PORT: Final = 8600


class AlreadyRunning(Exception):
    """Another `duly up` holds the folder."""


class NotPreparedYet(Exception):
    """The folder has never been started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Loopback ports of the parts; neighbours, so that one number places them all."""

    api: int
    temporal: int
    temporal_ui: int
    provider: int
    erp: int
    mail: int
    smtp: int
    api_metrics: int
    worker_metrics: int
    worker_temporal_metrics: int
    temporal_metrics: int

    @classmethod
    def starting_at(cls, first: int) -> "Ports":
        return cls(**{field.name: first + offset for offset, field in enumerate(fields(cls))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Keys and passwords of one machine. They stay as they are for the life of the folder."""

    codec_key: str
    master_key: str
    form_key: str
    provider_api_key: str
    provider_webhook_secret: str
    erp_api_key: str
    admin_password: str
    portal_password: str
    worker_password: str
    staff_password: str

    @classmethod
    def fresh(cls) -> "Secrets":
        return cls(
            codec_key=f"k{secrets.token_hex(3)}:{base64.b64encode(secrets.token_bytes(32)).decode()}",
            master_key=f"m{secrets.token_hex(3)}:{base64.b64encode(secrets.token_bytes(32)).decode()}",
            form_key=secrets.token_urlsafe(48),
            provider_api_key=f"sandbox_{secrets.token_urlsafe(24)}",
            provider_webhook_secret=f"whsec_{secrets.token_urlsafe(32)}",
            erp_api_key=f"erp_{secrets.token_urlsafe(24)}",
            admin_password=secrets.token_urlsafe(24),
            portal_password=secrets.token_urlsafe(24),
            worker_password=secrets.token_urlsafe(24),
            staff_password=secrets.token_urlsafe(24),
        )

    def __repr__(self) -> str:
        return "Secrets(…)"


class DataFolder:
    """Paths inside the folder, and the two files that Duly itself reads and writes there."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def temporal_database(self) -> Path:
        return self.path / "temporal.db"

    def log_file(self, name: str) -> Path:
        return self.path / "log" / f"{name}.log"

    def simulator_file(self, name: str) -> Path:
        return self.path / f"{name}.sqlite"

    def make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other `duly up` out. Raises AlreadyRunning; the kernel lets go even when we are killed."""
        with (self.path / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise AlreadyRunning(str(self.path)) from error
            yield

    def is_held(self) -> bool:
        """Whether a `duly up` runs on this folder at this moment."""
        if not (self.path / "lock").exists():
            return False
        try:
            with self.held():
                return False
        except AlreadyRunning:
            return True

    def secrets(self) -> Secrets:
        """The machine's secrets, made at the first call. The file is readable by its owner only. A folder from before one
        of them was needed gets that one now.
        """
        file = self.path / "secrets.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        every = {**asdict(Secrets.fresh()), **known}
        if every != known:
            _write_privately(file, every)
        return Secrets(**every)

    def demo_password(self) -> str:
        """The password of the demo's member of staff, made at the first call and the same from then on."""
        file = self.path / "demo.json"
        if not file.exists():
            _write_privately(file, {"staff_password": secrets.token_urlsafe(12)})
        return str(json.loads(file.read_text())["staff_password"])

    def info(self) -> dict[str, Any]:
        """What the last `duly up` wrote. Raises NotPreparedYet."""
        file = self.path / "info.json"
        if not file.exists():
            raise NotPreparedYet(f"Nothing was ever started in {self.path}. `duly up` (or `make demo`) does that.")
        facts: dict[str, Any] = json.loads(file.read_text())
        return facts

    def write_info(self, facts: Mapping[str, Any]) -> None:
        _write_privately(self.path / "info.json", facts)

    def ports(self, asked_for: int | None = None) -> Ports:
        """Those of `asked_for`, else the ones that this folder had before, else the usual ones."""
        if asked_for is not None:
            return Ports.starting_at(asked_for)
        if (self.path / "info.json").exists():
            return Ports.starting_at(self.info()["ports"]["api"])  # an older folder knows fewer of them
        return Ports.starting_at(DEFAULT_PORT)


def _write_privately(file: Path, facts: Mapping[str, Any]) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    draft = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(facts, out, indent=2)
        out.write("\n")
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
