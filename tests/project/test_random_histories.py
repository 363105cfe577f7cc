"""After any history of loads, corrections and builds the marts are those of a plain-Python oracle.

Each history stages files and exports in a random order and grouping, with builds between, and
replaces some of them; at the end incremental marts equal the oracle's and a full refresh.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loaders.rejects import requeue
from tests.project.desk import MEASUREMENT, Desk
from tests.project.measurement_oracle import Expected, expect

FILLERS = {f"f{n}": f"Filler {n}" for n in range(6)}  # so that no export shrinks by half

# The content of one version of a measurement; its id and updated_at come from where it stands.
contents = st.fixed_dictionaries(
    {
        "experiment_id": st.sampled_from(["e1", "e2", "e3", ""]),
        "measured_at": st.sampled_from(
            [
                "2020-01-31T23:59:00Z",
                "2020-02-01T00:00:00Z",
                "2020-02-01T01:30:00+02:00",
                "2020-02-15 12:00",
                "2020-03-01T00:00:00Z",
                "1800-01-01T00:00:00Z",
                "2020-02-30T00:00:00Z",
                "",
            ]
        ),
        "temperature": st.sampled_from(["20", "-50", "100.0001", "68.5", "1e1", "x", "", ".5"]),
        "temperature_unit": st.sampled_from(["degC", "degF", "furlong"]),
        "humidity": st.sampled_from(["", "50", "105", "105.1"]),
        "humidity_unit": st.just("%"),
        "pressure": st.sampled_from(["", "101.325", "300"]),
        "pressure_unit": st.just("kPa"),
    }
)
# A version is named by its measurement and number; the same pair always has the same content, so
# that a version sent twice is a duplicate, and the newest is never in doubt.
versions = st.tuples(st.sampled_from(["m1", "m2", "m3", "m4", ""]), st.integers(1, 4))
files = st.lists(versions, max_size=5)
exports = st.tuples(
    st.sampled_from(["20200101", "20200120", "20200201", "20200210", "20200301"]),
    st.dictionaries(st.sampled_from(["e1", "e2"]), st.sampled_from(["A", "B"])),
)
steps = st.one_of(
    st.tuples(st.just("file"), files),
    st.tuples(st.just("export"), exports),
    st.tuples(st.just("replace"), st.tuples(st.integers(0, 9), files)),
    st.tuples(st.just("build"), st.none()),
)
histories = st.tuples(
    st.lists(steps, min_size=3, max_size=9),
    st.lists(contents, min_size=20, max_size=20),
)


def check(desk: Desk, history: tuple[list[tuple[str, Any]], list[dict[str, str]]]) -> None:
    """Play one history and compare."""
    plays, texts = history

    def row(version: tuple[str, int]) -> dict[str, str]:
        name, number = version
        position = ["m1", "m2", "m3", "m4", ""].index(name) * 4 + number - 1
        return (
            MEASUREMENT
            | texts[position]
            | {
                "measurement_id": name,
                "updated_at": f"2020-04-{number:02d}T00:00:00Z",
            }
        )

    staged: list[list[dict[str, str]]] = []
    known: dict[datetime, dict[str, str]] = {}
    for kind, play in plays:
        if kind == "file":
            staged.append([row(version) for version in play])
            desk.put_measurements(f"file-{len(staged) - 1}", *staged[-1])
        elif kind == "export":
            day, names = play
            known[datetime.strptime(day, "%Y%m%d")] = FILLERS | names
            changes = [
                {"experiment_id": key, "experiment_name": name}
                for key, name in (FILLERS | names).items()
            ]
            desk.put_experiments(day, *changes)
        elif kind == "replace" and play[0] < len(staged):
            desk.load()
            number, replacement = play
            staged[number] = [row(version) for version in replacement]
            desk.put_measurements(f"file-{number}", *staged[number])
            key = f"research_db/measurements/file-{number}.csv"
            with desk.project.warehouse() as warehouse:
                requeue(warehouse, "research_db.measurements", desk.project.settings.bucket, key)
        elif kind == "build":
            desk.refresh()
    desk.refresh()
    expected = expect([row for file in staged for row in file], known)
    assert actual(desk) == expected
    incremental = desk.marts()
    desk.build("--full-refresh")
    assert desk.marts() == incremental


def actual(desk: Desk) -> Expected:
    """Read the marts in the oracle's form."""
    rows = desk.rows(
        "select (select count(*) from intermediate.int_measurements__normalized where _is_live) "
        "- (select count(*) from fact_measurements) "
        "- (select count(*) from quarantined_measurements)"
    )
    return Expected(
        facts=set(
            desk.rows(
                "select measurement_id, f.experiment_id, e.experiment_name, measured_at, "
                "temperature, pressure, humidity "
                "from fact_measurements f join dim_experiments e using (experiment_key)"
            )
        ),
        quarantined=set(
            desk.rows("select measurement_id, quarantine_reasons from quarantined_measurements")
        ),
        days=set(
            desk.rows(
                "select experiment_id, measured_date, temperature_n, temperature_sum, "
                "temperature_sum_of_squares, temperature_min, temperature_max "
                "from daily_measurement_summary"
            )
        ),
        months=set(desk.rows("select * from monthly_temperature_summary")),
        versions=set(
            desk.rows(
                "select experiment_id, experiment_name, is_deleted, valid_from, valid_to "
                "from dim_experiments where experiment_key <> -1"
            )
        ),
        superseded=int(rows[0][0]),
    )


PLAY = settings(
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(PLAY, max_examples=3, derandomize=True)
@given(history=histories)
def test_a_few_histories(fresh: Callable[[], Desk], history: Any) -> None:
    check(fresh(), history)


@pytest.mark.slow
@settings(PLAY, max_examples=25)
@given(history=histories)
def test_many_histories(fresh: Callable[[], Desk], history: Any) -> None:
    check(fresh(), history)
