"""What our generators write is what moto's emulations of the services write, as far as they go.

moto's export of a table has no manifests, and its delivery no compression: those stand in AWS's
documentation alone.
"""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer
from moto import mock_aws

from loaders.demo.dynamodb import full_export
from loaders.demo.firehose import delivery

ITEMS: list[dict[str, Any]] = [
    {"id": "a", "n": Decimal("0.12345678901234567890123456789012345678"), "yes": True},
    {"id": "b", "none": None, "list": [1, "x", {"deep": Decimal("1.5")}], "bytes": b"\x00\xff"},
    {"id": "c", "ss": {"p", "q"}, "ns": {Decimal(3)}, "map": {"UPPER": "é", "lower": []}},
]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be in an emulated AWS account with a bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="a-bucket")
        yield


def written() -> dict[str, bytes]:
    """Return what stands in the bucket."""
    client = boto3.client("s3")
    keys = [item["Key"] for item in client.list_objects_v2(Bucket="a-bucket")["Contents"]]
    return {key: client.get_object(Bucket="a-bucket", Key=key)["Body"].read() for key in keys}


def lines(body: bytes) -> list[Any]:
    """Return the records of a data file, the elements of sets in order."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: sorted(v) if k in ("SS", "NS") else ordered(v) for k, v in value.items()}
        return [ordered(each) for each in value] if isinstance(value, list) else value

    records = [ordered(json.loads(line)) for line in gzip.decompress(body).splitlines()]
    return sorted(records, key=json.dumps)


def test_the_data_of_an_export_is_what_moto_exports(account: None) -> None:
    client = boto3.client("dynamodb")
    table = client.create_table(
        TableName="readings",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]
    enabled = {"PointInTimeRecoveryEnabled": True}
    client.update_continuous_backups(TableName="readings", PointInTimeRecoverySpecification=enabled)
    for item in ITEMS:
        serialized = {name: TypeSerializer().serialize(value) for name, value in item.items()}
        client.put_item(TableName="readings", Item=serialized)
    arn = client.export_table_to_point_in_time(
        TableArn=table["TableArn"], S3Bucket="a-bucket", S3Prefix="lab"
    )["ExportDescription"]["ExportArn"]
    while client.describe_export(ExportArn=arn)["ExportDescription"]["ExportStatus"] != "COMPLETED":
        time.sleep(0.05)
    ((key, body),) = written().items()
    ours = full_export("lab/", "01-x", ITEMS, datetime(2020, 5, 1))
    data = [(name, ours[name]) for name in ours if "/data/" in name]
    assert re.sub(r"[0-9a-f-]{36}|01-x", "*", key.partition("/data/")[0]) == re.sub(
        r"01-x", "*", data[0][0].partition("/data/")[0]
    )
    assert lines(body) == sorted((line for _, it in data for line in lines(it)), key=json.dumps)


def test_a_delivery_is_what_moto_delivers(account: None) -> None:
    records = [{"sensor_id": "s1", "temperature": Decimal("20.5")}, {"sensor_id": "é"}]
    client = boto3.client("firehose")
    client.create_delivery_stream(
        DeliveryStreamName="sensor-readings",
        S3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/r",
            "BucketARN": "arn:aws:s3:::a-bucket",
            "Prefix": "stream/readings/",
        },
    )
    ours = delivery("stream/readings/", "sensor-readings", datetime(2020, 5, 1, 9, 59), records)
    texts = re.findall(rb"\{.*?\}", gzip.decompress(ours.body))
    client.put_record_batch(
        DeliveryStreamName="sensor-readings", Records=[{"Data": text} for text in texts]
    )
    ((key, body),) = written().items()
    assert body == gzip.decompress(ours.body)

    def shape(name: str) -> str:
        return re.sub(r"\d", "9", re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "*", name))

    assert shape(key) == shape(ours.key.removesuffix(".gz"))
