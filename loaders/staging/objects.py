"""Objects of the staging bucket: listing a prefix, reading one version of an object."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Protocol

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from loaders.errors import Transient, UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MOVED = {"NoSuchKey", "PreconditionFailed", "404", "412"}
_TRANSIENT = {"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "InternalError", "503", "500"}
_TRANSIENT |= {
    "Throttling",
    "ThrottlingException",
    "ServiceUnavailable",
    "ConditionalRequestConflict",
}


@dataclass(frozen=True, order=True)
class StagedObject:
    """One listed object: `key` is the whole key, `etag` has no quotes, the time is UTC, naive."""

    key: str
    etag: str
    bytes: int
    last_modified: datetime


class MovedError(Exception):
    """The object was replaced or deleted after it was listed."""


class _Body(Protocol):
    def read(self, amt: int | None = None, /) -> bytes: ...

    def close(self) -> None: ...


class ObjectReader:
    """The bytes of one object as they arrive; `bytes_read` so far, and their md5 if wanted."""

    def __init__(
        self, body: _Body, version_id: str | None, place: str, *, md5: bool = False
    ) -> None:
        self._body = body
        self._place = place
        self.version_id = version_id
        self.bytes_read = 0
        self.beginning = b""
        """The first two bytes, once read: they say whether it is gzip, whatever its name says."""
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, b"" at the end. Raises Transient when the connection breaks."""
        with _translated(self._place):
            data = self._body.read(size)
        if self.bytes_read < 2:
            self.beginning = (self.beginning + data)[:2]
        self.bytes_read += len(data)
        if self._md5:
            self._md5.update(data)
        return data

    @property
    def md5(self) -> str | None:
        """The base64 md5 of what was read, as S3 and its manifests write it."""
        return base64.b64encode(self._md5.digest()).decode() if self._md5 else None


@dataclass(frozen=True)
class Staging:
    """The staging root: a bucket and a prefix in it ("" or ending in "/")."""

    client: S3Client
    bucket: str
    root: str = ""

    def list(self, path: str) -> Iterator[StagedObject]:
        """Yield the objects below `path`, in key order, without the markers of empty folders."""
        place = f"s3://{self.bucket}/{self.root}{path}"
        with _translated(place):
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.root + path
            )
            for page in pages:
                # Any well-formed page of a network on the way parses as an empty listing.
                if "IsTruncated" not in page:
                    raise _not_s3(place)
                for entry in page.get("Contents", []):
                    if not entry["Key"].endswith("/"):
                        yield StagedObject(
                            entry["Key"],
                            entry["ETag"].strip('"'),
                            entry["Size"],
                            entry["LastModified"].astimezone(UTC).replace(tzinfo=None),
                        )

    @contextmanager
    def open(self, listed: StagedObject, *, md5: bool = False) -> Iterator[ObjectReader]:
        """Open exactly the listed content. Raises MovedError, Transient or UsageError."""
        place = f"s3://{self.bucket}/{listed.key}"
        with _translated(place):
            response = self.client.get_object(
                Bucket=self.bucket, Key=listed.key, IfMatch=f'"{listed.etag}"'
            )
        body = response["Body"]
        try:
            if (_etag(response), response.get("ContentLength")) != (listed.etag, listed.bytes):
                raise _not_s3(place)
            yield ObjectReader(body, response.get("VersionId"), place, md5=md5)
        finally:
            body.close()

    def upload(self, content: IO[bytes], key: str) -> None:
        """Put an object, replacing one with the same key."""
        with _translated(f"s3://{self.bucket}/{key}"):
            self.client.upload_fileobj(content, self.bucket, key)

    def etag(self, key: str) -> str | None:
        """Return the ETag that the object has now, or None if it is gone."""
        place = f"s3://{self.bucket}/{key}"
        try:
            with _translated(place):
                etag = _etag(self.client.head_object(Bucket=self.bucket, Key=key))
        except MovedError:
            return None
        if etag is None:
            raise _not_s3(place)
        return etag

    def read(self, listed: StagedObject) -> bytes:
        """Return the whole of a small object, such as a manifest."""
        with self.open(listed) as reader:
            # A body that is cut off is told from a whole one only at its end.
            return b"".join(iter(lambda: reader.read(listed.bytes + 1), b""))


def _etag(response: Mapping[str, Any]) -> str | None:
    etag = response.get("ETag")
    return str(etag).strip('"') if etag else None


def _not_s3(place: str) -> Transient:
    """Return the error for an answer of status 200 that S3 would not give."""
    return Transient(
        f"{place}: the answer is not S3's, or not the object's; what stands between here and S3?"
    )


@contextmanager
def _translated(place: str) -> Iterator[None]:
    """Turn botocore's errors into ours, told by whose fault they are."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _MOVED:
            raise MovedError(place) from error
        if code in _TRANSIENT or status >= 500 or status == 429:
            raise Transient(f"{place}: S3 answered {code}; try again later") from error
        raise UsageError(
            f"{place}: S3 refused: {code}; check the bucket's name and the permissions"
        ) from error
    except (
        BotoConnectionError,
        HTTPClientError,
        IncompleteReadError,
        ReadTimeoutError,
        ResponseStreamingError,
        OSError,
    ) as error:
        # Not its text, nor the error itself in a traceback: they quote the endpoint's URL, which
        # may hold a password.
        kind = type(error).__name__
        raise Transient(f"{place}: the connection to S3 failed ({kind})") from None
    except BotoCoreError as error:
        raise UsageError(
            f"{place}: S3 cannot be used ({type(error).__name__}); check credentials, region and "
            "endpoint of the AWS tools"
        ) from None
