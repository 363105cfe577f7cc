"""Staging of HPC files, beside the libraries of the field that only read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import xarray as xr

from benchmarks.measure import Comparison, Run, compare, in_process
from benchmarks.site import ROOT, Site
from benchmarks.stations import station_hours
from loaders.exporters.csv_dialect import BUILT_IN
from loaders.exporters.stage import stage_files
from loaders.project import Project

NAMES = {
    "temp_c": "temperature (degC)", "rh_pct": "relative_humidity (%)", "pres_mb": "pressure (hPa)"
}  # fmt: skip


def staging(site: Site, data: Path | None, rows: int, rounds: int) -> Iterator[Comparison]:
    """Compare `stage hpc`, values in Parquet in the bucket at its end, with reading the file."""
    hours = station_hours(data, rows)
    text, netcdf = site.folder / "hours.csv", site.folder / "hours.nc"
    _write_csv(hours, text)
    _write_netcdf(hours, netcdf)
    values = sum(len(hours) - hours[name].null_count for name in NAMES)
    for path, peer, work in (
        (text, "duckdb reads the CSV, 2 threads", read_csv),
        (text, "duckdb reads it and writes such Parquet, 2 threads", convert_csv),
        (netcdf, "xarray reads the NetCDF", read_netcdf),
        (netcdf, "xarray reads it, pyarrow writes such Parquet", convert_netcdf),
    ):
        yield compare(
            Comparison(
                f"stage hpc, {path.suffix[1:]}", "warehouse stage hpc", peer,
                1.3, len(hours),
                note=f"{values:,} values, a row each; checksum, archive and upload included",
            ),
            lambda path=path: _stage(site, path),  # type: ignore[misc]
            lambda path=path, work=work: in_process(work, path),  # type: ignore[misc]
            rounds,
        )  # fmt: skip


def _write_csv(hours: pa.Table, path: Path) -> None:
    named = hours.select(["ts", *NAMES]).rename_columns(["time", *NAMES.values()])
    pc.write_csv(named, path)


def _write_netcdf(hours: pa.Table, path: Path) -> None:
    units = {"temp_c": "degC", "rh_pct": "%", "pres_mb": "hPa"}
    columns = {
        name: ("time", hours[name].to_numpy().astype("float32"), {"units": units[name]})
        for name in NAMES
    }
    dataset = xr.Dataset(columns, coords={"time": hours["ts"].to_numpy().astype("datetime64[ns]")})
    dataset.to_netcdf(path, format="NETCDF4", encoding={name: {"zlib": True} for name in NAMES})


def _stage(site: Site, path: Path) -> Run:
    bucket = site.project.staging
    for item in list(bucket.list("")):
        bucket.client.delete_object(Bucket=bucket.bucket, Key=item.key)
    return in_process(stage_one, site.folder, path)


def stage_one(profiles: Path, path: Path) -> None:
    """Stage a file; runs in a process of its own."""
    bucket = Project.open(ROOT, "bench", profiles).staging
    result = stage_files(
        bucket, [path], "bench", dialect=BUILT_IN["plain"], max_values=1_000_000_000
    )
    if result.exit_code:
        raise RuntimeError(str(result.files))


def read_csv(path: Path) -> None:
    """Read a CSV file into memory with duckdb."""
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(f"select * from read_csv('{path}')").to_arrow_table()


def convert_csv(path: Path) -> None:
    """Make Parquet with a row a value of a CSV file, with duckdb."""
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(
            f"""copy (
                select 'bench' as experiment_id, 'file' as file_id, variable, position,
                    time as observed_at, value
                from (
                    unpivot (
                        select row_number() over () - 1 as position, * from read_csv('{path}')
                    )
                    on columns(* exclude (position, time)) into name variable value value
                )
            ) to '{path}.parquet' (format parquet, compression snappy)"""
        )


def convert_netcdf(path: Path) -> None:
    """Make Parquet with a row a value of a NetCDF file, with xarray and pyarrow."""
    schema = pa.schema(
        {
            "experiment_id": pa.dictionary(pa.int32(), pa.string()),
            "file_id": pa.dictionary(pa.int32(), pa.string()),
            "variable": pa.dictionary(pa.int32(), pa.string()),
            "position": pa.int64(),
            "observed_at": pa.timestamp("us"),
            "value": pa.float64(),
        }
    )
    texts = schema.names[:3]
    with (
        xr.open_dataset(path) as dataset,
        pq.ParquetWriter(
            f"{path}.parquet", schema, compression="snappy", use_dictionary=texts
        ) as writer,
    ):
        times = dataset["time"].values.astype("datetime64[us]")
        for name, array in dataset.data_vars.items():
            values = array.values.astype("float64")
            keep = np.isfinite(values)
            codes = pa.array(np.zeros(int(keep.sum()), np.int32))
            columns = [
                *(pa.DictionaryArray.from_arrays(codes, [text]) for text in ("bench", "f", name)),
                np.flatnonzero(keep),
                times[keep],
                values[keep],
            ]
            writer.write_table(pa.table(columns, schema=schema))


def read_netcdf(path: Path) -> None:
    """Read a NetCDF file into memory with xarray."""
    with xr.open_dataset(path) as dataset:
        total = sum(float(np.nansum(dataset[name].values)) for name in dataset.data_vars)
    if not np.isfinite(total):
        raise RuntimeError("the file holds no numbers")
