"""Staging files of HPC projects: archive, Parquet and registration, and the way into raw."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import IO, Any

import netCDF4
import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr
from either import TARGETS, AnyLab, lab_of
from hpc_files import INMET, station_series
from loading import Lab

from loaders.contracts import Contract, load_contracts
from loaders.errors import Transient, UsageError
from loaders.exporters.csv_dialect import BUILT_IN
from loaders.exporters.outcome import StageResult
from loaders.exporters.stage import MAX_VALUES, stage_files
from loaders.exporters.tables import FILES, OBSERVATIONS, VARIABLES, attributes_json
from loaders.staging.objects import Staging

PROJECT = Path(__file__).parents[2]
TABLES = {"observations": OBSERVATIONS, "variables": VARIABLES, "files": FILES}


@pytest.fixture(scope="module")
def contracts() -> dict[str, Contract]:
    """Return the project's own contracts of the source, by table."""
    return {c.table: c for c in load_contracts(PROJECT) if c.source == "hpc"}


@pytest.fixture
def stations(tmp_path: Path) -> Path:
    """Write a NetCDF file of five values, one of them missing."""
    path = tmp_path / "stations.nc"
    station_series().to_netcdf(path, engine="netcdf4")
    return path


def stage(staging: Staging, *paths: Path, **options: Any) -> StageResult:
    options = {"dialect": BUILT_IN["inmet"], **options}
    return stage_files(staging, paths, "exp-1", **options)


def keys(lab: Lab) -> list[str]:
    return [entry.key for entry in lab.staging.list("")]


