"""NetCDF (3 and 4) and HDF5 files, read through the netCDF library a slab at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from loaders.errors import DataRefused
from loaders.exporters import cf
from loaders.exporters.cf import ConventionError
from loaders.exporters.dataset import Block, Coded, Floats, Text, Variable, hyperslabs
from loaders.exporters.layout import DOWNWARDS, METRES, Field, Layout, Place

# Global attributes that name the station where no variable does; some conventions need two.
_STATION_ATTRIBUTES = (
    ("station_id",),
    ("station_name",),
    ("site_id", "facility_id"),
    ("site_id",),
)
Arrays = Mapping[str, Any]  # the library's variables by name


class NetcdfDataset:
    """An opened NetCDF or HDF5 file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = netCDF4.Dataset(path)
        except (OSError, RuntimeError, ValueError) as error:
            raise DataRefused(
                f"{path}: the netCDF library cannot open it: {error}; check the file with ncdump "
                "or h5dump, or copy it again"
            ) from None
        try:
            # Conventions are applied here: the library drops what is outside its valid range.
            self._file.set_auto_maskandscale(False)
            self._file.set_auto_chartostring(False)
            self._arrays = dict(_arrays(self._file))
            fields = [_field(name, array) for name, array in self._arrays.items()]
            self._layout = Layout(fields)
            self.attributes: Mapping[str, Any] = _attributes(self._file)
            """The global attributes."""
            self.variables = tuple(self._describe(field) for field in fields)
            """All variables of all groups; names have their groups in front."""
        except (OSError, RuntimeError, ValueError) as error:
            self._file.close()
            raise DataRefused(f"{path}: its metadata cannot be read: {error}") from None

    @property
    def format(self) -> str:
        """`netcdf3`, `netcdf4`, or `hdf5` for files that no netCDF library wrote."""
        if self._file.disk_format != "HDF5":
            return "netcdf3"
        try:
            self._file.getncattr("_NCProperties")
        except AttributeError:
            return "hdf5"
        return "netcdf4"

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def blocks(self) -> Iterator[Block]:
        """Yield the values of each variable with the role `values`. Raises DataRefused."""
        for variable in self.variables:
            if variable.role != "values":
                continue
            try:
                yield from self._blocks_of(variable)
            except ConventionError as error:
                raise DataRefused(
                    f"{self._path}: variable {variable.name}: {error}; correct its attributes "
                    "(ncatted), or register the file by reference (--max-values 0)"
                ) from None
            except (OSError, RuntimeError) as error:
                raise DataRefused(
                    f"{self._path}: variable {variable.name}: its data is damaged: {error}; "
                    "copy the file again"
                ) from None

    def _blocks_of(self, variable: Variable) -> Iterator[Block]:
        field = self._layout.fields[variable.name]
        place = self._layout.place(field)
        for first, slices in hyperslabs(field.shape):
            slab = _Slab(self._layout, self._arrays, field.dims, slices)
            unpacked = cf.unpack(slab.take(field), field.attributes)
            in_range = unpacked.in_valid_range
            yield Block(
                variable=variable,
                first=first,
                values=unpacked.values.ravel(),
                missing=unpacked.missing.ravel(),
                in_valid_range=None if in_range is None else in_range.ravel(),
                observed_at=self._times(slab, place),
                latitude=self._degrees(slab, place.axes.get("latitude"), cf.latitude),
                longitude=self._degrees(slab, place.axes.get("longitude"), cf.longitude),
                height_m=self._height(slab, place.axes.get("height")),
                station=self._station(slab, place.axes.get("station")),
                quality_flag=self._flag(slab, place.flag),
                coordinates=self._others(slab, place),
            )

    def _times(self, slab: _Slab, place: Place) -> NDArray[np.datetime64] | None:
        field = place.axes.get("time")
        if field is None:
            return None
        raw = slab.take(field)
        unpacked = cf.unpack(raw, field.attributes)
        # Packed times are rare; whole numbers stay whole, so that no digit is lost.
        packed = {"scale_factor", "add_offset"} & set(field.attributes)
        numbers = unpacked.values if packed else raw
        try:
            times = cf.to_utc(
                numbers, unpacked.missing, field.text("units"), field.text("calendar") or None
            )
        except ConventionError as error:
            raise ConventionError(f"its time {field.name}: {error}") from None
        return slab.spread(field, times)

    def _degrees(self, slab: _Slab, field: Field | None, bounded: Any) -> Floats | None:
        if field is None:
            return None
        return slab.spread(field, bounded(cf.unpack(slab.take(field), field.attributes).or_nan))

    def _height(self, slab: _Slab, field: Field | None) -> Floats | None:
        if field is None:
            return None
        down = field.text("positive") == "down" or field.text("standard_name") == DOWNWARDS
        metres = METRES[field.text("units").lower()] * (-1 if down else 1)
        values = cf.unpack(slab.take(field), field.attributes).or_nan
        return slab.spread(field, values * metres)

    def _station(self, slab: _Slab, field: Field | None) -> Text:
        if field is not None:
            texts = slab.take(field).astype(str)
            found, codes = np.unique(texts, return_inverse=True)
            labels = tuple(str(label).strip("\0 ") or None for label in found)
            return Coded(labels, slab.spread(field, codes.reshape(texts.shape)))
        for names in _STATION_ATTRIBUTES:
            if all(name in self.attributes for name in names):
                return "-".join(str(self.attributes[name]).strip() for name in names) or None
        return None

    def _flag(self, slab: _Slab, field: Field | None) -> Text:
        if field is None:
            return None
        flags = cf.flag_texts(slab.take(field), field.attributes)
        return replace(flags, codes=slab.spread(field, flags.codes))

    def _others(self, slab: _Slab, place: Place) -> Text:
        """Return JSON of the dimensions without an axis: their coordinates, or their indices."""
        if not place.others:
            return None
        labels, codes = [""], np.zeros(slab.shape, np.intp)
        for dim in place.others:
            name = json.dumps(dim.rpartition("/")[2], ensure_ascii=False)
            members = [f"{name}: {value}" for value in self._along(dim, slab.slices[dim])]
            labels = [
                f"{head}, {member}" if head else member for head in labels for member in members
            ]
            index = np.arange(len(members)).reshape([-1 if d == dim else 1 for d in slab.slices])
            codes = codes * len(members) + index
        return Coded(tuple(f"{{{label}}}" for label in labels), codes.ravel())

    def _along(self, dim: str, part: slice) -> Sequence[object]:
        """Return what stands along a dimension: each element as JSON."""
        field = self._layout.fields.get(dim)
        if field is None or field.dims != (dim,) or not field.kind:
            return range(part.start, part.stop)
        raw = _read(self._arrays[field.name], (part,))
        if not field.numeric:
            return [json.dumps(str(text).replace("\0", ""), ensure_ascii=False) for text in raw]
        values = cf.unpack(raw, field.attributes).or_nan.tolist()
        return ["null" if math.isnan(value) else value for value in values]

    def _describe(self, field: Field) -> Variable:
        array = self._arrays[field.name]
        return Variable(
            name=field.name,
            role=self._layout.role(field),
            data_type=str(array.dtype) if field.kind else "other",
            dimensions=", ".join(f"{dim.name}={len(dim)}" for dim in array.get_dims()),
            size=int(np.prod(field.shape, dtype=np.int64)),
            attributes=field.attributes,
        )


