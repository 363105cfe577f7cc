"""What a load would do: a pure function of contracts, listing and ledger that writes nothing.

The current content of a key is its last loaded generation. An object with that ETag is skipped;
one whose last generation was refused with that ETag stands refused, until it is replaced,
deleted or requeued; anything else is loaded, or refused by the contract's `on_changed_file`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import groupby

from loaders.contracts import Contract
from loaders.ledger import FileRow, TableState
from loaders.staging import dynamodb_exports, exports
from loaders.staging.batches import Batch, BatchLimits, FileOutcome, PlannedFile, Why
from loaders.staging.corrections import corrected_key, correction_key
from loaders.staging.exports import Export
from loaders.staging.objects import StagedObject

CHANGED_FILE = "changed_file"
REPLACE_BLOCKED = "replace_blocked"
NO_VERSION = "no_version"
SHRUNK_EXPORT = "shrunk_export"


@dataclass(frozen=True)
class WaitingExport:
    """An export that is not complete yet, and what it lacks."""

    export_key: str
    missing: str
    files: int


@dataclass(frozen=True)
class TablePlan:
    """What one table's load would do; `batches` are in the order in which they must load.

    `refusals` will be recorded, `standing` ones were: both need a person. `skipped` files are
    loaded already, or correct a content that does not count any more; `ignored` are the keys of
    objects that match neither `files` nor the marker, empty ones aside.
    """

    contract: Contract
    batches: tuple[Batch, ...] = ()
    refusals: tuple[FileOutcome, ...] = ()
    standing: tuple[FileRow, ...] = ()
    waiting: tuple[WaitingExport, ...] = ()
    skipped: int = 0
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The plans of all tables, by name; `unclaimed` are keys that all tables below them ignore."""

    bucket: str
    tables: tuple[TablePlan, ...]
    unclaimed: tuple[str, ...] = ()

    @property
    def batches(self) -> tuple[Batch, ...]:
        """All batches, table by table."""
        return tuple(batch for table in self.tables for batch in table.batches)

    @property
    def files(self) -> int:
        """The number of files to load."""
        return sum(len(batch.files) for batch in self.batches)

    @property
    def bytes(self) -> int:
        """Stored bytes to load."""
        return sum(batch.bytes for batch in self.batches)


@dataclass(frozen=True)
class Place:
    """Where a listing comes from, and how to read a manifest there."""

    bucket: str
    root: str
    read: Callable[[StagedObject], bytes]


def unclaimed(tables: Iterable[TablePlan], root: str) -> tuple[str, ...]:
    """Return the keys that every table ignores below whose path they stand."""
    ignored = [(root + table.contract.load.path, set(table.ignored)) for table in tables]
    return tuple(
        key
        for key in sorted(set().union(*(keys for _, keys in ignored)))
        if all(key in keys or not key.startswith(path) for path, keys in ignored)
    )


def plan_table(
    contract: Contract,
    objects: Iterable[StagedObject],
    state: TableState,
    place: Place,
    limits: BatchLimits,
) -> TablePlan:
    """Plan one table from the objects listed below its path and what the ledger has of it."""
    if contract.load.complete_when:
        return _plan_exports(contract, objects, state, place)
    return _plan_files(contract, objects, state, place, limits)


def _is_data(contract: Contract) -> Callable[[str], bool]:
    return lambda rest: fnmatchcase(rest, contract.load.files)


def _next_generation(state: TableState, key: str) -> int:
    latest = state.latest.get(key)
    return latest.generation + 1 if latest else 1


def _refusal(staged: StagedObject, state: TableState, reason: str, detail: str) -> FileOutcome:
    file = PlannedFile(staged, _next_generation(state, staged.key), "changed")
    return FileOutcome(file, "refused", reason=reason, detail=detail)


def _standing(staged: StagedObject, state: TableState) -> FileRow | None:
    """Return the refusal that still holds for this very content."""
    latest = state.latest.get(staged.key)
    refused = latest and latest.status == "refused" and latest.etag == staged.etag
    return latest if refused else None


def _requeued(staged: StagedObject, state: TableState) -> bool:
    latest = state.latest.get(staged.key)
    return latest is not None and latest.status == "requeued"


