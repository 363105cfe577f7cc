"""The loader on Redshift: the real driver against the stand-in, promises as on PostgreSQL."""

from __future__ import annotations

import gzip
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from loading import EXPERIMENTS, HEADER, MEASUREMENTS, QUICK, contract_of, rows

from loaders.contracts import Contract
from loaders.errors import UsageError
from loaders.identifiers import Schemas
from loaders.load_run import LoadResult, load, make_plan
from loaders.staging.objects import StagedObject, Staging
from loaders.warehouse.redshift import RedshiftWarehouse, load_advice, needs_rewriting
from loaders.warehouse.setup import setup
from tests.standin.faults import Faults
from tests.standin.fixtures import Bucket
from tests.standin.server import StandIn


@dataclass
class RedshiftLab:
    """One prefix of schemas on the stand-in and one bucket."""

    standin: StandIn
    bucket: Bucket
    schemas: Schemas

    @property
    def staging(self) -> Staging:
        """The bucket as the loader sees it."""
        return Staging(self.bucket.client, self.bucket.name)

    def connect(self) -> RedshiftWarehouse:
        """Open a connection; who calls it closes it."""
        connection = {
            "host": self.standin.host,
            "port": self.standin.port,
            "database": self.standin.database,
            "user": self.standin.user,
            "password": self.standin.password,
            "sslmode": "verify-full",
        }
        return RedshiftWarehouse(connection, self.schemas)

    def setup(self, *contracts: Contract) -> list[str]:
        """Set up the ledger and the raw tables."""
        warehouse = self.connect()
        try:
            return setup(warehouse, contracts)
        finally:
            warehouse.close()

    def load(self, *contracts: Contract, **options: Any) -> LoadResult:
        """Run the loader once."""
        return load(contracts, self.connect, self.staging, backoff=QUICK, **options)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        warehouse = self.connect()
        try:
            return warehouse.fetch(sql)
        finally:
            warehouse.close()

    def live_ids(self, table: str = "measurements") -> list[str]:
        """Return the ids of all rows that count, sorted, duplicates kept."""
        raw, events = self.schemas.raw("lab", table).sql, self.schemas.ledger("events").sql
        found = self.fetch(
            f"select id from {raw} where _batch_id not in "
            f"(select batch_id from {events} where event = 'superseded')"
        )
        return sorted(row[0] for row in found)


@pytest.fixture
def lab(standin: StandIn, bucket: Bucket, faults: Faults) -> RedshiftLab:
    """Give schemas and a bucket of the test's own, and no fault left over."""
    return RedshiftLab(standin, bucket, Schemas(f"t{uuid.uuid4().hex[:12]}"))


@pytest.fixture
def contract(tmp_path: Path, lab: RedshiftLab) -> Contract:
    made = contract_of(tmp_path, MEASUREMENTS)
    lab.setup(made)
    return made


def test_files_are_loaded_once_with_their_ledger_rows(lab: RedshiftLab, contract: Contract) -> None:
    lab.bucket.put("lab/measurements/a.csv", rows("a", "b"))
    lab.bucket.put("lab/measurements/b.csv.gz", gzip.compress(rows("c").encode()))
    lab.bucket.put("lab/measurements/c.csv", "value,updated_at,id\n1,,d\n")
    result = lab.load(contract)
    assert (result.files, result.rows, result.exit_code) == (3, 4, 0)
    assert lab.live_ids() == ["a", "b", "c", "d"]
    files = lab.schemas.ledger("files").sql
    assert sorted(lab.fetch(f"select status, rows_read, rows_loaded from {files}")) == [
        ("loaded", 1, 1),
        ("loaded", 1, 1),
        ("loaded", 2, 2),
    ]
    again = lab.load(contract)
    assert (again.files, again.skipped) == (0, 3)
    assert lab.live_ids() == ["a", "b", "c", "d"]
    assert lab.bucket.keys("_warehouse/") == []


