"""Run comparisons: `python -m benchmarks [NAME …] --data DIR --rows N --rounds R`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import building, hpc, loading, questions, running, small_objects
from benchmarks.measure import Comparison
from benchmarks.report import write_table
from benchmarks.site import Site, open_site

RESULTS = Path(__file__).parent / "results"
Case = Callable[[Site, Path | None, int, int], Iterator[Comparison]]
CASES: dict[str, Case] = {
    "files": loading.files,
    "memory": loading.memory,
    "small-objects": small_objects.many,
    "hpc": hpc.staging,
    "nothing-new": running.nothing_new,
    "history": building.history,
    "scattered": building.scattered,
    "headline": questions.headline,
}


def main() -> None:
    """Run the named cases, all unless named; write each one's results as it ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(CASES)}")
    parser.add_argument("--data", type=Path, help="a directory with inmet_hourly_*.parquet")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of history")
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds of each side")
    options = parser.parse_args()
    if unknown := set(options.names) - CASES.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(CASES)}")
    for name in options.names or CASES:
        with open_site() as site:
            found = list(CASES[name](site, options.data, options.rows, options.rounds))
            server = site.fetch("show server_version")[0][0]
        document = {
            "command": f"python -m benchmarks {name} --rows {options.rows}"
            f" --rounds {options.rounds}" + (" --data DIR" if options.data else ""),
            "at": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": f"{os.cpu_count()} CPUs, {platform.machine()}, {platform.system()}",
            "versions": {"python": platform.python_version(), "postgresql": server}
            | {package: version(package) for package in ("dbt-core", "pyarrow", "psycopg")},
            "comparisons": [comparison.as_json() for comparison in found],
        }
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
        write_table(RESULTS)
        for comparison in found:
            _print(comparison)


def _print(comparison: Comparison) -> None:
    reach = f" (to reach: {comparison.reach:.3g})" if comparison.reach is not None else ""
    one = comparison.as_json()
    sys.stdout.write(
        f"{comparison.name}: {comparison.ratio:.3f}{reach}; {comparison.ours} "
        f"{one['ours_seconds']} {comparison.unit}, {comparison.peer} "
        f"{one['peer_seconds']} {comparison.unit}\n"
    )


if __name__ == "__main__":
    main()
