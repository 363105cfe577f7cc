"""What the sales marts must hold, in plain Python, as a function of the set of loaded rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
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
from tests.project.dimension_oracle import UNKNOWN, text_or_none, valid_at

Row = dict[str, Any]
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2039, 12, 31)
COLUMNS = {
    "sales": (
        "sale_id", "order_id", "customer_id", "product_id", "store_id", "region", "sales_rep",
        "sold_at", "quantity", "amount", "discount",
    ),
    "products": ("product_id", "product_name", "category", "department", "brand", "list_price"),
    "customers": ("customer_id", "customer_name", "age_group", "income_group", "city", "state"),
}  # fmt: skip


@dataclass(frozen=True)
class SalesRow:
    """One staged row of an entity: its fields as texts, `op` missing in a full load."""

    entity: str
    fields: Mapping[str, str]


def expect_sales(rows: Iterable[SalesRow]) -> dict[str, list[Row]]:
    """Return the rows of every mart and summary of the sales."""
    placed: dict[str, list[Change]] = defaultdict(list)
    lost: dict[str, dict[str, Change]] = defaultdict(dict)
    for row in rows:
        for change in _changes(row):
            if change.sequence:
                placed[row.entity].append(change)
            else:
                lost[row.entity][change.content] = change
    marts: dict[str, list[Row]] = {}
    versions = {}
    for entity, current in (
        ("products", ["product_name", "category"]),
        ("customers", ["customer_name", "city", "state"]),
    ):
        one = entity.removesuffix("s")
        versions[entity] = histories(placed[entity])
        names = COLUMNS[entity][1:]
        marts[f"dim_{entity}"] = dimension_rows(versions[entity], one, names, current)
        unfit = {c.content: c for c in placed[entity] if c.reasons} | lost[entity]
        marts[f"quarantined_{entity}"] = [
            {"change_key": key_of(change.content), f"{one}_id": change.key or None} | _why(change)
            for change in unfit.values()
        ]
    current_sales = [c for c in newest(placed["sales"]).values() if c.operation != "D"]
    facts = []
    for sale in current_sales:
        if sale.reasons:
            continue
        keys = {}
        for entity in ("products", "customers"):
            one = entity.removesuffix("s")
            known = versions[entity].get(sale.values[f"{one}_id"], [])
            version = valid_at(known, sale.values["sold_at"])
            keys[f"{one}_key"] = version.key if version else -1
        facts.append(
            {
                **sale.values,
                **keys,
                "sale_key": key_of(f"id:{sale.key}"),
                "sale_id": sale.key,
                "date_key": int(f"{sale.values['sold_at']:%Y%m%d}"),
                "discount": sale.values["discount"] or Decimal("0.00"),
            }
        )
    marts["fact_sales"] = facts
    marts["quarantined_sales"] = [
        {"sale_key": key_of(f"id:{sale.key}"), "sale_id": sale.key} | _why(sale)
        for sale in current_sales
        if sale.reasons
    ] + [
        {"sale_key": key_of(f"row:{sale.content}"), "sale_id": sale.key or None} | _why(sale)
        for sale in lost["sales"].values()
    ]
    marts["sales_by_region_monthly"] = list(_by_region_and_month(facts))
    return marts


def _why(change: Change) -> Row:
    return {"quarantine_reasons": ",".join(change.reasons), "source_row": change.source_row}


def _changes(row: SalesRow) -> Iterator[Change]:
    """Yield the change of a row; an update that changed the key is a deletion, too."""
    columns = COLUMNS[row.entity]
    fields = {name: text_or_none(text, "NULL") for name, text in row.fields.items()}
    is_full_load = "op" not in row.fields
    operation = "I" if is_full_load else fields["op"]
    at = time_of(fields["committed_at"])
    if is_full_load:
        sequence = f"{at:%Y%m%d%H%M%S%f}"[:16] + "0" * 19 if at else ""
    else:
        text = fields["change_seq"] or ""
        sequence = text if len(text) == 35 and set(text) <= set("0123456789") else ""
    key = fields[columns[0]]
    reasons = [
        *([f"missing_{columns[0]}"] if key is None else []),
        *(["unknown_operation"] if operation not in ("I", "U", "D") else []),
        *([] if sequence else ["invalid_change_sequence"]),
        *([] if at else ["invalid_committed_at"]),
    ]
    is_placed = not reasons
    values = _values(row.entity, fields)
    if operation != "D":
        reasons += _value_reasons(row.entity, fields, values)
    source = [
        operation,
        fields["change_seq"],
        fields["committed_at"],
        *(fields[c] for c in columns),
    ]
    change = Change(
        key or "",
        operation or "",
        sequence if is_placed else "",
        at or datetime.min,
        values,
        key_of(with_lengths(fields[name] for name in columns)),
        with_lengths(source),
        "|".join(text or "" for text in source),
        tuple(reasons),
    )
    yield change
    former = fields[f"bi_{columns[0]}"]
    if is_placed and operation == "U" and former not in (None, key):
        yield replace(change, key=former, operation="D", reasons=())


def _values(entity: str, fields: Mapping[str, str | None]) -> Row:
    values: Row = {name: fields[name] for name in COLUMNS[entity][1:]}
    if entity == "products":
        values["list_price"] = _cents(fields["list_price"])
    if entity == "sales":
        sold_at, quantity = time_of(fields["sold_at"]), number_of(fields["quantity"])
        values |= {
            "sold_at": sold_at,
            "quantity": int(quantity) if quantity is not None else None,
            "amount": _cents(fields["amount"]),
            "discount": _cents(fields["discount"]),
            "region": fields["region"] or UNKNOWN,
        }
    return values


def _value_reasons(entity: str, fields: Mapping[str, str | None], values: Row) -> Iterator[str]:
    if entity == "products" and fields["list_price"] and values["list_price"] is None:
        yield "invalid_list_price"
    if entity != "sales":
        return
    if fields["order_id"] is None:
        yield "missing_order_id"
    if fields["sold_at"] is None:
        yield "missing_sold_at"
    elif values["sold_at"] is None:
        yield "invalid_sold_at"
    elif not FIRST_DAY <= values["sold_at"].date() <= LAST_DAY:
        yield "sold_at_out_of_range"
    quantity = number_of(fields["quantity"])
    if fields["quantity"] is None:
        yield "missing_quantity"
    elif quantity is None or quantity != int(quantity):
        yield "invalid_quantity"
    if fields["amount"] is None:
        yield "missing_amount"
    elif values["amount"] is None:
        yield "invalid_amount"
    if fields["discount"] is not None and values["discount"] is None:
        yield "invalid_discount"


def _cents(text: str | None) -> Decimal | None:
    number = number_of(text)
    if number is None or number != round(number, 2):
        return None
    return round(number, 2)


def _by_region_and_month(facts: Iterable[Row]) -> Iterator[Row]:
    groups: dict[tuple[str, date], list[Row]] = defaultdict(list)
    for fact in facts:
        groups[fact["region"], fact["sold_at"].date().replace(day=1)].append(fact)
    for (region, month), group in groups.items():
        yield {
            "region": region,
            "month": month,
            "sale_count": len(group),
            "order_count": len({fact["order_id"] for fact in group}),
            "quantity": sum(fact["quantity"] for fact in group),
            "revenue": sum((fact["amount"] for fact in group), Decimal(0)),
            "discount": sum((fact["discount"] for fact in group), Decimal(0)),
        }
