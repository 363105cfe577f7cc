"""The demo's writer of Extended JSON gives what MongoDB's own library gives, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import bson
import pytest
from bson import json_util
from hypothesis import given
from hypothesis import strategies as st

from loaders.demo.mongodb import Long, ObjectId, export

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
# mongoexport writes no zeros at the end of a second's fraction, the library does.
TIMES = st.datetimes(timezones=st.just(UTC)).map(
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
).filter(lambda time: time.microsecond % 10_000 or not time.microsecond)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | TEXT
    | st.integers(-(2**31), 2**31 - 1)
    | st.integers(-(2**63), 2**63 - 1).map(Long)
    | st.integers(0, 2**96 - 1).map(lambda number: ObjectId(f"{number:024x}"))
    | st.decimals(allow_nan=False, allow_infinity=False, places=20).filter(
        lambda number: len(number.as_tuple().digits) <= 34
    )
    | TIMES
)
NAMES = TEXT.map("x".__add__)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)


def as_bson(value: Any) -> Any:
    """Return the value in the library's own types."""
    match value:
        case ObjectId():
            return bson.ObjectId(value)
        case Long():
            return bson.Int64(value)
        case Decimal():
            return bson.Decimal128(value)
        case dict():
            return {name: as_bson(item) for name, item in value.items()}
        case list():
            return [as_bson(item) for item in value]
    return value


@given(st.lists(DOCUMENTS, max_size=2), st.booleans())
def test_both_forms_are_those_of_the_library(documents: list[Any], canonical: bool) -> None:
    options = json_util.CANONICAL_JSON_OPTIONS if canonical else json_util.RELAXED_JSON_OPTIONS
    expected = [
        json_util.dumps(
            as_bson(document), json_options=options, ensure_ascii=False, separators=(",", ":")
        )
        for document in documents
    ]
    assert export(documents, canonical=canonical).decode().split("\n") == [*expected, ""]


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), '"2020-01-01T00:00:00Z"'),
        (datetime(2020, 1, 1, 0, 0, 0, 500_000, UTC), '"2020-01-01T00:00:00.5Z"'),
        (datetime(2020, 1, 1, 0, 0, 0, 120_000, UTC), '"2020-01-01T00:00:00.12Z"'),
        (datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC), '{"$numberLong":"-1"}'),
    ],
)
def test_times_are_written_as_mongoexport_writes_them(time: datetime, text: str) -> None:
    assert export([{"at": time}], canonical=False) == f'{{"at":{{"$date":{text}}}}}\n'.encode()


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(TypeError, match=r"1\.5 is of no type that is written here"):
        export([{"a": 1.5}], canonical=True)
