"""`warehouse demo`: the main job from staging bucket to summary, on the embedded servers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from loaders import reports
from loaders.demo import literature, nycflights13, sales, sensors, shop
from loaders.demo.hpc import stage_hpc
from loaders.demo.nycflights13 import StagedObject
from loaders.display import print_table
from loaders.embedded.local import LocalServers
from loaders.load_run import make_plan
from loaders.nightly import run
from loaders.project import Project
from loaders.report import make_report
from loaders.settings import LOCAL_TARGET
from loaders.staging.objects import Staging
from loaders.warehouse.roles import set_up_roles
from loaders.warehouse.setup import setup

SUMMARY = "select * from monthly_temperature_summary order by experiment_id, month limit 12"


def run_demo(project_dir: Path) -> int:
    """Run the demo and return the exit code. The servers are stopped if this started them."""
    servers = LocalServers(project_dir)
    was_running = servers.running
    click.secho("Starting the embedded PostgreSQL and S3 …", bold=True)
    servers.up()
    try:
        return _run(Project.open(project_dir, LOCAL_TARGET, project_dir), servers)
    finally:
        if not was_running:
            servers.down()


def _run(project: Project, servers: LocalServers) -> int:
    click.secho("Staging the exports of the source systems (docs/sources.md) …", bold=True)
    place = f"s3://{project.settings.bucket}/{project.staging.root}"
    staged = stage(project.staging, exports(place))
    stage_hpc(project.staging)
    click.echo(f"{staged} objects put into s3://{project.settings.bucket}")
    with project.warehouse() as warehouse:
        setup(warehouse, project.contracts)
        set_up_roles(warehouse, project.contracts)
        plan = make_plan(project.contracts, warehouse, project.staging)
        reports.print_plan(plan, {})
    click.secho("Loading, replaying exports, building …", bold=True)
    with reports.progress(enabled=True) as on_progress:
        result = run(project, quiet=True, on_progress=on_progress, on_loaded=reports.print_load)
    if result.build is None:
        click.echo("nothing new: the marts are as the last build left them")
    else:
        click.echo(f"dbt build: {result.build.summary}")
    with project.reader() as warehouse, warehouse.query(SUMMARY) as summary:
        print_table(summary.columns, summary.rows, title="monthly_temperature_summary (°C)")
    click.secho("The same in pictures, for a browser:", bold=True)
    click.echo(f"  {make_report(project).path}")
    click.secho("Go on:", bold=True)
    click.echo("  .venv/bin/warehouse up              keep the servers running, then")
    click.echo(f"  {servers.psql}")
    click.echo('  .venv/bin/warehouse query "select * from dim_experiments" --csv')
    click.echo("  .venv/bin/dbt docs generate && .venv/bin/dbt docs serve --host 127.0.0.1")
    return result.load.exit_code


def exports(place: str) -> Iterator[StagedObject]:
    """Yield what every source system has exported; `place` is where it will be staged."""
    research_database = list(nycflights13.exports())
    yield from research_database
    yield from sensors.exports()
    yield from literature.exports(place, research_database)
    yield from sales.sales_objects()
    yield from shop.shop_objects()


def stage(staging: Staging, objects: Iterable[StagedObject]) -> int:
    """Put the objects that are not there yet; return how many."""
    there = {staged.key for staged in staging.list("")}
    new = [item for item in objects if staging.root + item.key not in there]
    for item in new:
        staging.client.put_object(
            Bucket=staging.bucket, Key=staging.root + item.key, Body=item.body
        )
    return len(new)
