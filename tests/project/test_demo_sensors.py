"""The demo's sensors: every minute that pvlib's file has is a fact, once, whatever ways it came."""

from __future__ import annotations

import gzip
import importlib.util
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from loaders.demo import sensors
from tests.project.anomaly_oracle import anomalies
from tests.project.desk import Desk

DAY = timedelta(days=1)
FIRST = datetime(2016, 6, 1)


def minutes() -> dict[datetime, tuple[Decimal, Decimal, Decimal]]:
    """Read temperature, humidity and pressure by the columns of the file's format."""
    spec = importlib.util.find_spec("pvlib")
    assert spec
    assert spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0]) / "data/bsrn-pay0616.dat.gz"
    text = gzip.decompress(file.read_bytes()).decode()
    record = text.split("*U0100\n")[1].split("\n*U0300")[0].split("\n")
    return {
        FIRST + (int(one[0:3]) - 1) * DAY + timedelta(minutes=int(one[4:9])): (
            Decimal(two[57:64].strip()), Decimal(two[64:70].strip()), Decimal(two[70:75].strip())
        )
        for one, two in zip(record[::2], record[1::2], strict=True)
    }  # fmt: skip


def test_every_minute_is_a_fact_of_the_source_that_counts(empty: Desk) -> None:
    for item in sensors.exports():
        empty.put(item.key, item.body)
    assert empty.refresh().exit_code == 0
    exported = {at: v for at, v in minutes().items() if at < FIRST + 3 * DAY}
    streamed = {at: v for at, v in minutes().items() if FIRST + 1.5 * DAY <= at < FIRST + 5 * DAY}
    found: dict[str, dict[datetime, tuple[Any, ...]]] = {"sensors": {}, "stream": {}}
    with (
        empty.project.warehouse() as warehouse,
        warehouse.query("select * from fact_measurements") as it,
    ):
        names = it.columns
        facts = [dict(zip(names, row, strict=True)) for row in it.rows]
    for row in facts:
        values = (row["temperature"], row["humidity"], row["pressure"])
        assert row["measured_at"] not in found[row["source_system"]]
        found[row["source_system"]][row["measured_at"]] = values
    assert found["sensors"] == exported
    assert found["stream"] == {at: v for at, v in streamed.items() if at not in exported}
    assert (len(found["sensors"]), len(found["stream"])) == (4320, 2880)

    raw = empty.rows("select source_table, sum(rows_loaded)::int from ledger.batches group by 1")
    twice = len(streamed) // 500
    assert dict(raw) == {
        "sensors.readings_export": 2880, "sensors.readings_changes": 1440,
        "stream.readings": len(streamed) + twice,
    }  # fmt: skip
    assert empty.rows("select count(*) from quarantined_measurements") == [(0,)]
    assert empty.rows("select * from (select sensor_id, latitude::float, longitude::float, "
                      "reading_count from dim_sensors order by 1) s") == [
        ("(unknown)", None, None, 0), ("payerne-even", 46.815, 6.944, 3600),
        ("payerne-odd", 46.815, 6.944, 3600),
    ]  # fmt: skip
    seen = Counter(
        empty.rows("select measurement_id, quantity, robust_z from measurement_anomalies")
    )
    wanted = anomalies(facts)
    assert seen == Counter((r["measurement_id"], r["quantity"], r["robust_z"]) for r in wanted)
    assert wanted


def test_the_bytes_are_the_same_each_time() -> None:
    made = list(sensors.exports())
    assert made == list(sensors.exports())
    assert len({item.key for item in made}) == len(made)
    late = [item for item in made if "2016/06/03/01/" in item.key]
    text = gzip.decompress(late[0].body)
    assert text.startswith(b'{"sensor_id":"payerne-odd","timestamp":"2016-06-02T23:59:00Z"')
    assert b"}{" in text
    assert b"\n" not in text
