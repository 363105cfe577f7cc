"""Repeats an action after transient faults, waiting longer each time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from loaders.errors import Transient

T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """How often to try, and the longest wait before the second try, doubled up to `cap` (s)."""

    attempts: int = 6
    first: float = 0.5
    cap: float = 20.0

    def limit(self, failures: int) -> float:
        """Return the longest wait, in seconds, after so many failures.

        >>> [Backoff().limit(n) for n in (1, 2, 3, 9)]
        [0.5, 1.0, 2.0, 20.0]
        """
        return min(self.cap, self.first * 2.0 ** (failures - 1))


def retry(
    action: Callable[[], T],
    backoff: Backoff,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Return what `action` returns; repeat it while it raises `Transient`, then raise that."""
    failures = 0
    while True:
        try:
            return action()
        except Transient:
            failures += 1
            if failures >= backoff.attempts:
                raise
            # Full jitter: workers that failed together must not come back together.
            sleep(random.uniform(0, backoff.limit(failures)))  # noqa: S311
