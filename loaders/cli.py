"""The command line `warehouse`: what each command takes, calls and prints. No logic of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from loaders import display, reports
from loaders.errors import UsageError, WarehouseError
from loaders.project import Project, find_project

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Options:
    """The options that every command takes."""

    target: str | None
    profiles_dir: Path | None
    as_json: bool

    def open(self) -> Project:
        """Return the project that the command is about."""
        return Project.open(find_project(), self.target, self.profiles_dir)


def _common(command: F) -> F:
    """Add --target, --profiles-dir and --json, and pass them as `Options`."""

    @click.option("--target", help="Target of the dbt profile; its default if not given.")
    @click.option(
        "--profiles-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Directory of profiles.yml; found as dbt finds it if not given.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    def wrapped(
        target: str | None, profiles_dir: Path | None, as_json: bool, **arguments: Any
    ) -> Any:
        return command(Options(target, profiles_dir, as_json), **arguments)

    wrapped.__name__ = command.__name__
    wrapped.__doc__ = command.__doc__
    parameters = getattr(command, "__click_params__", [])
    wrapped.__click_params__ = parameters + wrapped.__click_params__  # type: ignore[attr-defined]
    return wrapped  # type: ignore[return-value]


def _log_format(command: F) -> F:
    """Add --log-format, and pass as `log_json` whether it is json."""
    return click.option(
        "--log-format",
        "log_json",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        envvar="WAREHOUSE_LOG_FORMAT",
        callback=lambda context, option, value: value == "json",
        help="json: a line for each batch on stderr, with ids, counts and seconds; no tables.",
    )(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Load staged exports into the warehouse, build the marts, look at what is there.

    Exit codes: 0 done, 1 data was refused, 2 wrong use or configuration, 3 the warehouse or S3
    failed after retries, 4 a dbt build or test failed.
    """


@cli.command()
def demo() -> None:
    """Run the main job on real data and the embedded servers, and show the result."""
    from loaders.demo.run import run_demo

    raise SystemExit(run_demo(find_project()))


@cli.command()
def up() -> None:
    """Start the embedded PostgreSQL and S3, and keep them running."""
    from loaders.embedded.local import LocalServers

    servers = LocalServers(find_project())
    servers.up()
    click.echo(f"PostgreSQL  {servers.postgres.host}:{servers.postgres.port}, user and password")
    click.echo("            as profiles.yml has them, database warehouse")
    click.echo(f"S3          {servers.object_store.endpoint_url}")
    click.echo(f"psql        {servers.psql}")


@cli.command()
@click.option("--delete", is_flag=True, help="Delete the database and the objects as well.")
def down(delete: bool) -> None:
    """Stop the embedded servers; what they hold stays."""
    from loaders.embedded.local import LocalServers

    servers = LocalServers(find_project())
    servers.down()
    if delete:
        servers.delete()


@cli.command()
@_common
def setup(options: Options) -> None:
    """Create schemas, ledger, raw tables and roles; add columns that contracts have gained."""
    from loaders.warehouse.roles import set_up_roles
    from loaders.warehouse.setup import setup as set_up

    project = options.open()
    with project.warehouse() as warehouse:
        changes = set_up(warehouse, project.contracts)
        left_out = set_up_roles(warehouse, project.contracts)
    if options.as_json:
        display.print_json({"changes": changes, "left_out": left_out}, sys.stdout)
        return
    click.echo("\n".join(f"{change};" for change in changes) or "nothing to change")
    reports.print_left_out(left_out)


@cli.group()
def stage() -> None:
    """Put files of other forms into the staging bucket, as Parquet that `load` takes."""


