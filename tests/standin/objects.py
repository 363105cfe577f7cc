"""S3 as COPY and UNLOAD see it: roles, prefixes, manifests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from tests.standin.copy_options import CopyOptions
from tests.standin.errors import SqlError

if TYPE_CHECKING:
    from tests.standin.server import Settings


@dataclass(frozen=True)
class S3Object:
    """One object to load."""

    bucket: str
    key: str
    content_length: int | None = None  # as its manifest states it

    @property
    def url(self) -> str:
        """The object's address."""
        return f"s3://{self.bucket}/{self.key}"


def check_role(settings: Settings, role: str) -> None:
    """Raise unless the cluster may assume the role."""
    arn = settings.default_role if role == "default" else role
    if arn is None:
        raise SqlError("XX000", "There is no default IAM role associated with the cluster")
    if arn not in settings.roles:
        raise SqlError(
            "XX000",
            f"Not authorized to get credentials of role {arn}",
            "error: Not authorized to get credentials of role, code: 30000",
        )


def s3_client(settings: Settings, region: str) -> Any:
    """Return a client of the configured endpoint."""
    return boto3.client(
        "s3", endpoint_url=settings.s3_endpoint, region_name=region or settings.region
    )


def find_objects(client: Any, options: CopyOptions) -> list[S3Object]:
    """Return what to load: the entries of the manifest, or all objects below the prefix."""
    if options.manifest:
        return _manifest(client, options)
    try:
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=options.bucket, Prefix=options.key
        )
        found = [
            S3Object(options.bucket, item["Key"])
            for page in pages
            for item in page.get("Contents", [])
        ]
    except ClientError as error:
        raise s3_error(error) from None
    if not found:
        raise SqlError("XX000", f"The specified S3 prefix '{options.key}' does not exist")
    return found


def _manifest(client: Any, options: CopyOptions) -> list[S3Object]:
    body = fetch(client, S3Object(options.bucket, options.key))
    try:
        entries = json.loads(body)["entries"]
        urls = [(e["url"], e.get("mandatory", False), e.get("meta", {})) for e in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise SqlError("XX000", f"The manifest is not valid: {error}") from None
    found = []
    for url, mandatory, meta in urls:
        bucket, _, key = str(url).removeprefix("s3://").partition("/")
        item = S3Object(bucket, key, meta.get("content_length"))
        if options.format == "parquet" and item.content_length is None:
            raise SqlError("XX000", f"Manifest entry {url} lacks meta.content_length")
        try:
            size = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
                raise s3_error(error) from None
            if mandatory:
                raise SqlError(
                    "XX000", f"Problem reading manifest file - The specified key {url} is missing"
                ) from None
            continue
        if options.format == "parquet" and size != item.content_length:
            raise SqlError(
                "XX000",
                "Spectrum Scan Error",
                f"File {url} has {size} bytes; its manifest says {item.content_length}.",
            )
        found.append(item)
    return found


def fetch(client: Any, item: S3Object) -> bytes:
    """Return an object's bytes. Raises SqlError."""
    try:
        body: bytes = client.get_object(Bucket=item.bucket, Key=item.key)["Body"].read()
    except ClientError as error:
        raise s3_error(error) from None
    return body


def s3_error(error: ClientError) -> SqlError:
    """Turn an error of S3 into what COPY reports."""
    said = error.response["Error"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return SqlError(
        "XX000", f"S3ServiceException:{said['Message']},Status {status},Error {said['Code']}"
    )
