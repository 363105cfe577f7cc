"""Stream records of the shop with everything that goes wrong in the field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loaders.demo.nycflights13 import StagedObject

Record = Mapping[str, Any]
ITEMS = ({"product_id": "p1", "quantity": "2", "amount": "3.00"},)


def order(number: int, order_id: str, name: str = "INSERT", **changes: Any) -> dict[str, Any]:
    """Return the record of an order; `changes` are of the image: texts, or items, typed or not."""
    attributes = {
        "user_id": "u1", "status": "placed", "ordered_at": "2020-06-15T12:00:00Z", "total": "6.00",
        "items": ITEMS,
    } | changes  # fmt: skip
    image: dict[str, Any] = {
        key: {"S": value} for key, value in attributes.items() if key not in ("items", "total")
    }
    image["total"] = {"N": attributes["total"]}
    image["items"] = attributes["items"]
    if not isinstance(attributes["items"], Mapping):
        image["items"] = {
            "L": [
                {"M": {k: {"S" if k == "product_id" else "N": v} for k, v in item.items()}}
                for item in attributes["items"]
            ]
        }
    return _record(number, {"order_id": {"S": order_id}}, name, image)


def user(number: int, user_id: str, name: str = "INSERT", **changes: Any) -> dict[str, Any]:
    """Return the record of a user; `changes` are of the image, typed, or its city."""
    city = changes.pop("city", "Bern")
    image: dict[str, Any] = {
        "user_name": {"S": "Ada"}, "age_group": {"S": "65+"}, "wants_mail": {"BOOL": True},
        "address": {"M": {"city": {"S": city}, "state": {"NULL": True}}},
    }  # fmt: skip
    return _record(number, {"user_id": {"S": user_id}}, name, image | changes)


def _record(number: int, keys: Any, name: str, image: Any) -> dict[str, Any]:
    images = {"OldImage": image} if name == "REMOVE" else {"NewImage": keys | image}
    if name == "MODIFY":
        images["OldImage"] = {"status": {"S": "before"}}
    return {
        "eventID": f"event-{number}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1590969600 + number * 60,
            "Keys": keys,
            **images,
            "SequenceNumber": f"{number}00000000000",
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def _but(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the record with fields changed; None takes one away."""
    changed = {**record, "dynamodb": dict(record["dynamodb"])}
    for name, value in changes.items():
        place = changed if name in changed else changed["dynamodb"]
        if value is None:
            place.pop(name)
        else:
            place[name] = value
    return changed


def _line(**changes: str | None) -> dict[str, str]:
    fields: dict[str, str | None] = {"product_id": "p1", "quantity": "2", "amount": "3.00"}
    return {name: value for name, value in (fields | changes).items() if value is not None}


LIFE = (order(10, "o1"), order(20, "o1", "MODIFY", status="shipped"))
FIRST_ORDERS: Sequence[Record] = (
    *LIFE,
    order(5, "o2", "MODIFY", status="shipped", total="9"),  # its insert comes later
    order(30, "o3"),
    order(31, "o3", "REMOVE"),
    order(32, "o3", total="7.5", items=()),  # again, of nothing
    order(100, "o4", user_id="u9", ordered_at="2020-05-01T00:00:00+02:00"),  # unknown user
    order(9, "o5", "REMOVE"),  # never seen
    order(40, "o6", items=(
        _line(), _line(quantity="1.5"), _line(quantity="1e1"), _line(amount="3.001"),
        _line(amount=None, product_id=None), _line(product_id=" "), _line(amount="9" * 38),
        _line(product_id="测" * 70), _line(product_id='"x", |y|'),
    )),
    *(order(50 + at, f"b{at}", total=total) for at, total in enumerate(("6.001", "-1", "1E+2"))),
    *(
        order(60 + at, f"t{at}", ordered_at=text)
        for at, text in enumerate(("now", "1989-12-31T00:00:00Z", "2020-02-30T00:00:00Z"))
    ),
    order(70, "long", status="s" * 201),
    _but(order(71, "n1"), eventName="TRUNCATE"),
    _but(order(72, "n2"), SequenceNumber="12a"),
    _but(order(73, "n3"), SequenceNumber=None),
    _but(order(74, "n4"), ApproximateCreationDateTime="soon"),
    _but(order(75, "n5"), eventID=None),
    _but(order(76, "n6"), Keys={}),
    _but(order(77, "n7"), NewImage={"order_id": {"S": "n7"}}),
    _but(order(78, "n8"), eventID=""),
    _but(order(79, "float"), ApproximateCreationDateTime=1590969780.0),
    _but(order(80, "kinesis"), ApproximateCreationDateTime=1590969780123),
    _but(order(81, "text"), ApproximateCreationDateTime="2020-06-01T00:00:00Z"),
    order(82, "i0", items={"S": "[]"}),
    order(83, "i1", items={"M": {"L": {"L": []}}}),
    order(84, "i2", items={"NULL": True}),
    order(85, "i3", items={"BOOL": False}),
    order(86, "i4", items={"SS": ["p1"]}),
    order(87, "i4", "REMOVE", items={"SS": ["p1"]}),
)  # fmt: skip
LATER_ORDERS: Sequence[Record] = (
    order(4, "o2"),  # late
    order(19, "o1", "MODIFY", status="packed"),  # late, between two
    order(33, "o6", "MODIFY", items=()),  # late: the newer one has lines
    order(110, "b0", "MODIFY", total="6.00"),  # put right
    order(111, "o4", "MODIFY", ordered_at="later"),  # spoilt
    _but(order(20, "o1", "MODIFY", status="lost"), eventID="event-twin"),  # one sequence twice
    order(112, "9" * 30, items=(_line(),) * 3),
)
FIRST_USERS: Sequence[Record] = (
    _but(user(1, "u1"), ApproximateCreationDateTime=1590969660999),
    user(100, "u1", "MODIFY", city="Basel"),
    user(101, "u1", "MODIFY", city="Basel", tags={"SS": ["x"]}),  # nothing that is kept
    user(2, "u2", wants_mail={"NULL": True}),
    user(50, "u2", "REMOVE"),
    user(60, "u2", city="測定"),
    _but(user(3, "u3"), SequenceNumber="-1"),
    user(4, "u4", user_name={"S": "x" * 201}),
    user(5, "u5", user_name={"N": "5"}),
)
LATER_USERS: Sequence[Record] = (
    user(90, "u1", "MODIFY", city="Chur"),  # late: a version in between
    user(90, "u1", "MODIFY", city="Zug"),  # the same twice
    user(200, "u9"),  # after its order
)


def first() -> Iterator[StagedObject]:
    """Yield what is staged before the first build: some of it twice, in another order."""
    yield staged("orders", "1", FIRST_ORDERS)
    yield staged("orders", "2", LIFE[::-1])
    yield staged("users", "1", FIRST_USERS)


def later() -> Iterator[StagedObject]:
    """Yield what is staged between the builds."""
    yield staged("orders", "3", [*LATER_ORDERS, *LIFE])
    yield staged("users", "2", LATER_USERS)


def accepted(step: int) -> tuple[list[Record], list[Record]]:
    """Return the orders' and the users' records after the first build, or after the second."""
    if step == 0:
        return list(FIRST_ORDERS), list(FIRST_USERS)
    return [*FIRST_ORDERS, *LATER_ORDERS], [*FIRST_USERS, *LATER_USERS]


def staged(table: str, name: str, records: Sequence[Record]) -> StagedObject:
    """Return an object of the stream of a table."""
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
    return StagedObject(f"shop/{table}/2020/06/{name}.json", "".join(lines).encode())
