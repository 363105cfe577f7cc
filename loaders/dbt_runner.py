"""dbt in this process: one import for several commands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from loaders.errors import BuildFailed
from loaders.settings import Settings

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest

# What dbt calls a result that must fail the run.
FAILURES = frozenset({"error", "fail", "runtime error", "partial success"})
SILENT = ("--quiet", "--log-level", "none")


@dataclass(frozen=True)
class DbtOutcome:
    """What one dbt command did: how many results of each status, and what failed, by name."""

    statuses: Counter[str] = field(default_factory=Counter)
    failures: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The counts in one line."""
        return ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))


class Dbt:
    """dbt for one target, found as the loaders found it. Its console output can be silenced.

    The project is read once, by the first command: each further one starts sooner by that.
    """

    def __init__(self, settings: Settings, *, quiet: bool = False):
        # Imported here: it takes a second, and commands that never run dbt should not pay it.
        from dbt.cli.main import dbtRunner

        self._runner = dbtRunner()
        self._quiet = quiet
        self._options = [
            *("--project-dir", str(settings.project_dir)),
            *("--profiles-dir", str(settings.profiles_dir)),
            *("--target", settings.target),
        ]

    @property
    def manifest(self) -> Manifest | None:
        """The project as dbt has parsed it; None before the first command."""
        return self._runner.manifest

    def invoke(self, command: str, *arguments: str) -> DbtOutcome:
        """Run one command.

        Raises BuildFailed when dbt could not run it, or when a node or a test failed; the message
        names the nodes.
        """
        nodes = self._results(self._quiet, command, *arguments)
        return DbtOutcome(
            Counter(str(node.status) for node in nodes),
            tuple(node.node.name for node in nodes if str(node.status) in FAILURES),
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query in dbt's SQL, macros and refs included."""
        shown = self._results(True, "show", "--limit", "-1", "--inline", sql)
        return [tuple(row) for row in shown[0].agate_table.rows]

    def _results(self, quiet: bool, command: str, *arguments: str) -> list[Any]:
        if self._runner.manifest is None:
            self._runner.manifest = cast("Manifest | None", self._run(True, "parse").result)
        result = self._run(quiet, command, *arguments)
        nodes: list[Any] = list(getattr(result.result, "results", ()))
        if not result.success:
            # The result of an operation has no node.
            failed = [
                node.node.name
                for node in nodes
                if str(node.status) in FAILURES and hasattr(node, "node")
            ]
            shown = ", ".join(failed[:10]) or "see its output"
            raise BuildFailed(f"dbt {command} failed: {shown} (details: logs/dbt.log)")
        return nodes

    def _run(self, quiet: bool, command: str, *arguments: str) -> dbtRunnerResult:
        silence = SILENT if quiet else ()
        result = self._runner.invoke([*silence, command, *arguments, *self._options])
        if result.exception is not None:
            kind = type(result.exception).__name__
            raise BuildFailed(
                f"dbt {command}: {result.exception}", f"dbt {command}: {kind} (see logs/dbt.log)"
            ) from result.exception
        return result
