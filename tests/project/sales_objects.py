"""Change files of the sales database with everything that goes wrong in the field."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from loaders.demo.dms import DmsChange, DmsTable, Values
from loaders.demo.nycflights13 import StagedObject
from loaders.demo.sales import CUSTOMERS, PRODUCTS, SALES
from tests.project.sales_oracle import COLUMNS, SalesRow

DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "sales": {
        "sale_id": "1", "order_id": "o1", "customer_id": "c1", "product_id": "p1",
        "store_id": "9", "region": "West", "sales_rep": "Ann", "sold_at": "2020-06-15 12:00:00",
        "quantity": "1", "amount": "9.99", "discount": "0.00",
    },
    "products": {
        "product_id": "p1", "product_name": "Ice", "category": "FROZEN", "department": "GROCERY",
        "brand": "Private", "list_price": "9.99",
    },
    "customers": {
        "customer_id": "c1", "customer_name": "Ada", "age_group": "65+", "income_group": "35-49K",
        "city": "Bern", "state": "BE",
    },
}  # fmt: skip


@dataclass(frozen=True)
class SalesFile:
    """A staged CSV file of one entity."""

    entity: str
    name: str
    rows: Sequence[Mapping[str, str]]

    @property
    def is_full_load(self) -> bool:
        """Whether it is named as a full load."""
        return self.name.startswith("LOAD")

    @property
    def key(self) -> str:
        """Its key in the bucket."""
        return f"sales/retail/{self.entity}/{self.name}.csv"

    def sales_rows(self) -> list[SalesRow]:
        """Return what the oracle takes."""
        return [SalesRow(self.entity, row) for row in self.rows]

    def text(self) -> str:
        """Return the file's content."""
        columns = COLUMNS[self.entity]
        names = ["committed_at", *columns, "change_seq", f"bi_{columns[0]}"]
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names if self.is_full_load else ["Op", *names])
        for row in self.rows:
            cells = [row[name] for name in names]
            writer.writerow(cells if self.is_full_load else [row["op"], *cells])
        return text.getvalue()


def sequence(number: int) -> str:
    """Return a sequence of DMS; only the order counts."""
    return f"2020070100000000{number:019d}"


def loaded(
    entity: str, key: str, started: str = "2020-05-01 00:00:00.000000", **fields: str
) -> Mapping[str, str]:
    """Return a row of a full load."""
    first = COLUMNS[entity][0]
    head = {first: key, "committed_at": started, "change_seq": "", f"bi_{first}": ""}
    return {**DEFAULTS[entity], **head, **fields}


def changed(
    entity: str, op: str, number: int, key: str, at: str | None = None, **fields: str
) -> Mapping[str, str]:
    """Return a change; `at` is when it was committed, by default the number-th minute of a day."""
    first = COLUMNS[entity][0]
    head = {
        "op": op, first: key, "change_seq": sequence(number),
        "committed_at": at or f"2020-06-01 {number // 60:02d}:{number % 60:02d}:00.000000",
        f"bi_{first}": "" if op == "I" else key,
    }  # fmt: skip
    return {**DEFAULTS[entity], **head, **fields}


