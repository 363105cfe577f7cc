"""What every reader of a file gives: its variables, and their values block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Times = NDArray[np.datetime64]
Role = Literal["values", "coordinate", "flag", "bounds", "other"]

BLOCK_VALUES = 1 << 16
"""Values of a block at most: what is in memory at once."""


@dataclass(frozen=True)
class Variable:
    """A variable as the file describes it; only those with the role `values` are staged."""

    name: str
    role: Role
    data_type: str
    dimensions: str  # readable, such as "time=1440, level=3"
    size: int  # values, missing ones included
    attributes: Mapping[str, Any]

    def text(self, attribute: str) -> str | None:
        """Return an attribute as text, or None where it is absent or blank.

        >>> Variable("t", "values", "float32", "", 0, {"units": "degC "}).text("units")
        'degC'
        """
        value = self.attributes.get(attribute)
        return (str(value).strip() or None) if value is not None else None


@dataclass(frozen=True)
class Coded:
    """A text for each value: `labels[codes[i]]`."""

    labels: tuple[str | None, ...]
    codes: NDArray[np.intp]


Text = str | Coded | None  # the same for all values, one each, or none at all


@dataclass(frozen=True)
class Block:
    """Consecutive values of one variable; every array has one element a value.

    `first` is the position of the first one in the variable, counted from 0 in C order (in a CSV
    file: its record). Missing values are marked and have no meaning. Times are UTC, NaT where
    unknown; coordinates NaN where unknown.
    """

    variable: Variable
    first: int
    values: Floats
    missing: Flags
    in_valid_range: Flags | None  # None where the file states no range
    observed_at: Times | None
    latitude: Floats | None  # degrees north
    longitude: Floats | None  # degrees east, -180 to 180
    height_m: Floats | None  # metres, upwards
    station: Text
    quality_flag: Text
    coordinates: Text  # JSON of the remaining ones


class Dataset(Protocol):
    """One opened file."""

    @property
    def format(self) -> str:
        """The name of the file's format."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of the file as a whole."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All variables, in the file's order."""

    def blocks(self) -> Iterator[Block]:
        """Yield the values of all variables with the role `values`. Raises DataRefused."""

    def close(self) -> None:
        """Close the file."""


def hyperslabs(
    shape: tuple[int, ...], most: int = BLOCK_VALUES
) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Yield the slabs of an array in C order, each with the position of its first element.

    Each has `most` elements at most and is contiguous in C order.

    >>> list(hyperslabs((2, 3), 2))[1]
    (2, (slice(0, 1, None), slice(2, 3, None)))
    """
    if 0 in shape:
        return
    inner, axis = 1, len(shape)
    while axis and inner * shape[axis - 1] <= most:
        axis -= 1
        inner *= shape[axis]
    whole = tuple(slice(0, size) for size in shape[axis:])
    if axis == 0:
        yield 0, whole
        return
    first, step = 0, max(1, most // inner)
    for lead in np.ndindex(shape[: axis - 1]):
        for start in range(0, shape[axis - 1], step):
            stop = min(start + step, shape[axis - 1])
            yield first, (*(slice(i, i + 1) for i in lead), slice(start, stop), *whole)
            first += (stop - start) * inner