@stage.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--experiment", required=True, help="The experiment_id that the files belong to.")
@click.option(
    "--dialect",
    default="plain",
    show_default=True,
    help="Of CSV files: plain, inmet, or a YAML file that describes one.",
)
@click.option(
    "--max-values",
    type=click.IntRange(min=0),
    default=1_000_000,
    show_default=True,
    help="Files with more values are archived and registered only; 0: all of them.",
)
@click.option("--again", is_flag=True, help="Stage files that were staged before as well.")
@_common
def hpc(
    options: Options,
    paths: tuple[Path, ...],
    experiment: str,
    dialect: str,
    max_values: int,
    again: bool,
) -> None:
    """Stage NetCDF, HDF5 and CSV files, and those below directories.

    The originals go to archive/, their values to hpc/. What was staged before is skipped, by its
    checksum; a file that cannot be read does not stop the others.
    """
    from loaders.exporters.csv_dialect import find_dialect
    from loaders.exporters.stage import stage_files

    project = options.open()
    with reports.staging_progress(enabled=not options.as_json) as (on_values, on_file):
        result = stage_files(
            project.staging,
            paths,
            experiment,
            dialect=find_dialect(dialect),
            max_values=max_values,
            again=again,
            on_values=on_values,
            on_file=on_file,
        )
    if options.as_json:
        display.print_json(result, sys.stdout)
    else:
        reports.print_staged(result)
    raise SystemExit(result.exit_code)


@cli.command()
@_common
def plan(options: Options) -> None:
    """Show what `load` would do: files, bytes, SQL. Writes nothing."""
    from loaders.load_run import make_plan

    project = options.open()
    with project.warehouse() as warehouse:
        planned = make_plan(project.contracts, warehouse, project.staging)
        statements = {
            table.contract.name: [warehouse.copy_sql(batch) for batch in table.batches]
            for table in planned.tables
            if table.batches
        }
        advice = [line for batch in planned.batches for line in warehouse.advice(batch)]
    if options.as_json:
        document = {"plan": planned, "copy": statements, "advice": advice}
        display.print_json(document, sys.stdout)
    else:
        reports.print_plan(planned, statements, advice)


@cli.command()
@click.option("--workers", default=2, show_default=True, help="Connections that load at once.")
@_log_format
@_common
def load(options: Options, workers: int, log_json: bool) -> None:
    """Load what is new in the staging bucket, each object exactly once."""
    from loaders.load_run import load as load_all
    from loaders.log_lines import JsonLines

    log = JsonLines(sys.stderr if log_json else None)
    talks = not (log_json or options.as_json)
    with log.failures(), reports.progress(enabled=talks) as on_progress:
        project = options.open()
        result = load_all(
            project.contracts,
            project.connect,
            project.staging,
            workers=workers,
            on_progress=on_progress,
            on_batch=log.batch,
        )
    log.load(result)
    if options.as_json:
        display.print_json(result, sys.stdout)
    elif talks:
        reports.print_load(result)
    raise SystemExit(result.exit_code)


@cli.command()
@click.option("--full-refresh", is_flag=True, help="Make everything anew from raw, history too.")
@_log_format
@_common
def run(options: Options, full_refresh: bool, log_json: bool) -> None:
    """Load, replay the exports of the dimensions in order, and build: the nightly job."""
    from loaders.log_lines import JsonLines
    from loaders.nightly import run as run_all

    log = JsonLines(sys.stderr if log_json else None)
    talks = not (log_json or options.as_json)
    with log.failures(), reports.progress(enabled=talks) as on_progress:
        result = run_all(
            options.open(),
            quiet=not talks,
            full_refresh=full_refresh,
            on_progress=on_progress,
            on_batch=log.batch,
            on_loaded=reports.print_load if talks else log.load,
        )
    log.build(result.load.run_id, result.build)
    if options.as_json:
        display.print_json(result, sys.stdout)
    elif talks and result.build is None:
        click.echo("nothing new: the marts are as the last build left them")
    elif talks and result.build:
        click.echo(f"dbt build: {result.build.summary}")
    raise SystemExit(result.load.exit_code)


