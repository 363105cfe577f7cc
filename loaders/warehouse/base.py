"""What the loader asks of a warehouse: the narrow part that PostgreSQL and Redshift each write."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from loaders.contracts import Column, Contract
from loaders.errors import WarehouseError
from loaders.ledger import Ledger
from loaders.staging.batches import Batch, BatchLimits, BatchOutcome, FileOutcome, PlannedFile
from loaders.staging.objects import Staging
from loaders.warehouse.database import Database

if TYPE_CHECKING:
    from loaders.warehouse.arrow_rows import Batches  # pyarrow takes a while to import


class NotCancelledError(WarehouseError):
    """A query was interrupted, and nobody knows whether its statement still runs."""

    def __init__(self, session: int) -> None:
        super().__init__(
            "interrupted, but the statement did not end when it was cancelled: it may still run "
            f"in the server's session {session}"
        )


@dataclass(frozen=True)
class Progress:
    """Where a load stands. `bytes_read` are stored bytes of the file `key`, `rows` its records.

    A batch is "claimed", each of its files "reading" (often) and "read", then the batch is
    "recorded" in the ledger and "committed". After a fault it begins again.
    """

    step: Literal["claimed", "reading", "read", "recorded", "committed"]
    source_table: str
    key: str | None = None
    bytes_read: int = 0
    rows: int = 0


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class QueryResult:
    """Columns, and rows that are read from the server while they are iterated."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@dataclass(frozen=True)
class ExistingColumn:
    """A raw table's column as the catalog has it: its portable type, and the check behind it."""

    name: str
    type: str
    constraint: str | None = None


@dataclass(frozen=True)
class LeftOut:
    """A statement that the connected user was not allowed to run, and what the server said."""

    sql: str
    reason: str


class Warehouse(Database, ABC):
    """One connection to one target, used by one thread at a time; close it after use."""

    limits: BatchLimits
    sequences: ClassVar[tuple[str, ...]] = ()
    """The ledger's sequences."""
    functions: ClassVar[tuple[str, ...]] = ()
    """The ledger's functions, which defaults of the raw tables call."""

    @abstractmethod
    def setup_transaction(self) -> AbstractContextManager[None]:
        """Open a transaction that excludes every other setup of this target."""

    @abstractmethod
    def ledger_ddl(self) -> list[str]:
        """Return the statements that create the ledger; each does nothing if it is there."""

    @abstractmethod
    def role(self, name: str) -> str:
        """Return a role as GRANT names it."""

    @abstractmethod
    def known_roles(self, names: Sequence[str]) -> tuple[set[str], set[tuple[str, str]]]:
        """Return which of these roles exist, and which pairs (role, member) of them."""

    def builder_settings(self, roles: Sequence[str]) -> list[str]:
        """Return the statements that set what dbt's sessions need for the members of roles."""
        return []

    @abstractmethod
    def execute_allowed(self, statements: Iterable[str]) -> list[LeftOut]:
        """Run each statement by itself; return those that the user is not allowed to run.

        Among them those about a role that does not exist, because it could not be created.
        """

    @abstractmethod
    def raw_columns(self, contract: Contract) -> list[ExistingColumn]:
        """Return the columns of the contract's raw table, or [] if there is no such table."""

    @abstractmethod
    def create_raw(self, contract: Contract) -> list[str]:
        """Return the statements that create the raw table."""

    @abstractmethod
    def add_column(self, contract: Contract, column: Column) -> str:
        """Return the statement that adds a nullable column to the raw table."""

    @abstractmethod
    def change_type(self, contract: Contract, column: Column, existing: ExistingColumn) -> str:
        """Return the statement that a person may run to give a column its declared type."""

    @abstractmethod
    def copy_sql(self, batch: Batch) -> str:
        """Return the COPY that loads the batch, for people to read."""

    def advice(self, batch: Batch) -> list[str]:
        """Return what would make the batch load faster, for people to read."""
        return []

    @abstractmethod
    def load_batch(
        self, batch: Batch, staging: Staging, run_id: str, on_progress: OnProgress
    ) -> BatchOutcome:
        """Load the batch and record it in the ledger, in one transaction.

        Repeating it after any fault is safe. Raises `ClaimedError` when a file of it is
        recorded already, `Transient` when it should be tried again from the start.
        """

    @abstractmethod
    def publishing(self) -> AbstractContextManager[None]:
        """Open a transaction that writes `files` of the ledger; one at a time on Redshift."""

    @abstractmethod
    def refuse_if_recorded(
        self, source_table: str, bucket: str, files: Iterable[PlannedFile]
    ) -> None:
        """Raise `ClaimedError` for a generation that is known, where keys are not enforced."""

    def record_refusals(self, source_table: str, bucket: str, files: Iterable[FileOutcome]) -> None:
        """Record the refused ones of these files. Raises `ClaimedError` if one is known."""
        refused = [file for file in files if file.status == "refused"]
        with self.publishing():
            self.refuse_if_recorded(source_table, bucket, [file.file for file in refused])
            Ledger(self).insert_files(source_table, bucket, None, refused)

    @abstractmethod
    def query(self, sql: str) -> AbstractContextManager[QueryResult]:
        """Run one statement that can only read. Leaving the block early cancels it.

        An interrupt does, too, and is passed on when the statement has ended; raises
        NotCancelledError if it has not.
        """

    @abstractmethod
    def batches(
        self, sql: str, limit: int | None, staging: Callable[[], Staging]
    ) -> AbstractContextManager[Batches]:
        """Run one statement that can only read, for an answer of any size, in bounded memory.

        `staging` is asked for where the answer comes by way of the bucket.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
