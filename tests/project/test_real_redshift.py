"""Parity on a real cluster or workgroup, in throwaway schemas: `make test-redshift`.

Needs a Redshift target in a profiles.yml whose schema is env_var('WAREHOUSE_SCHEMA', …), as in
profiles.example.yml, and a bucket that both this machine and the role of COPY can use:

    WAREHOUSE_TEST_TARGET   the target's name
    WAREHOUSE_STAGING       s3://bucket/prefix; a folder of its own is made and emptied below it
    WAREHOUSE_COPY_ROLE     the role's ARN, unless the cluster has a default one
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from loaders.errors import WarehouseError
from loaders.project import Project
from loaders.warehouse.setup import setup
from tests.project import awkward_objects
from tests.project.desk import ROOT, Desk

TARGET = os.environ.get("WAREHOUSE_TEST_TARGET", "")
USERS = dict(os.environ)  # as it is before fixtures point to the local servers
PARTS = (
    "ledger",
    "raw_research_db",
    "raw_literature",
    "staging",
    "intermediate",
    "snapshots",
    "seeds",
)
MARTS = {
    "fact_measurements": "measurement_key, experiment_key, location_key, time_key, date_key, "
    "measured_at, temperature, pressure, humidity",
    "quarantined_measurements": "measurement_key, measurement_id, quarantine_reasons",
    "dim_experiments": "experiment_key, experiment_id, experiment_name, current_experiment_name, "
    "is_deleted, valid_from, valid_to",
    "dim_locations": "location_key, location_id, location_name, latitude, valid_from, valid_to",
    "daily_measurement_summary": "experiment_id, measured_date, temperature_n, temperature_sum, "
    "temperature_sum_of_squares, temperature_min, temperature_max",
    "monthly_temperature_summary": "experiment_id, experiment_name, month, avg_temperature, "
    "min_temperature, max_temperature, temp_stddev, measurement_count",
}

pytestmark = [
    pytest.mark.redshift,
    pytest.mark.skipif(
        not TARGET,
        reason=f"no real Redshift: set WAREHOUSE_TEST_TARGET as {Path(__file__).name} says",
    ),
]


@contextmanager
def real_desk(place: Path) -> Iterator[Desk]:
    """Give the project on the real target, in schemas and a folder that are deleted afterwards."""
    name = f"wh_test_{uuid.uuid4().hex[:8]}"
    with pytest.MonkeyPatch.context() as patch:
        for variable in set(os.environ) - set(USERS):
            patch.delenv(variable)
        for variable, value in USERS.items():
            patch.setenv(variable, value)
        patch.setenv("WAREHOUSE_SCHEMA", name)
        patch.setenv("WAREHOUSE_STAGING", f"{USERS['WAREHOUSE_STAGING'].rstrip('/')}/{name}")
        patch.setenv("DBT_TARGET_PATH", str(place / "target"))
        patch.setenv("DBT_LOG_PATH", str(place / "logs"))
        desk = Desk.open(ROOT, None, TARGET)
        try:
            yield desk
        finally:
            _clean_up(desk.project, name)


def _clean_up(project: Project, name: str) -> None:
    for item in list(project.staging.list("")):
        project.staging.client.delete_object(Bucket=project.staging.bucket, Key=item.key)
    with project.warehouse() as warehouse:
        for schema in (name, *(f"{name}_{part}" for part in PARTS)):
            with suppress(WarehouseError):
                warehouse.execute(f"drop schema if exists {schema} cascade")


def test_a_real_redshift_gives_the_marts_of_postgresql(
    fresh: Callable[[], Desk], tmp_path: Path
) -> None:
    with real_desk(tmp_path) as desk:
        real = marts(desk)
    assert real == marts(fresh())


def marts(desk: Desk) -> dict[str, Counter[tuple[str, ...]]]:
    """Load and build the same objects; return the marts as Python writes their values."""
    for item in awkward_objects.first():
        desk.put(desk.project.settings.prefix + item.key, item.body)
    with desk.project.warehouse() as warehouse:
        setup(warehouse, desk.project.contracts)
    loaded = desk.refresh()
    assert loaded.exit_code == 0
    schema = desk.project.settings.schema
    return {
        mart: Counter(
            tuple(map(repr, row)) for row in desk.rows(f"select {columns} from {schema}.{mart}")
        )
        for mart, columns in MARTS.items()
    }
