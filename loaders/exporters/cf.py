"""The CF and NUG conventions on one array: packing, missing values, valid ranges, flags, times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import cftime
import numpy as np
from netCDF4 import default_fillvals
from numpy.typing import NDArray

from loaders.exporters.dataset import Coded, Flags, Floats, Times

CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
"""Calendars whose dates are dates; models have others, which are no moments in UTC."""
_GREGORIAN_SINCE = datetime(1582, 10, 15)  # before it, `standard` is the Julian calendar
_MICROSECOND = timedelta(microseconds=1)


class ConventionError(ValueError):
    """Attributes or values that do not mean what the conventions say they mean."""


@dataclass(frozen=True)
class Unpacked:
    """Values as doubles, which of them are missing, and which lie in the stated valid range."""

    values: Floats
    missing: Flags
    in_valid_range: Flags | None

    @property
    def or_nan(self) -> Floats:
        """The values, NaN where they are missing or outside their valid range."""
        unusable = self.missing
        if self.in_valid_range is not None:
            unusable = unusable | ~self.in_valid_range
        return np.where(unusable, np.nan, self.values)


def unpack(raw: NDArray[Any], attributes: Mapping[str, Any]) -> Unpacked:
    """Apply `_Unsigned`, `_FillValue`, `missing_value`, the valid range, scale and offset.

    Raises ConventionError. Infinite values count as missing. A value outside the valid range keeps
    its value: whoever uses it decides. Integers above 2**53 lose their last digits.
    """
    raw = _signed_as_meant(raw, attributes)
    unpacked = raw
    scale, offset = (_number(attributes, name) for name in ("scale_factor", "add_offset"))
    # Multiplied in the type that the attributes have, as the conventions say.
    if scale is not None:
        unpacked = unpacked * scale
    if offset is not None:
        unpacked = unpacked + offset
    values = unpacked.astype(np.float64)
    missing = _missing(raw, attributes) | ~np.isfinite(values)
    return Unpacked(values, missing, _in_valid_range(raw, unpacked, attributes))


def is_time(units: str | None) -> bool:
    """Tell whether units are those of a point in time.

    >>> is_time("days since 1950-01-01"), is_time("s")
    (True, False)
    """
    return units is not None and " since " in units.lower()


def to_utc(values: NDArray[Any], missing: Flags, units: str, calendar: str | None) -> Times:
    """Decode times such as `hours since 1800-01-01 00:00 -5:00`; NaT where missing.

    To the microsecond, but to the millisecond where the numbers are coarser than that. Raises
    ConventionError for units, calendars and dates that are no moments in UTC.
    """
    calendar = (calendar or "standard").strip().lower()
    if calendar not in CALENDARS:
        raise ConventionError(f"its calendar {calendar!r} is a model's, not one of UTC")
    times = np.full(values.shape, np.datetime64("NaT"), "datetime64[us]")
    known = values[~missing]
    if not known.size:
        return times
    base = math.floor(known.min())
    try:
        start, after = (
            datetime.fromisoformat(moment.isoformat())
            for moment in cftime.num2date([base, base + 1], units, calendar)
        )
    except (ValueError, OverflowError) as error:
        raise ConventionError(f"its units {units!r} cannot be read: {error}") from None
    if calendar != "proleptic_gregorian" and start < _GREGORIAN_SINCE:
        raise ConventionError(f"its times begin before {_GREGORIAN_SINCE:%Y-%m-%d}")
    step = (after - start) / _MICROSECOND
    if (float(known.max()) - base) * step > (datetime.max - start) / _MICROSECOND:
        raise ConventionError(f"its times reach beyond the year {datetime.max.year}")
    if known.dtype.kind == "f":
        coarse = float(np.spacing(np.abs(known).max())) * step > 0.5
        elapsed = (known.astype(np.float64) - base) * step
        elapsed = np.round(elapsed / 1000) * 1000 if coarse else np.round(elapsed)
    else:
        elapsed = (known.astype(np.int64) - base) * int(step)
    times[~missing] = np.datetime64(start, "us") + elapsed.astype("timedelta64[us]")
    return times


def flag_texts(raw: NDArray[Any], attributes: Mapping[str, Any]) -> Coded:
    """Return each flag's meanings, joined by blanks, or its number where the file gives none."""
    raw = _signed_as_meant(raw, attributes)
    found, codes = np.unique(raw, return_inverse=True)
    gone = _missing(found, attributes)
    meanings = str(attributes.get("flag_meanings", "")).split()
    # Without flag_values a mask's bits are its value.
    masks = np.atleast_1d(attributes.get("flag_masks", []))
    wanted = np.atleast_1d(attributes.get("flag_values", masks))
    if len(masks) == 0:
        masks = np.full(len(wanted), -1)
    stated = bool(meanings) and len(meanings) == len(wanted) == len(masks)

    def text(flag: Any) -> str:
        if not stated:
            return str(flag)
        holding = [
            meaning
            for meaning, value, mask in zip(meanings, wanted, masks, strict=True)
            if int(flag) & int(mask) == int(value)
        ]
        return " ".join(holding) or str(flag)

    labels = tuple(None if g else text(f) for f, g in zip(found, gone, strict=True))
    return Coded(labels, codes.reshape(raw.shape))


