"""What is loaded together, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from loaders.contracts import Contract
from loaders.staging.exports import FileCheck
from loaders.staging.objects import StagedObject

Why = Literal["new", "changed", "requeued", "reloaded"]


@dataclass(frozen=True)
class PlannedFile:
    """A listed object and the generation it will be recorded as.

    `why` "reloaded": unchanged, but its batch is replaced as a whole.
    """

    object: StagedObject
    generation: int
    why: Why
    check: FileCheck | None = None  # what the export's manifest says of it


@dataclass(frozen=True)
class BatchLimits:
    """How much a warehouse likes to load at once; `bytes` are stored bytes."""

    files: int
    bytes: int


@dataclass(frozen=True)
class Batch:
    """Files that are loaded in one transaction, in key order.

    `export_key` and `version_at` (UTC) are those of a snapshot's export. The batches in
    `supersedes` stop counting when this one is loaded.
    """

    contract: Contract
    bucket: str
    files: tuple[PlannedFile, ...]
    export_key: str | None = None
    version_at: datetime | None = None
    supersedes: tuple[int, ...] = ()
    guarded: bool = True

    @property
    def whole(self) -> bool:
        """All of it is loaded or nothing: an export, or a replacement of live batches."""
        return self.export_key is not None or bool(self.supersedes)

    @property
    def bytes(self) -> int:
        """Stored bytes of its files."""
        return sum(file.object.bytes for file in self.files)


@dataclass(frozen=True)
class RejectedRecord:
    """One refused record: where it stands in its file, and its bytes (the beginning of them).

    The bytes are for the ledger alone: no message and no report of a load shows them.
    """

    record_number: int
    line_number: int
    byte_offset: int
    reason: str
    detail: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file. `status` "moved": changed or gone since it was listed."""

    file: PlannedFile
    status: Literal["loaded", "refused", "moved"]
    rows_read: int = 0
    rows_loaded: int = 0
    reason: str | None = None
    detail: str | None = None
    version_id: str | None = None
    rejected: tuple[RejectedRecord, ...] = ()


@dataclass(frozen=True)
class BatchOutcome:
    """What became of a batch; `batch_id` is None when nothing of it was loaded."""

    batch: Batch
    batch_id: int | None
    files: tuple[FileOutcome, ...]

    @property
    def loaded(self) -> tuple[FileOutcome, ...]:
        """The files whose rows are in the raw table."""
        return tuple(file for file in self.files if file.status == "loaded")

    @property
    def rows_loaded(self) -> int:
        """Rows that the batch added to the raw table."""
        return sum(file.rows_loaded for file in self.loaded)