def staged_rows(lab: Lab, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for entry in lab.staging.list(f"hpc/{table}/"):
        rows += pq.read_table(io.BytesIO(lab.staging.read(entry))).to_pylist()
    return rows


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_contracts_are_what_is_written(contracts: dict[str, Contract]) -> None:
    assert {
        table: {column.name: str(column.type) for column in contract.columns}
        for table, contract in contracts.items()
    } == TABLES
    # The order counts: COPY goes by it.
    for table, contract in contracts.items():
        assert [column.name for column in contract.columns] == list(TABLES[table])


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> AnyLab:
    """Give a fresh lab on each target."""
    return lab_of(request)


def test_from_netcdf_to_rows_of_either_warehouse(
    target: AnyLab, contracts: dict[str, Contract], stations: Path
) -> None:
    lab, schemas = target, target.schemas
    result = stage(lab.staging, stations)
    lab.setup(*contracts.values())
    loaded = lab.load(*contracts.values())
    assert (loaded.refused, loaded.files) == ((), 3)
    with xr.open_dataset(stations, engine="h5netcdf") as other:
        frame = other.to_dataframe().reset_index().dropna(subset="temperature")
    expected = [
        (sha256(stations), row.station_name, row.time.to_pydatetime(), row.lat, row.alt)
        for row in frame.itertuples()
    ]
    rows = lab.fetch(
        "select file_id, station, observed_at, latitude, height_m, value "
        f"from {schemas.raw('hpc', 'observations').sql} order by position"
    )
    assert [row[:-1] for row in rows] == expected
    np.testing.assert_allclose([row[-1] for row in rows], frame["temperature"], rtol=1e-6)
    (outcome,) = result.files
    assert lab.fetch(
        "select experiment_id, file_id, format, bytes, archive_bucket, archive_key, is_staged, "
        f"value_count, missing_count, staged_count from {schemas.raw('hpc', 'files').sql}"
    ) == [
        (
            *("exp-1", sha256(stations), "netcdf4", stations.stat().st_size),
            *(lab.staging.bucket, outcome.archive_key, True, 6, 1, 5),
        )
    ]
    assert lab.fetch(
        "select variable, role, value_count, missing_count, staged_count "
        f"from {schemas.raw('hpc', 'variables').sql} order by variable"
    ) == [
        ("alt", "coordinate", 2, None, None),
        ("lat", "coordinate", 2, None, None),
        ("lon", "coordinate", 2, None, None),
        ("station_name", "coordinate", 2, None, None),
        ("temperature", "values", 6, 1, 5),
        ("temperature_qc", "flag", 6, None, None),
        ("time", "coordinate", 3, None, None),
    ]
    ((text,),) = lab.fetch(f"select attributes from {schemas.raw('hpc', 'files').sql}")
    assert json.loads(text) == {
        "featureType": "timeSeries",
        "title": "two stations",
        "weights": [1.5, 2.5],
    }
    assert lab.load(*contracts.values()).files == 0


def test_values_in_are_values_staged_and_missing(lab: Lab, tmp_path: Path, stations: Path) -> None:
    inmet = tmp_path / "A001.csv"
    inmet.write_bytes(INMET.encode("latin-1"))
    result = stage(lab.staging, stations, inmet)
    assert [(f.values, f.missing, f.staged) for f in result.files] == [(6, 1, 5), (9, 2, 7)]
    observations = staged_rows(lab, "observations")
    for row in [*staged_rows(lab, "files"), *staged_rows(lab, "variables")]:
        if row["staged_count"] is None:
            continue
        same = [
            o
            for o in observations
            if o["file_id"] == row["file_id"]
            and o["variable"] == row.get("variable", o["variable"])
        ]
        assert len(same) == row["staged_count"] == row["value_count"] - row["missing_count"]


def test_the_original_is_in_the_archive(lab: Lab, stations: Path) -> None:
    (outcome,) = stage(lab.staging, stations).files
    assert outcome.archive_key == f"archive/hpc/exp-1/{sha256(stations)}/stations.nc"
    (entry,) = lab.staging.list("archive/")
    assert lab.staging.read(entry) == stations.read_bytes()


def test_what_was_staged_is_skipped_by_its_content(
    lab: Lab, tmp_path: Path, stations: Path
) -> None:
    copy = tmp_path / "renamed.nc"
    copy.write_bytes(stations.read_bytes())
    first = stage(lab.staging, stations, copy)
    assert [file.status for file in first.files] == ["staged", "skipped"]
    before = keys(lab)
    assert [file.status for file in stage(lab.staging, copy).files] == ["skipped"]
    assert keys(lab) == before
    # Another experiment has its own.
    other = stage_files(lab.staging, [stations], "exp-2", dialect=BUILT_IN["plain"])
    assert [file.status for file in other.files] == ["staged"]


def test_above_the_limit_a_file_is_registered_by_reference(
    lab: Lab, contracts: dict[str, Contract], stations: Path
) -> None:
    (outcome,) = stage(lab.staging, stations, max_values=5).files
    assert (outcome.status, outcome.values, outcome.staged) == ("referenced", 6, 0)
    lab.setup(*contracts.values())
    lab.load(*contracts.values())
    assert lab.fetch("select count(*) from raw_hpc.observations") == [(0,)]
    assert lab.fetch(
        "select is_staged, value_count, missing_count, staged_count from raw_hpc.files"
    ) == [(False, 6, None, None)]
    # With a higher limit and --again its values come, and the loader replaces the row.
    (again,) = stage(lab.staging, stations, max_values=6, again=True).files
    assert again.status == "staged"
    lab.load(*contracts.values())
    live = "_batch_id not in (select batch_id from ledger.events where event = 'superseded')"
    assert lab.fetch(f"select is_staged, staged_count from raw_hpc.files where {live}") == [
        (True, 5)
    ]
    assert lab.fetch("select count(*) from raw_hpc.observations") == [(5,)]


def test_the_default_limit_is_a_million_values(lab: Lab, tmp_path: Path) -> None:
    for name, size in (("at", MAX_VALUES), ("above", MAX_VALUES + 1)):
        with netCDF4.Dataset(tmp_path / f"{name}.nc", "w") as file:
            file.createDimension("n", size)
            file.createVariable("v", "i1", ("n",), fill_value=0)
    result = stage(lab.staging, tmp_path / "at.nc", tmp_path / "above.nc")
    assert [(file.status, file.missing) for file in result.files] == [
        ("staged", 1_000_000),
        ("referenced", 0),
    ]


class _Failing(Staging):
    """A staging bucket whose connection breaks before the n-th upload."""

    left: int

    def upload(self, content: IO[bytes], key: str) -> None:
        if not self.left:
            raise Transient(f"s3://{self.bucket}/{key}: the connection to S3 failed")
        object.__setattr__(self, "left", self.left - 1)
        super().upload(content, key)


@pytest.mark.parametrize("uploads", range(4))
def test_a_run_that_broke_off_is_completed_by_the_next(
    lab: Lab, contracts: dict[str, Contract], stations: Path, uploads: int
) -> None:
    broken = _Failing(lab.client, lab.bucket)
    object.__setattr__(broken, "left", uploads)
    with pytest.raises(Transient):
        stage(broken, stations)
    # In this order; the file's row is what says that it is staged.
    parts = [key.split("/")[1] if key.startswith("hpc/") else "archive" for key in keys(lab)]
    assert sorted(parts) == sorted(["archive", "observations", "variables"][:uploads])
    lab.setup(*contracts.values())
    lab.load(*contracts.values())
    (outcome,) = stage(lab.staging, stations).files
    assert outcome.status == "staged"
    lab.load(*contracts.values())
    # The bytes are the same as in the first attempt: nothing was loaded twice.
    assert lab.fetch("select count(*) from raw_hpc.observations") == [(5,)]
    assert lab.fetch("select count(*) from raw_hpc.variables") == [(7,)]
    assert lab.fetch("select staged_count from raw_hpc.files") == [(5,)]
    assert lab.fetch("select count(*) from ledger.events where event = 'superseded'") == [(0,)]


def test_a_file_that_cannot_be_read_stops_no_other_and_leaves_nothing(
    lab: Lab, tmp_path: Path, stations: Path
) -> None:
    folder = tmp_path / "project"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.nc").write_bytes(b"CDF\x01 but not really")
    (folder / "deep" / "b.nc").write_bytes(stations.read_bytes())
    (folder / "c.csv").write_bytes(INMET.replace("19,2", "hot").encode("latin-1"))
    (folder / "notes.md").write_text("no data")
    result = stage(lab.staging, folder)
    assert [(f.path.name, f.status) for f in result.files] == [
        ("a.nc", "refused"),
        ("c.csv", "refused"),
        ("b.nc", "staged"),
    ]
    assert result.exit_code == 1
    assert "'hot' is not a number" in str(result.files[1].detail)
    assert len(keys(lab)) == 4
    assert all(sha256(stations) in key for key in keys(lab))


def test_a_file_that_changes_while_it_is_read_is_refused(lab: Lab, stations: Path) -> None:
    def append(path: Path, done: int, total: int) -> None:
        with path.open("ab") as stream:
            stream.write(b"more")

    (outcome,) = stage(lab.staging, stations, on_values=append).files
    assert "changed while it was read" in str(outcome.detail)
    assert keys(lab) == []


def test_a_name_too_long_for_its_column_is_refused(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "long.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("n", 1)
        file.createVariable("v" * 250, "f4", ("n",))[:] = 1
        file["v" * 250].units = "u" * 129
    (outcome,) = stage(lab.staging, path).files
    assert "unit is 'uuu" in str(outcome.detail)
    assert "has 129 bytes; 128" in str(outcome.detail)


@pytest.mark.parametrize("experiment", ["", "a/b", "../x", "x" * 37, "a b"])
def test_an_experiment_that_is_no_key_is_wrong_use(
    lab: Lab, stations: Path, experiment: str
) -> None:
    with pytest.raises(UsageError, match="1 to 36 letters"):
        stage_files(lab.staging, [stations], experiment, dialect=BUILT_IN["plain"])


def test_a_folder_without_files_of_a_known_kind_is_wrong_use(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("no data")
    with pytest.raises(UsageError, match=r"has one of these names: \.nc"):
        stage(lab.staging, tmp_path)


def test_row_groups_are_full_whatever_the_blocks_were(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "wide.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("n", 45_000)
        for name in "abcdef":
            file.createVariable(name, "f4", ("n",))[:] = 1
    stage(lab.staging, path)
    (entry,) = lab.staging.list("hpc/observations/")
    metadata = pq.ParquetFile(io.BytesIO(lab.staging.read(entry))).metadata
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [131_072, 131_072, 7_856]


def test_attributes_are_json_that_fits_its_column() -> None:
    attributes = {
        "range": np.array([1, 2], "int16"),
        "fill": np.float32("nan"),
        "text": "ab\0c",
        "history": "é" * 100_000,
        "scale": np.float64(0.5),
    }
    text = attributes_json(attributes)
    assert len(text.encode()) <= 65_535
    found = json.loads(text)
    assert found.pop("history").rstrip("…") == "é" * 25_000
    assert found == {"range": [1, 2], "fill": "nan", "text": "abc", "scale": 0.5}
