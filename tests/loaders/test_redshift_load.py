"""The loader on Redshift: the real driver against the stand-in, promises as on PostgreSQL."""

from __future__ import annotations

import gzip
import re
import socket
import threading
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import redshift_connector
from loading import EXPERIMENTS, HEADER, MEASUREMENTS, contract_of, rows
from redshift_lab import RedshiftLab

from loaders.contracts import Contract
from loaders.errors import UsageError, WarehouseError
from loaders.formats.csv_form import CsvForm
from loaders.identifiers import Schemas
from loaders.load_run import make_plan
from loaders.staging.objects import StagedObject, Staging
from loaders.warehouse.copy_statement import (
    NO_NULL,
    as_staged,
    copy_statement,
    load_advice,
    needs_rewriting,
)
from loaders.warehouse.types import parse_type
from tests.standin.faults import Faults
from tests.standin.fixtures import Bucket
from tests.standin.server import StandIn


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
    lab.bucket.put("lab/experiments/exported_at=20200301T000000Z/part-0.csv", rows("d", "d"))
    lab.bucket.put("lab/experiments/exported_at=20200301T000000Z/_SUCCESS", b"")
    assert "duplicate_key" in [file.reason for file in lab.load(made).refused]
    assert lab.live_ids("experiments") == ["c"]


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


def test_the_plan_of_another_dialect_reads_the_canonical_files_below_the_root(
    lab: RedshiftLab, tmp_path: Path
) -> None:
    made = contract_of(tmp_path, MEASUREMENTS, csv={"delimiter": ";"})
    lab.setup(made)
    lab.bucket.put("deep/folder/lab/measurements/a.csv.gz", b"")
    warehouse = lab.connect()
    try:
        staging = Staging(lab.bucket.client, lab.bucket.name, "deep/folder/")
        text = warehouse.copy_sql(make_plan([made], warehouse, staging).batches[0])
    finally:
        warehouse.close()
    work = f"s3://{lab.bucket.name}/deep/folder/_warehouse/<run>/"
    assert f"from '{work}manifest-0.json' " in text
    assert f'{{"entries": [{{"url": "{work}0", "mandatory": true}}]}}' in text
    assert "gzip" not in text
    assert "ignoreheader" not in text


def test_copy_names_role_region_and_header_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_COPY_ROLE", "arn:aws:iam::1:role/it's")
    monkeypatch.setenv("WAREHOUSE_COPY_REGION", "eu-west-1")
    source = as_staged(CsvForm({"b": None, 'a"c': None}), "1.csv.gz", ("b", 'a"c'))
    assert copy_statement(source, "s3://x/m.json") == (
        """copy "staged_files" ("b", "a""c") from 's3://x/m.json' """
        "iam_role 'arn:aws:iam::1:role/it''s' manifest format as csv "
        f"null as '{NO_NULL}' maxerror 0 ignoreheader 1 gzip region 'eu-west-1'"
    )


def test_a_silent_loss_of_the_connection_is_noticed_within_a_minute(lab: RedshiftLab) -> None:
    warehouse = lab.connect()
    try:
        options = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT]
        opened = warehouse._connection._usock
        idle, interval, count = (opened.getsockopt(socket.IPPROTO_TCP, o) for o in options)
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert idle + interval * count <= 60
    finally:
        warehouse.close()


