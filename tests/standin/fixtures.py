"""Fixtures: one stand-in a session, and the faults of one test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
import redshift_connector
from moto.server import ThreadedMotoServer
from redshift_connector.core import Connection

from tests.standin.faults import Faults
from tests.standin.server import StandIn

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Bucket:
    """A bucket of the emulated S3 that COPY and UNLOAD reach."""

    name: str
    client: S3Client

    def put(self, key: str, body: bytes | str) -> str:
        """Write an object and return its URL."""
        self.client.put_object(Bucket=self.name, Key=key, Body=body)
        return f"s3://{self.name}/{key}"

    def get(self, key: str) -> bytes:
        """Return an object's bytes."""
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys below a prefix."""
        listed = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]


@pytest.fixture(scope="session", autouse=True)
def named_sessions() -> Iterator[None]:
    """Give sessions a name: for one without, the driver searches all modules for its caller's."""
    patch = pytest.MonkeyPatch()
    named = partial(redshift_connector.connect, application_name="tests")
    patch.setattr(redshift_connector, "connect", named)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Yield the running stand-in; `connect()` gives a connection of the real driver."""
    directory: Path = tmp_path_factory.mktemp("standin")
    server = StandIn(directory)
    patch = pytest.MonkeyPatch()
    # The driver and dbt-redshift take their CA from here, so that sslmode verify-full passes.
    patch.setenv("SSL_CERT_FILE", str(server.ca_file))
    server.start()
    yield server
    server.stop()
    patch.undo()


@pytest.fixture
def faults(standin: StandIn) -> Iterator[Faults]:
    """Yield the stand-in's faults, none set; cleared after the test."""
    yield standin.faults
    standin.faults.clear()


@pytest.fixture
def redshift(standin: StandIn) -> Iterator[Connection]:
    """Yield a connection of the real driver, in autocommit mode."""
    with standin.connect() as connection:
        connection.autocommit = True
        yield connection


@pytest.fixture(scope="session")
def standin_s3(standin: StandIn) -> Iterator[S3Client]:
    """Yield a client of an emulated S3, which the stand-in reads and writes too."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ACCESS_KEY_ID", "testing")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    standin.settings.s3_endpoint = f"http://{host}:{port}"
    yield boto3.client("s3", endpoint_url=standin.settings.s3_endpoint, region_name="us-east-1")
    standin.settings.s3_endpoint = None
    patch.undo()
    server.stop()


@pytest.fixture
def bucket(standin_s3: S3Client) -> Bucket:
    """Return a new bucket."""
    name = f"b{uuid.uuid4().hex}"
    standin_s3.create_bucket(Bucket=name)
    return Bucket(name, standin_s3)
