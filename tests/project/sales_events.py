"""What happens to the change files of the sales database, at random: few keys, times and values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.project.sales_objects import SalesFile, changed, loaded

Row = Mapping[str, str]


@dataclass(frozen=True)
class SalesStaged:
    """A file of changes, or of a full load, under a new name: late as often as not."""

    entity: str
    is_full_load: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class SalesSentAgain:
    """A file staged once more under another name, its rows in the opposite order."""

    file: int


SalesEvent = SalesStaged | SalesSentAgain


def next_file(files: list[SalesFile], event: SalesEvent) -> SalesFile | None:
    """Return the file that the event stages, if it stages one, and remember it."""
    number = len(files)
    match event:
        case SalesStaged(entity, is_full_load, rows):
            name = f"LOAD{number:08X}" if is_full_load else f"20200601-{number:09d}"
            file = SalesFile(entity, name, rows)
        case SalesSentAgain(which) if files:
            held = files[which % number]
            name = f"LOAD{number:08X}" if held.is_full_load else f"20200601-{number:09d}"
            file = SalesFile(held.entity, name, tuple(reversed(held.rows)))
        case _:
            return None
    files.append(file)
    return file


keys = {
    "sales": st.sampled_from(["s1", "s2", "s3", ""]),
    "products": st.sampled_from(["p1", "p2", "p3"]),
    "customers": st.sampled_from(["c1", "c2"]),
}
attributes = {
    "sales": st.fixed_dictionaries(
        {},
        optional={
            "product_id": st.sampled_from(["p2", "p3", "p9", ""]),
            "customer_id": st.sampled_from(["c2", "NULL"]),
            "region": st.sampled_from(["West", "East", ""]),
            "sold_at": st.sampled_from(["2020-06-01 00:00:02", "2020-07-01 00:00:00", "soon"]),
            "amount": st.sampled_from(["1.00", "-0.5", "1.001", "x", ""]),
            "quantity": st.sampled_from(["2", "1.5"]),
            "order_id": st.sampled_from(["o2", ""]),
        },
    ),
    "products": st.fixed_dictionaries(
        {},
        optional={
            "category": st.sampled_from(["TOYS", ""]),
            "list_price": st.sampled_from(["1.00", "dear"]),
        },
    ),
    "customers": st.fixed_dictionaries({}, optional={"city": st.sampled_from(["Basel", "Chur"])}),
}
seconds = st.integers(0, 5).map(lambda second: f"2020-06-01 00:00:0{second}.000000")
# Before all changes; a reload after them; unreadable.
starts = st.sampled_from(["2020-05-01 00:00:00", "2020-07-01 00:00:01", "soon"])


@st.composite
def _changed(draw: st.DrawFn, entity: str) -> Row:
    key, former = draw(keys[entity]), draw(keys[entity])
    operation = draw(st.sampled_from(["I", "U", "U", "U", "D", "D", "?"]))
    before = former if operation == "U" and draw(st.booleans()) else key
    times = {"at": draw(seconds)} | draw(attributes[entity])
    row = changed(entity, operation, draw(st.integers(1, 6)), key, **times)
    return {**row, f"bi_{entity.removesuffix('s')}_id": before}


@st.composite
def _loaded(draw: st.DrawFn, entity: str) -> Row:
    return loaded(entity, draw(keys[entity]), draw(starts), **draw(attributes[entity]))


def _staged(entity: str) -> st.SearchStrategy[SalesStaged]:
    def files(is_full_load: bool, row: st.SearchStrategy[Row]) -> st.SearchStrategy[SalesStaged]:
        rows = st.lists(row, max_size=5).map(tuple)
        return st.builds(SalesStaged, st.just(entity), st.just(is_full_load), rows)

    usual = files(False, _changed(entity))
    return st.one_of(usual, usual, files(True, _loaded(entity)))


sales_events: st.SearchStrategy[SalesEvent] = st.one_of(
    _staged("sales"),
    _staged("sales"),
    _staged("products"),
    _staged("customers"),
    st.builds(SalesSentAgain, st.integers(0, 5)),
)
# What happens in the field, for where there is time for one history only.
SOME_SALES: tuple[SalesEvent, ...] = (
    SalesStaged("products", True, (loaded("products", "p1"), loaded("products", "p2"))),
    SalesStaged("sales", True, (loaded("sales", "s1"), loaded("sales", "s2", amount="x"))),
    SalesStaged(
        "sales",
        False,
        (
            changed("sales", "U", 20, "s1", amount="2.00", region="East"),
            changed("sales", "I", 21, "s3", customer_id="c1"),
            changed("sales", "D", 22, "s3"),
            changed("sales", "I", 23, "s3", order_id="o2", product_id="p9"),
        ),
    ),
)
MORE_SALES: tuple[SalesEvent, ...] = (
    SalesStaged("customers", False, (changed("customers", "I", 5, "c1"),)),
    SalesStaged("products", False, (changed("products", "U", 9, "p9", bi_product_id="p1"),)),
    SalesSentAgain(2),
    SalesStaged(
        "sales",
        False,
        (
            changed("sales", "U", 19, "s1", amount="1.50"),  # late
            changed("sales", "U", 30, "s4", bi_sale_id="s3", sold_at="2020-07-01 00:00:00"),
            changed("sales", "U", 31, "s2", amount="3.00"),
        ),
    ),
)
