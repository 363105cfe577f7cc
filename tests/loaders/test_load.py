"""Loading into a real PostgreSQL: what is in raw and in the ledger afterwards."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from loading import COLUMNS, EXPERIMENTS, HEADER, MEASUREMENTS, Lab, contract_of, export, rows

from loaders.contracts import Contract
from loaders.errors import UsageError
from loaders.history import recent_runs, table_status, trace_batch
from loaders.identifiers import Schemas
from loaders.load_run import make_plan
from loaders.rejects import refused_files, rejected_rows, requeue
from loaders.warehouse.base import Progress

ONE = "lab/measurements/1.csv"
TWO = "lab/measurements/2.csv"


@pytest.fixture
def measurements(tmp_path: Path, lab: Lab) -> Contract:
    contract = contract_of(tmp_path, MEASUREMENTS)
    lab.setup(contract)
    return contract


@pytest.fixture
def experiments(tmp_path: Path, lab: Lab) -> Contract:
    contract = contract_of(tmp_path, EXPERIMENTS)
    lab.setup(contract)
    return contract


def with_policy(lab: Lab, project: Path, policy: str) -> Contract:
    contract = contract_of(project, MEASUREMENTS, on_changed_file=policy)
    lab.setup(contract)
    return contract


def put_export(lab: Lab, day: int, *ids: str) -> None:
    lab.put(export(day), rows(*ids))
    lab.put(export(day, "_SUCCESS"), "")


def assert_balanced(lab: Lab) -> None:
    """I2: the rows of each batch are in raw, and each file's rows in = loaded + rejected."""
    assert (
        lab.fetch(
            "select * from ledger.files where status <> 'requeued' "
            "and rows_read is distinct from rows_loaded + rows_rejected"
        )
        == []
    )
    for (table,) in lab.fetch("select distinct source_table from ledger.batches"):
        schema, name = f"raw_{table.split('.')[0]}", table.split(".")[1]
        assert lab.fetch(
            f"select batch_id, rows_loaded::bigint from ledger.batches "
            f"where source_table = '{table}' and rows_loaded > 0 order by 1"
        ) == lab.fetch(f"select _batch_id, count(*) from {schema}.{name} group by 1 order by 1")
        assert lab.fetch(
            "select batch_id, sum(rows_loaded)::bigint, count(*)::integer from ledger.files "
            f"where source_table = '{table}' and status = 'loaded' group by 1 order by 1"
        ) == lab.fetch(
            "select batch_id, rows_loaded, files from ledger.batches "
            f"where source_table = '{table}' order by 1"
        )


def test_values_arrive_as_the_file_has_them(lab: Lab, measurements: Contract) -> None:
    lines = ["a,,NA", 'b,"x, ""y""","line\nbreak"', "c, blank ,NULL"]
    lab.put(ONE, "\n".join([HEADER, *lines]) + "\n")
    assert lab.load(measurements).rows == 3
    assert lab.fetch("select id, value, updated_at from raw_lab.measurements order by id") == [
        ("a", "", "NA"),
        ("b", 'x, "y"', "line\nbreak"),
        ("c", " blank ", "NULL"),
    ]


def test_rows_carry_their_batch_and_the_time_in_utc(lab: Lab, measurements: Contract) -> None:
    lab.put(ONE, rows("a"))
    (batch,) = lab.load(measurements).batches
    assert lab.fetch("select _batch_id from raw_lab.measurements") == [(batch.batch_id,)]
    assert lab.fetch(
        "select _loaded_at = b.loaded_at and abs(extract(epoch from "
        "(now() at time zone 'utc') - _loaded_at)) < 600 "
        "from raw_lab.measurements join ledger.batches b on b.batch_id = _batch_id"
    ) == [(True,)]