TYPED_SALE = {
    "sale_id": 70, "order_id": 7, "customer_id": 1, "product_id": 2, "store_id": 9,
    "region": "West", "sales_rep": None, "sold_at": datetime(2020, 6, 15, 12), "quantity": 2,
    "amount": Decimal("19.98"), "discount": Decimal("0.50"),
}  # fmt: skip
FRACTION = datetime(2020, 6, 30, 23, 59, 59, 750_000)
TYPED_PRODUCT = {
    "product_id": 2, "product_name": "Bolt", "category": "TOOLS", "department": None,
    "brand": "National", "list_price": Decimal("19.98"),
}  # fmt: skip
TYPED_CUSTOMER = {
    "customer_id": 1, "customer_name": "Émile 測", "age_group": "19-24", "income_group": " ",
    "city": "Genf", "state": "GE",
}  # fmt: skip
STARTED = datetime(2020, 7, 1)  # a task that writes Parquet
PARQUET_FULL: Sequence[tuple[DmsTable, Sequence[Values]]] = (
    (SALES, [TYPED_SALE | {"sale_id": number} for number in (69, 70)]),
    (PRODUCTS, [TYPED_PRODUCT]),
    (CUSTOMERS, [TYPED_CUSTOMER, TYPED_CUSTOMER | {"customer_id": 3}]),
)
PARQUET_CHANGES: Sequence[tuple[DmsTable, Sequence[DmsChange]]] = (
    (SALES, [
        DmsChange("I", datetime(2020, 7, 1), 500, TYPED_SALE),
        DmsChange("I", datetime(2020, 7, 1), 501, TYPED_SALE | {"sale_id": 71, "quantity": None}),
        DmsChange("U", datetime(2020, 7, 2), 502, TYPED_SALE | {"sale_id": 72}, former=71),
        DmsChange("I", datetime(2020, 7, 2), 505,
                  TYPED_SALE | {"sale_id": 73, "sold_at": FRACTION}),
        DmsChange("D", datetime(2020, 7, 3), 503, TYPED_SALE, former=70),
        DmsChange("I", datetime(2020, 7, 4), 504, TYPED_SALE | {"amount": Decimal("-1.00")}),
    ]),
    (PRODUCTS, [
        DmsChange("U", STARTED, 510, TYPED_PRODUCT | {"list_price": None}, former=2),
        DmsChange("U", STARTED, 511, TYPED_PRODUCT | {"list_price": Decimal("21.00")}, former=2),
        DmsChange("I", datetime(2020, 7, 2), 512, TYPED_PRODUCT | {"product_id": 4}),
    ]),
    (CUSTOMERS, [
        DmsChange("D", datetime(2020, 7, 2), 520, TYPED_CUSTOMER | {"customer_id": 3}, former=3),
        DmsChange("U", FRACTION, 521, TYPED_CUSTOMER | {"city": None}, former=1),
    ]),
)  # fmt: skip


def parquet_rows() -> list[SalesRow]:
    """Return the rows of the Parquet files as DMS would write them in CSV."""

    def text(value: object) -> str:
        return "" if value is None else str(value)

    def row(table: DmsTable, values: Values, **head: str) -> SalesRow:
        entity = table.folder.split("/")[2]
        return SalesRow(entity, {name: text(value) for name, value in values.items()} | head)

    full = [
        row(table, values, committed_at=f"{STARTED:%Y-%m-%d %H:%M:%S.%f}", change_seq="",
            **{f"bi_{table.key}": ""})
        for table, loads in PARQUET_FULL
        for values in loads
    ]  # fmt: skip
    return full + [
        row(table, change.row, op=change.operation, change_seq=change.sequence,
            committed_at=f"{change.committed_at:%Y-%m-%d %H:%M:%S.%f}",
            **{f"bi_{table.key}": text(change.former)})
        for table, changes in PARQUET_CHANGES
        for change in changes
    ]  # fmt: skip


