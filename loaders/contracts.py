"""Contracts of source tables: read from dbt's sources YAML, checked, and nothing else.

A table is loaded when its entry has `config.meta.load`; dbt and the loader read the same file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.dataclasses import dataclass as validated

from loaders.errors import UsageError
from loaders.formats.csv_form import CsvForm
from loaders.formats.json_form import JsonForm
from loaders.formats.parquet_form import ParquetForm
from loaders.formats.scanners import Form
from loaders.identifiers import quote_identifier
from loaders.warehouse.types import ColumnType, parse_type

# libyaml's reader, several times as fast; a PyYAML that was built without it has only its own.
_YamlLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

LOAD_COLUMNS = ("_batch_id", "_loaded_at")  # of every raw table, written by the loader
LAST_MODIFIED = "last_modified"
VERSION_AT = "{version_at}"
# Attributes of a document, outermost first. Stricter than JSON: they become SQL of both engines.
_NAME = "[A-Za-z_$][A-Za-z0-9_$-]{,62}"
_PLACE = re.compile(rf"{_NAME}(\.{_NAME})*")

_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)
Names = Annotated[tuple[str, ...], Field(strict=False)]  # YAML knows lists only
_CheckedCsvForm = validated(CsvForm, config=_STRICT)


class CompleteWhen(BaseModel):
    """When all files of an export are there: exactly one of these."""

    model_config = _STRICT
    marker: Annotated[str, Field(min_length=1)] | None = None
    manifest: Annotated[str, Field(min_length=1)] | None = None
    files: Annotated[int, Field(ge=1)] | None = None
    dynamodb_export: Literal["full", "incremental"] | None = None
    rds_export: Literal[True] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> CompleteWhen:
        if len(self.model_fields_set) != 1:
            raise ValueError(f"give exactly one of: {', '.join(type(self).model_fields)}")
        return self


class Load(BaseModel):
    """The `config.meta.load` section of one table."""

    model_config = _STRICT
    path: str
    files: Annotated[str, Field(min_length=1)] = "*"
    format: str
    mode: Literal["append", "snapshot", "changes"]
    key: Annotated[Names, Field(min_length=1)]
    sequence_by: Names = ()
    null_text: str | None = None
    max_rejects: Annotated[int, Field(ge=0, le=1000)] = 0
    on_changed_file: Literal["fail", "replace", "append"] = "fail"
    csv: dict[str, Any] = {}
    version_from: str | None = None
    complete_when: CompleteWhen | None = None
    max_shrink: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.5

    @field_validator("path")
    @classmethod
    def _is_prefix(cls, path: str) -> str:
        parts = path.split("/")
        if parts[-1] or not all(parts[:-1]) or len(parts) < 2 or {".", ".."} & set(parts):
            raise ValueError(f"{path!r} must be a prefix such as 'research_db/measurements/'")
        return path

    @model_validator(mode="after")
    def _consistent(self) -> Load:
        problems = list(self._mode_problems())
        if self.csv and self.format != "csv":
            problems.append("csv: only with format: csv")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _mode_problems(self) -> Iterator[str]:
        if self.mode == "changes" and not self.sequence_by:
            yield "sequence_by: mode changes needs it"
        if kind := self.complete_when and self.complete_when.dynamodb_export:
            mode = {"full": "snapshot", "incremental": "changes"}[kind]
            if (self.mode, self.format) != (mode, "json"):
                yield f"complete_when: a {kind} DynamoDB export has mode: {mode} and format: json"
            for field in ("version_from", "on_changed_file", "max_rejects"):
                if field in self.model_fields_set:
                    yield f"{field}: not with a DynamoDB export, which its manifest describes"
            return
        if self.mode != "snapshot":
            for field in ("version_from", "complete_when", "max_shrink"):
                if field in self.model_fields_set:
                    yield f"{field}: only with mode: snapshot"
            return
        if "on_changed_file" in self.model_fields_set:
            yield "on_changed_file: not with mode: snapshot, whose exports are loaded anew"
        if "max_rejects" in self.model_fields_set:
            yield "max_rejects: not with mode: snapshot, whose exports are all or nothing"
        if self.complete_when is None:
            yield (
                "complete_when: mode snapshot needs {marker: …}, {manifest: …}, {files: n} or "
                "{rds_export: true}"
            )
        if self.version_from is None:
            yield f"version_from: mode snapshot needs a text with {VERSION_AT}, or {LAST_MODIFIED}"
        elif self.version_from == LAST_MODIFIED:
            if self.complete_when and self.complete_when.files != 1:
                yield f"complete_when: version_from {LAST_MODIFIED} goes with {{files: 1}} only"
        elif self.version_from.count(VERSION_AT) != 1:
            yield f"version_from: must hold {VERSION_AT} once, or be {LAST_MODIFIED}"


@dataclass(frozen=True)
class Column:
    """A column of a raw table."""

    name: str
    type: ColumnType


@dataclass(frozen=True)
class Contract:
    """What one source table promises. `columns` are those of the files, in order."""

    source: str
    table: str
    columns: tuple[Column, ...]
    load: Load
    form: Form

    @property
    def name(self) -> str:
        """`source.table`, the table's name in the ledger and in messages."""
        return f"{self.source}.{self.table}"

    @property
    def twins(self) -> tuple[str, str]:
        """The names of the tables that hold copies of one table: of CSV files and of Parquet."""
        plain = self.name.removesuffix("_parquet")
        return plain, f"{plain}_parquet"