def test_a_role_that_is_not_allowed_refuses_no_file(
    lab: RedshiftLab, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.bucket.put("lab/measurements/a.csv", rows("a"))
    with monkeypatch.context() as patch:
        patch.setenv("WAREHOUSE_COPY_ROLE", "arn:aws:iam::000000000000:role/nobody")
        with pytest.raises(WarehouseError, match="role/nobody"):
            lab.load(contract)
    assert lab.load(contract).exit_code == 0
    assert lab.live_ids() == ["a"]


def test_a_file_that_only_copy_refuses_is_named_and_the_others_load(
    lab: RedshiftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = contract_of(tmp_path, MEASUREMENTS)
    # The scanner lets sixteen bytes pass, the table holds two.
    narrow = replace(wide.columns[0], type=parse_type("varchar(2)"))
    made = replace(wide, columns=(narrow, *wide.columns[1:]))
    lab.setup(made)
    for name, identifier in {"a": "a", "b": "bbb", "c": "c", "d": "ddd"}.items():
        lab.bucket.put(f"lab/measurements/{name}.csv", rows(identifier))
    refused = lab.load(made).refused
    assert [(file.key, file.reason) for file in refused] == [
        ("lab/measurements/b.csv", "refused_by_warehouse"),
        ("lab/measurements/d.csv", "refused_by_warehouse"),
    ]
    assert all(file.detail.startswith("line 2: ") for file in refused)
    assert lab.live_ids() == ["a", "c"]
    # What the log says of an earlier COPY is not held against the corrected file.
    lab.bucket.put("lab/measurements/b.csv", rows("b"))
    with monkeypatch.context() as patch:
        patch.setenv("WAREHOUSE_COPY_ROLE", "arn:aws:iam::000000000000:role/nobody")
        with pytest.raises(WarehouseError, match="role/nobody"):
            lab.load(made)
    lab.load(made)
    assert lab.live_ids() == ["a", "b", "c"]


@pytest.mark.parametrize("replacement", [None, rows("x", "y")])
def test_an_object_that_moves_during_copy_is_left_to_the_next_run(
    lab: RedshiftLab, contract: Contract, faults: Faults, replacement: str | None
) -> None:
    lab.bucket.put("lab/measurements/a.csv", rows("a"))
    lab.bucket.put("lab/measurements/b.csv", rows("b"))
    hold = faults.hold("^copy ")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lab.load, contract, workers=1)
        hold.wait_until_reached()
        if replacement:
            lab.bucket.put("lab/measurements/b.csv", replacement)
        else:
            lab.bucket.client.delete_object(Bucket=lab.bucket.name, Key="lab/measurements/b.csv")
        hold.release()
        result = running.result()
    assert (result.exit_code, result.moved) == (0, ("lab/measurements/b.csv",))
    assert lab.live_ids() == ["a"]
    lab.load(contract)
    assert lab.live_ids() == (["a", "x", "y"] if replacement else ["a"])


def test_what_the_user_can_mend_is_wrong_use(lab: RedshiftLab, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run `warehouse setup`"):
        lab.load(contract_of(tmp_path, MEASUREMENTS))
    lab.password = "wrong-canary"
    with pytest.raises(UsageError, match="check user and password") as error:
        lab.connect()
    assert "canary" not in "".join(traceback.format_exception(error.value))


def test_one_load_sends_these_statements(
    lab: RedshiftLab, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.bucket.put("lab/measurements/a.csv", rows("a"))
    sent: list[str] = []
    execute = redshift_connector.Cursor.execute

    def record(cursor: Any, sql: str, *rest: Any, **options: Any) -> Any:
        sent.append(sql)
        return execute(cursor, sql, *rest, **options)

    warehouse = lab.connect()
    batch = make_plan([contract], warehouse, lab.staging).batches[0]
    monkeypatch.setattr(redshift_connector.Cursor, "execute", record)
    warehouse.load_batch(batch, lab.staging, "run-1", lambda progress: None)
    warehouse.close()
    s = lab.schemas.schema("ledger")
    shown = [re.sub(r"\s+", " ", sql.replace(s, "ledger")) for sql in sent]
    manifest = re.findall("from '(s3://.*?)'", "".join(shown))
    assert len(manifest) == 1
    assert manifest[0].startswith(f"s3://{lab.bucket.name}/_warehouse/run-1-")
    columns = '"id" varchar(16), "value" varchar(32), "updated_at" varchar(40)'
    assert shown[:6] == [
        "set query_group to 'warehouse:run-1:lab.measurements'",
        'drop table if exists "staged_files"',
        f'create temporary table "staged_files" ({columns})',
        "select pg_backend_pid(), getdate()",
        f'copy "staged_files" ("id", "value", "updated_at") from \'{manifest[0]}\' '
        f"iam_role default manifest format as csv null as '{NO_NULL}' maxerror 0 ignoreheader 1",
        'select count(*) from "staged_files"',
    ]
    assert shown[6:8] == ["begin", 'lock table "ledger"."publish_lock"']
    assert [sql.partition(" (")[0] for sql in shown if sql.startswith("insert")] == [
        'insert into "ledger"."files"',
        f"insert into {lab.schemas.raw('lab', 'measurements').sql}",
        'insert into "ledger"."batches"',
        'insert into "ledger"."events"',
    ]
    assert shown[-1] == "commit"


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
    batches = lab.schemas.ledger("batches").sql
    with closing(lab.connect()) as warehouse:  # as in a ledger of an earlier version
        warehouse.execute(f"alter table {batches} drop column seconds")
    assert lab.setup(contract) == []
    assert lab.fetch(f"select seconds from {batches}") == []
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
