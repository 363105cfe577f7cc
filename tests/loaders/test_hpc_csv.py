"""CSV of any dialect: numbers, times and places as the file means them, or a reason why not."""

from __future__ import annotations

import gzip
import math
import re
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hpc_files import INMET, observations
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loaders.errors import DataRefused, UsageError
from loaders.exporters.csv_dialect import BUILT_IN, CsvDialect, find_dialect

GRAMMAR = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
ODD = ["nan(1)", "inf", "-Infinity", "0x1F", "1_000", "1e999", "1f", "--1"]
NUMBERS = st.decimals(-(10**6), 10**6, places=3) | st.none()
DIALECTS = st.builds(
    CsvDialect,
    encoding=st.sampled_from(["utf-8", "latin-1", "cp1252", "utf-8-sig"]),
    delimiter=st.sampled_from([";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    metadata_lines=st.integers(0, 2),
    trailing_delimiter=st.booleans(),
    null_texts=st.sampled_from([("",), ("", "-9999", "Ø")]),
)


def written(dialect: CsvDialect, numbers: list[Decimal | None]) -> bytes:
    """Return a file with one variable `größe (µm)` at one time an hour."""
    end = (dialect.delimiter if dialect.trailing_delimiter else "") + "\n"
    null = dialect.null_texts[-1]
    lines = [f"über {i}{dialect.delimiter}x" for i in range(dialect.metadata_lines)]
    lines.append(f"time{dialect.delimiter}größe (µm)")
    for hour, number in enumerate(numbers):
        text = null if number is None else str(number).replace(".", dialect.decimal)
        lines.append(f"2020-01-01T{hour:02d}:00:00Z{dialect.delimiter}{text}")
    return "".join(line + end for line in lines).encode(dialect.encoding)


@settings(max_examples=60)
@given(DIALECTS, st.lists(NUMBERS, min_size=1, max_size=5), st.booleans())
def test_every_number_comes_back(
    dialect: CsvDialect, numbers: list[Decimal | None], packed: bool
) -> None:
    content = written(dialect, numbers)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / ("a.csv.gz" if packed else "a.csv")
        path.write_bytes(gzip.compress(content) if packed else content)
        rows = observations(path, dialect)
    assert [
        (r["variable"], r["unit"], r["position"], r["observed_at"].hour, r["value"]) for r in rows
    ] == [
        ("größe", "µm", hour, hour, float(number))
        for hour, number in enumerate(numbers)
        if number is not None
    ]


def test_the_agencys_own_form(tmp_path: Path) -> None:
    path = tmp_path / "INMET_A001.CSV"
    path.write_bytes(INMET.encode("latin-1"))
    rows = observations(path, BUILT_IN["inmet"])
    assert [(r["variable"], r["position"], r["observed_at"].hour, r["value"]) for r in rows] == [
        ("PRECIPITAÇÃO TOTAL, HORÁRIO", 0, 0, 0.0),
        ("PRECIPITAÇÃO TOTAL, HORÁRIO", 1, 1, 0.4),
        ("VENTO, DIREÇÃO HORARIA (gr)", 0, 0, 356.0),
        ("VENTO, DIREÇÃO HORARIA (gr)", 2, 23, 6.0),
        ("TEMPERATURA DO AR - BULBO SECO, HORARIA", 0, 0, 19.2),
        ("TEMPERATURA DO AR - BULBO SECO, HORARIA", 1, 1, -1.0),
        ("TEMPERATURA DO AR - BULBO SECO, HORARIA", 2, 23, 19.1),
    ]
    assert [row["unit"] for row in rows] == ["mm"] * 2 + ["° (gr)"] * 2 + ["°C"] * 3
    assert {row["standard_name"] for row in rows[4:]} == {"air_temperature"}
    assert {
        (r["station"], r["latitude"], r["longitude"], r["height_m"], r["observed_at"].date())
        for r in rows
    } == {("A001", -15.78944444, -47.92583332, 1160.96, datetime(2022, 1, 1).date())}


def test_places_may_stand_in_columns(tmp_path: Path) -> None:
    path = tmp_path / "moving.csv"
    path.write_text(
        "Timestamp,LAT,lon,height_m,station,co2 [1e-6]\n"
        "2021-03-01,10.5,190,2,buoy-1,415.2\n2021-03-01 06:30,91,-20,,,416\n"
    )
    assert observations(path) == [
        {
            "variable": "co2",
            "position": position,
            "standard_name": None,
            "unit": "1e-6",
            "observed_at": at,
            "latitude": latitude,
            "longitude": longitude,
            "height_m": height,
            "station": station,
            "coordinates": None,
            "value": value,
            "is_in_valid_range": None,
            "quality_flag": None,
        }
        for position, at, latitude, longitude, height, station, value in (
            (0, datetime(2021, 3, 1), 10.5, -170.0, 2.0, "buoy-1", 415.2),
            (1, datetime(2021, 3, 1, 6, 30), None, -20.0, None, None, 416.0),
        )
    ]


@settings(max_examples=40)
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),
    st.none() | st.integers(-14 * 60, 14 * 60),
    st.booleans(),
)
def test_times_are_utc_unless_they_have_an_offset(
    time: datetime, offset: int | None, blank: bool
) -> None:
    aware = None
    if offset is not None:
        aware = time.replace(tzinfo=timezone(timedelta(minutes=offset)))
    text = (aware or time).isoformat(sep=" " if blank else "T")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.csv"
        path.write_text(f"time,n\n{text},1\n")
        (row,) = observations(path)
    expected = aware.astimezone(UTC).replace(tzinfo=None) if aware else time
    assert row["observed_at"] == expected


