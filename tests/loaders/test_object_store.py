"""The embedded object store: what survives its end, and whom it listens to."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from loaders.embedded.object_store import ObjectStore
from loaders.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ODD_KEYS = [
    *("a", "A", "a/", "a/b", "a//b", "a/../b", "./a", "."),
    "exported_at=20130101T000000Z/_SUCCESS",
    "ü/ø 1.csv",
    "a+b%20c&d=e?f#g",
    "*.~\\|\"'<>\t",
    "x" * 1024,
]
Contents = dict[str, tuple[str, bytes]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    """Run a store of the test's own."""
    store = ObjectStore(tmp_path / "s3")
    store.start()
    yield store
    store.stop()


def contents(client: S3Client, bucket: str) -> Contents:
    """Key: (ETag, bytes) of every object."""
    return {
        item["Key"]: (
            item["ETag"],
            client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read(),
        )
        for item in client.list_objects_v2(Bucket=bucket).get("Contents", [])
    }


def expected(bodies: dict[str, bytes]) -> Contents:
    return {
        key: (f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"', body)
        for key, body in bodies.items()
    }


def test_objects_survive_a_restart_with_their_etags(store: ObjectStore) -> None:
    client = store.client()
    for bucket in ("odd", "empty", "dropped"):
        client.create_bucket(Bucket=bucket)
    bodies = {key: f"body of {key}".encode() for key in ODD_KEYS} | {"bytes": bytes(range(256))}
    for key, body in bodies.items():
        client.put_object(Bucket="odd", Key=key, Body=body)
    store.stop()
    assert not store.running
    store.start()
    assert contents(store.client(), "odd") == expected(bodies)

    client = store.client()
    client.delete_object(Bucket="odd", Key="a")
    client.put_object(Bucket="odd", Key="A", Body=b"replaced")
    client.delete_bucket(Bucket="dropped")
    store.stop()
    store.start()
    del bodies["a"]
    assert contents(store.client(), "odd") == expected(bodies | {"A": b"replaced"})
    buckets = [bucket["Name"] for bucket in store.client().list_buckets()["Buckets"]]
    assert buckets == ["empty", "odd"]


def test_a_killed_store_starts_again_with_what_was_saved(store: ObjectStore) -> None:
    client = store.client()
    client.create_bucket(Bucket="kept")
    client.put_object(Bucket="kept", Key="k", Body=b"1")
    folder = store.directory / "objects" / "kept"
    while not list(folder.glob("*.json")):  # saved in the background
        time.sleep(0.05)
    killed = store.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    while store.running:  # the kernel is still at it
        time.sleep(0.05)
    store.start()
    assert store.pid != killed
    assert contents(store.client(), "kept") == expected({"k": b"1"})


def test_starting_twice_keeps_the_server(object_store: ObjectStore) -> None:
    before = (object_store.pid, object_store.endpoint_url)
    ObjectStore(object_store.directory).start()
    assert (object_store.pid, object_store.endpoint_url) == before


def test_the_environment_is_all_that_a_client_needs(
    staging_bucket: tuple[str, S3Client], object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in object_store.environment().items():
        monkeypatch.setenv(name, value)
    name, client = staging_bucket
    client.put_object(Bucket=name, Key="k", Body=b"1")
    plain = boto3.session.Session().client("s3", config=Config(retries={"total_max_attempts": 1}))
    assert contents(plain, name) == expected({"k": b"1"})


def test_a_store_that_was_never_started_says_so(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "s3")
    assert not store.running
    store.stop()  # nothing to do
    with pytest.raises(UsageError, match="warehouse up"):
        _ = store.endpoint_url
