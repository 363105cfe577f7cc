"""A night without news: `warehouse run` beside `dbt parse`, each a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.building import Parts, load_dimensions
from benchmarks.measure import Comparison, Run, compare, timed
from benchmarks.site import ROOT, Site
from benchmarks.stations import as_records, station_hours


def nothing_new(site: Site, data: Path | None, rows: int, rounds: int) -> Iterator[Comparison]:
    """Compare a run that finds nothing new with dbt's own start-up, partial parsing on."""
    records = as_records(station_hours(data, rows))
    load_dimensions(site, records)
    Parts(site, records).load(rows)
    scripts = Path(sys.executable).parent

    def command(*words: str) -> Run:
        environment = {
            **os.environ, "DBT_PROFILES_DIR": str(site.folder), "DBT_PROJECT_DIR": str(ROOT),
        }  # fmt: skip
        return timed(
            lambda: subprocess.run(
                [str(scripts / words[0]), *words[1:]],
                env=environment, cwd=ROOT, check=True, capture_output=True,
            )
        )  # fmt: skip

    command("warehouse", "run")
    yield compare(
        Comparison(
            "a night without news", "warehouse run", "dbt parse", None, rows,
            note="whole processes; to reach: 1.2 times the peer, and a second",
        ),
        lambda: command("warehouse", "run"), lambda: command("dbt", "parse"), rounds,
    )  # fmt: skip
