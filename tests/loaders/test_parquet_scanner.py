"""The Parquet scanner: the rows as they are in the file, or a reason why not."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.errors import UsageError
from loaders.formats.faults import Fault, FileRefused, Reason
from loaders.formats.parquet_form import ParquetForm
from loaders.formats.parquet_scanner import ParquetScanner
from loaders.warehouse.types import parse_type

TYPES: dict[str, tuple[str, pa.DataType]] = {
    "name": ("varchar(40)", pa.string()),
    "small": ("smallint", pa.int16()),
    "whole": ("integer", pa.int32()),
    "large": ("bigint", pa.int64()),
    "double": ("double precision", pa.float64()),
    "exact": ("decimal(12,3)", pa.decimal128(10, 3)),
    "flag": ("boolean", pa.bool_()),
    "day": ("date", pa.date32()),
    "moment": ("timestamp", pa.timestamp("ms")),
    "utc": ("timestamp", pa.timestamp("us", tz="UTC")),
    "coded": ("varchar(40)", pa.dictionary(pa.int32(), pa.string())),
}
FORM = ParquetForm({name: parse_type(declared) for name, (declared, _) in TYPES.items()})
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)
MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
ROWS = st.fixed_dictionaries(
    {
        "name": TEXT,
        "small": st.integers(-(2**15), 2**15 - 1),
        "whole": st.integers(-(2**31), 2**31 - 1),
        "large": st.integers(-(2**63), 2**63 - 1),
        "double": st.floats(allow_nan=False),
        "exact": st.decimals(-9999999, 9999999, places=3),
        "flag": st.booleans(),
        "day": st.dates(),
        "moment": MOMENTS.map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)),
        "utc": MOMENTS.map(lambda t: t.replace(tzinfo=UTC)),
        "coded": TEXT,
    }
).flatmap(
    lambda row: st.sets(st.sampled_from(sorted(TYPES)), max_size=4).map(
        lambda nulls: row | dict.fromkeys(nulls)
    )
)
READERS: dict[str, Any] = {
    "name": str,
    "small": int,
    "whole": int,
    "large": int,
    "double": float,
    "exact": Decimal,
    "flag": lambda text: {"true": True, "false": False}[text],
    "day": date.fromisoformat,
    "moment": datetime.fromisoformat,
    "utc": lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
    "coded": str,
}


def written(rows: list[dict[str, Any]], types: dict[str, pa.DataType] | None = None) -> bytes:
    kinds = types or {name: kind for name, (_, kind) in TYPES.items()}
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(list(kinds.items()))), sink)
    return sink.getvalue()


def read_back(content: bytes) -> list[dict[str, Any]]:
    scanner = ParquetScanner(io.BytesIO(content), FORM)
    text = b"".join(scanner.chunks()).decode()
    # Python 3.12 can tell a quoted empty value from a null; here a mark does it.
    marked = io.StringIO(text.replace('""', '"\0"') if '"""' not in text else text, newline="")
    rows = [
        {
            name: None if value == "" else READERS[name](value.replace("\0", ""))
            for name, value in zip(scanner.header, values, strict=True)
        }
        for values in csv.reader(marked)
    ]
    assert scanner.records == len(rows)
    return rows


@given(st.lists(ROWS, max_size=6))
def test_rows_come_back_as_the_file_has_them(rows: list[dict[str, Any]]) -> None:
    quoted = [row for row in rows if not any('"' in str(row[n]) for n in ("name", "coded"))]
    assert read_back(written(quoted)) == quoted


def test_a_null_is_told_from_an_empty_text_and_quotes_are_doubled() -> None:
    form = ParquetForm({"name": parse_type("varchar(9)"), "n": parse_type("bigint")})
    content = written(
        [{"name": None, "n": 1}, {"name": "", "n": None}, {"name": 'a"\n,', "n": 3}],
        {"name": pa.string(), "n": pa.int64()},
    )
    chunks = ParquetScanner(io.BytesIO(content), form).chunks()
    assert b"".join(chunks) == b',1\n"",\n"a""\n,",3\n'


