"""Which staged objects count: the loader's rules in plain Python, sharing no code with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tests.project.dimension_oracle import Export
from tests.project.events import COLUMNS, Body, Policy, Row
from tests.project.measurement_oracle import Accepted
from tests.project.sales_objects import SalesFile
from tests.project.sales_oracle import SalesRow

EXPORT = re.compile(r"research_db/(\w+)/(exported_at=(.+?)/)")


@dataclass
class Bucket:
    """The objects that are staged, and what a loader has made of them so far."""

    on_changed_file: Policy
    staged: dict[str, Body | SalesFile | None] = field(default_factory=dict)
    counts: dict[str, list[Body]] = field(default_factory=dict)  # by key; of an export the last
    sales: dict[str, SalesFile] = field(default_factory=dict)  # by key; each comes once
    refused: dict[str, Body] = field(default_factory=dict)  # by key, as long as it stands
    requeued: set[str] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)  # keys of exports, as they were loaded

    def load(self) -> set[str]:
        """Accept or refuse what is new; return the keys of the objects that are refused."""
        refused = set()
        for key in sorted(self.staged, key=lambda key: (_export_time(key), key)):
            body = self.staged[key]
            if isinstance(body, SalesFile):
                self.sales[key] = body
            if not isinstance(body, Body) or not self._is_news(key, body):
                continue
            if self._is_fit(key, body):
                self._accept(key, body)
            else:
                self.refused[key] = body
                refused.add(key)
            self.requeued.discard(key)
        return refused

    def _is_news(self, key: str, body: Body) -> bool:
        if self.refused.get(key) == body and key not in self.requeued:
            return False
        held = self.counts.get(key)
        if held and held[-1] == body and key not in self.requeued:
            return False
        found = EXPORT.match(key)
        return found is None or found[0] + "_SUCCESS" in self.staged

    def _is_fit(self, key: str, body: Body) -> bool:
        if not EXPORT.match(key):
            free = self.on_changed_file != "fail" or key in self.requeued
            return not body.cut_off and (key not in self.counts or free)
        keys = [row[body.table.removesuffix("s") + "_id"] for row in body.rows]
        return len(keys) == len(set(keys)) and not self._has_shrunk(key, body)

    def _has_shrunk(self, key: str, body: Body) -> bool:
        before = [
            (_export_time(other), self.taken.index(other), len(self.counts[other][-1].rows))
            for other in self.taken
            if _table(other) == body.table and _export_time(other) < _export_time(key)
        ]
        return key not in self.requeued and len(body.rows) < max(before, default=(0, 0, 0))[2] / 2

    def _accept(self, key: str, body: Body) -> None:
        self.refused.pop(key, None)
        if EXPORT.match(key):
            if key in self.taken:
                self.taken.remove(key)
            self.taken.append(key)
            self.counts[key] = [body]
        elif self.on_changed_file == "append" and key not in self.requeued:
            self.counts.setdefault(key, []).append(body)
        else:
            self.counts[key] = [body]

    def accepted(self) -> Accepted:
        """Return what counts."""
        return Accepted(
            [row for body in self._bodies("measurements") for row in _full(body)],
            *(
                [
                    Export(_export_time(key), EXPORT.match(key)[0], _full(bodies[-1]))  # type: ignore[index]
                    for key, bodies in self.counts.items()
                    if _table(key) == entity
                ]
                for entity in ("experiments", "locations", "researchers")
            ),
        )

    def sales_rows(self) -> list[SalesRow]:
        """Return the rows of the sales files."""
        return [row for file in self.sales.values() for row in file.sales_rows()]

    def _bodies(self, table: str) -> Iterator[Body]:
        for key, bodies in self.counts.items():
            if _table(key) == table:
                yield from bodies


def _full(body: Body) -> list[Row]:
    return [COLUMNS[body.table] | row for row in body.rows]


def _table(key: str) -> str:
    return key.split("/")[1]


def _export_time(key: str) -> datetime:
    found = EXPORT.match(key)
    if not found:
        return datetime.min
    time = datetime.fromisoformat(found[3])
    return (time - (time.utcoffset() or time - time)).replace(tzinfo=None)
