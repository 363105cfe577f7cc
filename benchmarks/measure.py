"""Timing: sides in turn, warm-up first, medians and ratios."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Run:
    """One measurement: seconds, and the peak resident memory of its process in MB, if known."""

    seconds: float
    peak_mb: float | None = None


@dataclass
class Comparison:
    """Two sides that did the same work in turn; `ratio` is the median of ours by theirs, by round.

    `reach` is the ratio that was to be reached, at most; None where there is none. `unit` is what
    the runs' seconds are, where they are something else.
    """

    name: str
    ours: str
    peer: str
    reach: float | None
    rows: int
    note: str = ""
    unit: str = "s"
    ours_runs: list[Run] = field(default_factory=list)
    peer_runs: list[Run] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median over the rounds of our seconds by the peer's."""
        pairs = zip(self.ours_runs, self.peer_runs, strict=True)
        return median(ours.seconds / peer.seconds for ours, peer in pairs)

    def as_json(self) -> dict[str, Any]:
        """Return everything that was measured."""
        return asdict(self) | {
            "ratio": float(f"{self.ratio:.3g}"),
            "ours_seconds": round(median(run.seconds for run in self.ours_runs), 3),
            "peer_seconds": round(median(run.seconds for run in self.peer_runs), 3),
        }


def compare(
    comparison: Comparison, ours: Callable[[], Run], peer: Callable[[], Run], rounds: int
) -> Comparison:
    """Run both sides once unmeasured, then in turn, each round the other first."""
    ours()
    peer()
    for number in range(rounds):
        if number % 2:
            comparison.peer_runs.append(peer())
            comparison.ours_runs.append(ours())
        else:
            comparison.ours_runs.append(ours())
            comparison.peer_runs.append(peer())
    return comparison


def timed(work: Callable[[], object]) -> Run:
    """Time something in this process."""
    started = time.monotonic()
    work()
    return Run(time.monotonic() - started)


def in_process(work: Callable[..., object], *arguments: object) -> Run:
    """Time a function of a module in a new process, and take that process's peak memory."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measured, work, arguments).result()


def _measured(work: Callable[..., object], arguments: tuple[object, ...]) -> Run:
    started = time.monotonic()
    work(*arguments)
    return Run(time.monotonic() - started, peak_mb())


def peak_mb() -> float:
    """Return this process's peak resident memory (Linux; getrusage counts its parent's, too)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