def _plan_files(
    contract: Contract,
    objects: Iterable[StagedObject],
    state: TableState,
    place: Place,
    limits: BatchLimits,
) -> TablePlan:
    """Plan a table whose files stand for themselves (modes append and changes)."""
    policy = contract.load.on_changed_file
    is_data = _is_data(contract)
    base = len(place.root + contract.load.path)
    everything = list(objects)
    listed = {staged.key: staged for staged in everything if is_data(staged.key[base:])}
    replaces = policy == "replace"
    fresh: list[PlannedFile] = []
    corrections: list[PlannedFile] = []
    replaced: dict[int, list[PlannedFile]] = {}
    refusals: list[FileOutcome] = []
    standing: list[FileRow] = []
    ignored = [staged for staged in everything if staged.key not in listed]
    skipped = 0
    for staged in listed.values():
        corrected = corrected_key(staged.key)
        if corrected and staged.key != _correction(corrected, listed, state, replaces):
            skipped += 1
            continue
        current = state.current.get(staged.key)
        requeued = _requeued(staged, state)
        if refused := _standing(staged, state):
            standing.append(refused)
        elif current and current.etag == staged.etag and not requeued:
            skipped += 1
        elif current and policy == "fail" and not requeued:
            detail = (
                f"the file was loaded with ETag {current.etag} and has changed since; put it "
                "back, stage the new content under a new key, or requeue it to replace its rows"
            )
            refusals.append(_refusal(staged, state, CHANGED_FILE, detail))
        else:
            why: Why = "requeued" if requeued else "changed" if current else "new"
            file = PlannedFile(staged, _next_generation(state, staged.key), why)
            if current and current.batch_id and (requeued or replaces):
                replaced.setdefault(current.batch_id, []).append(file)
            else:
                (corrections if corrected else fresh).append(file)
    if replaces:
        # A file by itself can be replaced whatever became of its neighbours.
        limits = replace(limits, files=1)
    batches = [Batch(contract, place.bucket, files) for files in _grouped(fresh, limits)]
    # By itself, so that it can go when the content that it corrects is replaced.
    batches += [Batch(contract, place.bucket, (file,)) for file in corrections]
    for batch_id, files in sorted(replaced.items()):
        whole, blocked = _with_siblings(files, batch_id, state, listed)
        if blocked:
            refusals += [_refusal(f.object, state, REPLACE_BLOCKED, blocked) for f in files]
        else:
            outdated = _corrections_of(whole, state)
            batches.append(Batch(contract, place.bucket, whole, supersedes=(batch_id, *outdated)))
    return TablePlan(
        contract, tuple(batches), tuple(refusals), tuple(standing), (), skipped, _keys(ignored)
    )


def _correction(
    key: str, listed: Mapping[str, StagedObject], state: TableState, replaces: bool
) -> str | None:
    """Return the key of the correction of what counts of a file, unless that is being replaced."""
    current, staged = state.current.get(key), listed.get(key)
    if current is None:
        return None
    changed = staged and staged.etag != current.etag and not _standing(staged, state)
    if staged and changed and (replaces or _requeued(staged, state)):
        return None
    return correction_key(key, current.etag)


def _corrections_of(files: Iterable[PlannedFile], state: TableState) -> Iterator[int]:
    """Yield the live batches that correct what these files held before they changed."""
    for file in files:
        before = state.current.get(file.object.key)
        if before and before.etag != file.object.etag:
            correction = state.current.get(correction_key(before.key, before.etag))
            if correction and correction.batch_id:
                yield correction.batch_id


def _grouped(files: list[PlannedFile], limits: BatchLimits) -> Iterator[tuple[PlannedFile, ...]]:
    """Yield groups of one compression (Redshift's COPY takes one) within the limits."""
    by_kind = sorted(files, key=lambda file: (file.object.key.endswith(".gz"), file.object.key))
    for _, alike in groupby(by_kind, key=lambda file: file.object.key.endswith(".gz")):
        group: list[PlannedFile] = []
        size = 0
        for file in alike:
            full = len(group) == limits.files or size + file.object.bytes > limits.bytes
            if group and full:
                yield tuple(group)
                group, size = [], 0
            group.append(file)
            size += file.object.bytes
        yield tuple(group)


def _with_siblings(
    files: list[PlannedFile],
    batch_id: int,
    state: TableState,
    listed: Mapping[str, StagedObject],
) -> tuple[tuple[PlannedFile, ...], str | None]:
    """Add the batch's other files, whose rows go with it; or say why they cannot be read again."""
    whole = {file.object.key: file for file in files}
    for row in state.files.get(batch_id, ()):
        if row.key in whole:
            continue
        staged = listed.get(row.key)
        if staged is None or staged.etag != row.etag:
            return (), (
                f"its rows are in one batch with those of {row.key}, which is no longer in the "
                f"bucket as it was loaded (ETag {row.etag}); put that back or requeue it too"
            )
        whole[row.key] = PlannedFile(staged, _next_generation(state, row.key), "reloaded")
    return tuple(whole[key] for key in sorted(whole)), None


