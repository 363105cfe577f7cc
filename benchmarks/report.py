"""The table of docs/performance.md, from the results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def write_table(results: Path) -> None:
    """Put every result, as it was measured last, into the page."""
    lines = [BEGIN, ""]
    for file in sorted(results.glob("*.json")):
        found = json.loads(file.read_text())
        versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
        lines += [
            f"`{found['command']}`, {found['at']}, {found['machine']}, {versions}:",
            "",
            "| what | ours | the other | ratio | to reach | |",
            "|---|---|---|---|---|---|",
            *(_line(one) for one in found["comparisons"]),
            "",
        ]
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + "\n".join([*lines, END]) + rest.partition(END)[2])


def _line(one: dict[str, Any]) -> str:
    reach = "" if one["reach"] is None else f"{one['reach']:.3g}"
    peaks = [run["peak_mb"] for run in one["ours_runs"] if run["peak_mb"]]
    notes = [one["note"]] if one["note"] else []
    notes += [f"peak {max(peaks):.0f} MB"] if peaks else []
    return (
        f"| {one['name']} ({one['rows']:,} rows) | {one['ours']}: {_short(one['ours_seconds'])} "
        f"{one['unit']} | {one['peer']}: {_short(one['peer_seconds'])} {one['unit']} | "
        f"**{one['ratio']:.3g}** | {reach} | {'; '.join(notes)} |"
    )


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
