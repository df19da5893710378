"""One machine that runs all of Duly on loopback: which parts there are, what each is told, in which order they start."""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from launch import postgres, temporal
from launch.data_folder import DataFolder, Ports, Secrets
from launch.health import answers_over_http
from launch.program import Program
from launch.supervisor import Supervisor

DATABASE: Final = "duly"
WEBHOOK_PATH: Final = "/webhooks/sandbox"
_HOST: Final = "127.0.0.1"


class PortTaken(Exception):
    """Somebody else listens where a part is to listen; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Everything that is fixed before the first part starts."""

    folder: DataFolder
    ports: Ports
    secrets: Secrets
    cluster: postgres.Cluster
    # How long the sandbox's bank debits take to be paid, to settle and to come back; None: days, as at a bank.
    debit_seconds: tuple[int, int, int] | None = None
    vendors: Mapping[str, str] = field(default_factory=dict)
    """Where simulators play vendors, by the name of the connector: in tests and drills."""

    @classmethod
    def prepare(
        cls,
        folder: DataFolder,
        *,
        port: int | None,
        debit_seconds: tuple[int, int, int] | None = None,
        vendors: Mapping[str, str] | None = None,
    ) -> "Machine":
        """Make the folder, its secrets and PostgreSQL's files, where they are missing. Nothing is started."""
        folder.make()
        secrets = folder.secrets()
        return cls(
            folder=folder,
            ports=folder.ports(port),
            secrets=secrets,
            cluster=postgres.prepare_cluster(folder.postgres, admin_password=secrets.admin_password),
            debit_seconds=debit_seconds,
            vendors=vendors or {},
        )

    def addresses(self) -> dict[str, str]:
        """Where the parts are, without a password in it."""
        socket_folder = self.cluster.socket_folder
        return {
            "api": _http(self.ports.api),
            "portal": _http(self.ports.api),
            "staff": f"{_http(self.ports.api)}/staff",
            "temporal": f"{_HOST}:{self.ports.temporal}",
            "temporal_ui": _http(self.ports.temporal_ui),
            "provider": _http(self.ports.provider),
            "erp": _http(self.ports.erp),
            "mail": _http(self.ports.mail),
            "smtp": f"{_HOST}:{self.ports.smtp}",
            "api_metrics": f"{_http(self.ports.api_metrics)}/metrics",
            "worker_metrics": f"{_http(self.ports.worker_metrics)}/metrics",
            "worker_temporal_metrics": f"{_http(self.ports.worker_temporal_metrics)}/metrics",
            "temporal_metrics": f"{_http(self.ports.temporal_metrics)}/metrics",
            "database": f"postgresql:///{DATABASE}?host={socket_folder}",
        }

    def environment(self) -> dict[str, str]:
        """What Duly's own processes read (`settings.py`). Holds secrets."""
        passwords = self.passwords()
        databases = {
            f"DULY_{role.removeprefix('duly_').upper()}_DATABASE_URL": self.cluster.url(
                role=role, password=password, database=DATABASE
            )
            for role, password in passwords.items()
        }
        return {
            "DULY_DATA_DIR": str(self.folder.path),
            "DULY_BASE_URL": _http(self.ports.api),
            "DULY_ADMIN_DATABASE_URL": self.cluster.admin_url(DATABASE),
            **databases,
            "DULY_TEMPORAL_ADDRESS": f"{_HOST}:{self.ports.temporal}",
            "DULY_TEMPORAL_NAMESPACE": temporal.NAMESPACE,
            "DULY_TEMPORAL_UI_URL": _http(self.ports.temporal_ui),
            "DULY_TEMPORAL_CODEC_KEYS": self.secrets.codec_key,
            "DULY_FORM_KEY": self.secrets.form_key,
            "DULY_MASTER_KEYS": self.secrets.master_key,
            "DULY_PROVIDER_URL": _http(self.ports.provider),
            "DULY_PROVIDER_API_KEY": self.secrets.provider_api_key,
            "DULY_PROVIDER_WEBHOOK_SECRETS": self.secrets.provider_webhook_secret,
            **self._simulated_vendors(),
            "DULY_ERP_URL": _http(self.ports.erp),
            "DULY_ERP_API_KEY": self.secrets.erp_api_key,
            "DULY_SMTP_HOST": _HOST,
            "DULY_SMTP_PORT": str(self.ports.smtp),
            "DULY_MAIL_URL": _http(self.ports.mail),
        }

    def _simulated_vendors(self) -> dict[str, str]:
        named = ",".join(f"{name}={address}" for name, address in self.vendors.items())
        return {"DULY_PROVIDER_ADDRESSES": named} if named else {}

    def passwords(self) -> dict[str, str]:
        """Role → password, of the roles that sign in."""
        return {
            "duly_portal": self.secrets.portal_password,
            "duly_worker": self.secrets.worker_password,
            "duly_staff": self.secrets.staff_password,
        }

    def surroundings(self) -> list[Program]:
        """What Duly stands on; none of these needs another, so they start together."""
        return [
            self.cluster.program(log_file=self.folder.log_file("postgres")),
            temporal.server(
                port=self.ports.temporal,
                ui_port=self.ports.temporal_ui,
                database_file=self.folder.temporal_database,
                log_file=self.folder.log_file("temporal"),
                metrics_port=self.ports.temporal_metrics,
            ),
            self._simulator(
                "sandbox_provider",
                self.ports.provider,
                options=["--webhook-url", f"{_http(self.ports.api)}{WEBHOOK_PATH}"],
                environment={
                    "SANDBOX_API_KEY": self.secrets.provider_api_key,
                    "SANDBOX_WEBHOOK_SECRETS": self.secrets.provider_webhook_secret,
                    **self._patience_with_banks(),
                },
            ),
            self._simulator("demo_erp", self.ports.erp, environment={"DEMO_ERP_API_KEY": self.secrets.erp_api_key}),
            self._simulator("mail_catcher", self.ports.mail, options=["--smtp-port", str(self.ports.smtp)]),
        ]

    def vendor(self, name: str) -> Program:
        """The simulator that plays a vendor, where it is expected."""
        address = self.vendors[name]
        arguments = ["-m", f"simulators.{name}", "--port", address.rpartition(":")[2]]
        return self._python(name, arguments, is_ready=lambda: answers_over_http(f"{address}/health"), environment={})

    def ourselves(self) -> list[Program]:
        """Duly: the workers and the API. Metrics' addresses are these processes' alone: one that joins has its own."""
        environment = self.environment()
        return [
            self._python(
                "worker",
                ["-m", "worker"],
                is_ready=lambda: True,  # nobody asks it anything; what it does not do waits for it
                environment=environment
                | {
                    "DULY_METRICS_ADDRESS": f"{_HOST}:{self.ports.worker_metrics}",
                    "DULY_TEMPORAL_METRICS_ADDRESS": f"{_HOST}:{self.ports.worker_temporal_metrics}",
                },
                stops_within_seconds=45,  # what it has in hand is finished first
            ),
            self._python(
                "api",
                api_arguments(self.ports.api),
                is_ready=lambda: answers_over_http(f"{_http(self.ports.api)}/health"),
                environment=environment | {"DULY_METRICS_ADDRESS": f"{_HOST}:{self.ports.api_metrics}"},
            ),
        ]

    def require_free_ports(self) -> None:
        """Raises PortTaken for the first that somebody else listens on."""
        for name, port in asdict(self.ports).items():
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                # As servers do: connections that are only just closed do not count.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((_HOST, port))
                except OSError as error:
                    raise PortTaken(f"port {port} ({name}) is taken; choose another first port with --port") from error

    def write_info(self, supervisor: Supervisor) -> None:
        facts: dict[str, Any] = {
            "pid": os.getpid(),
            "ports": asdict(self.ports),
            "addresses": self.addresses(),
            "processes": supervisor.processes(),
        }
        self.folder.write_info(facts)

    def _patience_with_banks(self) -> dict[str, str]:
        return {} if self.debit_seconds is None else {"SANDBOX_DEBIT_SECONDS": ",".join(map(str, self.debit_seconds))}

    def _simulator(
        self, name: str, port: int, *, options: list[str] | None = None, environment: dict[str, str] | None = None
    ) -> Program:
        own_file = str(self.folder.simulator_file(name))
        arguments = ["-m", f"simulators.{name}", "--port", str(port), "--data", own_file, *(options or [])]
        return self._python(
            name, arguments, is_ready=lambda: answers_over_http(f"{_http(port)}/health"), environment=environment or {}
        )

    def _python(
        self,
        name: str,
        arguments: list[str],
        *,
        is_ready: Callable[[], bool],
        environment: dict[str, str],
        stops_within_seconds: float = 20.0,
    ) -> Program:
        return Program(
            name=name,
            arguments=[sys.executable, *arguments],
            log_file=self.folder.log_file(name),
            is_ready=is_ready,
            environment={"PYTHONUNBUFFERED": "1", **environment},
            stops_within_seconds=stops_within_seconds,
        )


def api_arguments(port: int, *, host: str = _HOST) -> list[str]:
    """Python's arguments for the API. Access logs are ours to write: addresses of portal links are secret."""
    address = ["--host", host, "--port", str(port)]
    limits = ["--no-access-log", "--timeout-graceful-shutdown", "3"]
    return ["-m", "uvicorn", "api.app:create_app", "--factory", *address, *limits]


@contextmanager
def private_files() -> Iterator[None]:
    """Files made inside are readable by their owner only: PostgreSQL's OS user must pass through the data folder."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _http(port: int) -> str:
    return f"http://{_HOST}:{port}"
