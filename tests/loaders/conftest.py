"""What the loader's tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from loading import Lab

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def lab(database: dict[str, Any], staging_bucket: tuple[str, S3Client]) -> Lab:
    """Give a fresh database and a fresh bucket for the loader."""
    name, client = staging_bucket
    return Lab(database, client, name)