def test_a_second_run_loads_nothing(lab: Lab, measurements: Contract) -> None:
    lab.put(ONE, rows("a", "b"))
    lab.put(TWO + ".gz", gzip.compress(rows("c").encode()))
    first, second = lab.load(measurements), lab.load(measurements)
    assert (first.files, first.rows, second.files, second.skipped) == (2, 3, 0, 2)
    assert lab.live_ids() == ["a", "b", "c"]
    assert_balanced(lab)


def test_a_header_in_another_order_is_read_by_its_names(lab: Lab, measurements: Contract) -> None:
    lab.put(ONE, "updated_at,id,value\nt,a,1\n")
    lab.load(measurements)
    assert lab.fetch("select id, value, updated_at from raw_lab.measurements") == [("a", "1", "t")]


BAD_FILES = {
    "header_differs": "id,value,updated\na,1,t\n",
    "field_count": f"{HEADER}\na,1,t\nb,1\n",
    "nul_byte": f"{HEADER}\na,1\0,t\n",
    "invalid_encoding": HEADER.encode() + b"\na,\xff,t\n",
    "stray_quote": f'{HEADER}\na,5" pipe,t\n',
    "unterminated_quote": f'{HEADER}\na,"1,t\n',
    "value_too_long": f"{HEADER}\n{'é' * 9},1,t\n",
    "gzip_truncated": gzip.compress(rows("a").encode(), mtime=0)[:-9],
    "no_header": "",
}


def test_each_bad_file_is_refused_and_the_good_ones_load(lab: Lab, measurements: Contract) -> None:
    for reason, body in BAD_FILES.items():
        lab.put(f"lab/measurements/{reason}.csv", body)
    lab.put("lab/measurements/a.csv", rows("a"))
    lab.put("lab/measurements/z.csv", rows("z"))
    result = lab.load(measurements)
    assert result.exit_code == 1
    assert {
        file.key.split("/")[-1].removesuffix(".csv"): file.reason for file in result.refused
    } == {reason: reason for reason in BAD_FILES}
    assert lab.live_ids() == ["a", "z"]
    assert_balanced(lab)
    # The refusals stand, without a second try, until something changes.
    again = lab.load(measurements)
    assert (again.exit_code, again.files) == (1, 0)
    assert all(file.standing for file in again.refused)
    assert len(again.refused) == len(BAD_FILES)


def test_a_refusal_says_where_and_keeps_the_bytes(lab: Lab, measurements: Contract) -> None:
    lab.put(ONE, f"{HEADER}\na,1,t\nb,1\n")
    (refused,) = lab.load(measurements).refused
    assert "line 3 (record 2, byte 26)" in refused.detail
    warehouse = lab.connect()
    (file,) = refused_files(warehouse, "lab.measurements")
    (row,) = rejected_rows(warehouse, key=ONE)
    warehouse.close()
    assert (file.key, file.reason, file.detail) == (ONE, "field_count", refused.detail)
    assert (row.record_number, row.line_number, row.byte_offset, row.raw) == (2, 3, 26, b"b,1")


def test_a_long_refusal_is_cut_to_what_the_ledger_holds(lab: Lab, measurements: Contract) -> None:
    lab.put(ONE, "é" * 100_000 + "\n")
    (refused,) = lab.load(measurements).refused
    assert lab.fetch(
        "select octet_length(detail) <= 4096, starts_with(%s, detail) from ledger.files",
        (refused.detail,),
    ) == [(True, True)]
    assert lab.fetch("select octet_length(raw) <= 65536 from ledger.rejected_rows") == [(True,)]


def test_a_batch_of_refused_files_only_leaves_no_batch(lab: Lab, measurements: Contract) -> None:
    lab.put(ONE, "wrong\n")
    assert lab.load(measurements).files == 0
    assert lab.fetch("select * from ledger.batches") == []
    assert lab.fetch("select * from ledger.events") == []
    assert lab.files() == [("1.csv", 1, "refused", "header_differs")]


