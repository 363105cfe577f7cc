"""JSON documents and Parquet, loaded into PostgreSQL and into the stand-in."""

from __future__ import annotations

import gzip
import io
import json
import uuid
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from loading import MEASUREMENTS, Lab, contract_of
from redshift_lab import RedshiftLab

from loaders.contracts import Contract
from loaders.identifiers import Schemas
from loaders.load_run import LoadResult
from tests.standin.fixtures import Bucket
from tests.standin.server import StandIn

DOCUMENTS: dict[str, Any] = {
    **{name: MEASUREMENTS[name] for name in ("path", "mode", "sequence_by")},
    "format": "json",
    "key": ["reading.id"],
}
TABLE: dict[str, Any] = {**DOCUMENTS, "format": "parquet", "key": ["id"], "sequence_by": ["at"]}
TYPES: dict[str, tuple[str, pa.DataType, list[Any]]] = {
    "id": ("varchar(16)", pa.string(), ["a", "", None]),
    "at": ("timestamp", pa.timestamp("us"), [datetime(2020, 1, 1, 1, 2, 3, 4)] * 2 + [None]),
    "whole": ("bigint", pa.int64(), [2**63 - 1, -1, None]),
    "real": ("double precision", pa.float64(), [0.1, 1e300, None]),
    "exact": ("decimal(10,3)", pa.decimal128(10, 3), [Decimal("-1.500"), Decimal(0), None]),
    "day": ("date", pa.date32(), [date(2020, 2, 29), date(1, 1, 1), None]),
    "flag": ("boolean", pa.bool_(), [True, False, None]),
}
AnyLab = Lab | RedshiftLab
Stage = Callable[[str, bytes], None]


@pytest.fixture(params=["postgres", "redshift"])
def lab(request: pytest.FixtureRequest) -> tuple[AnyLab, Stage]:
    """Give one target, and how to stage an object for it."""
    if request.param == "postgres":
        found: Lab = request.getfixturevalue("postgres_lab")
        return found, found.put
    standin: StandIn = request.getfixturevalue("standin")
    bucket: Bucket = request.getfixturevalue("bucket")

    def put(key: str, body: bytes) -> None:
        bucket.put(key, body)

    return RedshiftLab(standin, bucket, Schemas(f"t{uuid.uuid4().hex[:12]}")), put


@pytest.fixture
def postgres_lab(database: dict[str, Any], staging_bucket: tuple[str, Any]) -> Lab:
    """Give the PostgreSQL target."""
    name, client = staging_bucket
    return Lab(database, client, name)


def loaded(lab: AnyLab, contract: Contract) -> LoadResult:
    lab.setup(contract)
    return lab.load(contract)


def raw(lab: AnyLab) -> str:
    return lab.schemas.raw("lab", "measurements").sql


def test_documents_arrive_whole(tmp_path: Path, lab: tuple[AnyLab, Stage]) -> None:
    site, put = lab
    contract = contract_of(tmp_path, DOCUMENTS, {"document": "super"})
    documents = [
        {"reading": {"id": "a", "value": 1.5}, "tags": ["x", 'q"uote', "new\nline"]},
        {"reading": {"id": "é", "n": 10**37}, "none": None, "empty": {}, "UPPER": True},
    ]
    put("lab/measurements/lines", "\n".join(map(json.dumps, documents)).encode())
    put("lab/measurements/run.gz", gzip.compress("".join(map(json.dumps, documents)).encode()))
    result = loaded(site, contract)
    assert (result.files, result.rows, result.exit_code) == (2, 4, 0)
    found = [row[0] for row in site.fetch(f"select document from {raw(site)}")]
    found = [json.loads(item) if isinstance(item, str) else item for item in found]

    def as_text(items: list[Any]) -> list[str]:
        return sorted(json.dumps(item, sort_keys=True) for item in items)

    assert as_text(found) == as_text(documents * 2)


def test_a_wrong_document_is_rejected_and_the_others_load(
    tmp_path: Path, lab: tuple[AnyLab, Stage]
) -> None:
    site, put = lab
    contract = contract_of(tmp_path, DOCUMENTS, {"document": "super"}, max_rejects=1)
    put("lab/measurements/a.gz", gzip.compress(b'{"n":1}{"n":1,"n":2}{"n":3}'))
    put("lab/measurements/b", b'{"n":1}{"n" 2}{"n":3}')
    result = loaded(site, contract)
    assert [(file.key, file.reason) for file in result.refused] == [
        ("lab/measurements/b", "not_json")
    ]
    ledger = site.schemas.ledger("rejected_rows").sql
    found = site.fetch(
        f"select object_key, record_number, byte_offset, reason from {ledger} order by object_key"
    )
    assert [tuple(row) for row in found] == [
        ("lab/measurements/a.gz", 2, 7, "duplicate_key_in_object"),
        ("lab/measurements/b", 2, 7, "not_json"),
    ]
    assert site.fetch(f"select count(*) from {raw(site)}")[0][0] == 2


def table_file(columns: list[str], rows: int | None = None) -> bytes:
    sink = io.BytesIO()
    arrays = [pa.array(TYPES[name][2], TYPES[name][1]) for name in columns]
    pq.write_table(pa.table(arrays, columns).slice(0, rows), sink)
    return sink.getvalue()


def test_typed_columns_keep_their_values_and_their_nulls(
    tmp_path: Path, lab: tuple[AnyLab, Stage]
) -> None:
    site, put = lab
    declared = {name: kind for name, (kind, _, _) in TYPES.items()}
    contract = contract_of(tmp_path, TABLE, declared)
    put("lab/measurements/1.parquet", table_file(list(TYPES)))
    put("lab/measurements/2.parquet", table_file(list(TYPES), 1))
    put("lab/measurements/3.parquet", table_file([*TYPES][::-1]))
    result = loaded(site, contract)
    assert (result.files, result.rows) == (2, 4)
    assert [(file.key, file.reason) for file in result.refused] == [
        ("lab/measurements/3.parquet", "header_differs")
    ]
    values = ", ".join(f'"{name}"' for name in TYPES)
    found = {tuple(row) for row in site.fetch(f"select {values} from {raw(site)}")}
    assert found == set(zip(*(column for _, _, column in TYPES.values()), strict=True))
