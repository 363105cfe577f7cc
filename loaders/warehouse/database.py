"""One connection as the ledger's portable statements see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from loaders.identifiers import Schemas


class ClaimedError(Exception):
    """A ledger row with this key is there already: another loader's, or our own lost COMMIT's."""


class Database(Protocol):
    """A connection; drivers' faults come as the classes of `errors`. Parameters are written %s."""

    schemas: Schemas
    now: str
    """SQL for the current time: a timestamp without zone, in UTC."""
    to_hex: str
    """SQL for the hexadecimal text of the bytes {}: a driver would decode them as text."""
    from_hex: str
    """SQL for the bytes of the hexadecimal text {}."""

    def document_text(self, column: str, place: str) -> str:
        """Return SQL for the scalar at a place of the documents in a column, as text.

        `column` is quoted; `place` is attributes' names with dots between, as a contract's key
        has it. Where nothing, null, an object or an array stands, the value is null.
        """

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of one statement."""

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement; return the number of rows it touched."""

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run one statement for each row of parameters. Raises ClaimedError for a known key."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of the block, or roll back when it raises."""

    def new_id(self, of: Literal["batch_id", "event_id"]) -> int:
        """Return a number that no other batch or event has or will have."""