def load_contracts(project_dir: Path) -> tuple[Contract, ...]:
    """Every contract of the dbt project, by name.

    Raises UsageError that lists all that is wrong: file, table, field, and what is allowed.
    """
    contracts: list[Contract] = []
    problems: list[str] = []
    for file in sorted(project_dir.glob("models/**/*sources.y*ml")):
        shown = file.relative_to(project_dir)
        try:
            text = file.read_text(encoding="utf-8")
            tables = list(_tables(yaml.load(text, Loader=_YamlLoader)))  # noqa: S506 -- a safe one
        except (yaml.YAMLError, UnicodeDecodeError, _MalformedError) as error:
            problems.append(f"{shown}: not a dbt sources file: {error}")
            continue
        for source, table, load in tables:
            name = str(source.get("name"))
            contract, wrong = _contract(name, table, load)
            wrong += _schema_problems(name, source.get("schema"))
            problems += [f"{shown}: {name}.{table.get('name')}: {text}" for text in wrong]
            if contract:
                contracts.append(contract)
    problems += _clashes(contracts)
    if problems:
        raise UsageError("the contracts are wrong:\n" + "\n".join(f"  {p}" for p in problems))
    return tuple(sorted(contracts, key=lambda contract: contract.name))


class _MalformedError(Exception):
    """The YAML does not have the shape of a dbt sources file."""


def _tables(document: object) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], object]]:
    """Each (source, table, load section) of the tables that have a load section."""
    for source in _entries(_mapping(document or {}, "the file"), "sources"):
        for table in _entries(source, "tables"):
            config = _mapping(table.get("config") or {}, "config")
            meta = _mapping(config.get("meta") or {}, "config.meta")
            if "load" in meta:
                yield source, table, meta["load"]


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _MalformedError(f"{what} must be a mapping, not {value!r}")
    return value


def _entries(mapping: Mapping[str, Any], field: str) -> Iterator[Mapping[str, Any]]:
    entries = mapping.get(field) or []
    if not isinstance(entries, list):
        raise _MalformedError(f"{field} must be a list, not {entries!r}")
    for entry in entries:
        yield _mapping(entry, f"an entry of {field}")


def _contract(
    source: str, table: Mapping[str, Any], section: object
) -> tuple[Contract | None, list[str]]:
    """Return the contract, or what is wrong with it."""
    name = str(table.get("name"))
    columns, problems = _columns(table)
    problems += [f"name: {text}" for text in _name_problems(f"raw_{source}", name)]
    load = form = None
    try:
        load = Load.model_validate(section)
    except ValidationError as error:
        problems += [f"config.meta.load{text}" for text in _readable(error, Load.model_fields)]
    if load and load.format not in _FORMS:
        known = ", ".join(sorted(_FORMS))
        problems.append(f"config.meta.load.format: {load.format!r} is unknown; use one of: {known}")
    elif load:
        for field in ("key", "sequence_by"):
            problems += [
                f"config.meta.load.{field}: {text}"
                for text in _place_problems(load, getattr(load, field), columns)
            ]
        form, wrong = _FORMS[load.format](load, columns)
        problems += wrong
    if problems or load is None or form is None:
        return None, problems
    return Contract(source, name, tuple(columns), load, form), []


def _schema_problems(source: str, schema: object) -> Iterator[str]:
    """Say whether dbt would read elsewhere than the loader writes."""
    if schema is not None and f"raw_{source}" not in str(schema):
        yield f"schema: the loader writes to raw_{source}, and dbt would read {schema!r}"