def test_values_arrive_as_they_are(lab: RedshiftLab, contract: Contract) -> None:
    body = f'{HEADER}\na,"","é ""x"", y"\nb,,NULL\nc,"p\nq",\\N\n'
    lab.bucket.put("lab/measurements/a.csv", body)
    lab.load(contract)
    raw = lab.schemas.raw("lab", "measurements").sql
    assert sorted(lab.fetch(f"select id, value, updated_at from {raw}")) == [
        ("a", "", 'é "x", y'),
        ("b", "", "NULL"),
        ("c", "p\nq", "\\N"),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"id,value\n1,2\n", "header_differs"),
        (f'{HEADER}\n1,5" pipe,\n'.encode(), "stray_quote"),
        (f"{HEADER}\n1,2\n".encode(), "field_count"),
        (f"{HEADER}\n{'x' * 17},2,\n".encode(), "value_too_long"),
        (f"{HEADER}\n1,".encode() + b"\xff,\n", "invalid_encoding"),
        (f"{HEADER}\n1,".encode() + b"\0,\n", "nul_byte"),
    ],
)
def test_a_bad_file_is_refused_as_on_postgresql_and_the_good_ones_load(
    lab: RedshiftLab, contract: Contract, body: bytes, reason: str
) -> None:
    lab.bucket.put("lab/measurements/bad.csv", body)
    lab.bucket.put("lab/measurements/good.csv", rows("a"))
    result = lab.load(contract)
    assert result.exit_code == 1
    assert [(file.key, file.reason) for file in result.refused] == [
        ("lab/measurements/bad.csv", reason)
    ]
    assert lab.live_ids() == ["a"]


@pytest.mark.parametrize(
    ("dialect", "rewritten"),
    [
        ({}, False),
        ({"delimiter": ";"}, True),
        ({"encoding": "latin-1"}, True),
        ({"header": False}, True),
    ],
)
def test_only_other_dialects_are_rewritten(
    tmp_path: Path, dialect: dict[str, Any], rewritten: bool
) -> None:
    assert needs_rewriting(contract_of(tmp_path, MEASUREMENTS, csv=dialect).form) is rewritten


def test_other_dialects_are_rewritten(lab: RedshiftLab, tmp_path: Path) -> None:
    dialect = {"delimiter": ";", "encoding": "latin-1", "skip_lines": 1}
    made = contract_of(tmp_path, MEASUREMENTS, csv=dialect)
    lab.setup(made)
    lab.bucket.put(
        "lab/measurements/a.csv", "Ort: Köln\nid;value;updated_at\né;1,5;\n".encode("latin-1")
    )
    lab.load(made)
    raw = lab.schemas.raw("lab", "measurements").sql
    assert lab.fetch(f"select id, value from {raw}") == [("é", "1,5")]


def test_a_changed_export_replaces_the_one_before(lab: RedshiftLab, tmp_path: Path) -> None:
    made = contract_of(tmp_path, EXPERIMENTS)
    lab.setup(made)
    folder = "lab/experiments/exported_at=20200101T000000Z/"
    lab.bucket.put(folder + "part-0.csv", rows("a", "b"))
    assert lab.load(made).files == 0
    lab.bucket.put(folder + "_SUCCESS", b"")
    lab.load(made)
    lab.bucket.put(folder + "part-0.csv", rows("c"))
    lab.load(made)
    assert lab.live_ids("experiments") == ["c"]
    lab.bucket.put("lab/experiments/exported_at=20200201T000000Z/part-0.csv", HEADER + "\n")
    lab.bucket.put("lab/experiments/exported_at=20200201T000000Z/_SUCCESS", b"")
    assert [file.reason for file in lab.load(made).refused] == ["shrunk_export"]


