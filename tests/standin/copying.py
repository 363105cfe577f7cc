"""COPY: find, read and check the files, insert their rows, and leave the system tables' rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.standin.backend import Backend
from tests.standin.copy_options import CopyOptions, parse_copy
from tests.standin.denylist import check_parameters
from tests.standin.errors import SqlError
from tests.standin.lexer import Token, dotted, literal, quote
from tests.standin.load_files import Record, decompress, read_records
from tests.standin.load_values import FieldError, Target, convert
from tests.standin.objects import S3Object, check_role, fetch, find_objects, s3_client
from tests.standin.plan import Plan

if TYPE_CHECKING:
    from tests.standin.server import Shared
    from tests.standin.session import Session

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True)
class LoadError:
    """One rejected record."""

    item: S3Object
    record: Record
    target: Target | None
    value: str
    error: FieldError


@dataclass
class Loaded:
    """What reading the files gave."""

    rows: list[list[str | None]] = field(default_factory=list)
    errors: list[LoadError] = field(default_factory=list)
    files: list[tuple[S3Object, int]] = field(default_factory=list)
    size: int = 0


async def plan_copy(tokens: list[Token], session: Session) -> Plan:
    """Return the plan of a COPY. Raises SqlError for options that are not known."""
    check_parameters(tokens)
    options = parse_copy(tokens)

    async def run(backend: Backend) -> str:
        return await _Copy(options, session.shared, backend).run()

    return Plan(run=run)


class _Copy:
    """One execution of a COPY."""

    def __init__(self, options: CopyOptions, shared: Shared, backend: Backend) -> None:
        self.options = options
        self.shared = shared
        self.backend = backend
        self.table = dotted(options.table)
        self.query_id = 0

    async def run(self) -> str:
        targets = await self._targets()
        check_role(self.shared.settings, self.options.role)
        ((number, started),) = await self.shared.record(
            "select nextval('pg_standin.query_id'), clock_timestamp() at time zone 'UTC'"
        )
        self.query_id = int(str(number))
        loaded = await asyncio.to_thread(self._read, targets)
        failed = len(loaded.errors) >= max(self.options.max_errors, 1)
        rows = 0
        if not failed and not self.options.no_load:
            names = ", ".join(quote(t.name) for t in targets)
            rows = await self.backend.copy_in(
                f"copy {self.table} ({names}) from stdin", _lines(loaded.rows)
            )
        await self._record(loaded, "aborted" if failed else "completed", rows, str(started))
        if not failed or self.backend.status == b"I":
            await self.backend.query(f"set standin.last_copy_id to '{self.query_id}'")
            await self.backend.query(f"set standin.last_copy_count to '{rows}'")
        if failed:
            raise SqlError(
                "XX000",
                f"Load into table '{self.options.table[-1]}' failed.  "
                "Check 'stl_load_errors' system table for details.",
            )
        if rows:
            await self.backend.query(f"select pg_standin.log_write({literal(self.table).text})")
        return "COPY"

    async def _targets(self) -> list[Target]:
        """Return the columns to load, in the order in which the file has them."""
        oid = f"{literal(self.table).text}::regclass"
        known = {
            str(name): Target(str(name), str(kind), int(size or 0), int(scale or 0), null == "t")
            for name, kind, size, scale, null in await self.backend.query(
                "select attname, format_type(atttypid, null), case when atttypid = 1700 "
                "then ((atttypmod - 4) >> 16) & 65535 else greatest(atttypmod - 4, 0) end, "
                "case when atttypid = 1700 then (atttypmod - 4) & 2047 end, attnotnull "
                f"from pg_attribute where attrelid = {oid} and attnum > 0 and not attisdropped "
                "and attidentity = '' order by attnum"
            )
        }
        missing = [c for c in self.options.columns if c not in known]
        if missing:
            raise SqlError(
                "42703",
                f'column "{missing[0]}" of relation "{self.options.table[-1]}" does not exist',
            )
        targets = [known[c] for c in self.options.columns] or list(known.values())
        whole = self.options.format == "json" and self.options.json_mode == "noshred"
        if whole and [t.type for t in targets] != ["super"]:
            raise SqlError("0A000", "JSON 'noshred' needs exactly one column, of type SUPER")
        return targets

    def _read(self, targets: Sequence[Target]) -> Loaded:
        """Read and check all files; stop at the error that makes the load fail."""
        client = s3_client(self.shared.settings, self.options.region)
        loaded = Loaded()
        for item in find_objects(client, self.options):
            data = fetch(client, item)
            loaded.size += len(data)
            count = 0
            for record in read_records(decompress(data, self.options), self.options, targets):
                row = self._row(record, targets, item, loaded)
                if row is not None:
                    loaded.rows.append(row)
                    count += 1
                elif self.options.format == "parquet":
                    bad = loaded.errors[-1]
                    raise SqlError("XX000", "Spectrum Scan Error", f"{bad.error} ({item.url})")
                elif len(loaded.errors) >= max(self.options.max_errors, 1):
                    return loaded
            loaded.files.append((item, count))
        return loaded

    def _row(
        self, record: Record, targets: Sequence[Target], item: S3Object, loaded: Loaded
    ) -> list[str | None] | None:
        if record.error is not None:
            loaded.errors.append(LoadError(item, record, None, "", record.error))
            return None
        row: list[str | None] = []
        for target, text in zip(targets, record.fields, strict=True):
            try:
                row.append(convert(text, target, self.options))
            except FieldError as error:
                loaded.errors.append(LoadError(item, record, target, text or "", error))
                return None
        return row

    async def _record(self, loaded: Loaded, status: str, rows: int, started: str) -> None:
        """Write what the system tables show, outside the client's transaction."""
        ((user, pid, database, oid),) = await self.backend.query(
            "select usesysid, pg_backend_pid(), current_database(), "
            f"{literal(self.table).text}::regclass::oid from pg_user where usename = current_user"
        )
        who = f"{user}, {self.query_id}, {pid}, {literal(str(database)).text}"
        source = f"s3://{self.options.bucket}/{self.options.key}"
        steps = [
            f"insert into pg_standin.load values ({who}, "
            f"{literal(self.options.table[-1]).text}, '{status}', '{started}', "
            f"clock_timestamp() at time zone 'UTC', {literal(source).text}, "
            f"'{self.options.format}', {rows}, {loaded.size}, {len(loaded.files)}, "
            f"{len(loaded.errors)})"
        ]
        for item, count in loaded.files if status == "completed" else []:
            steps.append(
                f"insert into pg_standin.load_file values ({self.query_id}, "
                f"{literal(item.url).text}, {count})"
            )
        for bad in loaded.errors:
            kind, size = (bad.target.type, bad.target.size) if bad.target else ("", 0)
            name = bad.target.name if bad.target else ""
            texts = [
                literal(_printable(t)).text
                for t in (bad.item.url, name, kind, bad.error.reason, bad.record.raw, bad.value)
            ]
            url, column, kind_text, reason, raw, value = texts
            steps.append(
                f"insert into pg_standin.load_error values ({who}, {oid}, '{started}', {url}, "
                f"{bad.record.line}, {column}, {kind_text}, '{size}', 0, {bad.error.code}, "
                f"{reason}, {raw}, {value})"
            )
        await self.shared.record("; ".join(steps))


def _printable(text: str) -> str:
    """Replace what the system tables cannot hold."""
    return text.encode(errors="replace").decode().replace("\0", "?")


def _lines(rows: Sequence[Sequence[str | None]]) -> Iterator[bytes]:
    for row in rows:
        fields = ("\\N" if v is None else v.translate(_ESCAPES) for v in row)
        yield ("\t".join(fields) + "\n").encode()
