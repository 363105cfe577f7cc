"""Which variables of a file are values, and where and when each of them was observed.

The rules of CF for coordinates, ancillary variables and discrete sampling geometries (stations,
trajectories, profiles; one array each, or ragged), on names, dimensions and attributes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from loaders.exporters.cf import is_time
from loaders.exporters.dataset import Role

Axis = Literal["time", "latitude", "longitude", "height", "station"]
AXES: tuple[Axis, ...] = ("time", "latitude", "longitude", "height", "station")

METRES: Mapping[str, float] = {
    "m": 1.0,
    "meter": 1.0,
    "meters": 1.0,
    "metre": 1.0,
    "metres": 1.0,
    "km": 1000.0,
    "ft": 0.3048,
}
DOWNWARDS = "depth"
_HEIGHTS = {
    "altitude",
    "height",
    "height_above_mean_sea_level",
    "height_above_reference_ellipsoid",
    "height_above_geopotential_datum",
    DOWNWARDS,
}
_DEGREES = {
    f"degree{s}{mark}": axis
    for axis, marks in {
        "latitude": ("_north", "_N", "N"),
        "longitude": ("_east", "_E", "E"),
    }.items()
    for s in ("", "s")
    for mark in marks
}
# For files without attributes, such as plain HDF5.
_NAMES = {"lat": "latitude", "latitude": "latitude", "lon": "longitude", "longitude": "longitude"}
_ALTITUDES = {"alt", "altitude", "elevation"}
_STATION_NAMES = {"platform_id", "platform_name", "station_id", "station_name"}
_STATION_ROLES = {"timeseries_id": 3, "trajectory_id": 2, "profile_id": 1}


@dataclass(frozen=True)
class Field:
    """A variable's metadata. `dims` are unique in the file, whatever group they are of."""

    name: str  # with its groups, such as "surface/temperature"
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    kind: str  # NumPy's letter; "U" for text, "" for what is no plain array
    attributes: Mapping[str, Any]
    is_dimension: bool  # whether it is the coordinate variable of its dimension

    @property
    def group(self) -> str:
        """The group's name with its trailing slash, or "" for the file itself."""
        return self.name[: self.name.rfind("/") + 1]

    @property
    def short(self) -> str:
        """The name without groups."""
        return self.name.rpartition("/")[2]

    @property
    def numeric(self) -> bool:
        """Whether its elements are numbers."""
        return self.kind in ("i", "u", "f")

    def text(self, attribute: str) -> str:
        """Return an attribute as text, "" where absent."""
        return str(self.attributes.get(attribute, "")).strip()

    def names(self, attribute: str) -> list[str]:
        """Return the variables that an attribute such as `coordinates` names."""
        return [word for word in self.text(attribute).split() if not word.endswith(":")]


@dataclass(frozen=True)
class Parent:
    """How the elements of a ragged dimension belong to those of another (its instances)."""

    dim: str
    field: Field  # counts per instance, or the instance's index per element
    contiguous: bool


@dataclass(frozen=True)
class Place:
    """The variables that say when and where a variable was observed, and how good it is."""

    axes: Mapping[Axis, Field]
    flag: Field | None
    others: tuple[str, ...]  # dimensions that none of them explains