def longitude(degrees: Floats) -> Floats:
    """Return longitudes of 0 to 360 as -180 to 180; those beyond Earth become NaN.

    >>> longitude(np.array([0.0, 190.0, -90.0, 1e3])).tolist()
    [0.0, -170.0, -90.0, nan]
    """
    turned = np.where(degrees > 180, degrees - 360, degrees)
    return np.where(np.abs(turned) <= 180, turned, np.nan)


def latitude(degrees: Floats) -> Floats:
    """Return latitudes; those beyond Earth become NaN."""
    return np.where(np.abs(degrees) <= 90, degrees, np.nan)


def _signed_as_meant(raw: NDArray[Any], attributes: Mapping[str, Any]) -> NDArray[Any]:
    """Reinterpret integers by `_Unsigned`: netCDF-3 has no unsigned ones of its own."""
    unsigned = str(attributes.get("_Unsigned", "")).lower()
    if raw.dtype.kind == "i" and unsigned == "true":
        return raw.view(f"{raw.dtype.byteorder}u{raw.dtype.itemsize}")
    if raw.dtype.kind == "u" and unsigned == "false":
        return raw.view(f"{raw.dtype.byteorder}i{raw.dtype.itemsize}")
    return raw


def _missing(raw: NDArray[Any], attributes: Mapping[str, Any]) -> Flags:
    stated = [attributes[name] for name in ("_FillValue", "missing_value") if name in attributes]
    fills = [each for value in stated for each in np.atleast_1d(value).tolist()]
    if not {"_FillValue", "_Unsigned"} & set(attributes) and raw.dtype.itemsize > 1:
        # What the library wrote where nobody wrote anything; a byte may well have that value.
        fills.append(default_fillvals.get(raw.dtype.str[1:], math.nan))
    missing = np.isnan(raw) if raw.dtype.kind == "f" else np.zeros(raw.shape, bool)
    for fill in fills:
        stored = _as_stored(fill, raw.dtype)
        if stored is not None:
            missing = missing | (raw == stored)
    return missing


def _as_stored(fill: Any, kind: np.dtype[Any]) -> Any:
    """Return a fill value as an element of that type, or None if none can have it."""
    try:
        if kind.kind == "f":
            return np.array(fill).astype(kind)
        whole = int(fill)
        if isinstance(fill, float) and whole != fill:
            return None
        if kind.kind == "u" and whole < 0:  # spelled as netCDF-3 had to
            whole += 1 << (8 * kind.itemsize)
        return np.array(whole, kind)
    except (ValueError, OverflowError):
        return None  # a text, NaN for an integer, or a number too large for the type


def _in_valid_range(
    raw: NDArray[Any], unpacked: NDArray[Any], attributes: Mapping[str, Any]
) -> Flags | None:
    limits: list[Any] = [attributes.get("valid_min"), attributes.get("valid_max")]
    if "valid_range" in attributes:
        limits = list(np.atleast_1d(attributes["valid_range"]))
        if len(limits) != 2:
            raise ConventionError(f"its valid_range has {len(limits)} numbers, not 2")
    if limits == [None, None]:
        return None
    inside: Flags = np.ones(raw.shape, bool)
    for limit, beyond in zip(limits, (np.less, np.greater), strict=True):
        if limit is None:
            continue
        bound = _as_number(limit, "valid range")
        # Limits are packed like the values, unless they could not have been.
        values = raw
        if raw.dtype.kind in "iu" and unpacked is not raw and bound.dtype.kind == "f":
            values = unpacked
        elif raw.dtype.kind == "u" and bound < 0:
            bound = bound.astype(f"i{raw.dtype.itemsize}").view(raw.dtype)
        if values.dtype.kind == "f":
            bound = bound.astype(values.dtype)  # 0.7 as the file would hold it
        inside &= ~beyond(values, bound)
    return inside


def _number(attributes: Mapping[str, Any], name: str) -> Any:
    return _as_number(attributes[name], name) if name in attributes else None


def _as_number(value: Any, name: str) -> Any:
    """Return the attribute as a NumPy scalar of its own type."""
    try:
        number = np.asarray(value)
        return (number if number.dtype.kind in "iuf" else number.astype(np.float64)).reshape(())[()]
    except ValueError:
        raise ConventionError(f"its {name} {value!r} is no number") from None
