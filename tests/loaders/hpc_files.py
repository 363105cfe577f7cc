"""Files of HPC projects for the tests, and what staging makes of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import xarray as xr

from loaders.exporters.csv_dialect import BUILT_IN, CsvDialect
from loaders.exporters.stage import open_dataset
from loaders.exporters.tables import ObservationWriter

INMET = """REGIAO:;CO
UF:;DF
ESTACAO:;BRASÍLIA
CODIGO (WMO):;A001
LATITUDE:;-15,78944444
LONGITUDE:;-47,92583332
ALTITUDE:;1160,96
DATA DE FUNDACAO:;07/05/00
Data;Hora UTC;PRECIPITAÇÃO TOTAL, HORÁRIO (mm);VENTO, DIREÇÃO HORARIA (gr) (° (gr));\
TEMPERATURA DO AR - BULBO SECO, HORARIA (°C);
2022/01/01;0000 UTC;0;356;19,2;
2022/01/01;0100 UTC;,4;-9999;-1;
2022/01/01;2300 UTC;;6;19,1;
"""


def observations(path: Path, dialect: CsvDialect = BUILT_IN["plain"]) -> list[dict[str, Any]]:
    """Return the rows that are staged of a file, with the columns that say something of it."""
    dataset = open_dataset(path, dialect)
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "observations.parquet"
        writer = ObservationWriter(target, "experiment", "0" * 64, str(path))
        try:
            for block in dataset.blocks():
                writer.write(block)
        finally:
            writer.close()
            dataset.close()
        rows: list[dict[str, Any]] = pq.read_table(target).to_pylist()
    return [{k: v for k, v in row.items() if k not in ("experiment_id", "file_id")} for row in rows]


def station_series() -> xr.Dataset:
    """Two stations, three times each, one value missing; packed temperatures, text flags."""
    temperature = xr.DataArray(
        [[20.5, 21.0, np.nan], [-3.25, -4.0, 0.0]],
        dims=("station", "time"),
        attrs={
            "units": "degC",
            "standard_name": "air_temperature",
            "ancillary_variables": "temperature_qc",
            "valid_range": np.array([-300, 2050], "int16"),
        },
    )
    temperature.encoding = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -32768}
    flags = xr.DataArray(
        np.array([[0, 1, 2], [0, 0, 1]], "int8"),
        dims=("station", "time"),
        attrs={
            "standard_name": "quality_flag",
            "flag_values": np.array([0, 1, 2], "int8"),
            "flag_meanings": "good doubtful missing",
        },
    )
    times = xr.DataArray(
        np.array(["2022-01-01T00:00", "2022-01-01T00:10", "2022-01-01T00:20"], "datetime64[ns]"),
        dims="time",
        attrs={"standard_name": "time"},
    )
    times.encoding = {"units": "minutes since 2022-01-01 01:00:00 +01:00", "dtype": "int32"}
    names = xr.DataArray(["north", "süd"], dims="station", attrs={"cf_role": "timeseries_id"})
    return xr.Dataset(
        {"temperature": temperature, "temperature_qc": flags, "station_name": names},
        coords={
            "time": times,
            "lat": ("station", [78.9, -70.5], {"units": "degrees_north"}),
            "lon": ("station", [11.9, 351.75], {"units": "degrees_east"}),
            "alt": ("station", [8.0, 42.0], {"units": "m", "standard_name": "altitude"}),
        },
        attrs={"featureType": "timeSeries", "title": "two stations", "weights": [1.5, 2.5]},
    )
