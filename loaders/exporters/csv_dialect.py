"""Dialects of CSV files: how the text is written, and what its columns mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loaders.errors import UsageError

Names = Annotated[tuple[str, ...], Field(strict=False)]  # YAML knows lists only
OneCharacter = Annotated[str, Field(min_length=1, max_length=1)]

# Columns that are no variables, by their names in lower case, where the dialect names none.
KNOWN_COLUMNS: Mapping[str, frozenset[str]] = {
    "time": frozenset({"time", "timestamp", "datetime", "date_time", "observed_at", "measured_at"}),
    "latitude": frozenset({"latitude", "lat"}),
    "longitude": frozenset({"longitude", "lon", "lng"}),
    "height_m": frozenset({"height_m", "altitude_m", "elevation_m"}),
    "station": frozenset({"station", "station_id", "station_name"}),
}


class CsvDialect(BaseModel):
    """How to read a file.

    `latitude`, `longitude`, `height_m` and `station` name a column or an entry of the metadata
    lines, which stand above the header as `name<delimiter>value`.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    encoding: str = "utf-8"
    delimiter: OneCharacter = ","
    decimal: OneCharacter = "."
    metadata_lines: Annotated[int, Field(ge=0)] = 0
    trailing_delimiter: bool = False
    null_texts: Names = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
    time: Names = ()  # several columns are joined by a blank
    time_formats: Names = ()  # as strptime has them, of UTC; ISO 8601 if there are none
    latitude: str | None = None
    longitude: str | None = None
    height_m: str | None = None
    station: str | None = None
    ignore: Names = ()  # columns that are not staged
    units: dict[str, str] = {}  # by variable, where the header does not say `name (unit)`
    standard_names: dict[str, str] = {}  # of CF, by variable


BUILT_IN: Mapping[str, CsvDialect] = {
    "plain": CsvDialect(),
    # Automatic stations of Brazil's meteorological institute, as it publishes them by year.
    "inmet": CsvDialect(
        encoding="latin-1",
        delimiter=";",
        decimal=",",
        metadata_lines=8,
        trailing_delimiter=True,
        null_texts=("", "-9999"),
        time=("Data", "Hora UTC"),
        time_formats=("%Y/%m/%d %H%M UTC", "%Y-%m-%d %H:%M"),
        latitude="LATITUDE",
        longitude="LONGITUDE",
        height_m="ALTITUDE",
        station="CODIGO (WMO)",
        standard_names={
            "PRESSAO ATMOSFERICA AO NIVEL DA ESTACAO, HORARIA": "surface_air_pressure",
            "TEMPERATURA DO AR - BULBO SECO, HORARIA": "air_temperature",
            "TEMPERATURA DO PONTO DE ORVALHO": "dew_point_temperature",
            "UMIDADE RELATIVA DO AR, HORARIA": "relative_humidity",
            "VENTO, DIREÇÃO HORARIA (gr)": "wind_from_direction",
            "VENTO, RAJADA MAXIMA": "wind_speed_of_gust",
            "VENTO, VELOCIDADE HORARIA": "wind_speed",
        },
    ),
}


def find_dialect(name: str) -> CsvDialect:
    """Return a built-in dialect, or the one that a YAML file describes. Raises UsageError."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    known = ", ".join(BUILT_IN)
    file = Path(name)
    if not file.is_file():
        raise UsageError(f"no dialect {name!r}; give one of {known}, or a YAML file with its own")
    try:
        return CsvDialect.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        fields = ", ".join(CsvDialect.model_fields)
        raise UsageError(f"{file} is no dialect: {error}; its fields are: {fields}") from None


def name_and_unit(header: str) -> tuple[str, str | None]:
    """Split `name (unit)` or `name [unit]`.

    >>> name_and_unit("wind (gr) (deg (gr))"), name_and_unit("t_air [degC]"), name_and_unit("n")
    (('wind (gr)', 'deg (gr)'), ('t_air', 'degC'), ('n', None))
    """
    header = header.strip()
    for opening, closing in (("(", ")"), ("[", "]")):
        depth = 0
        for index in range(len(header) - 1, 0, -1) if header.endswith(closing) else ():
            depth += (header[index] == closing) - (header[index] == opening)
            if depth == 0:
                name, unit = header[:index].strip(), header[index + 1 : -1].strip()
                return (name, unit or None) if name else (header, None)
    return header, None
