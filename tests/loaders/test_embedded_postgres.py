"""The embedded PostgreSQL server: its life, its safety, and who may run it."""

from __future__ import annotations

import psycopg

from loaders.embedded.postgres import EmbeddedPostgres


def test_a_database_is_fresh(database: dict[str, object]) -> None:
    with psycopg.connect(**database) as connection:  # type: ignore[arg-type]
        (count,) = connection.execute(
            "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
        ).fetchone() or (None,)
        connection.execute("create table left_behind (x integer)")
    assert count == 0


test_a_second_database_is_fresh_too = test_a_database_is_fresh


def test_starting_twice_keeps_the_server(postgres: EmbeddedPostgres) -> None:
    pid, port = postgres.pid, postgres.port
    postgres.start()
    assert (postgres.pid, postgres.port, postgres.running) == (pid, port, True)
