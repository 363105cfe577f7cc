"""Fixtures: one stand-in a session, and the faults of one test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redshift_connector.core import Connection

from tests.standin.faults import Faults
from tests.standin.server import StandIn


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Yield the running stand-in: host, port, user, password, database, ca_file, connect() …"""
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