def test_a_repaired_file_resolves_its_refusal(lab: Lab, measurements: Contract) -> None:
    lab.put(ONE, "wrong\n")
    lab.load(measurements)
    lab.put(ONE, rows("a"))
    assert lab.load(measurements).exit_code == 0
    assert lab.live_ids() == ["a"]
    assert [generation for _, generation, _, _ in lab.files()] == [1, 2]


def test_a_deleted_file_resolves_its_refusal_and_unloads_nothing(
    lab: Lab, measurements: Contract
) -> None:
    lab.put(ONE, "wrong\n")
    lab.put(TWO, rows("b"))
    lab.load(measurements)
    lab.delete(ONE)
    lab.delete(TWO)
    assert lab.load(measurements).exit_code == 0
    assert lab.live_ids() == ["b"]


def test_a_changed_file_fails_by_default(lab: Lab, measurements: Contract) -> None:
    lab.put(ONE, rows("a"))
    lab.load(measurements)
    lab.put(ONE, rows("a", "b"))
    result = lab.load(measurements)
    assert (result.exit_code, [file.reason for file in result.refused]) == (1, ["changed_file"])
    assert lab.live_ids() == ["a"]
    lab.put(ONE, rows("a"))
    assert lab.load(measurements).exit_code == 0


def test_a_changed_file_replaces_its_rows(lab: Lab, tmp_path: Path) -> None:
    contract = with_policy(lab, tmp_path, "replace")
    lab.put(ONE, rows("a", "b"))
    lab.put(TWO, rows("c"))
    lab.load(contract)
    lab.put(ONE, rows("a"))
    assert lab.load(contract).exit_code == 0
    assert lab.live_ids() == ["a", "c"]
    assert len(lab.fetch("select id from raw_lab.measurements")) == 4
    # A to B to A: the first ETag again is a third generation.
    lab.put(ONE, rows("a", "b"))
    lab.load(contract)
    assert lab.live_ids() == ["a", "b", "c"]
    assert_balanced(lab)


def test_a_changed_file_that_is_bad_replaces_nothing(lab: Lab, tmp_path: Path) -> None:
    contract = with_policy(lab, tmp_path, "replace")
    lab.put(ONE, rows("a"))
    lab.load(contract)
    lab.put(ONE, "wrong\n")
    assert lab.load(contract).exit_code == 1
    assert lab.live_ids() == ["a"]
    assert_balanced(lab)


def test_a_changed_file_is_appended(lab: Lab, tmp_path: Path) -> None:
    contract = with_policy(lab, tmp_path, "append")
    lab.put(ONE, rows("a"))
    lab.load(contract)
    lab.put(ONE, rows("a", "b"))
    assert lab.load(contract).exit_code == 0
    assert lab.live_ids() == ["a", "a", "b"]


def test_requeue_loads_a_refused_change_in_place_of_the_old_rows(
    lab: Lab, measurements: Contract
) -> None:
    lab.put(ONE, rows("a"))
    lab.put(TWO, rows("c"))
    lab.load(measurements)
    lab.put(ONE, rows("b"))
    lab.load(measurements)
    warehouse = lab.connect()
    assert requeue(warehouse, "lab.measurements", lab.bucket, ONE) == 3
    with pytest.raises(UsageError, match="is not in the ledger"):
        requeue(warehouse, "lab.measurements", lab.bucket, "lab/measurements/9.csv")
    warehouse.close()
    assert lab.load(measurements).exit_code == 0
    assert lab.live_ids() == ["b", "c"]
    assert_balanced(lab)


def test_a_requeued_file_that_is_bad_now_keeps_its_neighbours(
    lab: Lab, measurements: Contract
) -> None:
    lab.put(ONE, rows("a"))
    lab.put(TWO, rows("c"))
    lab.load(measurements)
    lab.put(ONE, "wrong\n")
    lab.load(measurements)
    warehouse = lab.connect()
    requeue(warehouse, "lab.measurements", lab.bucket, ONE)
    warehouse.close()
    assert lab.load(measurements).exit_code == 1
    assert lab.live_ids() == ["a", "c"]