REFUSED: dict[str, tuple[str, str]] = {
    "a text": ("time,t\n2020-01-01,1\n2020-01-02,hot\n", "record 2, column 't': 'hot' is not"),
    "hexadecimal": ("time,t\n2020-01-01,0x1F\n", "'0x1F' is not a number"),
    "infinity": ("time,t\n2020-01-01,inf\n", "'inf' is not a number"),
    "out of range": ("time,t\n2020-01-01,1e999\n", "'1e999' is not a finite number"),
    "the other decimal": ('time,t\n2020-01-01,"1,5"\n', "'1,5' is not a number"),
    "no time": ("time,t\n,1\n", "column 'time': '' is not an ISO 8601 time"),
    "the other date": ("time,t\n01/02/2020,1\n", "'01/02/2020' is not an ISO 8601 time"),
    "an impossible day": ("time,t\n2020-02-30,1\n", "2020-02-30"),
    "no time column": ("when,t\n2020-01-01,1\n", "no column says when"),
    "two equal columns": ("time,t,t\n2020-01-01,1,2\n", "no header of unique names"),
    "two of one name": ("time,t (K),t (degC)\n2020-01-01,1,2\n", "two columns are named 't'"),
    "a nameless column": ("time,,t\n2020-01-01,1,2\n", "no header of unique names"),
    "an empty file": ("", "no header of unique names"),
    "a short record": ("time,t\n2020-01-01,1\n2020-01-02\n", "Expected 2 columns, got 1"),
    "another encoding": ("time,t\n2020-01-01,1\n2020-01-02,\xff\n", "(?i)utf-?8"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_understood_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    text, reason = REFUSED[case]
    path = tmp_path / "wrong.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataRefused, match=reason) as refused:
        observations(path)
    assert str(path) in str(refused.value)


def test_something_behind_the_trailing_delimiter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "INMET.csv"
    path.write_bytes(INMET.replace("19,2;\n", "19,2;7\n").encode("latin-1"))
    with pytest.raises(DataRefused, match="record 1, column 'trailing': '7' is not empty"):
        observations(path, BUILT_IN["inmet"])


def test_a_file_without_records_has_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("time,t\n")
    assert observations(path) == []


def test_a_torn_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "torn.csv.gz"
    path.write_bytes(gzip.compress(INMET.encode("latin-1"))[:-9])
    with pytest.raises(DataRefused, match=r"torn\.csv\.gz: it cannot be read"):
        observations(path, BUILT_IN["inmet"])


def test_a_dialect_of_ones_own(tmp_path: Path) -> None:
    described = tmp_path / "lab.yml"
    described.write_text(
        "delimiter: '|'\nnull_texts: ['', '***']\nignore: [remark]\ntime: [day, hour]\n"
        "time_formats: ['%d.%m.%Y %H:%M']\nunits: {t: degC}\nstandard_names: {t: air_temperature}\n"
    )
    path = tmp_path / "lab.txt"
    path.write_text("day|hour|t|remark\n24.12.2020|18:30|-2.5|snow\n25.12.2020|00:00|***|\n")
    (row,) = observations(path, find_dialect(str(described)))
    found: list[Any] = [row["observed_at"], row["value"], row["unit"], row["standard_name"]]
    assert found == [datetime(2020, 12, 24, 18, 30), -2.5, "degC", "air_temperature"]


def test_a_dialect_that_is_none_says_which_fields_there_are(tmp_path: Path) -> None:
    described = tmp_path / "lab.yml"
    described.write_text("separator: ';'\n")
    with pytest.raises(UsageError, match=r"(?s)separator.*its fields are: encoding, delimiter"):
        find_dialect(str(described))
    with pytest.raises(UsageError, match="no dialect 'exzel'; give one of plain, inmet"):
        find_dialect("exzel")


@given(
    st.lists(st.text("+-.eE0123456789", min_size=1, max_size=6) | st.sampled_from(ODD), max_size=4)
)
@example(["+1", "-.5", "1.", "1.e5"])
def test_a_number_is_what_the_grammar_says(cells: list[str]) -> None:
    """The short way for plain files reads the same numbers, and nothing else."""
    numbers = [float(cell) for cell in cells if re.fullmatch(GRAMMAR, cell)]
    content = "time,x\n" + "".join(f"2020-01-01,{cell}\n" for cell in cells)
    if len(numbers) == len(cells) and all(map(math.isfinite, numbers)):
        assert values(content) == numbers
    else:
        with pytest.raises(DataRefused, match=r"is not a (finite )?number"):
            values(content)


@given(st.lists(st.sampled_from(["2020-01-01,1\n", "\n", "\r\n", "2020-01-01,1\r\n"])))
def test_empty_lines_are_no_records(lines: list[str]) -> None:
    assert values("time,x\n" + "".join(lines)) == [1.0] * "".join(lines).count(",1")


@pytest.mark.parametrize("time", ["2020-01-01 12", "2020-01-01 1200", "2020-01-01 25:00", "now"])
def test_a_time_is_what_the_grammar_says(time: str) -> None:
    with pytest.raises(DataRefused, match=r"ISO 8601|correct it"):
        values(f"time,x\n2020-01-01,1\n{time},2\n")


def values(content: str) -> list[float]:
    """Return the values of a file."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.csv"
        path.write_bytes(content.encode())
        return [row["value"] for row in observations(path)]
