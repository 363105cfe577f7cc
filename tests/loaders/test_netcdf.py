"""NetCDF and HDF5: every value with its time and place, as other readers see them."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py
import hvsampledata
import netCDF4
import numpy as np
import pytest
import xarray as xr
from hpc_files import observations, station_series
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders.errors import DataRefused
from loaders.exporters.cf import ConventionError, flag_texts, to_utc, unpack
from loaders.exporters.dataset import hyperslabs
from loaders.exporters.netcdf import NetcdfDataset

UNITS = {
    "days": timedelta(days=1),
    "hours": timedelta(hours=1),
    "minutes": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "milliseconds": timedelta(milliseconds=1),
    "microseconds": timedelta(microseconds=1),
}
KINDS = ("int8", "uint8", "int16", "uint16", "int32", "float32", "float64")


@st.composite
def packed(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """Return stored numbers and the attributes that say what they mean."""
    kind = np.dtype(draw(st.sampled_from(KINDS)))
    whole = np.iinfo("int8" if kind.itemsize == 1 else "int16")
    low = 0 if kind.kind == "u" else whole.min
    numbers = st.integers(low, whole.max)
    raw = np.array(draw(st.lists(numbers, min_size=1, max_size=8)), kind)
    attributes: dict[str, Any] = {"_FillValue": kind.type(draw(numbers))}
    if draw(st.booleans()):
        attributes["missing_value"] = kind.type(draw(numbers))
    if draw(st.booleans()):
        attributes["scale_factor"] = draw(st.sampled_from([0.01, 0.5, 3.0]))
    if draw(st.booleans()):
        attributes["add_offset"] = draw(st.sampled_from([-273.15, 1.0]))
    return raw, attributes


def write_variable(path: Path, raw: np.ndarray, attributes: dict[str, Any]) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("n", len(raw))
        fill = attributes.get("_FillValue", False)
        variable = file.createVariable("v", raw.dtype, ("n",), fill_value=fill)
        variable.set_auto_maskandscale(False)
        variable.setncatts({k: v for k, v in attributes.items() if k != "_FillValue"})
        variable[:] = raw


@pytest.mark.filterwarnings("ignore::xarray.SerializationWarning")  # two fill values are legal
@settings(max_examples=40)
@given(packed())
def test_values_and_missing_ones_are_those_that_xarray_reads(
    case: tuple[np.ndarray, dict[str, Any]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "v.nc"
        write_variable(path, *case)
        rows = observations(path)
        # h5netcdf reads through h5py: nothing of the netCDF library is in it.
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as other:
            expected = other["v"].values.astype(float)
    assert [row["position"] for row in rows] == np.flatnonzero(~np.isnan(expected)).tolist()
    found = [row["value"] for row in rows]
    np.testing.assert_allclose(found, expected[~np.isnan(expected)], rtol=1e-6, atol=1e-4)


def test_a_value_outside_its_valid_range_stays_and_is_marked() -> None:
    raw = np.array([-1, 0, 250, 251], "int16")
    unpacked = unpack(
        raw, {"valid_min": np.int16(0), "valid_max": np.int16(250), "scale_factor": 0.1}
    )
    assert unpacked.in_valid_range is not None
    assert unpacked.in_valid_range.tolist() == [False, True, True, False]
    assert not unpacked.missing.any()
    np.testing.assert_allclose(unpacked.values, [-0.1, 0.0, 25.0, 25.1])


def test_a_range_in_unpacked_units_is_told_by_its_type() -> None:
    raw = np.array([-10, 0, 250, 300], "int16")
    unpacked = unpack(raw, {"valid_range": np.array([0.0, 25.0]), "scale_factor": 0.1})
    assert unpacked.in_valid_range is not None
    assert unpacked.in_valid_range.tolist() == [False, True, True, False]


def test_single_precision_values_at_their_limit_are_inside() -> None:
    raw = np.array([0.7, 0.69], "float32")
    inside = unpack(raw, {"valid_min": 0.7}).in_valid_range
    assert inside is not None
    assert inside.tolist() == [True, False]


def test_unsigned_numbers_of_netcdf_3() -> None:
    raw = np.array([-1, -2, 1, 100], "int8")
    unpacked = unpack(
        raw, {"_Unsigned": "true", "_FillValue": np.int8(-1), "valid_max": np.int8(-2)}
    )
    assert unpacked.values.tolist()[1:] == [254.0, 1.0, 100.0]
    assert unpacked.missing.tolist() == [True, False, False, False]
    assert unpacked.in_valid_range is not None
    assert unpacked.in_valid_range.tolist()[1:] == [True, True, True]


def test_what_nobody_wrote_is_missing() -> None:
    raw = np.array([netCDF4.default_fillvals["f4"], 1.0, np.inf, np.nan], "float32")
    assert unpack(raw, {}).missing.tolist() == [True, False, True, True]
    assert unpack(np.array([-127], "int8"), {}).missing.tolist() == [False]


def test_flags_are_decoded_by_values_masks_and_both() -> None:
    raw = np.array([0, 1, 6], "int8")

    def texts(**attributes: Any) -> list[str | None]:
        coded = flag_texts(raw, attributes)
        return [coded.labels[code] for code in coded.codes]

    assert texts() == ["0", "1", "6"]
    assert texts(flag_values=[0, 1], flag_meanings="good bad") == ["good", "bad", "6"]
    assert texts(flag_masks=[1, 2, 4], flag_meanings="a b c") == ["0", "a", "b c"]
    both = {"flag_masks": [1, 6, 6], "flag_values": [1, 2, 6], "flag_meanings": "a b c"}
    assert texts(**both) == ["0", "a", "c"]


@given(
    st.sampled_from(sorted(UNITS)),
    st.datetimes(datetime(1850, 1, 1), datetime(2100, 1, 1)).map(
        lambda t: t.replace(microsecond=0)
    ),
    st.integers(-12, 12),
    st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=5),
    st.booleans(),
)
def test_times_are_the_reference_plus_so_many_units(
    unit: str, reference: datetime, zone: int, counts: list[int], halves: bool
) -> None:
    units = f"{unit} since {reference:%Y-%m-%d %H:%M:%S} {zone:+03d}:00"
    numbers = np.array(counts) / 2 if halves else np.array(counts)
    times = to_utc(numbers, np.zeros(len(counts), bool), units, None)
    start = reference - timedelta(hours=zone)
    exact = [start + UNITS[unit] * (count / 2 if halves else count) for count in counts]
    # Fractions of days in double precision are a little off; no more than a millisecond.
    for found, expected in zip(times.tolist(), exact, strict=True):
        assert abs(found - expected) <= timedelta(milliseconds=1 if halves else 0)


def test_fractions_that_doubles_cannot_hold_come_back_as_they_were_meant() -> None:
    known = np.zeros(24, bool)
    days = 737_595 + np.arange(24) / 24
    hours = to_utc(days, known, "days since 0001-01-01", "proleptic_gregorian")
    assert hours.tolist() == [datetime(2020, 6, 20, hour) for hour in range(24)]
    tenths = to_utc(1000 + np.arange(24) / 10, known, "seconds since 2020-01-01", None)
    assert [time.microsecond for time in tenths.tolist()] == [i % 10 * 100_000 for i in range(24)]


@pytest.mark.parametrize(
    ("units", "calendar", "numbers", "reason"),
    [
        ("days since 2000-01-01", "360_day", [1], "is a model's"),
        ("days since 2000-01-01", "noleap", [1], "is a model's"),
        ("months since 2000-01-01", None, [1], "cannot be read"),
        ("fortnights since 2000-01-01", None, [1], "cannot be read"),
        ("hours since 0001-01-01", "standard", [1], "begin before 1582-10-15"),
        ("days since 2000-01-01", None, [0.0, 1e9], "beyond the year 9999"),
        ("days since 2000-01-01", None, [1e30], "cannot be read"),
    ],
)
def test_times_that_are_no_moments_are_refused(
    units: str, calendar: str | None, numbers: list[float], reason: str
) -> None:
    with pytest.raises(ConventionError, match=reason):
        to_utc(np.array(numbers), np.zeros(len(numbers), bool), units, calendar)


@given(st.lists(st.integers(0, 5), max_size=4).map(tuple), st.integers(1, 20))
def test_slabs_cover_an_array_once_in_c_order(shape: tuple[int, ...], most: int) -> None:
    whole = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    seen: list[int] = []
    for first, slices in hyperslabs(shape, most):
        part = whole[slices].ravel().tolist()
        assert first == len(seen)
        assert len(part) <= most
        seen += part
    assert seen == whole.ravel().tolist()


FORMATS = ("NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4", "NETCDF4_CLASSIC")


@pytest.mark.parametrize("form", FORMATS)
def test_stations_times_flags_and_ranges(tmp_path: Path, form: str) -> None:
    path = tmp_path / "stations.nc"
    station_series().to_netcdf(path, format=form, engine="netcdf4")
    dataset = NetcdfDataset(path)
    assert dataset.format == form.split("_")[0].lower()
    dataset.close()
    rows = observations(path)
    common = {"variable": "temperature", "standard_name": "air_temperature", "unit": "degC"}

    def row(position: int, minute: int, value: float, inside: bool, flag: str) -> dict[str, Any]:
        south = position > 2
        return common | {
            "position": position,
            "observed_at": datetime(2022, 1, 1, 0, minute),
            "latitude": -70.5 if south else 78.9,
            "longitude": -8.25 if south else 11.9,
            "height_m": 42.0 if south else 8.0,
            "station": "süd" if south else "north",
            "coordinates": None,
            "value": pytest.approx(value),
            "is_in_valid_range": inside,
            "quality_flag": flag,
        }

    assert rows == [
        row(0, 0, 20.5, True, "good"),
        row(1, 10, 21.0, False, "doubtful"),
        row(3, 0, -3.25, False, "good"),
        row(4, 10, -4.0, False, "good"),
        row(5, 20, 0.0, True, "doubtful"),
    ]


def test_a_grid_is_laid_out_as_xarray_does_it(tmp_path: Path) -> None:
    data = np.random.default_rng(7).normal(size=(3, 2, 4, 5))
    data[0, 1, 2, 3] = np.nan
    grid = xr.Dataset(
        {"ta": (("time", "pressure", "lat", "lon"), data, {"units": "K"})},
        coords={
            "time": np.array(["2020-02-28", "2020-02-29", "2020-03-01"], "datetime64[ns]"),
            "pressure": ("pressure", [1000.0, 850.0], {"units": "hPa"}),
            "lat": ("lat", [-45.0, 0.0, 45.0, 90.0], {"units": "degrees_north"}),
            "lon": ("lon", [-180.0, -90.0, 0.0, 90.0, 180.0], {"units": "degrees_east"}),
        },
    )
    path = tmp_path / "grid.nc"
    grid.to_netcdf(path, engine="h5netcdf")
    expected = grid["ta"].transpose("time", "pressure", "lat", "lon").to_dataframe().reset_index()
    expected = expected.dropna(subset="ta")
    rows = observations(path)
    assert [row["position"] for row in rows] == expected.index.tolist()
    assert [row["value"] for row in rows] == expected["ta"].tolist()
    assert [row["observed_at"] for row in rows] == expected["time"].tolist()
    assert [row["latitude"] for row in rows] == expected["lat"].tolist()
    assert [row["longitude"] for row in rows] == expected["lon"].tolist()
    assert [json.loads(row["coordinates"]) for row in rows] == [
        {"pressure": level} for level in expected["pressure"]
    ]


def ragged(path: Path, *, contiguous: bool) -> None:
    """Write profiles of 3, 0 and 2 levels at their own times, the CF ways of ragged arrays."""
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("profile", 3)
        file.createDimension("obs", 5)
        number = file.createVariable("profile", "i4", ("profile",))
        number.cf_role = "profile_id"
        number[:] = [11, 12, 13]
        time = file.createVariable("time", "f8", ("profile",))
        time.units = "hours since 2024-05-01"
        time[:] = [0, 1, 2]
        lat = file.createVariable("lat", "f8", ("profile",))
        lat.units = "degrees_north"
        lat[:] = [10, 20, 30]
        depth = file.createVariable("depth", "f4", ("obs",))
        depth.setncatts({"units": "km", "standard_name": "depth", "axis": "Z"})
        salinity = file.createVariable("salinity", "f8", ("obs",))
        salinity.setncatts({"units": "1e-3", "coordinates": "time lat depth"})
        if contiguous:
            depth[:] = [0, 1, 2, 0, 3]
            salinity[:] = [35.0, 35.1, 35.2, 34.0, 34.3]
            size = file.createVariable("row_size", "i4", ("profile",))
            size.sample_dimension = "obs"
            size[:] = [3, 0, 2]
        else:
            depth[:] = [0, 0, 1, 3, 2]
            salinity[:] = [35.0, 34.0, 35.1, 34.3, 35.2]
            index = file.createVariable("parent", "i4", ("obs",))
            index.instance_dimension = "profile"
            index[:] = [0, 2, 0, 2, 0]


@pytest.mark.parametrize("contiguous", [True, False])
def test_ragged_profiles_have_the_time_and_place_of_theirs(
    tmp_path: Path, contiguous: bool
) -> None:
    ragged(tmp_path / "ragged.nc", contiguous=contiguous)
    rows = observations(tmp_path / "ragged.nc")
    assert sorted(
        (r["station"], r["observed_at"].hour, r["latitude"], r["height_m"], r["value"])
        for r in rows
    ) == [
        ("11", 0, 10.0, -2000.0, 35.2),
        ("11", 0, 10.0, -1000.0, 35.1),
        ("11", 0, 10.0, 0.0, 35.0),
        ("13", 2, 30.0, -3000.0, 34.3),
        ("13", 2, 30.0, 0.0, 34.0),
    ]


def test_ragged_arrays_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.nc"
    ragged(path, contiguous=True)
    with netCDF4.Dataset(path, "a") as file:
        file["row_size"][:] = [3, 0, 1]
    with pytest.raises(DataRefused, match=r"short.nc: variable salinity: row_size does not assign"):
        observations(path)


def test_a_trajectory_takes_its_place_from_every_step(tmp_path: Path) -> None:
    path = tmp_path / "balloon.nc"
    steps = np.arange(5.0)
    xr.Dataset(
        {
            "pres": ("time", 1000 - steps, {"units": "hPa"}),
            "qc": ("time", np.arange(5, dtype="int32")),  # a flag because `co2` says so
            "co2": (
                "time",
                400 + steps,
                {"units": "1e-6", "coordinates": "lat lon alt pres", "ancillary_variables": "qc"},
            ),
        },
        coords={
            "time": ("time", steps, {"units": "seconds since 2025-06-19 00:00:00 0:00"}),
            "lat": ("time", [50, 51, 52, 53, 999.0], {"standard_name": "latitude"}),
            "lon": ("time", steps, {"units": "degree_E"}),
            "alt": ("time", steps * 100, {"units": "m", "standard_name": "altitude"}),
            "base_time": ((), 0, {"units": "seconds since 1970-1-1 0:00:00 0:00"}),
        },
        attrs={"site_id": "bnf", "facility_id": "M1"},
    ).to_netcdf(path, format="NETCDF3_CLASSIC", engine="netcdf4")
    staged = observations(path)
    assert {row["variable"] for row in staged} == {"pres", "co2"}
    rows = [row for row in staged if row["variable"] == "co2"]
    assert [row["quality_flag"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [
        (r["value"], r["observed_at"], r["latitude"], r["longitude"], r["height_m"]) for r in rows
    ] == [
        (
            400.0 + i,
            datetime(2025, 6, 19, 0, 0, i),
            50.0 + i if i < 4 else None,
            float(i),
            100.0 * i,
        )
        for i in range(5)
    ]
    assert {row["station"] for row in rows} == {"bnf-M1"}
    # What `coordinates` names and no axis is, is a value as well.
    assert [row["value"] for row in staged if row["variable"] == "pres"] == [
        1000.0, 999.0, 998.0, 997.0, 996.0,
    ]  # fmt: skip


def test_groups_see_the_coordinates_around_them(tmp_path: Path) -> None:
    path = tmp_path / "groups.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", 2)
        time = file.createVariable("time", "i8", ("time",))
        time.units = "days since 2021-01-01"
        time[:] = [0, 1]
        for name, offset in (("near", 0), ("far", 10)):
            group = file.createGroup(name)
            group.createVariable("wind", "f4", ("time",))[:] = [offset + 1, offset + 2]
    assert [(r["variable"], r["observed_at"].day, r["value"]) for r in observations(path)] == [
        ("near/wind", 1, 1.0), ("near/wind", 2, 2.0), ("far/wind", 1, 11.0), ("far/wind", 2, 12.0),
    ]  # fmt: skip


def test_plain_hdf5_is_read_by_names_and_indices(tmp_path: Path) -> None:
    path = tmp_path / "plain.h5"
    with h5py.File(path, "w") as file:
        file["latitude"] = np.array([10.0, 20.0])
        file["counts"] = np.arange(2 * 4 * 3, dtype="int32").reshape(2, 4, 3)
        file["label"] = "text"
        file.attrs["made"] = "by hand"
    dataset = NetcdfDataset(path)
    assert (dataset.format, dataset.attributes["made"]) == ("hdf5", "by hand")
    assert {v.name: v.role for v in dataset.variables} == {
        "latitude": "coordinate",
        "counts": "values",
        "label": "other",
    }
    dataset.close()
    rows = observations(path)
    assert [row["value"] for row in rows] == list(range(24))
    assert {row["observed_at"] for row in rows} == {None}
    assert [(r["latitude"], *json.loads(r["coordinates"]).values()) for r in rows] == [
        (latitude, i, j) for latitude in (10.0, 20.0) for i in range(4) for j in range(3)
    ]


def test_a_file_that_is_cut_short_is_refused_by_name(tmp_path: Path) -> None:
    whole = tmp_path / "whole.nc"
    station_series().to_netcdf(whole, engine="h5netcdf")
    cut = tmp_path / "cut.nc"
    cut.write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(DataRefused, match=r"cut.nc: the netCDF library cannot open it"):
        observations(cut)


def test_a_file_with_a_models_calendar_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "model.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", 1)
        file.createVariable("time", "f8", ("time",)).setncatts(
            {"units": "days since 2000-01-01", "calendar": "360_day"}
        )
        file["time"][:] = 59
        file.createVariable("tas", "f4", ("time",))[:] = 1
    with pytest.raises(
        DataRefused, match=r"variable tas: its time time: .*360_day.*--max-values 0"
    ):
        observations(path)


def test_the_real_grid_of_hvsampledata() -> None:
    """A file that nobody here wrote: float32 hours since 1800, packed kelvins."""
    path = Path(hvsampledata.__file__).parent / "_data" / "air_temperature_small.nc"
    rows = observations(path)
    with xr.open_dataset(path, engine="h5netcdf") as other:
        expected = other["air"].to_dataframe().reset_index()
    assert len(rows) == len(expected) == 26_500
    np.testing.assert_allclose([row["value"] for row in rows], expected["air"], rtol=1e-6)
    assert [row["observed_at"] for row in rows] == expected["time"].tolist()
    assert {row["unit"] for row in rows} == {"degK"}
    assert rows[0]["observed_at"].replace(tzinfo=UTC) == datetime(2014, 2, 24, tzinfo=UTC)
