"""The nightly run: load what is new, replay the exports of the dimensions in order, build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loaders.dbt_runner import Dbt, DbtOutcome
from loaders.load_run import LoadResult, OnBatch, load
from loaders.project import Project
from loaders.schema_history import observe_columns
from loaders.warehouse.base import OnProgress

# What a build depends on besides the data.
_PROJECT_FILES = ("models", "macros", "seeds", "snapshots", "tests/dbt", "dbt_project.yml")
JUDGEMENT = ("--select", "path:models/observability")


@dataclass(frozen=True)
class RunResult:
    """What a run did; `build` is None when neither data nor project have changed since the last.

    The first run of a day judges the data's quality all the same: that nothing came is news, too.
    """

    load: LoadResult
    build: DbtOutcome | None


def run(
    project: Project,
    *,
    quiet: bool = False,
    full_refresh: bool = False,
    on_progress: OnProgress = lambda progress: None,
    on_batch: OnBatch = lambda done: None,
    on_loaded: Callable[[LoadResult], None] = lambda result: None,
) -> RunResult:
    """Load, replay, build. Raises what `load` raises, and BuildFailed.

    Refused data does not keep the rest from being built: it is in the result. A full refresh makes
    everything anew from raw, the snapshots too.
    """
    loaded = load(
        project.contracts,
        project.connect,
        project.staging,
        command="run",
        on_progress=on_progress,
        on_batch=on_batch,
    )
    on_loaded(loaded)
    with project.warehouse() as warehouse:
        observe_columns(warehouse, project.contracts)
    fingerprint = _fingerprint(project)
    if _is_built(project, fingerprint) and not full_refresh:
        if not _was_built_today(project):
            Dbt(project.settings, quiet=quiet).invoke("build", *JUDGEMENT)
            _record_built(project, fingerprint)
        return RunResult(loaded, None)
    dbt = Dbt(project.settings, quiet=quiet)
    if full_refresh:
        dbt.invoke("run-operation", "reset_snapshots")
    replay_exports(dbt)
    built = dbt.invoke("build", *(["--full-refresh"] if full_refresh else []))
    _record_built(project, fingerprint)
    return RunResult(loaded, built)


def replay_exports(dbt: Dbt) -> None:
    """Have the snapshots apply all waiting exports but the last, which the next build applies.

    A snapshot for which an export came late is emptied first, and replays all of them.
    """
    waiting = _waiting(dbt)
    late = [name for name, (_, needs_reset) in waiting.items() if needs_reset]
    if late:
        dbt.invoke("run-operation", "reset_snapshots", "--args", json.dumps({"names": late}))
        waiting = _waiting(dbt)
    turns = max((count for count, _ in waiting.values()), default=0) - 1
    if turns > 0:
        # The views that the snapshots read: the very first run has not got them yet.
        dbt.invoke("run", "--select", *(f"+{name}" for name in waiting))
    for turn in range(turns):
        names = [name for name, (count, _) in waiting.items() if count - 1 > turn]
        dbt.invoke("snapshot", "--select", *names)


def _waiting(dbt: Dbt) -> dict[str, tuple[int, bool]]:
    """Return how many exports wait for each snapshot, and whether one of them came late."""
    rows = dbt.query("{{ waiting_exports() }}")
    return {name: (int(count), bool(needs_reset)) for name, count, needs_reset in rows}


def _fingerprint(project: Project) -> str:
    """Return a hash of the project's files and of the events that a build from now on will see."""
    digest = hashlib.sha256()
    for file in _files(project.settings.project_dir):
        digest.update(f"{file.relative_to(project.settings.project_dir)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    with project.warehouse() as warehouse:
        # Events are only ever added, so their number tells one set from another.
        events = warehouse.fetch(f"select count(*) from {warehouse.schemas.ledger('events').sql}")  # noqa: S608
    digest.update(str(events[0][0]).encode())
    return digest.hexdigest()


def _files(project_dir: Path) -> list[Path]:
    found: list[Path] = []
    for name in _PROJECT_FILES:
        path = project_dir / name
        found += [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sorted(found)


def _is_built(project: Project, fingerprint: str) -> bool:
    with project.warehouse() as warehouse:
        builds = warehouse.schemas.ledger("builds").sql
        last = warehouse.fetch(
            f"select fingerprint from {builds} order by started_at desc limit 1"  # noqa: S608
        )
    return bool(last) and last[0][0] == fingerprint


def _was_built_today(project: Project) -> bool:
    with project.warehouse() as warehouse:
        builds = warehouse.schemas.ledger("builds").sql
        found = warehouse.fetch(
            f"select cast(max(started_at) as date) = cast({warehouse.now} as date) "  # noqa: S608
            f"from {builds} where outcome = 'success'"
        )
    return bool(found[0][0])


def _record_built(project: Project, fingerprint: str) -> None:
    """Note at the build that has just ended what it was a build of."""
    with project.warehouse() as warehouse:
        builds = warehouse.schemas.ledger("builds").sql
        warehouse.execute(
            f"update {builds} set fingerprint = %s where outcome = 'success' "  # noqa: S608
            f"and started_at = (select max(started_at) from {builds})",
            (fingerprint,),
        )