class _Slab:
    """A part of the index space of a variable, and how other variables look from there."""

    def __init__(
        self, layout: Layout, arrays: Arrays, dims: Sequence[str], slices: Sequence[slice]
    ) -> None:
        self._layout = layout
        self._arrays = arrays
        self.slices = dict(zip(dims, slices, strict=True))
        self.shape = tuple(part.stop - part.start for part in slices)

    def take(self, field: Field) -> NDArray[Any]:
        """Read the part of a variable that belongs to the slab: an axis for each of its own."""
        through = self._image(field)
        known = [self.slices.get(dim, slice(None)) for dim in field.dims]
        raw = _read(self._arrays[field.name], tuple(known))
        for axis, (dim, way) in enumerate(zip(field.dims, through, strict=True)):
            if dim != way:
                raw = np.take(raw, self._index(way, dim), axis=axis)
        return raw

    def spread(self, field: Field, taken: NDArray[Any]) -> NDArray[Any]:
        """Repeat what was made of `take(field)` for every element of the slab, flat."""
        through = self._image(field)
        order = [dim for dim in self.slices if dim in through]
        arranged = taken.transpose([through.index(dim) for dim in order])
        shape = [
            size if dim in through else 1 for dim, size in zip(self.slices, self.shape, strict=True)
        ]
        return np.broadcast_to(arranged.reshape(shape), self.shape).ravel()

    def _image(self, field: Field) -> tuple[str, ...]:
        image = self._layout.image(field, tuple(self.slices))
        if image is None:  # Layout.place gives only variables that have one
            raise ValueError(f"{field.name} does not belong to the dimensions {self.slices}")
        return image

    def _index(self, ragged: str, instances: str) -> NDArray[np.intp]:
        """Return the instance that each element of the slab's part of `ragged` belongs to."""
        part = self.slices[ragged]
        index = self._index_of_parent(ragged, part)
        chain = self._layout.chain(ragged)
        for dim in chain[1 : chain.index(instances)]:
            index = self._index_of_parent(dim, slice(None))[index]
        return index

    def _index_of_parent(self, ragged: str, part: slice) -> NDArray[np.intp]:
        parent = self._layout.parents[ragged]
        array = self._arrays[parent.field.name]
        if parent.contiguous:
            ends = np.cumsum(_read(array, (slice(None),)), dtype=np.int64)
            size = int(ends[-1]) if ends.size else 0
            start, stop, _ = part.indices(size)
            index = np.searchsorted(ends, np.arange(start, stop), side="right")
            instances = len(ends)
            complete = part.stop is None or size >= part.stop
        else:
            index = _read(array, (part,)).astype(np.intp)
            instances = self._size_of(parent.dim)
            complete = True
        if not complete or (index.size and not 0 <= index.min() <= index.max() < instances):
            raise ConventionError(
                f"{parent.field.name} does not assign every element of {ragged} to one of the "
                f"{instances} of {parent.dim}"
            )
        return index

    def _size_of(self, dim: str) -> int:
        return next(
            size
            for field in self._layout.fields.values()
            for name, size in zip(field.dims, field.shape, strict=True)
            if name == dim
        )


