"""What a load or run does, as JSON lines for a log: ids, counts and seconds.

No line holds a secret, and none data: what became of each file stands in the ledger, under the ids.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TextIO

from loaders.dbt_runner import DbtOutcome
from loaders.errors import WarehouseError
from loaders.load_run import BatchDone, LoadResult


class JsonLines:
    """Lines to `out`, each with `time` (UTC) and `event`; none if `out` is None."""

    def __init__(self, out: TextIO | None) -> None:
        self._out = out
        self._since = time.monotonic()

    @property
    def wanted(self) -> bool:
        """Whether lines are written."""
        return self._out is not None

    def batch(self, done: BatchDone) -> None:
        """Say that a batch is loaded, or refused whole (`batch_id` null). Threads may call it."""
        outcome = done.outcome
        self._write(
            "batch",
            run_id=done.run_id,
            batch_id=outcome.batch_id,
            source_table=outcome.batch.contract.name,
            files=len(outcome.loaded),
            files_refused=sum(file.status == "refused" for file in outcome.files),
            rows=outcome.rows_loaded,
            rows_rejected=sum(len(file.rejected) for file in outcome.loaded),
            bytes=sum(file.file.object.bytes for file in outcome.loaded),
            seconds=round(done.seconds, 3),
        )

    def load(self, result: LoadResult) -> None:
        """Say that all batches are loaded."""
        self._since = time.monotonic()
        self._write(
            "load",
            run_id=result.run_id,
            batches=len(result.batches),
            files=result.files,
            files_refused=len(result.refused),
            rows=result.rows,
            bytes=result.bytes,
            seconds=round(result.seconds, 3),
            exit_code=result.exit_code,
        )

    def build(self, run_id: str, built: DbtOutcome | None) -> None:
        """Say that the marts are built; `results`, null if nothing was new, counts by status."""
        self._write(
            "build",
            run_id=run_id,
            results=dict(built.statuses) if built else None,
            seconds=round(time.monotonic() - self._since, 3),
        )

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Write what ends the command as a line, and exit with its code, where lines are wanted."""
        try:
            yield
        except WarehouseError as error:
            if not self.wanted:
                raise
            self._write(
                "failed",
                kind=type(error).__name__,
                message=error.logged,
                exit_code=error.exit_code,
                seconds=round(time.monotonic() - self._since, 3),
            )
            raise SystemExit(error.exit_code) from None
        except KeyboardInterrupt:
            if not self.wanted:
                raise
            self._write("interrupted", exit_code=130)
            raise SystemExit(130) from None

    def _write(self, event: str, **fields: object) -> None:
        if self._out is not None:
            line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
            # In one call: threads' lines do not mix.
            self._out.write(json.dumps(line | fields) + "\n")
            self._out.flush()
