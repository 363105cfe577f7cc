"""What both warehouses say of a file that is not loaded, and of an export that cannot be right."""

from __future__ import annotations

from decimal import Decimal

from loaders.formats.faults import Fault, FileRefused
from loaders.formats.json_form import JsonForm
from loaders.formats.scanners import Scanner
from loaders.identifiers import quote_identifier
from loaders.ledger import Ledger
from loaders.staging.batches import Batch, FileOutcome, PlannedFile, RejectedRecord
from loaders.staging.objects import ObjectReader
from loaders.staging.plan import SHRUNK_EXPORT
from loaders.warehouse.database import Database


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


def scanned(file: PlannedFile, scanner: Scanner, reader: ObjectReader) -> FileOutcome:
    """Return the outcome of a file that was read to its end.

    All of it is loaded but the rejected records, unless its manifest says another thing of it:
    then its rows are in already, and go with its export, which is loaded whole or not at all.
    """
    records, check = scanner.records, file.check
    if check and (records, reader.md5) != (check.rows, check.md5):
        detail = f"{records} records with md5 {reader.md5}; manifest: {check.rows}, {check.md5}"
        return refused(file, records, "not_as_in_manifest", detail)
    good = records - len(scanner.rejected)
    rejected = tuple(map(_rejected_record, scanner.rejected))
    return FileOutcome(
        file, "loaded", records, good, version_id=reader.version_id, rejected=rejected
    )


def refused_by_scanner(
    file: PlannedFile, scanner: Scanner | None, error: FileRefused
) -> FileOutcome:
    """Return the outcome of a file that the scanner refused; without one, at its header."""
    records, found = (scanner.records, scanner.rejected) if scanner else (0, [])
    rejected = tuple(map(_rejected_record, [*found, error.fault]))
    return refused(file, records, error.fault.reason.value, str(error), rejected)


def _rejected_record(fault: Fault) -> RejectedRecord:
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


def guarded(
    batch: Batch, files: list[FileOutcome], database: Database, staged: str
) -> list[FileOutcome]:
    """Refuse all files of an export that cannot be a full copy of its table.

    `staged` is what a FROM clause needs to read the export's rows. Refused is an export that
    shrank too much against the one before it, and one with a key that is missing or repeated.
    """
    if batch.contract.load.mode != "snapshot" or any(file.status != "loaded" for file in files):
        return files
    found = _shrunk(batch, files, Ledger(database)) or _badly_keyed(batch, database, staged)
    return [refused(f.file, f.rows_read, *found) for f in files] if found else files


def _shrunk(batch: Batch, files: list[FileOutcome], book: Ledger) -> tuple[str, str] | None:
    earlier = book.earlier_rows(batch) if batch.guarded else None
    rows = sum(file.rows_loaded for file in files)
    most = Decimal(str(batch.contract.load.max_shrink))  # as it is written: 0.7 is no binary number
    if earlier is None or rows >= (1 - most) * earlier:
        return None
    return SHRUNK_EXPORT, (
        f"the export has {rows} rows and the one before it {earlier}: it shrank by more than "
        f"max_shrink {most}; requeue a file of it to load it all the same"
    )


def _badly_keyed(batch: Batch, database: Database, staged: str) -> tuple[str, str] | None:
    contract = batch.contract
    names = ", ".join(contract.load.key)
    types = {column.name: column.type.name for column in contract.columns}
    keys, values, missing, nothing = [], [], [], []
    for number, name in enumerate(contract.load.key):
        key, column = f"k{number}", quote_identifier(name)
        keys.append(key)
        missing.append(f"{key} is null")
        if isinstance(contract.form, JsonForm):
            document = quote_identifier(contract.columns[0].name)
            values.append(f"{database.document_text(document, name)} as {key}")
            missing.append(f"{key} = ''")
        elif types[name] == "varchar":
            # As staging reads it: blanks around a text do not count.
            values.append(f"trim({column}) as {key}")
            missing.append(f"{key} in ('', %s)")
            nothing.append(contract.load.null_text or "")
        else:
            values.append(f"{column} as {key}")
    without, repeated = database.fetch(
        "select coalesce(sum(case when is_missing then row_count else 0 end), 0), "  # noqa: S608
        "coalesce(sum(case when row_count > 1 then 1 else 0 end), 0) "
        f"from (select {' or '.join(missing)} as is_missing, count(*) as row_count "
        f"from (select {', '.join(values)} from {staged}) as export group by {', '.join(keys)}) k",
        nothing,
    )[0]
    if without:
        return "missing_key", f"{without} rows of the export have no {names}; export it again"
    if repeated:
        return "duplicate_key", (
            f"{repeated} values of {names} stand in more than one row of the export: which row is "
            "right cannot be known; export it again"
        )
    return None
