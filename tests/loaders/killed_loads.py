"""Loads the lab's files again and again, each time into schemas of its own, and dies each time.

The n-th load kills its process at its n-th progress report; the last one, which has fewer,
survives. Prints how many died. Run by test_crash.py with its settings as JSON on stdin.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from loading import Lab

from loaders.contracts import load_contracts
from loaders.embedded.object_store import connect
from loaders.identifiers import Schemas
from loaders.staging.batches import BatchLimits
from loaders.warehouse.base import Progress


def die_at(report: int) -> Callable[[Progress], None]:
    """Return a progress callback that kills this process at its n-th call."""
    reports = 0

    def count(progress: Progress) -> None:
        nonlocal reports
        reports += 1
        if reports == report:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def main() -> None:
    """Fork a load for each report until one survives."""
    settings = json.load(sys.stdin)
    contracts = load_contracts(Path(settings["project"]))
    number = 0
    while True:
        number += 1
        child = os.fork()
        if child == 0:
            client = connect(settings["s3_url"])
            schemas, limits = Schemas(f"k{number}"), BatchLimits(*settings["limits"])
            lab = Lab(settings["connection"], client, settings["bucket"], schemas, limits)
            lab.setup(*contracts)
            lab.load(*contracts, workers=1, on_progress=die_at(number))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(number - 1)
            sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