REPLAYED = [
    changed("sales", "I", 10, "10", amount="1.00"),
    changed("sales", "U", 20, "10", amount="2.00"),
    changed("sales", "I", 11, "11"),
    changed("sales", "D", 12, "11"),
]
FIRST = (
    SalesFile("products", "LOAD00000001", [
        loaded("products", "p1"),
        loaded("products", "p2", product_name='12" ruler, "wood"', list_price="1e1", brand="NULL"),
        loaded("products", "p3", list_price="cheap"),
        loaded("products", "p4", category=" FRZN ICE ", department=""),
    ]),
    SalesFile("products", "20200601-235959123", [
        changed("products", "U", 30, "p1", list_price="10.49"),
        changed("products", "U", 31, "p1", list_price="10.49"),  # changes nothing
        # Within one tick of the clock: each is a version.
        changed("products", "U", 40, "p2", "2020-06-10 00:00:00.000000", category="TOYS"),
        changed("products", "U", 41, "p2", "2020-06-10 00:00:00.000000", category="TOOLS"),
        changed("products", "D", 50, "p4"),
        changed("products", "D", 51, "p4"),
        changed("products", "I", 52, "p4", category="FROZEN"),
        changed("products", "U", 60, "p9", bi_product_id="p1", list_price="11"),  # key change
    ]),
    SalesFile("customers", "LOAD00000001", [loaded("customers", key) for key in ("c1", "c2")]),
    SalesFile("customers", "20200601-235959123", [
        changed("customers", "U", 10, "c1", "2020-06-15 12:00:00.000000", city="Basel"),
        changed("customers", "U", 9, "c1", "2020-06-20 00:00:00.000000", city="Chur"),  # clock back
        changed("customers", "U", 9, "c1", "2020-06-20 00:00:00.000000", city="Zug"),  # same twice
        *(
            changed("customers", "U", 8, "c8", "2020-06-20 00:00:00.000000", city=city)
            for city in ("Bern", "Zug", "Chur", "Genf", "Basel", "Sion", "Thun")
        ),  # one sequence seven times: which counts is arbitrary, but always the same
        changed("customers", "D", 20, "c7"),  # never seen before
        changed("customers", "T", 22, "c1"),  # no operation
        changed("customers", "I", 21, "c|2", customer_name="x|y", city="測定"),
    ]),
    SalesFile("sales", "LOAD00000001", [
        loaded("sales", "1"),
        loaded("sales", "2", customer_id="c9", product_id="orphan"),
        loaded("sales", "3", sold_at="2020-05-02 00:00:00", product_id="p2"),
        loaded("sales", "4", started="some day"),
    ]),
    SalesFile("sales", "20200601-235959123", [
        changed("sales", "U", 5, "2", region=""),
        changed("sales", "U", 80, "6", amount="5"),  # its insert comes later
        changed("sales", "D", 81, "1"),
        changed("sales", "I", 82, "1", order_id="o2", amount="-9.99"),  # again
        changed("sales", "U", 83, "30", bi_sale_id="3"),  # key change
        *REPLAYED,
    ]),
    SalesFile("sales", "20200601-235959124", REPLAYED[::-1]),  # replayed, in another order
    SalesFile("sales", "20200602-000000000", [
        {**changed("sales", "I", 100 + number, str(100 + number)), field: text}
        for number, (field, text) in enumerate(
            [("amount", text) for text in ("9.999", "ten", "", "NULL", "1e3", "999999999", "-0.50")]
            + [("quantity", text) for text in ("1.5", "two", "", "-3", "1e1")]
            + [("sold_at", text) for text in ("yesterday", "", "1989-12-31 23:59:59",
                                              "2020-02-30 00:00:00", "2039-12-31 23:59:59")]
            + [("discount", text) for text in ("", "NULL", ".25", "half")]
            + [("order_id", " "), ("op", "X"), ("op", ""), ("change_seq", "12"),
               ("change_seq", "x" * 35), ("change_seq", ""), ("committed_at", "soon"),
               ("sale_id", ""), ("customer_id", ""), ("product_id", "NULL"), ("region", "  ")]
        )
    ]),
)  # fmt: skip
LATER = (
    SalesFile("sales", "20200603-000000000", [
        changed("sales", "I", 79, "6", amount="4"),  # late: before its update
        changed("sales", "U", 99, "10", amount="0.5", region="North"),  # newer than all
        changed("sales", "U", 15, "10", amount="7"),  # late: between two
        changed("sales", "I", 13, "11"),  # inserted again after its deletion
        changed("sales", "U", 200, "100", amount="9.00"),  # a bad amount put right
        changed("sales", "U", 201, "1", amount="x"),  # and a good one spoilt
        changed("sales", "U", 84, "31", bi_sale_id="30", sold_at="2020-07-01 00:00:00"),
        changed("sales", "I", 12, "11", amount="3"),  # one sequence twice
    ]),
    SalesFile("sales", "20200601-235959123", [changed("sales", "U", 300, "2")]),  # changed: refused
    SalesFile("products", "20200603-000000000", [
        changed("products", "U", 25, "p1", list_price="10.00"),  # late: a version in between
        changed("products", "I", 10, "orphan", product_name="Found"),
        changed("products", "U", 53, "p4", list_price="0.001"),
    ]),
    # The table was loaded anew: what the task has missed.
    SalesFile("customers", "LOAD00000001", [
        loaded("customers", "c1", "2020-08-01 00:00:00.000000", city="Zug"),
        loaded("customers", "c2", "2020-08-01 00:00:00.000000", city="Genf"),
    ]),
)  # fmt: skip
REFUSED = LATER[1]


def first() -> Iterator[StagedObject]:
    """Yield what is staged before the first build."""
    for file in FIRST:
        yield StagedObject(file.key, file.text().encode())
    for table, rows in PARQUET_FULL:
        yield table.full_load(2, STARTED, rows, "parquet")
    for table, changes in PARQUET_CHANGES:
        yield table.change_file(datetime(2020, 7, 4, 23, 59, 59), changes, "parquet")


def later() -> Iterator[StagedObject]:
    """Yield what is staged between the builds, but for the file that is refused."""
    for file in LATER:
        if file is not REFUSED:
            yield StagedObject(file.key, file.text().encode())


def accepted(step: int) -> list[SalesRow]:
    """Return the rows that count after the first build, or after the second."""
    rows = [row for file in FIRST for row in file.sales_rows()] + parquet_rows()
    if step:
        rows += [row for file in LATER if file is not REFUSED for row in file.sales_rows()]
    return rows
