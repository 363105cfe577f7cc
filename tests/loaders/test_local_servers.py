"""Target `local`: what `warehouse up` leaves for the loaders, dbt and other clients."""

from __future__ import annotations

import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import psycopg
import pytest
import yaml

from loaders.embedded.local import BUCKET, LocalServers
from loaders.embedded.postgres import READER
from loaders.errors import UsageError
from loaders.settings import resolve_settings

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def servers(reachable_directory: Path) -> Iterator[LocalServers]:
    """Give the servers of a project of the test's own, not yet started."""
    project = reachable_directory / uuid.uuid4().hex
    project.mkdir()
    for name in ("dbt_project.yml", "profiles.example.yml"):
        shutil.copy(PROJECT / name, project)
    servers = LocalServers(project)
    yield servers
    servers.down()


def test_up_leaves_a_profile_that_connects(
    servers: LocalServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.up()
    project = servers.project_dir
    profiles = project / "profiles.yml"
    assert stat.S_IMODE(profiles.stat().st_mode) == 0o600
    assert set(yaml.safe_load(profiles.read_text())["research_warehouse"]["outputs"]) == {
        *("local", "postgres", "redshift", "redshift_serverless", "redshift_password"),
    }

    settings = resolve_settings(project, profiles_dir=project, environment={})
    with psycopg.connect(**settings.connection) as connection:
        assert connection.execute("select current_database()").fetchone() == ("warehouse",)
    with psycopg.connect(**settings.reading_connection) as connection:
        asked = "select session_user, rolsuper from pg_roles where rolname = session_user"
        assert connection.execute(asked).fetchone() == (READER, False)
    for name, value in settings.aws_environment.items():
        monkeypatch.setenv(name, value)
    assert settings.bucket == BUCKET
    boto3.client("s3").put_object(Bucket=BUCKET, Key="k", Body=b"1")

    assert servers.running
    before = profiles.read_text()
    servers.up()  # nothing to do
    assert profiles.read_text() == before
    servers.down()
    assert not servers.running
    servers.up()
    again = resolve_settings(project, profiles_dir=project, environment={})
    assert again.connection == settings.connection
    assert boto3.client("s3").get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"1"


def test_a_profile_of_somebody_s_own_is_not_overwritten(servers: LocalServers) -> None:
    profiles = servers.project_dir / "profiles.yml"
    shutil.copy(servers.project_dir / "profiles.example.yml", profiles)
    before = profiles.read_text()
    with pytest.raises(UsageError, match="was not written by `warehouse up`"):
        servers.up()
    assert profiles.read_text() == before
    assert not servers.running
    assert not (servers.project_dir / ".warehouse").exists()
