"""The command `warehouse stage hpc` as a user runs it; no warehouse is connected to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hpc_files import INMET, station_series

from loaders.embedded.object_store import ObjectStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROJECT = Path(__file__).parents[2]
PROFILE = """
research_warehouse:
  target: none
  outputs:
    none: {type: postgres, host: localhost, port: 1, user: x, password: x, dbname: x, schema: main}
"""


@pytest.fixture
def environment(
    tmp_path: Path, object_store: ObjectStore, staging_bucket: tuple[str, S3Client]
) -> dict[str, str]:
    (tmp_path / "profiles.yml").write_text(PROFILE)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(PROJECT),
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(tmp_path),
        "WAREHOUSE_STAGING": f"s3://{staging_bucket[0]}/root",
        **object_store.environment(),
    }


def stage(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loaders.cli", "stage", "hpc", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_files_are_staged_and_refused_ones_named(
    tmp_path: Path, environment: dict[str, str], staging_bucket: tuple[str, S3Client]
) -> None:
    good, bad = tmp_path / "good.nc", tmp_path / "A001.csv"
    station_series().to_netcdf(good, engine="netcdf4")
    bad.write_bytes(INMET.encode("latin-1"))
    result = stage(environment, good, bad, "--experiment", "exp-1")
    assert result.returncode == 1
    assert f"staged: {good} (" in result.stdout
    assert "): 5 values, 1 missing" in result.stdout
    assert f"refused: {bad}: no column says when" in result.stderr
    assert "--dialect plain or inmet" in result.stderr
    again = stage(environment, good, bad, "--experiment", "exp-1", "--dialect", "inmet", "--json")
    assert again.returncode == 0, again.stderr
    document = json.loads(again.stdout)
    assert [(f["status"], f["staged"]) for f in document["files"]] == [
        ("skipped", 0),
        ("staged", 7),
    ]
    bucket, client = staging_bucket
    found = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert sorted({entry["Key"].rsplit("/", 2)[0] for entry in found}) == [
        "root/archive/hpc/exp-1",
        "root/hpc/files",
        "root/hpc/observations",
        "root/hpc/variables",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.nc", "--experiment", "e"], "missing.nc' does not exist"),
        (["profiles.yml", "--experiment", "e", "--dialect", "exzel"], "no dialect 'exzel'"),
    ],
)
def test_wrong_use_exits_with_2(
    tmp_path: Path, environment: dict[str, str], arguments: list[str], message: str
) -> None:
    paths = [str(tmp_path / arguments[0]), *arguments[1:]]
    result = stage(environment, *paths)
    assert (result.returncode, message in result.stderr) == (2, True), result.stderr
