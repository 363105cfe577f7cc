"""DynamoDB's exports to S3: which objects one is made of, according to its own manifests.

Below a prefix of the user's choice, as AWS documents it ("DynamoDB table export output format"):

    AWSDynamoDB/<export id>/_started                 the export has begun
    AWSDynamoDB/<export id>/manifest-summary.json    written last: the export is complete
    AWSDynamoDB/<export id>/manifest-files.json      a line a data file: count, md5, key
    AWSDynamoDB/<export id>/data/*.json.gz           data of a full export
    AWSDynamoDB/data/*.json.gz                       data of all incremental exports
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

from loaders.staging.exports import Export, FileCheck, parse_version
from loaders.staging.objects import MovedError, StagedObject

ROOT = "AWSDynamoDB/"
SUMMARY = "manifest-summary.json"
Kind = Literal["full", "incremental"]
_TYPES: dict[str, Kind] = {"FULL_EXPORT": "full", "INCREMENTAL_EXPORT": "incremental"}


class _NotAManifestError(Exception):
    """A manifest says something that cannot be."""


def group(
    kind: Kind,
    objects: Iterable[StagedObject],
    read: Callable[[StagedObject], bytes],
    known: Collection[str],
) -> list[Export]:
    """Return the exports of one kind among the objects below a table's path, oldest first.

    `read` fetches a manifest. Of the exports whose keys are `known` nothing is read: they have
    neither files nor time. One that is not complete, or not as its manifests say, has `lacks`.
    """
    listed = {staged.key: staged for staged in objects}
    exports: list[Export] = []
    for folder in sorted({f for key in listed if (f := _folder(key))}):
        if folder in known:
            exports.append(Export(folder))
            continue
        try:
            summary = _summary(folder, listed, read)
            if summary is None:
                exports.append(Export(folder, lacks=f"{SUMMARY} is not there"))
            elif _TYPES.get(summary.get("exportType", "FULL_EXPORT")) == kind:
                exports.append(_export(folder, kind, summary, listed, read))
        except MovedError as moved:
            exports.append(Export(folder, lacks=f"{moved} is being replaced"))
        except _NotAManifestError as error:
            exports.append(Export(folder, lacks=str(error)))
    return sorted(exports, key=lambda export: (export.version_at, export.key))


def _folder(key: str) -> str | None:
    """Return the prefix of the export that a manifest or a marker belongs to."""
    before, found, rest = key.partition(ROOT)
    export_id, slash, name = rest.partition("/")
    if not found or not slash or name not in ("_started", SUMMARY):
        return None
    return f"{before}{ROOT}{export_id}/"


def _summary(
    folder: str, listed: Mapping[str, StagedObject], read: Callable[[StagedObject], bytes]
) -> dict[str, Any] | None:
    staged = listed.get(folder + SUMMARY)
    return _object(staged.key, read(staged)) if staged else None


def _object(where: str, text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _NotAManifestError(f"{where} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise _NotAManifestError(f"{where} is not a JSON object")
    return found


def _export(
    folder: str,
    kind: Kind,
    summary: Mapping[str, Any],
    listed: Mapping[str, StagedObject],
    read: Callable[[StagedObject], bytes],
) -> Export:
    """Build a complete export, or say what it lacks."""
    before, _, _ = folder.partition(ROOT)
    time = "exportTime" if kind == "full" else "exportToTime"
    try:
        version_at = parse_version(summary[time])
        form, count = summary["outputFormat"], int(summary["itemCount"])
        files_key = _at_home(before, summary["manifestFilesS3Key"])
    except (KeyError, TypeError, ValueError) as error:
        raise _NotAManifestError(f"{folder}{SUMMARY}: {error!r} is missing or wrong") from None
    if form != "DYNAMODB_JSON":
        raise _NotAManifestError(f"{folder}{SUMMARY}: {form} cannot be loaded; use DYNAMODB_JSON")
    if kind == "incremental" and summary.get("outputView") == "NEW_IMAGE":
        raise _NotAManifestError(
            f"{folder}{SUMMARY}: outputView NEW_IMAGE does not tell an item that expired from one "
            "that was deleted; export with NEW_AND_OLD_IMAGES"
        )
    if files_key not in listed:
        return Export(folder, version_at, lacks=f"{files_key} is not there")
    export = Export(folder, version_at)
    for line in read(listed[files_key]).splitlines():
        entry = _object(files_key, line)
        try:
            key = _at_home(before, entry["dataFileS3Key"])
            check = FileCheck(int(entry["itemCount"]), str(entry["md5Checksum"]))
        except (KeyError, TypeError, ValueError) as error:
            raise _NotAManifestError(f"{files_key}: {error!r} is missing or wrong") from None
        if key not in listed:
            return Export(folder, version_at, lacks=f"{key} of the manifest is not there")
        export.files.append(listed[key])
        export.checks[key] = check
    total = sum(check.rows for check in export.checks.values())
    if total != count:
        raise _NotAManifestError(
            f"{files_key} counts {total} items and {SUMMARY} {count}: one of them is cut short"
        )
    if not export.files:
        raise _NotAManifestError(f"{files_key} names no files")
    return export


def _at_home(before: str, key: str) -> str:
    """Return a manifest's key as it is here: exports may have been copied to another prefix."""
    _, found, rest = key.partition(ROOT)
    if not found:
        raise ValueError(f"{key!r} is not below {ROOT}")
    return f"{before}{ROOT}{rest}"
