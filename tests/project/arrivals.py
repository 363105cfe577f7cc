"""Sources whose marts are a function of a set of pieces, and random ways for the pieces to come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from loaders.demo.nycflights13 import StagedObject
from tests.project import (
    hpc_objects,
    literature_objects,
    sensor_objects,
    shop_objects,
    test_literature,
    test_observations,
    test_sensors,
)
from tests.project.desk import Desk
from tests.project.mart_checks import check
from tests.project.shop_oracle import expect_shop

Groups = list[list[int]]


@dataclass(frozen=True)
class Source:
    """What comes in pieces: `staged` makes the objects of the n-th group of them.

    `compare` checks the marts after the pieces that came so far.
    """

    name: str
    pieces: Sequence[Any]
    staged: Callable[[int, Sequence[Any]], list[StagedObject]]
    selection: tuple[str, ...]
    compare: Callable[[Desk, Sequence[Any], list[StagedObject]], None]

    def __str__(self) -> str:
        return self.name


@st.composite
def arrivals(draw: st.DrawFn, source: Source) -> Groups:
    """Draw groups of pieces, by their numbers: in any order, some of them again."""
    known = range(len(source.pieces))
    again = draw(st.lists(st.sampled_from(known), max_size=3))
    order = draw(st.permutations([*known, *again]))
    cuts = [0, *sorted(draw(st.sets(st.integers(1, len(order) - 1), max_size=3))), len(order)]
    return [order[start:end] for start, end in pairwise(cuts)]


def play(desk: Desk, source: Source, groups: Groups) -> None:
    """Stage, load and build group by group, then all anew; compare after each."""
    came: list[Any] = []
    objects: dict[str, StagedObject] = {}
    for number, group in enumerate(groups):
        pieces = [source.pieces[at] for at in group]
        for item in source.staged(number, pieces):
            desk.put(item.key, item.body)
            objects[item.key] = item
        came += pieces
        assert not desk.refresh().refused
        source.compare(desk, came, list(objects.values()))
    desk.build("--full-refresh")
    source.compare(desk, came, list(objects.values()))


def _shop(number: int, pieces: Sequence[Any]) -> list[StagedObject]:
    return [
        shop_objects.staged(table, str(number), [r for of, r in pieces if of == table])
        for table in ("orders", "users")
    ]


def _check_shop(desk: Desk, came: Sequence[Any], _: list[StagedObject]) -> None:
    orders, users = ([r for of, r in came if of == table] for table in ("orders", "users"))
    check(desk, expect_shop(orders, users))


def _sensors(number: int, pieces: Sequence[Any]) -> list[StagedObject]:
    """Stage exports whole, and what was sent in one delivery a group."""
    objects = [item for piece in pieces if isinstance(piece, tuple) for item in piece]
    sent = [piece for piece in pieces if not isinstance(piece, tuple)]
    hour = datetime(2020, 5, 11) + timedelta(hours=number)
    return [*objects, sensor_objects.delivered(hour, sent)] if sent else objects


def _by_folder(path: str, objects: Iterable[StagedObject]) -> list[tuple[StagedObject, ...]]:
    """Return the objects below a path, those of one folder there together: an export each."""
    of: dict[str, list[StagedObject]] = {}
    for item in objects:
        before, found, rest = item.key.partition(path)
        if found and not before:
            folder, _, name = rest.partition("/")
            # The data of DynamoDB's incremental exports lie apart, in one folder for all.
            export = name.rpartition("-")[0] if folder == "data" else folder
            of.setdefault(export, []).append(item)
    return [tuple(together) for together in of.values()]


def _whole(_: int, pieces: Sequence[Any]) -> list[StagedObject]:
    return [item for piece in pieces for item in piece]


def _files(_: int, pieces: Sequence[Any]) -> list[StagedObject]:
    return [item for objects, _ in pieces for item in objects]


def _check_files(desk: Desk, came: Sequence[Any], _: list[StagedObject]) -> None:
    known = {row for _, rows in came for row in rows}
    test_observations.check(desk, list(known))


def _check_papers(desk: Desk, _: Sequence[Any], objects: list[StagedObject]) -> None:
    known = test_literature.warehouse_of(desk, objects)
    test_literature.compare(test_literature.found(desk), test_literature.expect(objects, known))


SHOP = Source(
    "shop",
    [("orders", r) for r in (*shop_objects.FIRST_ORDERS, *shop_objects.LATER_ORDERS)]
    + [("users", r) for r in (*shop_objects.FIRST_USERS, *shop_objects.LATER_USERS)],
    _shop,
    ("--select", "source:shop+"),
    _check_shop,
)
SENSORS = Source(
    "sensors",
    [
        *_by_folder(
            f"{sensor_objects.TABLE}AWSDynamoDB/",
            (*sensor_objects.first(), *sensor_objects.later()),
        ),
        *sensor_objects.RECORDS,
        sensor_objects.SENT,
        *sensor_objects.ANOMALOUS,
    ],
    _sensors,
    ("--select", "source:sensors+", "source:stream+"),
    lambda desk, _, objects: test_sensors.compare(desk, objects),
)
PAPERS = Source(
    "papers",
    _by_folder("literature/papers/", (*literature_objects.first(), *literature_objects.later())),
    _whole,
    ("--select", "source:literature+"),
    _check_papers,
)
FILES = Source(
    "files",
    list(hpc_objects.in_pieces()),
    _files,
    test_observations.BUILD,
    _check_files,
)
SOURCES = [SHOP, SENSORS, PAPERS, FILES]