def _plan_exports(
    contract: Contract, objects: Iterable[StagedObject], state: TableState, place: Place
) -> TablePlan:
    """Plan a table whose files come in exports that are loaded whole."""
    found, strays, ignored = _exports(contract, list(objects), state, place)
    batches: list[Batch] = []
    refusals: list[FileOutcome] = []
    standing: list[FileRow] = []
    waiting: list[WaitingExport] = []
    skipped = 0
    for staged, detail in strays:
        if refused := _standing(staged, state):
            standing.append(refused)
        else:
            refusals.append(_refusal(staged, state, NO_VERSION, detail))
    for export in found:
        refused_files = [row for staged in export.files if (row := _standing(staged, state))]
        if refused_files:
            standing += refused_files
        elif export.files and all(_is_loaded(staged, state) for staged in export.files):
            skipped += len(export.files)
        elif lacks := export.lacks or _lacks(contract, export, place):
            waiting.append(WaitingExport(export.key, lacks, len(export.files)))
        elif all(_is_loaded(staged, state) for staged in export.files):
            skipped += len(export.files)  # what is new is not in the manifest
        else:
            batches.append(_export_batch(contract, export, state, place.bucket))
    return TablePlan(
        contract,
        tuple(batches),
        tuple(refusals),
        tuple(standing),
        tuple(waiting),
        skipped,
        _keys(ignored),
    )


def _keys(objects: Iterable[StagedObject]) -> tuple[str, ...]:
    """Return the keys of those that hold anything."""
    return tuple(staged.key for staged in objects if staged.bytes)


def _exports(
    contract: Contract, objects: list[StagedObject], state: TableState, place: Place
) -> tuple[list[Export], list[tuple[StagedObject, str]], list[StagedObject]]:
    """Return the exports among the objects, what belongs to none, and what is neither."""
    rule = contract.load.complete_when
    if not rule or not rule.dynamodb_export:
        return exports.group(contract.load, place.root, objects, _is_data(contract))
    listed = {staged.key: staged for staged in objects}
    loaded: dict[str, list[StagedObject]] = {}
    for batch in state.batches.values():
        files = [listed.get(row.key) for row in state.files.get(batch.batch_id, ())]
        if batch.export_key and all(file and _is_loaded(file, state) for file in files):
            loaded[batch.export_key] = [file for file in files if file]
    found = dynamodb_exports.group(rule.dynamodb_export, objects, place.read, loaded)
    for export in found:
        export.files = loaded.get(export.key, export.files)
    return found, [], []


def _lacks(contract: Contract, export: Export, place: Place) -> str | None:
    rule = contract.load.complete_when
    if not rule or rule.dynamodb_export:
        return None
    return exports.missing(rule, export, place.bucket, place.read)


def _is_loaded(staged: StagedObject, state: TableState) -> bool:
    current = state.current.get(staged.key)
    return current is not None and current.etag == staged.etag and not _requeued(staged, state)


def _export_batch(contract: Contract, export: Export, state: TableState, bucket: str) -> Batch:
    """Load the whole export; an earlier load of the same export stops counting."""
    files = []
    for staged in sorted(export.files):
        known = staged.key in state.current
        why: Why = "requeued" if _requeued(staged, state) else "changed" if known else "new"
        if _is_loaded(staged, state):
            why = "reloaded"
        check = export.checks.get(staged.key)
        files.append(PlannedFile(staged, _next_generation(state, staged.key), why, check))
    same = sorted(
        batch.batch_id
        for batch in state.batches.values()
        if (batch.export_key, batch.version_at) == (export.key, export.version_at)
    )
    # Who requeues a shrunk export has looked at this content of it and wants it.
    guarded = not any(_is_wanted(file.object, state) for file in files)
    return Batch(
        contract, bucket, tuple(files), export.key, export.version_at, tuple(same), guarded
    )


def _is_wanted(staged: StagedObject, state: TableState) -> bool:
    latest = state.latest.get(staged.key)
    return (
        latest is not None
        and (latest.status, latest.reason) == ("requeued", SHRUNK_EXPORT)
        and latest.etag == staged.etag
    )
