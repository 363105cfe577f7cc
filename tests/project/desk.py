"""Short ways for a test to stage files, load, build and read marts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loaders.dbt_runner import Dbt, DbtOutcome
from loaders.load_run import LoadResult, load
from loaders.nightly import RunResult, replay_exports, run
from loaders.project import Project

ROOT = Path(__file__).parents[2]
# Tests cost most of a build's time.
UNTESTED = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
Row = tuple[Any, ...]


def select_data(mart: str, columns: str) -> str:
    """Return the query of a mart's rows that speak of what was loaded."""
    return (
        f"select {columns} from research_warehouse.{mart} where not ({OF_LOADS.get(mart, '1 = 0')})"
    )


def subjects(*names: str) -> tuple[str, ...]:
    """Return the selection of the models of these subjects."""
    return tuple(f"path:models/{at}/{name}" for at in ("intermediate", "marts") for name in names)


# What comes of the research database, and not what only refers to it: a quarter of the models.
# Its quality is for test_observability.py.
CORE = (
    *("--select", "source:research_db+"),
    *("--exclude", *subjects("literature", "observations"), "path:models/observability"),
)
# By mart: which of its rows speak of loads, and not of what was loaded. Like columns that begin
# with `_`, they are no function of the objects.
OF_LOADS = {"batch_lineage": "1 = 1", "data_quality_daily": "kind <> 'distribution'"}

EXPERIMENT = {
    "experiment_id": "e1",
    "experiment_name": "First",
    "description": "",
    "researcher_id": "r1",
    "department": "",
    "start_date": "2020-01-01",
    "end_date": "",
    "status": "active",
    "metadata": "",
    "created_at": "2020-01-01T00:00:00Z",
    "updated_at": "2020-01-01T00:00:00Z",
}
MEASUREMENT = {
    "measurement_id": "m1",
    "experiment_id": "e1",
    "location_id": "",
    "measured_at": "2020-06-01T00:00:00Z",
    "temperature": "20",
    "temperature_unit": "degC",
    "humidity": "",
    "humidity_unit": "",
    "pressure": "",
    "pressure_unit": "",
    "updated_at": "2020-06-01T00:00:00Z",
}


@dataclass(frozen=True)
class Desk:
    """One project, its warehouse and its bucket."""

    project: Project
    dbt: Dbt
    selection: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        project_dir: Path,
        profiles_dir: Path | None,
        target: str = "test",
        selection: tuple[str, ...] = (),
    ) -> Desk:
        """Open a target of the profile; `selection` is what a build builds unless told."""
        project = Project.open(project_dir, target, profiles_dir)
        return cls(project, Dbt(project.settings, quiet=True), selection)

    def put(self, key: str, body: str | bytes) -> None:
        """Stage an object."""
        data = body.encode() if isinstance(body, str) else body
        staging = self.project.staging
        staging.client.put_object(Bucket=staging.bucket, Key=key, Body=data)

    def put_measurements(self, name: str, *changes: dict[str, str]) -> None:
        """Stage a file of measurements, each given by what differs from `MEASUREMENT`."""
        self.put(f"research_db/measurements/{name}.csv", _csv(MEASUREMENT, changes))

    def put_experiments(self, exported_at: str, *changes: dict[str, str]) -> None:
        """Stage a complete export of experiments as of that time (YYYYMMDD)."""
        folder = f"research_db/experiments/exported_at={exported_at}T000000Z/"
        self.put(folder + "part-0.csv", _csv(EXPERIMENT, changes))
        self.put(folder + "_SUCCESS", "")

    def clear_bucket(self) -> None:
        """Delete all objects."""
        staging = self.project.staging
        for item in list(staging.list("")):
            staging.client.delete_object(Bucket=staging.bucket, Key=item.key)

    def load(self) -> LoadResult:
        """Run the loader."""
        return load(self.project.contracts, self.project.connect, self.project.staging)

    def run(self) -> RunResult:
        """Do the nightly run, dbt's tests included."""
        return run(self.project, quiet=True)

    def refresh(self) -> LoadResult:
        """Do the same without dbt's tests, which take most of its time."""
        loaded = self.load()
        self.refresh_marts()
        return loaded

    def refresh_marts(self) -> None:
        """Do what follows loading, without dbt's tests."""
        replay_exports(self.dbt)
        self.build()

    def build(self, *arguments: str) -> DbtOutcome:
        """Run `dbt build` without its tests."""
        selection = () if "--select" in arguments else self.selection
        return self.dbt.invoke("build", *UNTESTED, *selection, *arguments)

    def test(self) -> None:
        """Run dbt's data tests."""
        self.dbt.invoke("test", "--exclude-resource-type", "unit_test", *self.selection)

    def rows(self, sql: str) -> list[Row]:
        """Return the rows of a query; marts need no schema."""
        with self.project.warehouse() as warehouse, warehouse.query(sql) as result:
            return list(result.rows)

    def execute(self, sql: str) -> None:
        """Run a statement."""
        with self.project.warehouse() as warehouse:
            warehouse.execute(sql)

    def marts(self) -> dict[str, Counter[Row]]:
        """Return the rows of every mart and summary, without load metadata."""
        columns = self.rows(
            "select c.relname, string_agg(quote_ident(a.attname), ', ' order by a.attname) "
            "from pg_class c join pg_attribute a on a.attrelid = c.oid "
            "where c.relnamespace = 'research_warehouse'::regnamespace "
            "and c.relkind in ('r', 'v', 'm') and a.attnum > 0 and not a.attisdropped "
            "and left(a.attname, 1) <> '_' group by c.relname"
        )
        assert {"fact_measurements", "monthly_temperature_summary"} <= {name for name, _ in columns}
        return {name: Counter(self.rows(select_data(name, names))) for name, names in columns}


def _csv(defaults: dict[str, str], changes: tuple[dict[str, str], ...]) -> str:
    lines = [",".join(defaults)]
    lines += [",".join((defaults | change).values()) for change in changes]
    return "\n".join(lines) + "\n"
