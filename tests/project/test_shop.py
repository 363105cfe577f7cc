"""The shop's marts are those of a plain-Python oracle, on both warehouses, whatever goes wrong."""

from __future__ import annotations

import gzip
import json

import pytest

from loaders.demo.shop import shop_objects
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


@pytest.mark.parametrize("step", [0, 1], ids=["the first records", "late ones"])
def test_both_warehouses_are_what_the_oracle_says(both: Both, step: int) -> None:
    check_both(both, step, expect_shop(*nasty.accepted(step)))
