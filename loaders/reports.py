"""What the commands print for a person: plans, loads, status, refusals, traces, progress."""

from __future__ import annotations

import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from loaders.display import human_bytes, print_table, printable
from loaders.exporters.outcome import FileOutcome, StageResult
from loaders.history import RunRecord, TableStatus
from loaders.load_run import LoadResult, RefusedFile
from loaders.quality import RECENT_DAYS, Breach, Quality
from loaders.rejects import PartlyLoaded, RefusedGeneration
from loaders.staging.plan import Plan, WaitingExport
from loaders.staging.rereading import RecordPlace
from loaders.trace import MeasurementTrace
from loaders.warehouse.base import LeftOut, Progress

BREACHES_SHOWN = 20  # by status: the rest of its answer must stay in sight


def print_left_out(left_out: Sequence[LeftOut]) -> None:
    """Say which of the statements that set up roles the user was not allowed to run."""
    if not left_out:
        return
    reasons = dict.fromkeys(one.reason for one in left_out)
    click.echo(
        f"\n{len(left_out)} statements for the roles were left out, because the profile's user is "
        "not allowed to run them. All is there for this user; for others, have an administrator "
        "run these, then set up again:",
        err=True,
    )
    for one in left_out:
        click.echo(f"  {one.sql};", err=True)
    for reason in reasons:
        click.echo(f"  -- {reason}", err=True)


def print_plan(
    plan: Plan, statements: Mapping[str, Sequence[str]], advice: Sequence[str] = ()
) -> None:
    """Print what a load would do, the COPY statements of each table, and advice on its files."""
    rows = [
        (
            table.contract.name,
            sum(len(batch.files) for batch in table.batches),
            human_bytes(sum(batch.bytes for batch in table.batches)),
            len(table.batches),
            table.skipped,
            len(table.refusals) + len(table.standing),
        )
        for table in plan.tables
    ]
    columns = ("table", "new files", "size", "batches", "loaded before", "refused")
    print_table(columns, rows, title=f"Plan for s3://{plan.bucket}")
    for name, copies in statements.items():
        for statement in copies:
            click.echo(f"{name}: {statement}")
    for line in advice:
        click.echo(f"advice: {line}")
    _print_waiting([export for table in plan.tables for export in table.waiting])
    if plan.unclaimed:
        click.echo(
            printable(
                f"{len(plan.unclaimed)} objects will not be loaded, since no contract's `files` "
                f"matches them, such as: {', '.join(plan.unclaimed[:3])}"
            )
        )


def print_load(result: LoadResult) -> None:
    """Print what was loaded by table, what was refused and why, and what waits."""
    if result.files:
        rows: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for batch in result.batches:
            counts = rows[batch.batch.contract.name]
            for file in batch.files:
                counts[0] += file.status == "loaded"
                counts[1] += file.rows_loaded
                counts[2] += len(file.rejected) if file.status == "loaded" else 0
                counts[3] += file.status == "refused"
        columns = ("table", "files", "rows", "rejected rows", "refused files")
        print_table(columns, [(name, *counts) for name, counts in sorted(rows.items())])
        size = human_bytes(result.bytes)
        click.echo(
            f"loaded {result.files} files, {result.rows} rows, {size} in {result.seconds:.1f} s"
        )
        rejected = sum(len(file.rejected) for batch in result.batches for file in batch.loaded)
        if rejected:
            click.echo(f"{rejected} rows were rejected: see `warehouse rejects`", err=True)
    else:
        click.echo(f"nothing new to load; {result.skipped} files were loaded before")
    _print_refused(result.refused)
    _print_waiting(result.waiting)
    for key in result.moved:
        click.echo(printable(f"changed while it was read, loaded by the next run: {key}"))


def _print_refused(refused: Sequence[RefusedFile]) -> None:
    for file in refused:
        when = "refused before, still there" if file.standing else "refused"
        place = f"s3://{file.bucket}/{file.key}"
        click.echo(printable(f"{when}: {place}: {file.reason}: {file.detail}"), err=True)
    if refused:
        click.echo(
            "replace the objects, delete them, or `warehouse requeue` them; the good files of "
            "this run are loaded",
            err=True,
        )


def _print_waiting(waiting: Sequence[WaitingExport]) -> None:
    for export in waiting:
        click.echo(
            printable(f"not complete yet, not loaded: {export.export_key}: {export.missing}")
        )


def print_status(tables: Sequence[TableStatus], runs: Sequence[RunRecord], plan: Plan) -> None:
    """Print each table's state, what waits in the bucket, and the latest runs."""
    planned = {table.contract.name: table for table in plan.tables}
    known = {table.source_table: table for table in tables}
    rows = [
        (
            name,
            table.files if table else 0,
            table.rows if table else 0,
            table.last_loaded_at if table else None,
            table.newest_export if table else None,
            sum(len(batch.files) for batch in todo.batches) if todo else 0,
            # What was refused and is gone since needs nobody.
            len(todo.standing) + len(todo.refusals) if todo else 0,
        )
        for name in sorted(known.keys() | planned.keys())
        for table, todo in [(known.get(name), planned.get(name))]
    ]
    columns = ("table", "files", "rows", "last loaded", "newest export", "to load", "refused")
    print_table(columns, rows, title="Source tables (times in UTC)")
    print_records(runs, empty="no run yet")
    _print_waiting([export for table in plan.tables for export in table.waiting])


