"""Loads a scenario again and again, each time into schemas and a folder of its own, and dies.

Run by test_crash_points.py with its settings as JSON on stdin. Prints what an undisturbed load
reached, and the points at which the loads died: {"reached": [...], "killed": [n, ...]}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from crash_scenarios import SCENARIOS, lab_of
from kill_points import KillPoints

from loaders.embedded.object_store import connect

CALM = 0


def fork_load(settings: dict[str, Any], number: int, last: int | None) -> tuple[int, list[str]]:
    """Load in a child; return how it ended, and the points that it reached if it lived."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        with os.fdopen(reader) as pipe:
            text = pipe.read()
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), json.loads(text) if text else []
    client = connect(settings["s3_url"])
    scenario = SCENARIOS[settings["scenario"]]
    contracts = scenario.contracts(Path(settings["project"]))
    name = f"{settings['prefix']}{number}"
    lab = lab_of(settings["target"], settings["connection"], client, settings["bucket"], name)
    lab.setup(*contracts)
    scenario.prepare(lab, contracts)
    points = KillPoints(last)
    points.watch_s3(client)
    getattr(points, f"watch_{settings['target']}")()
    lab.load(*contracts, workers=1)
    with os.fdopen(writer, "w") as pipe:
        json.dump(points.reached, pipe)
    os._exit(0)


def spread(reached: list[str], deaths: int | None) -> list[int]:
    """Return the points to die at: all, or so many at equal distances, the last one among them.

    Of a driver's several waits for one statement's answer only the last counts: before it the
    statement was not wholly sent.
    """
    follows = [*reached[1:], ""]
    points = [n for n, (this, next_) in enumerate(zip(reached, follows, strict=True), 1)
              if this != next_]  # fmt: skip
    if deaths is None:
        return points
    return [points[-1 - len(points) * number // deaths] for number in range(deaths)]


def main() -> None:
    """Count the points of an undisturbed load, then die at each, or at `deaths` of them."""
    settings = json.load(sys.stdin)
    status, reached = fork_load(settings, CALM, None)
    if status:
        sys.exit(f"the undisturbed load ended with {status}")
    chosen = spread(reached, settings["deaths"])
    for number in chosen:
        status, _ = fork_load(settings, number, number)
        if status != -signal.SIGKILL:
            sys.exit(f"the load did not come to point {number}: it ended with {status}")
    json.dump({"reached": reached, "killed": chosen}, sys.stdout)


if __name__ == "__main__":
    main()