@cli.command()
@_common
def status(options: Options) -> None:
    """Show what is not as usual, what is loaded, waits and was refused, and who is loading."""
    from loaders.history import recent_runs, table_status
    from loaders.load_run import make_plan
    from loaders.quality import recent_quality

    project = options.open()
    with project.warehouse() as warehouse:
        quality = recent_quality(warehouse)
        tables = table_status(warehouse)
        runs = recent_runs(warehouse)
        planned = make_plan(project.contracts, warehouse, project.staging)
    if options.as_json:
        document = {"quality": quality, "tables": tables, "runs": runs, "plan": planned}
        display.print_json(document, sys.stdout)
    else:
        reports.print_quality(quality)
        reports.print_status(tables, runs, planned)


@cli.command()
@click.option("--topic", envvar="WAREHOUSE_ALERT_TOPIC", help="ARN of the SNS topic.")
@click.option(
    "--days",
    type=click.IntRange(min=0),
    default=35,
    show_default=True,
    help="Only breaches that builds of the last days found: older ones are history.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be published.")
@click.option("--mark-told", is_flag=True, help="Publish nothing, now or later, of what is known.")
@_common
def alert(options: Options, topic: str | None, days: int, dry_run: bool, mark_told: bool) -> None:
    """Publish breaches of data quality to an SNS topic, each once, and print them.

    The topic is --topic, or the variable WAREHOUSE_ALERT_TOPIC.
    """
    from loaders import alerts
    from loaders.quality import recent_quality

    project = options.open()
    if topic is None and not dry_run:
        raise UsageError("give --topic ARN or set WAREHOUSE_ALERT_TOPIC, or look with --dry-run")
    destination = project.topic(topic) if topic else None
    with project.warehouse() as warehouse:
        quality = recent_quality(warehouse, days)
        if quality is None:
            raise UsageError("nothing has been judged yet that this user may read: `warehouse run`")
        breaches = alerts.new_breaches(warehouse, quality.breaches, topic)
        if destination and mark_told and not dry_run:
            alerts.mark_told(warehouse, breaches, destination.arn)
        elif destination and not dry_run:
            alerts.publish(warehouse, breaches, destination)
    if options.as_json:
        document = {"judged_on": quality.judged_on, "topic": topic, "dry_run": dry_run}
        display.print_json(document | {"breaches": breaches}, sys.stdout)
    else:
        done = "marked as told to" if mark_told else "published to"
        reports.print_breaches(breaches, quality, None if dry_run else f"{done} {topic}")


@cli.command()
@click.argument("sql")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a file instead, of any size: *.parquet keeps the types, or *.csv.",
)
@_common
def query(options: Options, sql: str, as_csv: bool, limit: int | None, out: Path | None) -> None:
    """Run one read-only statement and print its rows. Marts need no schema name.

    On a terminal a long answer goes through the pager. Ctrl-C cancels the statement, and says so
    if it may still run.
    """
    try:
        if out:
            _query_to_file(options, sql, limit, out)
        else:
            _query_to_stdout(options, sql, as_csv, limit)
    except KeyboardInterrupt:
        click.echo("warehouse: interrupted; no statement is left running", err=True)
        raise SystemExit(130) from None


def _query_to_stdout(options: Options, sql: str, as_csv: bool, limit: int | None) -> None:
    with options.open().reader() as warehouse, warehouse.query(sql) as result:
        rows: Iterator[tuple[Any, ...]] = islice(result.rows, limit)
        if as_csv:
            display.print_csv(result.columns, rows, sys.stdout)
        elif options.as_json:
            records = [dict(zip(result.columns, row, strict=True)) for row in rows]
            display.print_json(records, sys.stdout)
        else:
            display.print_pages(result.columns, rows)
        if limit and next(result.rows, None) is not None:
            click.echo(f"the first {limit} rows; there are more", err=True)


def _query_to_file(options: Options, sql: str, limit: int | None, out: Path) -> None:
    from loaders.query_files import check_form, write_file  # pyarrow takes a while to import

    check_form(out)
    project = options.open()
    with (
        project.reader() as warehouse,
        warehouse.batches(sql, limit, lambda: project.staging) as answer,
    ):
        rows = write_file(answer, out)
    if options.as_json:
        display.print_json({"file": out, "rows": rows}, sys.stdout)
    else:
        click.echo(f"{rows} rows in {out} ({display.human_bytes(out.stat().st_size)})")


