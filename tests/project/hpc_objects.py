"""Staged HPC files that two engines are apt to read differently, and a part of a real one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import xarray as xr

from loaders.demo.hpc import netcdf_file
from loaders.demo.nycflights13 import StagedObject
from loaders.exporters.csv_dialect import BUILT_IN
from loaders.exporters.stage import stage_files
from loaders.staging.objects import Staging
from tests.loaders.hpc_files import station_series
from tests.project.observation_oracle import Observed, expect

PLAIN = BUILT_IN["plain"]
COPY = "copied by hand/"
NUMBERS = (
    "0", "-0", "0.1", "1e-7", "123456789.123456789", "-273.15", "1e289", "1e295", "-1e300",
    "4.9e-324", "1e-291", "0.30000000000000004", "9007199254740993", "105", "105.00000000000001",
)  # fmt: skip
# Stations are locations of the research database, or are not; two of the times are those of the
# exports that change what experiment and location are.
STATION = """\
time,station,relative_humidity (1),wind_speed (km/h),co2 (ppb),odd (furlong),bare,pH (1)
2013-09-30T23:59:59Z,JFK,0.5,36,415000,1,1.5,7
2013-10-01T00:00:00Z,JFK,1.06,36000,415000,2,,7.5
2013-10-01T01:30:00+01:00,LGA,,-36,,3,2.5,
1989-12-31T23:59:59Z,JFK,0.25,1,1,4,3.5,8
2040-01-01T00:00:00Z,no such,0.25,1,1,5,4.5,9
"""


@dataclass
class Collected:
    """A bucket that keeps what is uploaded."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def get_paginator(self, _: str) -> Collected:
        """Return what lists objects."""
        return self

    def paginate(self, **_: str) -> list[Mapping[str, Any]]:
        """Return a listing: nothing was staged before."""
        return [{"IsTruncated": False}]

    def upload_fileobj(self, content: IO[bytes], _: str, key: str) -> None:
        """Keep an object."""
        self.objects[key] = content.read()


def staged(
    path: Path, experiment: str, dialect: Any = PLAIN, max_values: int = 1_000_000
) -> dict[str, bytes]:
    """Return the objects that `warehouse stage hpc` makes of a file, without the original."""
    bucket = Collected()
    staging = Staging(cast(Any, bucket), "a-bucket")
    result = stage_files(staging, [path], experiment, dialect=dialect, max_values=max_values)
    assert [file.detail for file in result.files] == [None]
    return {k: v for k, v in bucket.objects.items() if not k.startswith("archive/")}


def first() -> Iterator[StagedObject]:
    """Yield what is staged before the first build."""
    with tempfile.TemporaryDirectory() as directory:
        for name, experiment in (
            (_series(Path(directory)), "exp-jfk"),
            (_series(Path(directory)), "unknown"),
            (_grid(Path(directory)), "exp-lga"),
            (_csv(Path(directory)), "exp-jfk"),
            (_numbers(Path(directory)), "e2"),
        ):
            for key, body in staged(name, experiment).items():
                yield StagedObject(key, body)
        for key, body in staged(_series(Path(directory)), "by-reference", max_values=1).items():
            yield StagedObject(key, body)


def later() -> Iterator[StagedObject]:
    """Yield what is staged between the builds: a file staged anew, and copies of objects."""
    with tempfile.TemporaryDirectory() as directory:
        anew = PLAIN.model_copy(update={"standard_names": {"bare": "air_temperature"},
                                        "units": {"bare": "K"}, "ignore": ("odd",)})  # fmt: skip
        for key, body in staged(_csv(Path(directory)), "exp-jfk", anew).items():
            yield StagedObject(key, body)
        series = staged(_series(Path(directory)), "exp-jfk")
        for key, body in series.items():
            folder, _, name = key.rpartition("/")
            yield StagedObject(f"{folder}/{COPY}{name}", body)


def in_pieces() -> Iterator[tuple[list[StagedObject], list[Observed]]]:
    """Yield small NetCDF files, as they are staged, and what the marts shall hold of each."""
    with tempfile.TemporaryDirectory() as directory:
        for number, (stations, times) in enumerate((([0], 2), ([1], 3), ([0, 1], 1), ([1], 1))):
            path = Path(directory) / f"{number}.nc"
            some = station_series().isel(station=stations, time=slice(times))
            some.to_netcdf(path, format="NETCDF3_64BIT")
            objects = [StagedObject(key, body) for key, body in staged(path, "e1").items()]
            yield objects, list(expect(path))


def _series(directory: Path) -> Path:
    path = directory / "stations.nc"
    station_series().to_netcdf(path, format="NETCDF3_64BIT")
    return path


def _grid(directory: Path) -> Path:
    path = directory / "grid.nc"
    # As stored: written again from decoded values it would be another file's rounding.
    with xr.open_dataset(netcdf_file(), decode_cf=False) as dataset:
        dataset.isel(time=slice(3), lat=slice(4), lon=slice(5)).to_netcdf(
            path, format="NETCDF3_64BIT"
        )
    return path


def _csv(directory: Path) -> Path:
    path = directory / "station.csv"
    path.write_text(STATION, encoding="utf-8")
    return path


def _numbers(directory: Path) -> Path:
    units = ("K", "degF", "mmHg", "kg/kg", "rad", "m", "")
    path = directory / "numbers.csv"
    header = ",".join(f"v{at} ({unit})" if unit else f"v{at}" for at, unit in enumerate(units))
    lines = [f"2020-06-01T12:00:{at:02d}Z," + ",".join([number] * len(units))
             for at, number in enumerate(NUMBERS)]  # fmt: skip
    path.write_text("\n".join([f"time,{header}", *lines]) + "\n", encoding="utf-8")
    return path
