"""Loads in a process of its own, so that its memory is its own; run by test_bad_files.py.

Takes settings as JSON on stdin. Prints why files were refused, and by how many KiB the process
grew while they were loaded. What it loads before that, a good file, is not counted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from loading import QUICK

from loaders.contracts import load_contracts
from loaders.embedded.object_store import connect as connect_s3
from loaders.identifiers import Schemas
from loaders.load_run import LoadResult, load
from loaders.staging.objects import Staging
from loaders.warehouse.base import Warehouse


def connect(settings: dict[str, Any]) -> Warehouse:
    """Open a connection to either target."""
    schemas = Schemas(settings["target"])
    if settings["type"] == "redshift":
        from loaders.warehouse.redshift import RedshiftWarehouse

        return RedshiftWarehouse(settings["connection"], schemas)
    from loaders.warehouse.postgres import PostgresWarehouse

    return PostgresWarehouse(settings["connection"], schemas)


def kibibytes(name: str) -> int:
    """Return VmRSS, the memory held now, or VmHWM, its peak since the last reset."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0])


def main() -> None:
    """Load a good file, stop counting, load what the bucket has."""
    settings = json.load(sys.stdin)
    staging = Staging(connect_s3(settings["s3_url"]), settings["bucket"])
    good, bad = load_contracts(Path(settings["project"]))

    def load_one(contract: Any) -> LoadResult:
        return load([contract], lambda: connect(settings), staging, backoff=QUICK)

    assert load_one(good).files == 1
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before = kibibytes("VmRSS")
    reasons = {file.key.rpartition("/")[2]: file.reason for file in load_one(bad).refused}
    print(json.dumps({"reasons": reasons, "grown": kibibytes("VmHWM") - before}))


if __name__ == "__main__":
    main()
