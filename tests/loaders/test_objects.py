"""The staging bucket as the loader sees it, and whose fault S3's errors are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from loading import MEASUREMENTS, Lab, contract_of

from loaders.errors import Transient, UsageError
from loaders.ledger import FileRow, LiveBatch, TableState
from loaders.staging.batches import BatchLimits
from loaders.staging.objects import MovedError, StagedObject, Staging
from loaders.staging.plan import Place, plan_table

TIME = datetime(2013, 1, 1, tzinfo=UTC)


class ManyObjects:
    """A client whose bucket has so many objects, in pages of 1,000."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.pages = 0

    def get_paginator(self, operation: str) -> ManyObjects:
        """Return the paginator."""
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Yield the pages."""
        for start in range(0, self.count, 1000):
            self.pages += 1
            yield {
                "IsTruncated": start + 1000 < self.count,
                "Contents": [
                    {
                        "Key": f"{arguments['Prefix']}{number:07}.csv",
                        "ETag": '"a"',
                        "Size": 10,
                        "LastModified": TIME,
                    }
                    for number in range(start, min(start + 1000, self.count))
                ],
            }


def test_a_listing_is_read_page_by_page() -> None:
    client: Any = ManyObjects(100_000)
    listing = Staging(client, "bucket").list("lab/")
    assert next(listing).key == "lab/0000000.csv"
    assert client.pages == 1
    assert sum(1 for _ in listing) == 99_999


def test_a_hundred_thousand_files_are_planned(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS)
    client: Any = ManyObjects(100_000)
    listing = list(Staging(client, "bucket").list(contract.load.path))
    state = TableState.of(
        [FileRow(staged.key, 1, 1, "a", "loaded") for staged in listing[:99_000]], [LiveBatch(1)]
    )
    place = Place("bucket", "", lambda _: b"")
    planned = plan_table(contract, listing, state, place, BatchLimits(64, 2**25))
    assert (planned.skipped, sum(len(batch.files) for batch in planned.batches)) == (99_000, 1000)


def test_listed_times_are_utc_and_folders_are_left_out() -> None:
    class OnePage(ManyObjects):
        def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
            """Yield a folder and a file."""
            entry = {"ETag": '"x-2"', "Size": 0}
            elsewhere = TIME.astimezone(timezone(timedelta(hours=5)))
            for key, time in (("lab/", TIME), ("lab/a", elsewhere)):
                contents = [{**entry, "Key": key, "LastModified": time}]
                yield {"IsTruncated": True, "Contents": contents}
            yield {"IsTruncated": False}

    client: Any = OnePage(0)
    assert list(Staging(client, "bucket").list("lab/")) == [
        StagedObject("lab/a", "x-2", 0, datetime(2013, 1, 1))
    ]


def test_only_the_listed_content_is_read(lab: Lab) -> None:
    lab.put("lab/a.csv", "first")
    (listed,) = lab.staging.list("lab/")
    assert lab.staging.read(listed) == b"first"
    lab.put("lab/a.csv", "other")
    with pytest.raises(MovedError):
        lab.staging.read(listed)
    lab.delete("lab/a.csv")
    with pytest.raises(MovedError):
        lab.staging.read(listed)


def test_a_bucket_that_is_not_there_is_the_user_s_business(lab: Lab) -> None:
    with pytest.raises(UsageError, match=r"s3://no-such-bucket/lab/: S3 refused: NoSuchBucket"):
        list(Staging(lab.client, "no-such-bucket").list("lab/"))


def client_error(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject"
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("SlowDown", 503), Transient),
        (client_error("InternalError", 500), Transient),
        (client_error("Whatever", 502), Transient),
        (client_error("PreconditionFailed", 412), MovedError),
        (client_error("NoSuchKey", 404), MovedError),
        (client_error("AccessDenied", 403), UsageError),
        (EndpointConnectionError(endpoint_url="x"), Transient),
        (NoCredentialsError(), UsageError),
    ],
)
def test_errors_say_whose_fault_they_are(error: Exception, kind: type[Exception]) -> None:
    class Failing:
        def get_object(self, **_: Any) -> None:
            """Fail."""
            raise error

    client: Any = Failing()
    with pytest.raises(kind):
        Staging(client, "bucket").read(StagedObject("a", "e", 1, datetime(2013, 1, 1)))


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url="x"),
        ResponseStreamingError(error="reset"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        ConnectionResetError("reset"),
    ],
)
def test_a_connection_that_breaks_while_reading_is_transient(error: Exception) -> None:
    class Body:
        def read(self, size: int) -> bytes:
            """Fail."""
            raise error

        def close(self) -> None:
            """Do nothing."""

    class Client:
        def get_object(self, **_: Any) -> dict[str, Any]:
            """Return the body."""
            return {"Body": Body(), "ETag": '"e"', "ContentLength": 1}

    client: Any = Client()
    with pytest.raises(Transient, match="the connection to S3 failed"):
        Staging(client, "bucket").read(StagedObject("a", "e", 1, datetime(2013, 1, 1)))
