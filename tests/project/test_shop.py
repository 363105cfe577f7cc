"""The shop's marts are those of a plain-Python oracle, on both warehouses, whatever goes wrong."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress

import pytest

from loaders.demo.shop import shop_objects
from loaders.errors import UsageError
from loaders.rejects import requeue
from tests.project import shop_objects as nasty
from tests.project.both import Both
from tests.project.desk import Desk
from tests.project.mart_checks import check, check_both
from tests.project.shop_oracle import expect_shop

BUILD = ("--select", "source:shop+")


def test_the_demo_and_nasty_records_are_what_the_oracle_says(empty: Desk) -> None:
    """Built step by step, and anew."""
    orders, users = nasty.accepted(0)
    assert all(expect_shop(orders, users).values())  # something to see in every mart
    for item in [*shop_objects(), *nasty.first()]:
        empty.put(item.key, item.body)
    for item in shop_objects():
        lines = gzip.decompress(item.body).decode().splitlines()
        (orders if "/orders/" in item.key else users).extend(map(json.loads, lines))
    assert empty.load().exit_code == 0
    empty.build(*BUILD)
    check(empty, expect_shop(orders, users))
    for item in nasty.later():
        empty.put(item.key, item.body)
        assert empty.load().exit_code == 0
        empty.build(*BUILD)
    orders, users = [*orders, *nasty.LATER_ORDERS], [*users, *nasty.LATER_USERS]
    check(empty, expect_shop(orders, users))
    empty.build("--full-refresh", *BUILD)
    check(empty, expect_shop(orders, users))


def test_the_lines_of_a_file_that_was_replaced_are_gone(empty: Desk) -> None:
    lines = [{"product_id": name, "quantity": "1", "amount": "3.00"} for name in "abz"]
    for items in (lines[:2], lines[2:]):
        record = nasty.order(300, "o9", items=items)
        staged = nasty.staged("orders", "9", [record])
        empty.put(staged.key, staged.body)
        with empty.project.warehouse() as warehouse, suppress(UsageError):  # the first is new
            requeue(warehouse, "shop.orders", empty.project.staging.bucket, staged.key)
        assert empty.load().exit_code == 0
        empty.build(*BUILD)
        check(empty, expect_shop([record], []))


@pytest.mark.parametrize("step", [0, 1], ids=["the first records", "late ones"])
def test_both_warehouses_are_what_the_oracle_says(both: Both, step: int) -> None:
    check_both(both, step, expect_shop(*nasty.accepted(step)))
