"""What the longer tests counted, said once at the end of a run: `docs/reliability.md` quotes it.

pytest-xdist swallows standard output, so each worker hands its lines over when it ends.
"""

from __future__ import annotations

from typing import Any

import pytest

_lines: list[str] = []


def tally(line: str) -> None:
    """Have a line printed at the end of the run."""
    _lines.append(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["tallies"] = _lines


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _lines.extend(getattr(node, "workeroutput", {}).get("tallies", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _lines:
        terminalreporter.section("counted")
        for line in sorted(_lines):
            terminalreporter.write_line(line)
