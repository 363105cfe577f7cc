"""What the marts shall hold of NetCDF files, by xarray and pint: no code of ours."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pint
import xarray as xr

REGISTRY: pint.UnitRegistry[float] = pint.UnitRegistry()
# As files spell units: how pint does, and the warehouse's unit. Others are quarantined.
UNITS = {
    "degC": ("degC", "degC"), "degK": ("kelvin", "degC"), "K": ("kelvin", "degC"),
    "Pa": ("pascal", "hPa"), "hPa": ("hPa", "hPa"), "kPa": ("kPa", "hPa"),
    "m/s": ("m/s", "m s-1"), "m s-1": ("m/s", "m s-1"), "degree": ("degree", "degree"),
    "mm": ("mm", "mm"), "mm/hr": ("mm/hour", "mm h-1"), "m": ("m", "m"), "V": ("volt", "V"),
    "1": ("dimensionless", "1"), "%": ("percent", "1"),
}  # fmt: skip
PINT = {"m s-1": "m/s", "mm h-1": "mm/hour", "1": "dimensionless", "%": "percent"}
LIMITS = {
    "air_temperature": (-150, 100), "dew_point_temperature": (-150, 100),
    "surface_air_pressure": (0, 2000), "air_pressure": (0, 2000), "relative_humidity": (0, 105),
    "water_vapor_partial_pressure_in_air": (0, 200), "wind_speed": (0, 150),
    "eastward_wind": (-150, 150), "northward_wind": (-150, 150), "wind_from_direction": (0, 360),
    "visibility_in_air": (0, 200_000), "lwe_precipitation_rate": (0, 2000),
}  # fmt: skip


@dataclass(frozen=True)
class Observed:
    """A value of a file: what it shall be in the marts, and why not a fact (codes)."""

    file_id: str
    variable: str
    position: int
    unit: str | None
    value: float | None
    observed_at: datetime | None
    latitude: float | None
    longitude: float | None
    reasons: str | None


def expect(path: Path) -> Iterator[Observed]:
    """Yield the values of a NetCDF file whose time is a dimension, missing ones left out."""
    file_id = hashlib.sha256(path.read_bytes()).hexdigest()
    with xr.open_dataset(path) as decoded, xr.open_dataset(path, decode_cf=False) as raw:
        flags = {name for name in raw if "flag" in raw[name].attrs.get("standard_name", "")}
        for name in sorted(set(map(str, raw.data_vars)) - set(map(str, flags))):
            if not _is_observed(decoded, raw, name):
                continue
            variable = decoded[name]
            grid = {
                place: _spread(decoded, variable, place)
                for place in (("time",), ("lat", "latitude"), ("lon", "longitude"))
            }
            inside = _inside(raw[name])
            values = variable.values.astype(float).ravel()
            for position in np.flatnonzero(np.isfinite(values)):
                unit, value, reasons = _convert(
                    raw[name].attrs, float(values[position]), bool(inside[position])
                )
                time, latitude, longitude = (
                    None if found is None else found[position] for found in grid.values()
                )
                yield Observed(
                    file_id, name, int(position), unit, value,
                    None if time is None else time.astype("datetime64[us]").item(),
                    None if latitude is None else float(latitude),
                    None if longitude is None else (float(longitude) + 180) % 360 - 180,
                    reasons,
                )  # fmt: skip


def same(expected: float | None, found: float | None) -> bool:
    """Tell whether two doubles differ by rounding only."""
    if expected is None or found is None:
        return expected is found
    return math.isclose(expected, found, rel_tol=1e-12, abs_tol=1e-9)


def _is_observed(decoded: xr.Dataset, raw: xr.Dataset, name: str) -> bool:
    """Numbers that are neither times, bounds of times, flags, nor places."""
    numeric = raw[name].dtype.kind in "fiu" and decoded[name].dtype.kind in "fiu"
    place = raw[name].attrs.get("standard_name") in ("latitude", "longitude", "altitude")
    place = place or name in ("lat", "lon")
    return numeric and not place and not name.startswith("qc_") and "bound" not in raw[name].dims


def _spread(
    decoded: xr.Dataset, variable: xr.DataArray, names: tuple[str, ...]
) -> np.ndarray | None:
    for name in names:
        if name in decoded and set(decoded[name].dims) <= set(variable.dims):
            return decoded[name].broadcast_like(variable).transpose(*variable.dims).values.ravel()
    return None


def _inside(raw: xr.DataArray) -> np.ndarray:
    """Which stored values are inside the range that the file states for them."""
    low, high = raw.attrs.get(
        "valid_range", (raw.attrs.get("valid_min"), raw.attrs.get("valid_max"))
    )
    inside = np.ones(raw.shape, bool)
    if low is not None:
        inside &= raw.values >= np.asarray(low, raw.dtype)
    if high is not None:
        inside &= raw.values <= np.asarray(high, raw.dtype)
    return inside.ravel()


def _convert(
    attributes: Mapping[str, str], value: float, inside: bool
) -> tuple[str | None, float | None, str | None]:
    name, unit = attributes.get("standard_name"), attributes.get("units")
    meant, canonical = UNITS.get(unit or "", (None, None))
    if name == "relative_humidity":
        canonical = "%"
    reasons = [] if inside else ["outside_range_of_file"]
    converted: float | None = value
    if meant and canonical:
        target = PINT.get(canonical, canonical)
        converted = float(REGISTRY.Quantity(value, meant).to(target).magnitude)
        low, high = LIMITS.get(name or "", (-math.inf, math.inf))
        if not low <= converted <= high:
            reasons.append("value_out_of_range")
    elif unit is not None:
        converted = None
        reasons.append("unknown_unit")
    return canonical, converted, ",".join(reasons) or None
