"""Faults on demand: what goes wrong, at which statement, how often."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

ERROR_1023, DROP_BEFORE, DROP_AFTER, DELAY, HOLD = (
    "error-1023", "drop-before", "drop-after", "delay", "hold",
)  # fmt: skip
HOLD_SECONDS = 60.0


class Hold:
    """A statement stopped just before it runs, until the test lets it go on."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._released = threading.Event()

    def wait_until_reached(self) -> None:
        """Block until a statement stands here. Raises TimeoutError."""
        if not self._reached.wait(HOLD_SECONDS):
            raise TimeoutError("no statement reached the hold")

    def release(self) -> None:
        """Let the statement run."""
        self._released.set()

    def stand(self) -> None:
        """Block the statement's own thread (the stand-in's side)."""
        self._reached.set()
        self._released.wait(HOLD_SECONDS)


@dataclass
class Fault:
    """One fault: `kind` strikes `times` statements that `match` finds, after `skip` others."""

    kind: str
    match: str
    times: int = 1
    skip: int = 0
    seconds: float = 0.0
    hold: Hold | None = None


@dataclass
class Faults:
    """The faults that wait to strike. Set from the test's thread, taken from the stand-in's."""

    _waiting: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def error_1023(self, match: str, times: int = 1, skip: int = 0) -> None:
        """Answer a statement with a serialization failure instead of running it."""
        self.add(Fault(ERROR_1023, match, times, skip))

    def drop_before(self, match: str, times: int = 1, skip: int = 0) -> None:
        """Drop the connection instead of running a statement: it has no effect."""
        self.add(Fault(DROP_BEFORE, match, times, skip))

    def drop_after(self, match: str, times: int = 1, skip: int = 0) -> None:
        """Drop the connection once a statement (a COMMIT, say) took effect, before the answer."""
        self.add(Fault(DROP_AFTER, match, times, skip))

    def delay(self, match: str, seconds: float, times: int = 1, skip: int = 0) -> None:
        """Wait before running a statement."""
        self.add(Fault(DELAY, match, times, skip, seconds))

    def hold(self, match: str, skip: int = 0) -> Hold:
        """Stop one statement before it runs, until the returned Hold is released."""
        hold = Hold()
        self.add(Fault(HOLD, match, 1, skip, hold=hold))
        return hold

    @property
    def all_struck(self) -> bool:
        """Whether no fault is still waiting for its statement."""
        return not self._waiting

    def clear(self) -> None:
        """Forget all faults and let every held statement go."""
        with self._lock:
            for fault in self._waiting:
                if fault.hold:
                    fault.hold.release()
            self._waiting.clear()

    def take(self, statement: str) -> Fault | None:
        """Return the fault that strikes this statement, counting it as used."""
        with self._lock:
            for fault in self._waiting:
                if not re.search(fault.match, statement, re.IGNORECASE):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times == 0:
                    self._waiting.remove(fault)
                return fault
        return None

    def add(self, fault: Fault) -> None:
        """Let a fault wait."""
        re.compile(fault.match)
        with self._lock:
            self._waiting.append(fault)


def parse_fault(spec: str) -> Fault:
    """Read a fault of the command line: KIND:REGEX, or delay=SECONDS:REGEX."""
    kind, _, match = spec.partition(":")
    kind, _, seconds = kind.partition("=")
    if kind not in (ERROR_1023, DROP_BEFORE, DROP_AFTER, DELAY) or not match:
        raise ValueError(f"{spec!r} is no fault: write error-1023:REGEX, drop-before:REGEX, "
                         "drop-after:REGEX or delay=SECONDS:REGEX")  # fmt: skip
    return Fault(kind, match, seconds=float(seconds or 0))