@pytest.mark.parametrize("fault", ["error_1023", "drop_before", "drop_after"])
@pytest.mark.parametrize("statement", ["^copy ", "^lock ", "^insert into .*raw_lab", "^commit"])
def test_every_fault_ends_in_exactly_once(
    lab: RedshiftLab, contract: Contract, faults: Faults, fault: str, statement: str
) -> None:
    lab.bucket.put("lab/measurements/a.csv", rows("a", "b"))
    getattr(faults, fault)(f"(?i){statement}")
    result = lab.load(contract, workers=1)
    assert result.exit_code == 0
    assert lab.live_ids() == ["a", "b"]
    batches = lab.schemas.ledger("batches").sql
    assert lab.fetch(f"select rows_loaded from {batches}") == [(2,)]
    assert faults.all_struck


def test_two_loaders_at_once_load_each_file_once(lab: RedshiftLab, contract: Contract) -> None:
    for name in "abcdef":
        lab.bucket.put(f"lab/measurements/{name}.csv", rows(name))
    threads = [threading.Thread(target=lab.load, args=(contract,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lab.live_ids() == list("abcdef")


def test_the_plan_shows_a_mandatory_manifest_and_a_role_and_writes_nothing(
    lab: RedshiftLab, contract: Contract
) -> None:
    lab.bucket.put("lab/measurements/a.csv", rows("a"))
    warehouse = lab.connect()
    try:
        plan = make_plan([contract], warehouse, lab.staging)
        text = warehouse.copy_sql(plan.batches[0])
    finally:
        warehouse.close()
    assert '"mandatory": true' in text
    assert " iam_role default " in text
    assert "credentials" not in text.lower()
    assert "access_key" not in text.lower()
    assert lab.bucket.keys() == ["lab/measurements/a.csv"]


def test_a_role_that_is_not_allowed_loads_nothing(
    lab: RedshiftLab, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_COPY_ROLE", "arn:aws:iam::000000000000:role/nobody")
    lab.bucket.put("lab/measurements/a.csv", rows("a"))
    result = lab.load(contract)
    assert [file.reason for file in result.refused] == ["refused_by_warehouse"]
    assert lab.live_ids() == []


def test_queries_only_read(lab: RedshiftLab, contract: Contract) -> None:
    lab.bucket.put("lab/measurements/a.csv", rows("a"))
    lab.load(contract)
    raw = lab.schemas.raw("lab", "measurements").sql
    warehouse = lab.connect()
    try:
        with warehouse.query(f"select id, 5 % 3 as rest from {raw}") as result:
            assert (result.columns, list(result.rows)) == (("id", "rest"), [("a", 2)])
        with pytest.raises(UsageError), warehouse.query(f"delete from {raw}") as result:
            list(result.rows)
    finally:
        warehouse.close()
    assert lab.live_ids() == ["a"]


def test_setup_is_idempotent_adds_columns_and_refuses_the_rest(
    lab: RedshiftLab, contract: Contract, tmp_path: Path
) -> None:
    assert lab.setup(contract) == []
    columns = {"id": "varchar(16)", "value": "varchar(32)", "updated_at": "varchar(40)"}
    wider = contract_of(tmp_path, MEASUREMENTS, columns | {"more": "varchar(8)"})
    assert len(lab.setup(wider)) == 1
    changed = contract_of(
        tmp_path, MEASUREMENTS, columns | {"id": "varchar(20)", "more": "varchar(8)"}
    )
    with pytest.raises(UsageError, match=r"id is varchar\(16\)"):
        lab.setup(changed)


@pytest.mark.parametrize(
    ("sizes", "slices", "words"),
    [
        ([5 * 10**6], 4, ["1 files for 4 slices"]),
        ([5 * 10**6] * 4, 4, []),
        ([2 * 10**9] * 4, 4, ["split files above"]),
        ([1000] * 41, 4, ["41 files below"]),
        ([1000] * 40, 4, []),
        ([1000], 4, []),
    ],
)
def test_advice_on_the_number_and_size_of_files(
    sizes: list[int], slices: int, words: list[str]
) -> None:
    files = [StagedObject(str(n), "", size, datetime(2020, 1, 1)) for n, size in enumerate(sizes)]
    advice = load_advice(files, slices)
    assert len(advice) == len(words)
    assert all(word in line for word, line in zip(words, advice, strict=True))