class Layout:
    """The roles of the variables of one file."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self.fields = {field.name: field for field in fields}
        self.parents = dict(self._ragged())
        self._referred: dict[str, Role] = {}
        for field in fields:
            for attribute, role in _REFERENCES.items():
                for target in self._targets(field, attribute):
                    self._refer(target, role)
        self._axis_of = {name: _axis(field) for name, field in self.fields.items()}

    def role(self, field: Field) -> Role:
        """Return what a variable is for."""
        referred = self._referred.get(field.name)
        says_where = field.is_dimension or self._axis_of[field.name] or is_time(field.text("units"))
        if referred != "bounds" and says_where:
            return "coordinate"
        if referred:
            return referred
        if field.text("standard_name").endswith(("quality_flag", "status_flag")):
            return "flag"
        organises = {"sample_dimension", "instance_dimension", "cf_role"} & set(field.attributes)
        return "values" if field.numeric and not organises else "other"

    def place(self, field: Field) -> Place:
        """Return when and where the variable `field` was observed."""
        listed = {target.name for target in self._targets(field, "coordinates")}
        axes: dict[Axis, Field] = {}
        for axis in AXES:
            candidates = [
                other
                for other in self.fields.values()
                if self._axis_of[other.name] == axis
                and field.name.startswith(other.group)
                and self.image(other, field.dims) is not None
            ]
            if candidates:
                axes[axis] = max(candidates, key=lambda c: _fitness(c, axis, listed))
        flags = [
            target
            for target in self._targets(field, "ancillary_variables")
            if self.role(target) == "flag" and self.image(target, field.dims) is not None
        ]
        explained = {d for axis in axes.values() for d in self.image(axis, field.dims) or ()}
        others = tuple(dim for dim in field.dims if dim not in explained)
        return Place(axes, flags[0] if flags else None, others)

    def image(self, field: Field, dims: Sequence[str]) -> tuple[str, ...] | None:
        """Return for each dimension of `field` the one of `dims` that runs through it.

        That is itself, or a ragged dimension whose elements belong to it. None if there is none.
        """
        found = []
        for dim in field.dims:
            through = [d for d in dims if dim in self.chain(d)]
            if not through:
                return None
            found.append(through[0])
        return tuple(found) if len(set(found)) == len(found) else None

    def chain(self, dim: str) -> list[str]:
        """Return a dimension and, if it is ragged, that of its instances, and so on."""
        chain = [dim]
        while chain[-1] in self.parents and self.parents[chain[-1]].dim not in chain:
            chain.append(self.parents[chain[-1]].dim)
        return chain

    def _ragged(self) -> Iterator[tuple[str, Parent]]:
        for field in self.fields.values():
            if len(field.dims) != 1 or field.kind not in ("i", "u"):
                continue
            # Dimensions are named without their groups; they are of the variable's or above it.
            if sample := field.text("sample_dimension"):
                for dim in self._dims_named(sample):
                    yield dim, Parent(field.dims[0], field, contiguous=True)
            elif instance := field.text("instance_dimension"):
                for dim in self._dims_named(instance):
                    yield field.dims[0], Parent(dim, field, contiguous=False)

    def _dims_named(self, name: str) -> set[str]:
        return {
            dim
            for field in self.fields.values()
            for dim in field.dims
            if dim.rpartition("/")[2] == name
        }

    def _targets(self, field: Field, attribute: str) -> Iterator[Field]:
        """Yield the variables that an attribute names: of its group, or of those around it."""
        for name in field.names(attribute):
            group = field.group
            while group + name not in self.fields and group:
                group = group[: group.rstrip("/").rfind("/") + 1]
            if target := self.fields.get(group + name.lstrip("/")):
                yield target

    def _refer(self, target: Field, role: Role) -> None:
        # Uncertainties are ancillary as well, and values in their own right.
        if role == "flag" and target.kind not in ("i", "u"):
            return
        self._referred.setdefault(target.name, role)


# Not `coordinates`: what it names and is no axis, such as the pressure of a sounding, is a value.
_REFERENCES: Mapping[str, Role] = {
    "bounds": "bounds",
    "climatology": "bounds",
    "grid_mapping": "other",
    "ancillary_variables": "flag",
}


def _axis(field: Field) -> Axis | None:
    """Return the axis that a variable by itself can be, if any."""
    units, standard_name = field.text("units"), field.text("standard_name")
    if field.text("cf_role") in _STATION_ROLES or standard_name in _STATION_NAMES:
        return "station"
    if not field.numeric:
        return None
    if is_time(units):
        return None if standard_name == "forecast_reference_time" else "time"
    by_name = _NAMES.get(field.short.lower()) if units.lower() in ("", "degree", "degrees") else ""
    for axis in ("latitude", "longitude"):
        if axis in (standard_name, _DEGREES.get(units), by_name):
            return axis
    vertical = field.text("axis") == "Z" or field.text("positive") != ""
    named = standard_name in _HEIGHTS or field.short.lower() in _ALTITUDES
    return "height" if units.lower() in METRES and (vertical or named) else None


def _fitness(field: Field, axis: Axis, listed: set[str]) -> tuple[int, ...]:
    """Order the candidates for an axis: the better one is larger."""
    rank = _STATION_ROLES.get(field.text("cf_role"), 0)
    standard = field.text("standard_name") == axis or field.text("standard_name") in _HEIGHTS
    return (rank, standard, field.is_dimension, field.name in listed, len(field.dims))
