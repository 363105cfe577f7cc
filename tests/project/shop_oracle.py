"""What the shop's marts must hold, in plain Python, as a function of the set of stream records."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.project.change_oracle import (
    Change,
    dimension_rows,
    histories,
    key_of,
    newest,
    number_of,
    time_of,
    with_lengths,
)
from tests.project.dimension_oracle import text_or_none, valid_at

Row = dict[str, Any]
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2039, 12, 31)
OPERATIONS = {"INSERT": "I", "MODIFY": "U", "REMOVE": "D"}
USER = ("user_name", "age_group", "city", "state", "wants_mail")
PLACES = {
    "orders": {
        "user_id": ("user_id", "S"), "status": ("status", "S"), "ordered_at": ("ordered_at", "S"),
        "total": ("total", "N"),
    },
    "users": {
        "user_name": ("user_name", "S"), "age_group": ("age_group", "S"),
        "city": ("address", "M", "city", "S"), "state": ("address", "M", "state", "S"),
        "wants_mail": ("wants_mail", "BOOL"),
    },
}  # fmt: skip


def expect_shop(
    orders: Iterable[Mapping[str, Any]], users: Iterable[Mapping[str, Any]]
) -> dict[str, list[Row]]:
    """Return the rows of every mart of the shop."""
    placed: dict[str, list[Change]] = defaultdict(list)
    lost: dict[str, dict[str, Change]] = defaultdict(dict)
    lines: dict[tuple[str | None, str | None], Sequence[Any]] = {}
    for table, records in (("orders", orders), ("users", users)):
        for record in records:
            change = _change(table, record)
            if change.sequence:
                placed[table].append(change)
            else:
                lost[table][change.content] = change
            if table == "orders":
                items = _at(record, "dynamodb", "NewImage", "items", "L")
                lines[change.key, change.values["event_id"]] = items or []
    versions = histories(placed["users"])
    unfit = {c.content: c for c in placed["users"] if c.reasons} | lost["users"]
    marts: dict[str, list[Row]] = {
        "dim_users": dimension_rows(versions, "user", USER, ["user_name", "city", "state"]),
        "quarantined_users": [
            {"change_key": key_of(change.content), "user_id": change.key or None} | _why(change)
            for change in unfit.values()
        ],
        "fact_orders": [],
        "fact_order_lines": [],
        "quarantined_order_lines": [],
        "quarantined_orders": [
            {"order_key": key_of(f"row:{change.content}"), "order_id": change.key or None}
            | _why(change)
            for change in lost["orders"].values()
        ],
    }
    for order in newest(placed["orders"]).values():
        key = key_of(f"id:{order.key}")
        if order.operation == "D":
            continue
        if order.reasons:
            row = {"order_key": key, "order_id": order.key} | _why(order)
            marts["quarantined_orders"].append(row)
            continue
        values = order.values
        version = valid_at(versions.get(values["user_id"], []), values["ordered_at"])
        day = int(f"{values['ordered_at']:%Y%m%d}")
        marts["fact_orders"].append(
            {
                "order_key": key,
                "order_id": order.key,
                "user_key": version.key if version else -1,
                "user_id": values["user_id"],
                "date_key": day,
                "ordered_at": values["ordered_at"],
                "changed_at": order.at,
                "status": values["status"],
                "total": values["total"],
            }
        )
        for number, item in enumerate(lines[order.key, values["event_id"]], 1):
            line = {
                "order_line_key": key_of(f"{order.key}|{number}"),
                "order_key": key,
                "order_id": order.key,
                "line_number": number,
            }
            product = text_or_none(_text(_at(item, "M", "product_id", "S")) or "")
            quantity = _text(_at(item, "M", "quantity", "N"))
            amount = _text(_at(item, "M", "amount", "N"))
            reasons = [
                *([] if product else ["missing_product_id"]),
                *_judged("quantity", quantity, 0),
                *_judged("amount", amount, 2),
            ]
            if product and len(product.encode()) > 200:
                reasons.append("value_too_long")
            if reasons:
                marts["quarantined_order_lines"].append(
                    line
                    | {
                        "quarantine_reasons": ",".join(reasons),
                        "source_quantity": quantity,
                        "source_amount": amount,
                    }
                )
            else:
                marts["fact_order_lines"].append(
                    line
                    | {
                        "product_id": product,
                        "date_key": day,
                        "ordered_at": values["ordered_at"],
                        "quantity": int(number_of(quantity) or 0),
                        "amount": round(number_of(amount) or Decimal(0), 2),
                    }
                )
    return marts


def _judged(name: str, text: str | None, places: int) -> Iterator[str]:
    number = number_of(text)
    if text is None:
        yield f"missing_{name}"
    elif number is None or number != round(number, places):
        yield f"invalid_{name}"


def _why(change: Change) -> Row:
    return {
        "quarantine_reasons": ",".join(change.reasons), "source_row": change.source_row[:1000],
    }  # fmt: skip


def _change(table: str, record: Mapping[str, Any]) -> Change:
    key_name = table.removesuffix("s") + "_id"
    name = _text(record.get("eventName"))
    event_id = text_or_none(_text(record.get("eventID")) or "")
    image = "OldImage" if name == "REMOVE" else "NewImage"
    fields = {
        column: _text(_at(record, "dynamodb", image, *place))
        for column, place in PLACES[table].items()
    }
    key = text_or_none(_text(_at(record, "dynamodb", "Keys", key_name, "S")) or "")
    number = _text(_at(record, "dynamodb", "SequenceNumber"))
    seconds = _text(_at(record, "dynamodb", "ApproximateCreationDateTime"))
    operation = OPERATIONS.get(name or "", name)
    is_number = number is not None and number.isdecimal() and len(number) <= 40
    sequence = number.rjust(40, "0") if number and is_number else ""
    at = None
    if seconds and re.fullmatch(r"\d{1,12}(\.\d*)?", seconds):
        at = datetime(1970, 1, 1) + timedelta(seconds=int(float(seconds)))
    elif seconds and re.fullmatch(r"\d{13,15}", seconds):
        at = datetime(1970, 1, 1) + timedelta(milliseconds=int(seconds))
    reasons = [
        *([] if key else [f"missing_{key_name}"]),
        *([] if operation in ("I", "U", "D") else ["unknown_operation"]),
        *([] if sequence else ["invalid_change_sequence"]),
        *([] if at else ["invalid_committed_at"]),
    ]
    is_placed = not reasons
    texts = [key, *fields.values()]
    if table == "orders":
        texts.insert(0, event_id)
        if event_id is None:
            reasons.append("missing_event_id")
    values: Row = dict(fields)
    if table == "orders":
        ordered_at, total = time_of(fields["ordered_at"]), number_of(fields["total"])
        values |= {"event_id": event_id, "ordered_at": ordered_at}
        values["total"] = round(total, 2) if total is not None else None
    else:
        values["wants_mail"] = {"true": True, "false": False}.get(fields["wants_mail"] or "")
    if operation != "D":
        if table == "orders":
            if fields["ordered_at"] is None:
                reasons.append("missing_ordered_at")
            elif values["ordered_at"] is None:
                reasons.append("invalid_ordered_at")
            elif not FIRST_DAY <= values["ordered_at"].date() <= LAST_DAY:
                reasons.append("ordered_at_out_of_range")
            reasons += _judged("total", fields["total"], 2)
            items = _at(record, "dynamodb", "NewImage", "items")
            if isinstance(items, dict) and not items.keys() <= {"L", "NULL"}:
                reasons.append("items_not_a_list")
        names = ("user_id", "status") if table == "orders" else USER[:-1]
        long = [key, *(fields[column] for column in names)]
        if any(text and len(text.encode()) > 200 for text in long):
            reasons.append("value_too_long")
    source = [operation, number, seconds, *texts]
    return Change(
        key or "",
        operation or "",
        sequence if is_placed else "",
        at or datetime.min,
        values,
        key_of(with_lengths(texts)),
        with_lengths(source),
        "|".join(text or "" for text in source),
        tuple(reasons),
    )


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None or isinstance(value, dict | list) else str(value)
