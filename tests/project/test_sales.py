"""The sales marts are those of a plain-Python oracle, on both warehouses, whatever goes wrong."""

from __future__ import annotations

import csv
import gzip
import io

import pyarrow.parquet as pq
import pytest

from loaders.demo.nycflights13 import StagedObject
from loaders.demo.sales import sales_objects
from tests.project import sales_objects as nasty
from tests.project.both import Both
from tests.project.desk import Desk
from tests.project.mart_checks import check, check_both, check_daily_counts
from tests.project.sales_oracle import SalesRow, expect_sales
from tests.project.sales_questions import check_questions

BUILD = ("--select", "source:sales+")


def rows_of(item: StagedObject) -> list[SalesRow]:
    """Read a staged object of the demo with libraries alone."""
    entity = item.key.split("/")[2]
    if item.key.endswith(".parquet"):
        table = pq.read_table(io.BytesIO(item.body)).to_pylist()
        found = [{k.lower(): "" if v is None else str(v) for k, v in r.items()} for r in table]
    else:
        text = gzip.decompress(item.body).decode()
        reader = csv.DictReader(io.StringIO(text, newline=""))
        found = [{name.lower(): value for name, value in row.items()} for row in reader]
    return [SalesRow(entity, row) for row in found]


@pytest.mark.ci
def test_the_demo_is_what_the_oracle_says(empty: Desk) -> None:
    staged = list(sales_objects())
    for item in staged:
        empty.put(item.key, item.body)
    assert empty.load().exit_code == 0
    empty.build(*BUILD)
    rows = [row for item in staged for row in rows_of(item)]
    assert len(rows) > 20_000
    check(empty, expect_sales(rows))
    check_questions(empty.dbt.query, expect_sales(rows))


def test_nasty_files_in_any_grouping(empty: Desk) -> None:
    """Built step by step, in another order, and anew."""
    assert all(expect_sales(nasty.accepted(0)).values())  # something to see in every mart
    for item in nasty.first():
        empty.put(item.key, item.body)
    assert empty.load().exit_code == 0
    empty.build(*BUILD)
    check_daily_counts(empty)
    check(empty, expect_sales(nasty.accepted(0)))
    for item in nasty.later():
        empty.put(item.key, item.body)
        assert empty.load().exit_code == 0
        if "products" in item.key:
            empty.build(*BUILD)
    empty.build(*BUILD)
    check(empty, expect_sales(nasty.accepted(1)))
    check_daily_counts(empty)
    empty.put(nasty.REFUSED.key, nasty.REFUSED.text())
    assert [file.key for file in empty.load().refused] == [nasty.REFUSED.key]
    empty.build("--full-refresh", *BUILD)
    check(empty, expect_sales(nasty.accepted(1)))


@pytest.mark.parametrize("step", [0, 1], ids=["the first files", "late and changed ones"])
def test_both_warehouses_are_what_the_oracle_says(both: Both, step: int) -> None:
    check_both(both, step, expect_sales(nasty.accepted(step)))


def test_the_questions_are_answered_on_redshift_too(both: Both) -> None:
    with both.desk.environment():
        check_questions(both.desk.dbt.query, expect_sales(nasty.accepted(1)))
