"""An embedded PostgreSQL wherever its folder lies."""

import secrets
import tempfile
from pathlib import Path

import psycopg

from launch import postgres


def test_a_path_too_long_for_a_socket_is_no_obstacle() -> None:
    with tempfile.TemporaryDirectory(prefix="duly-") as folder:
        deep = Path(folder) / ("a folder with a long name " * 4).strip() / "postgres"
        cluster = postgres.prepare_cluster(deep, admin_password=secrets.token_urlsafe())
        assert cluster.socket_folder != deep
        running = cluster.program(log_file=Path(folder) / "postgres.log").start()
        try:
            running.wait_until_ready()
            cluster.make_database("duly")
            cluster.make_database("duly")  # twice is the same as once
            with psycopg.connect(cluster.admin_url("duly", driver="postgresql")) as connection:
                assert connection.execute("SELECT current_database()").fetchone() == ("duly",)
        finally:
            running.stop()
        cluster.socket_folder.rmdir()


def test_a_cluster_that_was_left_half_made_is_made_again() -> None:
    with tempfile.TemporaryDirectory(prefix="duly-") as folder:
        half = Path(folder) / "postgres.new"
        half.mkdir()
        (half / "PG_VERSION").write_text("18\n")
        made = postgres.prepare_cluster(Path(folder) / "postgres", admin_password=secrets.token_urlsafe())
        assert (made.folder / "global").is_dir()
        assert not half.exists()