def _arrays(group: Any) -> Iterator[tuple[str, Any]]:
    """Each variable of a group and those within it, by its name with its groups."""
    prefix = group.path.strip("/")
    for name, array in group.variables.items():
        yield f"{prefix}/{name}" if prefix else name, array
    for inner in group.groups.values():
        yield from _arrays(inner)


def _field(name: str, array: Any) -> Field:
    kind = ""  # compound and variable-length types are no numbers
    if array.dtype is str:
        kind = "U"
    elif isinstance(array.datatype, np.dtype | netCDF4.EnumType):
        kind = {"S": "U", "i": "i", "u": "u", "f": "f"}.get(array.dtype.kind, "")
    dims: list[str] = []
    for dim in array.get_dims():
        unique = f"{dim.group().path}/{dim.name}".lstrip("/")
        while unique in dims:  # a covariance, for instance: no coordinate can tell the two apart
            unique += "'"
        dims.append(unique)
    if kind == "U" and array.dtype is not str:
        dims = dims[:-1]  # the last one counts characters
    return Field(
        name, tuple(dims), tuple(array.shape[: len(dims)]), kind, _attributes(array), dims == [name]
    )


def _attributes(owner: Any) -> dict[str, Any]:
    return {name: owner.getncattr(name) for name in owner.ncattrs()}


def _read(array: Any, slices: tuple[slice, ...]) -> NDArray[Any]:
    """Read a part; text comes as an array of str."""
    if array.dtype is str or array.dtype.kind != "S":
        return np.asarray(array[slices or ...])
    characters = np.asarray(array[(*slices, slice(None))] if array.ndim else array[...])
    length = characters.shape[-1] if array.ndim else 1
    if not length:
        return np.full(characters.shape[:-1], "")
    joined = (
        np.ascontiguousarray(characters)
        .view(f"S{length}")
        .reshape(characters.shape[:-1] if array.ndim else ())
    )
    return np.array([_decoded(text) for text in joined.ravel()], str).reshape(joined.shape)


def _decoded(text: bytes) -> str:
    """Return the text of bytes whose encoding no convention fixes."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
