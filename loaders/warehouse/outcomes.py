"""What both warehouses say of a file that is not loaded, and of an export that shrank."""

from __future__ import annotations

from loaders.formats.csv_form import Fault
from loaders.ledger import Ledger
from loaders.staging.batches import Batch, FileOutcome, PlannedFile, RejectedRecord


class NotWholeError(Exception):
    """A batch that is loaded whole or not at all cannot be; `files` are the reason."""

    def __init__(self, files: tuple[FileOutcome, ...]) -> None:
        super().__init__()
        self.files = files


def refused(
    file: PlannedFile,
    records: int,
    reason: str,
    detail: str,
    rejected: tuple[RejectedRecord, ...] = (),
) -> FileOutcome:
    """Return the outcome of a file of which nothing is loaded."""
    return FileOutcome(file, "refused", records, 0, reason, detail, rejected=rejected)


def rejected_record(fault: Fault) -> RejectedRecord:
    """Return the record that the scanner found at fault, for the ledger."""
    return RejectedRecord(
        fault.record_number,
        fault.line_number,
        fault.byte_offset,
        fault.reason.value,
        fault.detail,
        fault.raw,
    )


def check_whole(batch: Batch, files: list[FileOutcome]) -> None:
    """Raise NotWholeError if the batch must be loaded whole and a file of it is not."""
    missing = tuple(file for file in files if file.status != "loaded")
    if batch.whole and missing:
        raise NotWholeError(missing)


def guarded(batch: Batch, files: list[FileOutcome], book: Ledger) -> list[FileOutcome]:
    """Refuse all files of an export that shrank too much against the one before it."""
    if not batch.export_key:
        return files
    earlier = book.earlier_rows(batch) if batch.guarded else None
    rows = sum(file.rows_loaded for file in files)
    most = batch.contract.load.max_shrink
    if earlier is None or rows >= (1 - most) * earlier or any(f.status != "loaded" for f in files):
        return files
    detail = (
        f"the export has {rows} rows and the one before it {earlier}: it shrank by more than "
        f"max_shrink {most}; requeue a file of it to load it all the same"
    )
    return [refused(f.file, f.rows_read, "shrunk_export", detail) for f in files]
