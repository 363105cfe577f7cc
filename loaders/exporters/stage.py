"""Staging files of an HPC project: the original to the archive, its values as Parquet.

For each file the archive is written first, then the observations, the variables, and last the
file's own row, by which it counts as staged. Each is one object, which S3 shows whole or not at
all, and the same file gives the same bytes: a run that was killed is completed by the next one.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from loaders.errors import DataRefused, UsageError
from loaders.exporters.csv_dialect import CsvDialect
from loaders.exporters.csv_file import CsvDataset
from loaders.exporters.dataset import Dataset
from loaders.exporters.outcome import FileOutcome, StageResult
from loaders.exporters.tables import (
    FILES,
    VARIABLES,
    Counts,
    ObservationWriter,
    attributes_json,
    write_rows,
)
from loaders.staging.objects import Staging

MAX_VALUES = 1_000_000
NETCDF_SUFFIXES = (".nc", ".nc4", ".cdf", ".netcdf", ".h5", ".hdf5", ".hdf", ".he5")
CSV_SUFFIXES = (".csv", ".csv.gz", ".txt", ".txt.gz")
_BLOCK = 1 << 20
_EXPERIMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,35}")


def stage_files(
    staging: Staging,
    paths: Iterable[Path],
    experiment_id: str,
    *,
    dialect: CsvDialect,
    max_values: int = MAX_VALUES,
    again: bool = False,
    on_values: Callable[[Path, int, int], None] = lambda path, done, total: None,
    on_file: Callable[[FileOutcome], None] = lambda outcome: None,
) -> StageResult:
    """Stage files, and those below directories, as observations of an experiment.

    A file of more than `max_values` values is archived and registered without them. One that was
    staged before for the experiment, by its content, is skipped unless `again`. One that cannot be
    read is refused, and the others go on. `on_values` hears of values done, of how many.
    Raises UsageError, Transient.
    """
    if not _EXPERIMENT.fullmatch(experiment_id):
        raise UsageError(
            f"the experiment {experiment_id!r} must have 1 to 36 letters, digits, '.', '_' or '-'"
        )
    started = time.monotonic()
    registered = {
        entry.key.rpartition("/")[2].partition(".")[0]
        for entry in staging.list(_path("files", experiment_id))
    }
    outcomes = []
    for path in list(_files(paths)):
        try:
            before = _state(path)
            file_id = _sha256(path)
            size = path.stat().st_size
            if file_id in registered and not again:
                outcome = FileOutcome(path, "skipped", file_id, size, detail="staged before")
            else:
                one = _OneFile(staging, path, before, experiment_id, file_id)
                outcome = one.stage(dialect, max_values, on_values)
                registered.add(file_id)
        except DataRefused as error:
            outcome = FileOutcome(path, "refused", detail=str(error))
        except OSError as error:
            outcome = FileOutcome(path, "refused", detail=f"{path}: {error.strerror or error}")
        outcomes.append(outcome)
        on_file(outcome)
    return StageResult(experiment_id, tuple(outcomes), time.monotonic() - started)


def open_dataset(path: Path, dialect: CsvDialect) -> Dataset:
    """Open a file by what it is: its first bytes tell NetCDF and HDF5, its name CSV.

    Raises DataRefused, and UsageError when the library that reads it is not installed.
    """
    with path.open("rb") as stream:
        head = stream.read(8)
    name = path.name.lower()
    if head.startswith((b"CDF", b"\x89HDF")) or name.endswith(NETCDF_SUFFIXES):
        try:
            from loaders.exporters.netcdf import NetcdfDataset
        except ModuleNotFoundError as error:
            raise UsageError(
                f"NetCDF and HDF5 need the package {error.name}; run: "
                "pip install -c constraints.txt -e '.[hpc]'"
            ) from None
        return NetcdfDataset(path)
    if name.endswith(CSV_SUFFIXES):
        return CsvDataset(path, dialect)
    raise DataRefused(
        f"{path}: it is neither NetCDF nor HDF5, nor is its name that of a CSV file "
        f"({', '.join(CSV_SUFFIXES)}); unpack or rename it"
    )


class _OneFile:
    def __init__(
        self, staging: Staging, path: Path, before: object, experiment_id: str, file_id: str
    ) -> None:
        self._staging = staging
        self._path = path
        self._before = before
        self._ids = {"experiment_id": experiment_id, "file_id": file_id}
        self._size = path.stat().st_size
        # No character that a URL or a listing could not show.
        name = re.sub(r"[^\w.,() -]", "_", path.name, flags=re.ASCII)
        self._archive_key = f"archive/{_path('', experiment_id)}{file_id}/{name}"

    def stage(
        self, dialect: CsvDialect, max_values: int, on_values: Callable[[Path, int, int], None]
    ) -> FileOutcome:
        """Read the file whole, then upload what came of it. Raises DataRefused, Transient."""
        dataset = open_dataset(self._path, dialect)
        try:
            with tempfile.TemporaryDirectory(prefix="warehouse-stage-") as directory:
                return self._stage(dataset, Path(directory), max_values, on_values)
        finally:
            dataset.close()

    def _stage(
        self,
        dataset: Dataset,
        directory: Path,
        max_values: int,
        on_values: Callable[[Path, int, int], None],
    ) -> FileOutcome:
        values = [variable for variable in dataset.variables if variable.role == "values"]
        total = sum(variable.size for variable in values)
        referenced = total > max_values or max_values == 0
        if not values and not referenced:
            raise DataRefused(
                f"{self._path}: no variable holds numbers; register it by reference "
                "(--max-values 0)"
            )
        counts: Mapping[str, Counts] | None = None
        observations = directory / "observations.parquet"
        if not referenced:
            counts = self._write_observations(dataset, observations, total, on_values)
        missing = sum(count.missing for count in counts.values()) if counts is not None else None
        staged = sum(count.staged for count in counts.values()) if counts is not None else None
        variables = directory / "variables.parquet"
        write_rows(VARIABLES, self._variable_rows(dataset, counts), variables, str(self._path))
        file = directory / "file.parquet"
        row = self._ids | {
            "file_name": self._path.name.encode("utf-8", "replace").decode(),
            "format": dataset.format,
            "bytes": self._size,
            "archive_bucket": self._staging.bucket,
            "archive_key": self._staging.root + self._archive_key,
            "is_staged": not referenced,
            "value_count": total,
            "missing_count": missing,
            "staged_count": staged,
            "attributes": attributes_json(dataset.attributes),
        }
        write_rows(FILES, [row], file, str(self._path))
        self._archive()
        if staged:
            self._upload(observations, self._key("observations"))
        self._upload(variables, self._key("variables"))
        self._upload(file, self._key("files"))
        return FileOutcome(
            self._path,
            "referenced" if referenced else "staged",
            self._ids["file_id"],
            self._size,
            total,
            missing or 0,
            staged or 0,
            self._staging.root + self._archive_key,
        )

    def _write_observations(
        self,
        dataset: Dataset,
        target: Path,
        total: int,
        on_values: Callable[[Path, int, int], None],
    ) -> Mapping[str, Counts]:
        writer = ObservationWriter(target, **self._ids, place=str(self._path))
        try:
            done = 0
            for block in dataset.blocks():
                writer.write(block)
                done += len(block.values)
                on_values(self._path, done, total)
        finally:
            writer.close()
        return writer.counts

    def _variable_rows(
        self, dataset: Dataset, counts: Mapping[str, Counts] | None
    ) -> Iterator[Mapping[str, Any]]:
        for variable in dataset.variables:
            count = None
            if counts is not None and variable.role == "values":
                count = counts.get(variable.name, Counts())
            yield self._ids | {
                "variable": variable.name,
                "role": variable.role,
                "standard_name": variable.text("standard_name"),
                "long_name": variable.text("long_name"),
                "unit": variable.text("units"),
                "data_type": variable.data_type,
                "dimensions": variable.dimensions,
                "value_count": variable.size,
                "missing_count": count.missing if count else None,
                "staged_count": count.staged if count else None,
                "attributes": attributes_json(variable.attributes),
            }

    def _archive(self) -> None:
        if _state(self._path) != self._before:
            raise DataRefused(f"{self._path}: it changed while it was read; stage it again")
        key = self._staging.root + self._archive_key
        # The key names the content: what is there with its length is it.
        there = [entry.bytes for entry in self._staging.list(self._archive_key)]
        if there != [self._size]:
            with self._path.open("rb") as stream:
                self._staging.upload(stream, key)

    def _key(self, table: str) -> str:
        folder = _path(table, self._ids["experiment_id"])
        return f"{self._staging.root}{folder}{self._ids['file_id']}.parquet"

    def _upload(self, file: Path, key: str) -> None:
        with file.open("rb") as stream:
            self._staging.upload(stream, key)


def _path(table: str, experiment_id: str) -> str:
    """Return the prefix of a table's objects of one experiment, below the staging root."""
    return "/".join(filter(None, ("hpc", table, experiment_id))) + "/"


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files as given, and those of a known kind below directories, by name."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = [
            file
            for file in sorted(path.rglob("*"))
            if file.is_file() and file.name.lower().endswith((*NETCDF_SUFFIXES, *CSV_SUFFIXES))
        ]
        if not found:
            known = ", ".join((*NETCDF_SUFFIXES, *CSV_SUFFIXES))
            raise UsageError(f"no file below {path} has one of these names: {known}")
        yield from found


def _state(path: Path) -> Sequence[int]:
    """Return what changes when somebody writes to the file."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