def refusal(content: bytes, **columns: str) -> Fault:
    form = ParquetForm({name: parse_type(kind) for name, kind in columns.items()})
    with pytest.raises(FileRefused) as refused:
        list(ParquetScanner(io.BytesIO(content), form).chunks())
    return refused.value.fault


@pytest.mark.parametrize(
    ("kind", "declared"),
    [
        (pa.int64(), "integer"),
        (pa.int32(), "bigint"),
        (pa.float32(), "double precision"),
        (pa.uint32(), "bigint"),
        (pa.decimal128(10, 2), "decimal(10,3)"),
        (pa.decimal128(11, 3), "decimal(10,3)"),
        (pa.timestamp("us", tz="America/Sao_Paulo"), "timestamp"),
        (pa.list_(pa.int32()), "integer"),
        (pa.string(), "date"),
    ],
    ids=str,
)
def test_a_column_of_another_type_is_refused(kind: pa.DataType, declared: str) -> None:
    fault = refusal(written([], {"x": kind}), x=declared)
    assert (fault.reason, fault.column) == (Reason.TYPE_DIFFERS, "x")
    assert fault.detail == f"column 'x' is {pq_type(kind)}, declared {declared}"


def pq_type(kind: pa.DataType) -> pa.DataType:
    """Return the type as it comes back from a file."""
    return pq.read_table(io.BytesIO(written([], {"x": kind}))).schema.field("x").type


def test_columns_that_are_not_the_contracts_are_refused() -> None:
    fault = refusal(written([], {"a": pa.int32(), "c": pa.int32()}), a="integer", b="integer")
    assert fault.reason == Reason.HEADER_DIFFERS
    assert "missing: ['b']; not in the contract: ['c']" in fault.detail
    fault = refusal(written([], {"b": pa.int32(), "a": pa.int32()}), a="integer", b="integer")
    assert fault.reason == Reason.HEADER_DIFFERS
    assert "another order" in fault.detail


def test_names_are_folded_to_lower_case() -> None:
    content = written([{"Op": "I", "ID": 1}], {"Op": pa.string(), "ID": pa.int64()})
    form = ParquetForm({"op": parse_type("varchar(1)"), "id": parse_type("bigint")})
    scanner = ParquetScanner(io.BytesIO(content), form)
    assert (scanner.header, b"".join(scanner.chunks())) == (("op", "id"), b'"I",1\n')
    twice = written([], {"a": pa.int32(), "A": pa.int32()})
    assert refusal(twice, a="integer").reason == Reason.DUPLICATE_HEADER


def test_values_that_no_warehouse_stores_alike_are_refused_with_their_row() -> None:
    text = {"x": pa.string()}
    fault = refusal(written([{"x": "ok"}, {"x": "é" * 5}], text), x="varchar(9)")
    assert (fault.reason, fault.record_number) == (Reason.VALUE_TOO_LONG, 2)
    fault = refusal(written([{"x": "ok"}, {"x": "a\0"}], text), x="varchar(9)")
    assert (fault.reason, fault.record_number) == (Reason.NUL_CHARACTER, 2)
    fault = refusal(written([{"x": 1}], {"x": pa.timestamp("ns")}), x="timestamp")
    assert fault.reason == Reason.NUMBER_OUT_OF_RANGE


@pytest.mark.parametrize("damage", [b"", b"a,b\n1,2\n", b"PAR1" * 3, "cut", "flipped"])
def test_what_is_no_whole_parquet_file_is_refused(damage: bytes | str) -> None:
    rows = [{"x": f"{n * 7919 % 1000}"} for n in range(1000)]
    content = written(rows, {"x": pa.string()})
    if damage == "cut":
        content = content[:-5]
    elif damage == "flipped":
        content = content[:40] + bytes(byte ^ 0xFF for byte in content[40:400]) + content[400:]
    else:
        content = bytes(damage)
    assert refusal(content, x="varchar(9)").reason == Reason.NOT_PARQUET


def test_a_type_that_parquet_cannot_bring_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="column 'x' is super; use one of: bigint"):
        ParquetForm({"x": parse_type("super")})
