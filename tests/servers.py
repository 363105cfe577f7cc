"""Real servers for the tests: one PostgreSQL and one object store for the whole session."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from loaders.embedded.object_store import ObjectStore
from loaders.embedded.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Parameters = dict[str, Any]


@pytest.fixture(scope="session")
def reachable_directory() -> Iterator[Path]:
    """Make a temporary directory that PostgreSQL's account can enter even if root runs the tests.

    pytest's own have mode 0700 on the way.
    """
    directory = Path(tempfile.mkdtemp(prefix="warehouse-tests-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgres(reachable_directory: Path) -> Iterator[EmbeddedPostgres]:
    """Run one server, without fsync."""
    server = EmbeddedPostgres(
        reachable_directory / "postgres",
        {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
        refuge=reachable_directory / "refuge",
    )
    server.start()
    yield server
    server.remove()


def kill_server(server: EmbeddedPostgres) -> None:
    """Kill every process of a server at once."""
    postmaster = server.pid
    assert postmaster
    family = [postmaster]
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == postmaster:
            family.append(int(status.parent.name))
    for pid in family:
        with suppress(ProcessLookupError):  # gone by itself meanwhile
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[Parameters]:
    """Give the connection parameters of a fresh database: host, port, user, password, dbname."""
    server: Parameters = {
        "host": postgres.host,
        "port": postgres.port,
        "user": postgres.superuser,
        "password": postgres.password,
    }
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"create database {name} strategy file_copy")
        yield server | {"dbname": name}
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def object_store(reachable_directory: Path) -> Iterator[ObjectStore]:
    """Run one S3 emulator."""
    store = ObjectStore(reachable_directory / "s3")
    store.start()
    yield store
    store.stop()


@pytest.fixture
def staging_bucket(object_store: ObjectStore) -> Iterator[tuple[str, S3Client]]:
    """Make a fresh bucket; give its name and a client."""
    client = object_store.client()
    name = f"test-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    yield name, client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for item in page.get("Contents", []):
            client.delete_object(Bucket=name, Key=item["Key"])
    client.delete_bucket(Bucket=name)