def _place_problems(load: Load, names: Iterable[str], columns: list[Column]) -> Iterator[str]:
    """Say which of these are no columns, or in a json table no places in the document."""
    known = {column.name for column in columns}
    for name in names:
        if load.format == "json" and not _PLACE.fullmatch(name):
            yield (
                f"{name!r} is not a place in the document: names of letters, digits, _, $ and - "
                "with dots between, such as 'Item.sensor_id.S'"
            )
        elif load.format != "json" and name not in known:
            yield (
                f"{name!r} is not a column of the table; its columns are: "
                f"{', '.join(sorted(known))}"
            )


def _columns(table: Mapping[str, Any]) -> tuple[list[Column], list[str]]:
    columns: list[Column] = []
    problems: list[str] = []
    for entry in _entries(table, "columns"):
        name = str(entry.get("name"))
        where = f"columns.{name}"
        problems += [f"{where}: {text}" for text in _name_problems(name)]
        if name in LOAD_COLUMNS:
            problems.append(f"{where}: the name is reserved for the loader; rename it")
        if name in {column.name for column in columns}:
            problems.append(f"{where}: the column is there twice")
        try:
            columns.append(Column(name, parse_type(str(entry.get("data_type") or ""))))
        except ValueError as error:
            problems.append(f"{where}.data_type: {error}")
    return columns, problems


def _name_problems(*names: str) -> Iterator[str]:
    for name in names:
        try:
            quote_identifier(name)
        except UsageError as error:
            yield str(error)
        if name != name.lower():
            yield f"{name!r} must be in lower case: Redshift folds names, PostgreSQL does not"


def _csv_form(load: Load, columns: list[Column]) -> tuple[CsvForm | None, list[str]]:
    problems = [
        f"columns.{column.name}.data_type: csv values arrive as text, so a csv table's columns "
        f"are varchar(n), not {column.type}; cast in staging"
        for column in columns
        if column.type.name != "varchar"
    ]
    octets = {column.name: column.type.max_octets for column in columns}
    if "columns" in load.csv:
        problems.append("config.meta.load.csv.columns: the table's own `columns` are used")
    try:
        form = _CheckedCsvForm(**{**load.csv, "columns": octets})
    except ValidationError as error:
        return None, problems + [
            f"config.meta.load.csv{text}"
            for text in _readable(
                error, [field.name for field in fields(CsvForm) if field.name != "columns"]
            )
        ]
    except UsageError as error:
        return None, [*problems, f"config.meta.load.{error}"]
    return cast(CsvForm, form), problems


def _json_form(load: Load, columns: list[Column]) -> tuple[JsonForm | None, list[str]]:
    if [column.type.name for column in columns] != ["super"]:
        return None, ["columns: a json table has one column, of type super: the whole document"]
    return JsonForm({columns[0].name: None}), []


def _parquet_form(load: Load, columns: list[Column]) -> tuple[ParquetForm | None, list[str]]:
    try:
        return ParquetForm({column.name: column.type for column in columns}), []
    except UsageError as error:
        return None, [f"columns: {error}"]


_Problems = tuple[Form | None, list[str]]
_FORMS: dict[str, Callable[[Load, list[Column]], _Problems]] = {
    "csv": _csv_form,
    "json": _json_form,
    "parquet": _parquet_form,
}


def _readable(error: ValidationError, allowed: Iterable[str]) -> Iterator[str]:
    """Yield each problem as ".field: what is wrong"; `allowed` are the outermost fields."""
    for problem in error.errors(include_url=False):
        place = "".join(f".{part}" for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            message = "unknown field"
            if len(problem["loc"]) == 1:
                message += f"; use one of: {', '.join(allowed)}"
        elif problem["type"] == "model_type":
            message = f"must be a mapping, such as {{marker: _SUCCESS}}, not {problem['input']!r}"
        elif problem["type"] not in ("missing", "value_error"):
            message += f", not {problem['input']!r}"
        yield f"{place}: {message}"


def _clashes(contracts: list[Contract]) -> Iterator[str]:
    """Pairs of tables that would load the same objects, or be the same table."""
    for one, other in combinations(contracts, 2):
        if one.name == other.name:
            yield f"{one.name}: the table is there twice"
        a, b = one.load, other.load
        nested = a.path.startswith(b.path) or b.path.startswith(a.path)
        kinds = {load.complete_when and load.complete_when.dynamodb_export for load in (a, b)}
        if kinds == {"full", "incremental"}:
            continue  # the manifests tell them apart
        if nested and (a.files == b.files or "*" in (a.files, b.files)):
            yield (
                f"{one.name} and {other.name}: their paths {a.path} and {b.path} overlap, so "
                "files would be loaded twice; separate the paths or give each its own `files`"
            )