def test_an_object_that_moves_after_the_listing_is_left_for_the_next_run(
    lab: Lab, measurements: Contract
) -> None:
    lab.put(ONE, rows("a"))
    lab.put(TWO, rows("b"))

    def replace_both(progress: Progress) -> None:
        if progress.step == "claimed":
            lab.put(ONE, rows("c"))
            lab.delete(TWO)

    result = lab.load(measurements, on_progress=replace_both)
    assert (result.files, result.moved, result.exit_code) == (0, (ONE, TWO), 0)
    assert lab.files() == []
    assert lab.load(measurements).rows == 1
    assert lab.live_ids() == ["c"]


def test_exports_are_loaded_whole_and_in_order(lab: Lab, experiments: Contract) -> None:
    for day in (3, 1, 2):
        put_export(lab, day, *"abc"[:day])
    lab.put(export(2, "part-1.csv.gz"), gzip.compress(rows("z").encode()))
    lab.put(export(4), rows("a"))
    result = lab.load(experiments, workers=3)
    assert [waiting.missing for waiting in result.waiting] == ["_SUCCESS is not there"]
    assert lab.fetch(
        "select to_char(version_at, 'DD'), rows_loaded::integer, files "
        "from ledger.batches order by batch_id"
    ) == [("01", 1, 1), ("02", 3, 2), ("03", 3, 1)]
    assert_balanced(lab)


def test_a_bad_file_refuses_its_whole_export(lab: Lab, experiments: Contract) -> None:
    put_export(lab, 1, "a")
    put_export(lab, 2, "a")
    lab.put(export(1, "part-1.csv"), "wrong\n")
    result = lab.load(experiments)
    assert [file.key for file in result.refused] == [export(1, "part-1.csv")]
    assert lab.live_ids("experiments") == ["a"]
    assert lab.fetch("select to_char(version_at, 'DD') from ledger.batches") == [("02",)]
    lab.put(export(1, "part-1.csv"), rows("b"))
    assert lab.load(experiments).exit_code == 0
    assert lab.live_ids("experiments") == ["a", "a", "b"]


def test_an_export_that_shrinks_too_much_is_refused(lab: Lab, experiments: Contract) -> None:
    put_export(lab, 1, *"abcd")
    put_export(lab, 2, *"ab")
    put_export(lab, 4, *"abcd")
    assert lab.load(experiments).exit_code == 0
    put_export(lab, 5, "a")
    put_export(lab, 3, "a")  # a late export is compared with the one before it
    result = lab.load(experiments)
    assert [(file.key, file.reason) for file in result.refused] == [(export(5), "shrunk_export")]
    assert "has 1 rows and the one before it 4" in result.refused[0].detail
    assert len(lab.live_ids("experiments")) == 11
    warehouse = lab.connect()
    requeue(warehouse, "lab.experiments", lab.bucket, export(5))
    warehouse.close()
    assert lab.load(experiments).exit_code == 0
    assert len(lab.live_ids("experiments")) == 12
    assert_balanced(lab)


@pytest.mark.parametrize(
    ("ids", "reason", "detail"),
    [
        (["a", "b", "b", " b", "c", "c"], "duplicate_key", "2 values of id stand in more than one"),
        (["a", " "], "missing_key", "1 rows of the export have no id"),
        (["a", "NA", "NA"], "missing_key", "2 rows of the export have no id"),
    ],
)
def test_an_export_whose_key_is_no_key_is_refused_whole(
    tmp_path: Path, lab: Lab, ids: list[str], reason: str, detail: str
) -> None:
    made = contract_of(tmp_path, EXPERIMENTS, null_text="NA")
    lab.setup(made)
    put_export(lab, 1, *ids)
    put_export(lab, 2, "a", "b")
    result = lab.load(made)
    assert [(file.key, file.reason) for file in result.refused] == [(export(1), reason)]
    assert detail in result.refused[0].detail
    assert lab.live_ids("experiments") == ["a", "b"]
    assert_balanced(lab)