@cli.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; target/report.html if not given.",
)
@_common
def report(options: Options, out: Path | None) -> None:
    """Write what the warehouse holds as one HTML file, for a browser without network."""
    from loaders.report import make_report

    written = make_report(options.open(), out)
    if options.as_json:
        display.print_json(written, sys.stdout)
    else:
        click.echo(f"{written.path} ({display.human_bytes(written.bytes)})")


@cli.command()
@click.option("--table", help="Only this source table, as `source.table`.")
@click.option("--key", help="Only this object.")
@click.option("--rows", "show_rows", is_flag=True, help="Show the refused records, escaped.")
@click.option("--limit", type=click.IntRange(min=1), help="Show at most so many records.")
@_common
def rejects(
    options: Options, table: str | None, key: str | None, show_rows: bool, limit: int | None
) -> None:
    """Show the files that were refused or loaded in part and not replaced since, and why.

    As JSON, the bytes of a record are hexadecimal.
    """
    from loaders.rejects import partly_loaded_files, refused_files, rejected_rows

    with options.open().warehouse() as warehouse:
        if show_rows:
            rows = rejected_rows(warehouse, table, key, limit)
        else:
            refused = refused_files(warehouse, table, key)
            partly = partly_loaded_files(warehouse, table, key)
    if show_rows and options.as_json:
        display.print_json(rows, sys.stdout)
    elif show_rows:
        reports.print_records(rows, empty="no row is rejected")
    elif options.as_json:
        display.print_json({"refused": refused, "partly_loaded": partly}, sys.stdout)
    else:
        reports.print_rejects(refused, partly)


@cli.command()
@click.argument("key")
@click.option("--table", required=True, help="The source table, as `source.table`.")
@click.option(
    "--rows",
    "corrected",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A local file, with header, of the corrected rows: stage it instead.",
)
@_common
def requeue(options: Options, key: str, table: str, corrected: Path | None) -> None:
    """Have the next load take the object KEY again, whatever became of it.

    With --rows what was loaded of it stays: the corrected rows are staged as an object beside it.
    """
    from loaders.rejects import requeue as requeue_file
    from loaders.rejects import requeue_rows

    project = options.open()
    with project.warehouse() as warehouse:
        if corrected:
            contract = project.contract(table)
            staged = requeue_rows(warehouse, project.staging, contract, key, corrected)
            if options.as_json:
                display.print_json(staged, sys.stdout)
            else:
                click.echo(
                    f"staged {staged.rows} rows for the {staged.rejected} rejected ones of {key}; "
                    f"the next load takes {staged.key}"
                )
            return
        generation = requeue_file(warehouse, table, project.settings.bucket, key)
    if options.as_json:
        display.print_json({"key": key, "generation": generation}, sys.stdout)
    else:
        click.echo(f"the next load takes {key} as generation {generation}")


@cli.command()
@click.argument("measurement_id")
@_common
def trace(options: Options, measurement_id: str) -> None:
    """Show the way of a measurement back to its batch, objects and record, read again.

    Of an observation, give its observation_key.
    """
    from loaders.trace import trace_measurement

    project = options.open()
    with project.warehouse() as warehouse:
        traces = trace_measurement(warehouse, project.staging, project.contracts, measurement_id)
    if options.as_json:
        display.print_json(traces, sys.stdout)
    else:
        reports.print_traces(traces)


@contextmanager
def _errors_as_exit_codes() -> Iterator[None]:
    try:
        yield
    except WarehouseError as error:
        click.echo(f"warehouse: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(2) from None
    except (click.Abort, KeyboardInterrupt):
        click.echo(
            "warehouse: interrupted; what was not committed is loaded by the next run", err=True
        )
        raise SystemExit(130) from None


def main() -> None:
    """Entry point of the console script."""
    with _errors_as_exit_codes():
        cli(standalone_mode=False)


if __name__ == "__main__":
    main()
