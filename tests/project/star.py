"""The picture of the star in docs/querying.md, drawn from dbt's manifest.

python -m tests.project.star target/manifest.json
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "querying.md"
BEGIN, END = "<!-- star -->", "<!-- end of star -->"


def picture(manifest: dict[str, Any]) -> str:
    """Return the marts and their joins as a Mermaid flowchart."""
    lines = [f"    {one} -- {key} --> {other}" for one, key, other in sorted(set(_joins(manifest)))]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def _joins(manifest: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield (mart, its column, the mart it leads to) of each test of relationships."""
    for node in manifest["nodes"].values():
        test = node.get("test_metadata") or {}
        if test.get("name") == "relationships" and node["attached_node"].startswith("model."):
            to = re.search(r"ref\('(\w+)'\)", test["kwargs"]["to"])
            assert to, node["name"]
            mart = node["attached_node"].rpartition(".")[2]
            yield mart, node["column_name"], to[1]


def page_with(drawn: str) -> str:
    """Return the page with this picture."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n{drawn}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page_with(picture(json.loads(Path(sys.argv[1]).read_text()))))
