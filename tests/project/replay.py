"""dbt, replayed: the statements that it really sent, without dbt.

`ReplayedDbt` stands in the place of the loaders' Dbt. A command that it does not know yet is run
by dbt, on one thread, and every statement that dbt's adapter sends is recorded, those of the
materializations and hooks included. From then on the same command sends the same statements
through the same kind of driver, with a new invocation id, in dbt's order and in dbt's
transactions: its COMMITs are among the statements, its rollbacks are recorded too.

What a replay proves is what these statements do to data, in any order and number. They can stand
for dbt because they do not depend on the data: what a model claims, and whether an export waits,
is decided inside the SQL. They do depend on whether a model's table exists, so a history starts
after a first build (of nothing); a full refresh is a command of its own.
`test_what_dbt_sends_does_not_depend_on_the_data` holds dbt to that.

What it does not prove: parsing, scheduling on several threads, the macros' own checks of an answer
(who holds the build), seeds, first builds. Real builds of the same histories do. Left out are
queries and comments, which change nothing, and the calendar, which no history can change.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from loaders.dbt_runner import Dbt, DbtOutcome
from loaders.settings import Settings

INVOCATION = "{invocation}"
INLINE = "inline_query"
CALENDAR = ("int_dates__calendar", "dim_date")
# A lock is a query, too.
IDLE = re.compile(r"(select|with|show)\b(?!.*_lock\()|comment on\b", re.IGNORECASE | re.DOTALL)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# Names that dbt makes from the clock: of temporary tables, and of indexes.
CLOCK = re.compile(r'(?<=__dbt_tmp)\d+|"[0-9a-f]{32}"')
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Sent:
    """A statement and the node that dbt sent it for; no statement: the end of its session."""

    node: str
    sql: str | None

    @property
    def shape(self) -> tuple[str, str | None]:
        """The node and the statement, without the clock."""
        return self.node, self.sql and CLOCK.sub("", self.sql)

    @property
    def is_idle(self) -> bool:
        """Whether it changes the same, or nothing, in every history."""
        return self.node in CALENDAR or (self.sql is not None and bool(IDLE.match(self.sql)))


class ReplayedDbt(Dbt):
    """dbt for a project whose models are all built; `connect` gives a connection as dbt's are."""

    def __init__(self, settings: Settings, connect: Callable[[], Any]) -> None:
        super().__init__(settings, quiet=True)
        self._connect = connect
        self._tape: dict[tuple[str, ...], list[Sent]] = {}
        self._heard: list[Sent] = []
        self._runner.callbacks.append(self._hear)
        self.replayed = 0

    def invoke(self, command: str, *arguments: str) -> DbtOutcome:
        """Run or replay a command. Raises BuildFailed, or the driver's error."""
        key = (command, *arguments)
        if key in self._tape:
            self._replay(self._tape[key])
            return DbtOutcome()
        outcome, self._tape[key] = self.record(command, *arguments)
        return outcome

    def query(self, sql: str) -> list[Row]:
        """Return the rows of a query in dbt's SQL."""
        if (sql,) in self._tape:
            return self._replay(self._tape[sql,])
        self._heard.clear()
        rows = super().query(sql)
        self._tape[sql,] = [sent for sent in self._heard if sent.node == INLINE]
        return rows

    def record(self, command: str, *arguments: str) -> tuple[DbtOutcome, list[Sent]]:
        """Have dbt run a command, and return what it sent."""
        self._heard.clear()
        outcome = super().invoke(command, "--threads", "1", *arguments)
        return outcome, [sent for sent in self._heard if not sent.is_idle]

    def _hear(self, event: Any) -> None:
        if event.info.name not in ("SQLQuery", "Rollback", "ConnectionClosed"):
            return
        sql = None
        if event.info.name == "SQLQuery":
            sql = COMMENT.sub("", event.data.sql).strip()
            sql = sql.replace(event.info.invocation_id, INVOCATION)
        self._heard.append(Sent(event.data.conn_name.rpartition(".")[2], sql))

    def _replay(self, steps: list[Sent]) -> list[Row]:
        """Send the statements; return the rows of the last one that has any."""
        self.replayed += 1
        invocation = str(uuid.uuid4())
        rows: list[Row] = []
        with closing(self._connect()) as connection:
            for step in steps:
                if step.sql is None:
                    connection.rollback()
                    continue
                with closing(connection.cursor()) as cursor:
                    cursor.execute(step.sql.replace(INVOCATION, invocation))
                    if cursor.description:
                        rows = [tuple(row) for row in cursor.fetchall()]
        return rows
