"""Where in its file a record stands, found by reading the file again."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loading import HEADER, MEASUREMENTS, Lab, contract_of, rows

from loaders.errors import DataRefused
from loaders.formats.csv_form import CsvForm
from loaders.formats.json_form import JsonForm
from loaders.formats.scanners import scanner_of
from loaders.staging.rereading import RecordPlace, Reread, find_records

DOCUMENTS = {
    "path": "lab/measurements/", "files": "*", "mode": "append", "format": "json",
    "key": ["Item.id.S", "Item.at"],
}  # fmt: skip
VALUES = st.text(st.characters(codec="latin-1", exclude_characters="\0\r"), max_size=8)


@pytest.fixture
def lab(database: dict[str, Any], staging_bucket: tuple[str, Any]) -> Lab:
    name, client = staging_bucket
    return Lab(database, client, name)


def found(lab: Lab, contract: Any, *key: str) -> Reread:
    objects = list(lab.staging.list(contract.load.path))
    return find_records(contract, lab.staging, objects, "|".join(key))


def place(lab: Lab, name: str, *at: int | None) -> RecordPlace:
    return RecordPlace(lab.bucket, f"lab/measurements/{name}", *at)  # type: ignore[arg-type]


@given(st.lists(st.tuples(VALUES, VALUES), max_size=20), st.sampled_from(["utf-8", "latin-1"]))
def test_every_record_of_a_csv_file_is_where_it_was_written(
    pairs: Sequence[tuple[str, str]], encoding: str
) -> None:
    """Lines that are written one by one know their places without any parser."""
    written = [
        ",".join('"' + value.replace('"', '""') + '"' for value in pair) + "\n" for pair in pairs
    ]
    content = ["a,b\n", *written]
    form = CsvForm({"a": None, "b": None}, encoding=encoding)
    stream = io.BytesIO("".join(content).encode(encoding))
    seen = list(scanner_of(stream, form).located(["b"]))
    assert [record.values for record in seen] == [{"b": b} for _, b in pairs]
    before = ["".join(content[: at + 1]) for at in range(len(pairs))]
    assert [record.byte_offset for record in seen] == [len(t.encode(encoding)) for t in before]
    assert [record.line_number for record in seen] == [t.count("\n") + 1 for t in before]
    assert [record.record_number for record in seen] == list(range(1, len(pairs) + 1))


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5))),
    st.sampled_from(["", "\n", " \n\n"]),
)
def test_every_document_is_where_it_was_written(
    documents: Sequence[dict[str, Any]], separator: str
) -> None:
    safe = [json.loads(json.dumps(one).replace("\\u0000", "")) for one in documents]
    written = [json.dumps(one, ensure_ascii=False) + separator for one in safe]
    stream = io.BytesIO("".join(written).encode(errors="replace"))
    seen = list(scanner_of(stream, JsonForm({"document": None})).located([]))
    before = ["".join(written[:at]).encode(errors="replace") for at in range(len(written))]
    assert [record.byte_offset for record in seen] == [len(text) for text in before]
    assert [record.line_number for record in seen] == [t.count(b"\n") + 1 for t in before]


def test_a_csv_record_is_found_behind_rejected_ones_and_in_every_file(
    lab: Lab, tmp_path: Path
) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS, max_rejects=1)
    lab.put("lab/measurements/1.csv.gz", gzip.compress(f"{HEADER}\nx,1\nb,1,t\n".encode()))
    before = 'updated_at,value,id\nt,"two\nlines",a\n'
    lab.put("lab/measurements/2.csv", f"{before}t,1, b \n")
    assert found(lab, contract, "b") == Reread(
        (place(lab, "1.csv.gz", 2, 3, len(HEADER) + 5), place(lab, "2.csv", 2, 4, len(before))), ()
    )
    assert found(lab, contract, "c") == Reread((), ())


def test_a_document_is_found_by_the_places_of_its_key(lab: Lab, tmp_path: Path) -> None:
    contract = contract_of(tmp_path, DOCUMENTS, {"document": "super"})
    one, two = (f'{{"Item": {{"id": {{"S": "a"}}, "at": {at}}}}}' for at in ("1.50", "true"))
    lab.put("lab/measurements/1.json", one + two + '{"Item": {"id": {"S": "a"}}}')
    assert found(lab, contract, "a", "1.50").places == (place(lab, "1.json", 1, 1, 0),)
    assert found(lab, contract, "a", "true").places == (place(lab, "1.json", 2, 1, len(one)),)
    assert found(lab, contract, "a", "1.5").places == ()


def test_a_row_of_parquet_is_found_by_its_number(lab: Lab, tmp_path: Path) -> None:
    columns = {"id": "varchar(16)", "value": "bigint", "updated_at": "varchar(40)"}
    contract = contract_of(
        tmp_path, MEASUREMENTS, columns, files="*", format="parquet", key=["id", "value"]
    )
    table = pa.table({"id": ["a", "b", "b"], "value": [1, 1, 2], "updated_at": ["t"] * 3})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    lab.put("lab/measurements/1.parquet", sink.getvalue())
    assert found(lab, contract, "b", "2").places == (place(lab, "1.parquet", 3, None, None),)


def test_an_object_that_changed_or_went_since_is_named(lab: Lab, tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS)
    for name in ("1.csv", "2.csv", "3.csv"):
        lab.put(f"lab/measurements/{name}", rows("a"))
    objects = list(lab.staging.list(contract.load.path))
    lab.put("lab/measurements/1.csv", rows("a", "b"))
    lab.delete("lab/measurements/2.csv")
    reread = find_records(contract, lab.staging, objects, "a")
    assert reread.gone == ("lab/measurements/1.csv", "lab/measurements/2.csv")
    assert [one.key for one in reread.places] == ["lab/measurements/3.csv"]


def test_a_contract_that_changed_since_is_told(lab: Lab, tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS)
    lab.put("lab/measurements/1.csv", "other,columns\n1,2\n")
    with pytest.raises(DataRefused, match="header_differs"):
        found(lab, contract, "a")