def test_a_changed_export_supersedes_its_first_load(lab: Lab, experiments: Contract) -> None:
    put_export(lab, 1, "a", "b")
    lab.put(export(1, "part-1.csv"), rows("c"))
    lab.load(experiments)
    lab.put(export(1), rows("a", "x"))
    assert lab.load(experiments).files == 2
    assert lab.live_ids("experiments") == ["a", "c", "x"]
    assert lab.fetch("select event from ledger.events order by event_id") == [
        ("loaded",),
        ("loaded",),
        ("superseded",),
    ]


def test_planning_and_reading_write_nothing(
    lab: Lab, measurements: Contract, experiments: Contract
) -> None:
    lab.put(ONE, rows("a"))
    put_export(lab, 1, "a")
    lab.load(measurements)
    before = lab.fetch("select pg_current_wal_insert_lsn(), txid_current_snapshot()::text")
    warehouse = lab.connect()
    plan = make_plan([measurements, experiments], warehouse, lab.staging)
    statements = [warehouse.copy_sql(batch) for batch in plan.batches]
    table_status(warehouse)
    recent_runs(warehouse)
    refused_files(warehouse)
    rejected_rows(warehouse)
    warehouse.close()
    assert lab.fetch("select pg_current_wal_insert_lsn(), txid_current_snapshot()::text") == before
    assert (plan.files, statements[0].startswith('copy "raw_lab"."experiments"')) == (1, True)


def test_the_ledger_tells_the_files_of_a_row(lab: Lab, measurements: Contract) -> None:
    lab.put(ONE, rows("a", "b"))
    lab.put(TWO, "wrong\n")
    lab.load(measurements)
    ((batch_id,),) = lab.fetch("select distinct _batch_id from raw_lab.measurements")
    warehouse = lab.connect()
    trace = trace_batch(warehouse, batch_id)
    (status,) = table_status(warehouse)
    (run,) = recent_runs(warehouse)
    with pytest.raises(UsageError, match="there is no batch 999"):
        trace_batch(warehouse, 999)
    warehouse.close()
    assert [(file.key, file.rows) for file in trace.files] == [(ONE, 2)]
    assert (trace.live, trace.run_id) == (True, run.run_id)
    assert (status.rows, status.files) == (2, 1)
    assert (run.outcome, run.command) == ("refused", "load")


def test_another_target_schema_shares_nothing(lab: Lab, tmp_path: Path) -> None:
    alice = Lab(lab.connection, lab.client, lab.bucket, Schemas('al"ice; --'))
    contract = contract_of(tmp_path, MEASUREMENTS)
    lab.setup(contract)
    alice.setup(contract)
    lab.put(ONE, rows("a"))
    assert (lab.load(contract).rows, alice.load(contract).rows) == (1, 1)
    assert alice.fetch('select id from "al""ice; --_raw_lab".measurements') == [("a",)]


def test_loading_without_setup_says_what_to_do(lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run `warehouse setup`"):
        lab.load(contract_of(tmp_path, MEASUREMENTS))


def test_a_table_named_like_an_attack_is_only_a_table(lab: Lab, tmp_path: Path) -> None:
    name = 'x"; drop schema ledger cascade; --'
    section: dict[str, Any] = {**MEASUREMENTS, "path": f"lab/{name}/"}
    columns = {**COLUMNS, "o'k\"": "varchar(5)"}
    contract = contract_of(tmp_path, section, columns)
    lab.setup(contract)
    lab.put(f"lab/{name}/1.csv", 'id,value,updated_at,"o\'k"""\na,1,t,x\n')
    assert lab.load(contract).rows == 1
    assert lab.setup(contract) == []