def print_quality(quality: Quality | None) -> None:
    """Say what was not as usual lately."""
    if quality is None:
        click.echo("data quality: not judged yet; `warehouse run` does it")
    elif quality.breaches:
        newest = quality.breaches[:BREACHES_SHOWN]
        print_records(newest, empty="", title="Not as usual (data_quality_daily)")
        if more := len(quality.breaches) - len(newest):
            click.echo(f"{more} more, found before: `warehouse status --json` has all")
        _print_judged_on(quality)
    else:
        click.echo(f"data quality: as usual in the last {RECENT_DAYS} days")
        _print_judged_on(quality)


def print_breaches(breaches: Sequence[Breach], quality: Quality, done: str | None) -> None:
    """Print breaches, a line each, and what was done with them."""
    for breach in breaches:
        click.echo(printable(breach.text))
    if not breaches:
        click.echo("no new breach")
    elif done:
        click.echo(f"{len(breaches)} {done}")
    _print_judged_on(quality)


def _print_judged_on(quality: Quality) -> None:
    if not quality.is_current:
        click.echo(f"judged last on {quality.judged_on}: `warehouse run` judges anew", err=True)


def print_records(records: Sequence[object], *, empty: str, title: str | None = None) -> None:
    """Print dataclasses of one kind as a table, or `empty`."""
    if not records:
        click.echo(empty)
        return
    names = [field.name for field in fields(records[0])]  # type: ignore[arg-type]
    rows = [[getattr(record, name) for name in names] for record in records]
    print_table(names, rows, title=title)


def print_rejects(refused: Sequence[RefusedGeneration], partly: Sequence[PartlyLoaded]) -> None:
    """Print the files that were refused and those that were loaded without some rows."""
    if refused:
        print_records(refused, empty="", title="Refused files")
    if partly:
        print_records(partly, empty="", title="Files loaded, except for rejected rows")
        click.echo("`warehouse rejects --rows` shows the rows")
    if not refused and not partly:
        click.echo("nothing is refused")


def print_traces(traces: Sequence[MeasurementTrace]) -> None:
    """Print the way from each mart row to its batch, the batch's objects, and its record."""
    for trace in traces:
        batch = trace.batch
        click.echo(f"{trace.mart}: {trace.source_system} {trace.measurement_id}")
        if trace.quarantine_reasons:
            click.echo(f"  quarantined: {trace.quarantine_reasons}")
        click.echo(
            f"  batch {batch.batch_id} of {batch.source_table}, {batch.rows} rows, "
            f"loaded {batch.loaded_at} UTC by run {batch.run_id}"
        )
        for file in batch.files:
            click.echo(f"    s3://{file.bucket}/{file.key} (ETag {file.etag}, {file.rows} rows)")
        click.echo(f"  record {trace.source_key}")
        for place in trace.record.places:
            other = "" if place.counts else " (another version of it)"
            click.echo(f"    s3://{place.bucket}/{place.key}: {_position(place)}{other}")
        for key in trace.record.gone:
            click.echo(f"    {key} is not there any more as it was loaded")


def _position(place: RecordPlace) -> str:
    if place.line_number is None:
        return f"row {place.record_number}"
    return (
        f"record {place.record_number}, line {place.line_number}, "
        f"byte {place.byte_offset} of its text"
    )


@contextmanager
def progress(*, enabled: bool) -> Iterator[Callable[[Progress], None]]:
    """Yield the callback for a load: a bar per source table on a terminal, else nothing.

    In a pipe the summary at the end is enough: one line a batch would be noise.
    """
    if not enabled or not sys.stderr.isatty():
        yield lambda report: None
        return
    lock = threading.Lock()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}
        seen: dict[str, int] = {}

        def show(report: Progress) -> None:
            if report.key is None:
                return
            with lock:
                if report.source_table not in tasks:
                    tasks[report.source_table] = bars.add_task(report.source_table, total=None)
                advance = report.bytes_read - seen.get(report.key, 0)
                seen[report.key] = report.bytes_read
                bars.advance(tasks[report.source_table], advance)

        yield show


def print_staged(result: StageResult) -> None:
    """Print what became of all files together; each had its line before."""
    counts = Counter(file.status for file in result.files)
    shown = ", ".join(f"{number} {status}" for status, number in counts.items())
    values = sum(file.staged for file in result.files)
    click.echo(f"{shown}; {values} values in {result.seconds:.1f} s")
    if counts["staged"] or counts["referenced"]:
        click.echo("`warehouse load` takes them")


@contextmanager
def staging_progress(
    *, enabled: bool
) -> Iterator[tuple[Callable[[Path, int, int], None], Callable[[FileOutcome], None]]]:
    """Yield the callbacks of staging: a line a file, and on a terminal a bar for its values."""
    if not enabled:
        yield (lambda path, done, total: None), (lambda outcome: None)
        return
    if not sys.stderr.isatty():
        yield (lambda path, done, total: None), _print_file
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[Path, TaskID] = {}

        def on_values(path: Path, done: int, total: int) -> None:
            if path not in tasks:
                tasks[path] = bars.add_task(printable(path.name), total=total)
            bars.update(tasks[path], completed=done)

        def on_file(outcome: FileOutcome) -> None:
            if outcome.path in tasks:
                bars.remove_task(tasks.pop(outcome.path))
            _print_file(outcome)

        yield on_values, on_file


def _print_file(outcome: FileOutcome) -> None:
    if outcome.status == "refused":
        click.echo(printable(f"refused: {outcome.detail}"), err=True)
        return
    size = human_bytes(outcome.bytes)
    what = {
        "staged": f"{outcome.staged} values, {outcome.missing} missing",
        "referenced": f"{outcome.values} values stay in the archive",
        "skipped": str(outcome.detail),
    }[outcome.status]
    click.echo(printable(f"{outcome.status}: {outcome.path} ({size}): {what}"))
