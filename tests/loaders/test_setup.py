"""Setting up: twice, at the same time, and with contracts that changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from loading import COLUMNS, MEASUREMENTS, Lab, contract_of, rows

from loaders.errors import UsageError

TYPED = {
    **COLUMNS,
    "n": "bigint",
}


def test_setting_up_again_changes_nothing(lab: Lab, tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS)
    assert len(lab.setup(contract)) == 3
    lab.put("lab/measurements/1.csv", rows("a"))
    lab.load(contract)
    assert lab.setup(contract) == []
    assert lab.live_ids() == ["a"]


def test_setups_at_the_same_time_do_not_collide(lab: Lab, tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS)
    with ThreadPoolExecutor(4) as pool:
        changes = list(pool.map(lambda _: lab.setup(contract), range(4)))
    assert sorted(len(change) for change in changes) == [0, 0, 0, 3]


def test_a_ledger_of_an_earlier_version_gets_its_new_columns(lab: Lab, tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS)
    lab.setup(contract)
    lab.put("lab/measurements/1.csv", rows("a"))
    lab.load(contract)
    with closing(lab.connect()) as warehouse:
        warehouse.execute("alter table ledger.batches drop column seconds")
    lab.put("lab/measurements/2.csv", rows("b"))
    with pytest.raises(UsageError, match="warehouse setup"):
        lab.load(contract)
    lab.setup(contract)
    lab.load(contract)
    times = lab.fetch("select seconds is null, seconds between 0 and 60 from ledger.batches")
    assert sorted(times) == [(False, True), (True, None)]


def test_a_new_column_is_added(lab: Lab, tmp_path: Path) -> None:
    lab.setup(contract_of(tmp_path, MEASUREMENTS))
    wider = contract_of(tmp_path, MEASUREMENTS, {"unit": "varchar(8)", **COLUMNS})
    (statement,) = lab.setup(wider)
    assert statement.startswith('alter table "raw_lab"."measurements" add column "unit"')
    assert lab.setup(wider) == []
    lab.put("lab/measurements/1.csv", "unit,id,value,updated_at\nC,a,1,t\n")
    lab.load(wider)
    assert lab.fetch("select id, unit from raw_lab.measurements") == [("a", "C")]


def test_other_changes_are_refused_with_the_sql_that_makes_them(lab: Lab, tmp_path: Path) -> None:
    lab.setup(contract_of(tmp_path, MEASUREMENTS, {**COLUMNS, "note": "varchar(9)"}))
    changed = contract_of(
        tmp_path, MEASUREMENTS, {**COLUMNS, "value": "varchar(64)", "unit": "varchar(8)"}
    )
    with pytest.raises(UsageError) as caught:
        lab.setup(changed)
    message = str(caught.value)
    assert "column value is varchar(32), the contract says varchar(64)" in message
    assert "column note is not in the contract" in message
    # Nothing was changed, and the SQL does what it says.
    assert lab.fetch("select * from raw_lab.measurements") == []
    assert "unit" not in str(
        lab.fetch(
            "select column_name from information_schema.columns where table_name = 'measurements'"
        )
    )
    statements = [line.strip() for line in message.splitlines() if line.strip().endswith(";")]
    warehouse = lab.connect()
    for statement in statements:
        warehouse.execute(statement)
    warehouse.close()
    assert len(lab.setup(changed)) == 1
    assert lab.setup(changed) == []


def test_a_table_of_someone_else_is_not_touched(lab: Lab, tmp_path: Path) -> None:
    warehouse = lab.connect()
    warehouse.execute("create schema raw_lab")
    warehouse.execute("create table raw_lab.measurements (id text)")
    warehouse.close()
    with pytest.raises(UsageError, match="has no column _batch_id, so it was not made by"):
        lab.setup(contract_of(tmp_path, MEASUREMENTS))


def test_raw_tables_refuse_longer_values_and_rows_of_no_batch(lab: Lab, tmp_path: Path) -> None:
    lab.setup(contract_of(tmp_path, MEASUREMENTS))
    warehouse = lab.connect()
    for values in (f"('{'é' * 9}', 1)", "('a', null)"):
        with pytest.raises(Exception, match="violates"):
            warehouse.execute(f"insert into raw_lab.measurements (id, _batch_id) values {values}")
    with pytest.raises(Exception, match=r"warehouse\.batch_id"):
        warehouse.execute("insert into raw_lab.measurements (id) values ('a')")
    warehouse.close()
