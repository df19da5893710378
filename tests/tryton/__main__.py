"""`make tryton`: make the tables and the company once, and keep them as a dump."""

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from launch import postgres
from tests.machine import servers_home
from tests.tryton import company, server


def main() -> None:
    """Nothing to do where the dump of just this lock and this company is there; the tables are kept for the next company."""
    if server.company_dump().exists():
        return
    for old in server.ENVIRONMENT.glob("*.dump*"):
        if old != server.tables_dump():
            old.unlink()
    folder = Path(tempfile.mkdtemp(prefix="duly-", dir=servers_home()))
    cluster = postgres.prepare_cluster(folder / "pg", admin_password=secrets.token_urlsafe())
    running = cluster.program(log_file=folder / "postgres.log", options=["fsync=off", "full_page_writes=off"]).start()
    try:
        running.wait_until_ready()
        if server.tables_dump().exists():
            server.restore(cluster, server.tables_dump())
        else:
            make_tables(cluster, folder)
            keep(cluster, server.tables_dump())
        found_company(cluster, folder)
        keep(cluster, server.company_dump())
    finally:
        running.stop()
        shutil.rmtree(folder)


def keep(cluster: postgres.Cluster, dump: Path) -> None:
    """Write the dump under another name until it is whole."""
    server.tool("pg_dump", cluster, "--format=custom", f"--file={dump}.new", server.TEMPLATE)
    Path(f"{dump}.new").rename(dump)


def make_tables(cluster: postgres.Cluster, folder: Path) -> None:
    """Tables and modules, by Tryton's own program."""
    cluster.make_database(server.TEMPLATE)
    settings, password = folder / "admin.conf", folder / "password"
    settings.write_text(f"[database]\npath = {folder}\n")
    password.write_text(server.ADMIN_PASSWORD)
    subprocess.run(
        [
            *(str(server.ENVIRONMENT / "bin" / "trytond-admin"), "-c", str(settings), "-d", server.TEMPLATE, "--all"),
            *("--email", "admin@example.com", "-u", "account_invoice", "--activate-dependencies"),
        ],
        check=True,
        env={**os.environ, **server.surroundings(cluster), "TRYTONPASSFILE": str(password)},
    )


def found_company(cluster: postgres.Cluster, folder: Path) -> None:
    """The company, by JSON-RPC."""
    running = server.serve(cluster, server.TEMPLATE, folder / "trytond")
    try:
        desk = running.desk()
        company.found(desk)
        desk.close()
    finally:
        running.stop()


if __name__ == "__main__":
    main()
