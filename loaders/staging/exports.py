"""Exports: which files make up one full copy of a table, as of when, and whether all are there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from loaders.contracts import LAST_MODIFIED, VERSION_AT, CompleteWhen, Load
from loaders.staging.objects import MovedError, StagedObject

# Of an RDS snapshot's export, beside the databases' folders: its status; that of its tables.
RDS_EXPORT_INFO = "export_info_*.json"
RDS_TABLES_INFO = "export_tables_info_*.json"


@dataclass(frozen=True)
class FileCheck:
    """What a manifest says of a file: its records, and the base64 md5 of its stored bytes."""

    rows: int
    md5: str


@dataclass
class Export:
    """The objects of one export. `key` is the part of their keys that tells it from others."""

    key: str
    version_at: datetime = datetime.min
    files: list[StagedObject] = field(default_factory=list)
    signal: StagedObject | None = None  # the marker, the manifest or RDS's word of the export
    lacks: str | None = None  # why it cannot be loaded, if that is known already
    checks: dict[str, FileCheck] = field(default_factory=dict)  # by the file's key


class UnversionedError(Exception):
    """An object's key does not say which export it belongs to."""


def parse_version(text: str) -> datetime:
    """Read an ISO 8601 time, basic or extended, as UTC without zone. Raises ValueError.

    >>> parse_version("20130701T000000Z"), parse_version("2013-07-01T02:00:00+02:00")
    (datetime.datetime(2013, 7, 1, 0, 0), datetime.datetime(2013, 7, 1, 0, 0))
    """
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def group(
    load: Load, root: str, objects: Iterable[StagedObject], is_data: Callable[[str], bool]
) -> tuple[list[Export], list[tuple[StagedObject, str]], list[StagedObject]]:
    """Return the exports among the objects of a snapshot table, oldest first.

    Also the data files that belong to no export, with the reason, and the objects that are neither
    data nor markers. `root` is the staging root's prefix; `is_data` takes the rest
    of a key below the contract's path.
    """
    base = root + load.path
    signal = _signal(load.complete_when) if load.complete_when else None
    exports: dict[str, Export] = {}
    strays: list[tuple[StagedObject, str]] = []
    ignored: list[StagedObject] = []
    for staged in objects:
        rest = staged.key[len(base) :]
        name = rest.rpartition("/")[2]
        is_signal = signal is not None and fnmatchcase(name, signal)
        if signal == RDS_EXPORT_INFO and fnmatchcase(name, RDS_TABLES_INFO):
            continue
        if not is_signal and not is_data(rest):
            ignored.append(staged)
            continue
        try:
            matched, version_at = _version(load, rest, staged)
        except UnversionedError as error:
            if is_signal:
                ignored.append(staged)
            else:
                strays.append((staged, str(error)))
            continue
        export = exports.setdefault(matched, Export(base + matched, version_at))
        if is_signal:
            export.signal = staged
        else:
            export.files.append(staged)
    found = [export for export in exports.values() if export.files]
    return sorted(found, key=lambda export: (export.version_at, export.key)), strays, ignored


def _signal(rule: CompleteWhen) -> str | None:
    """Return the name, or its pattern, of the object that says that an export is complete."""
    return rule.marker or rule.manifest or (RDS_EXPORT_INFO if rule.rds_export else None)


def _version(load: Load, rest: str, staged: StagedObject) -> tuple[str, datetime]:
    """Return the part of the key that names the export, and the export's time."""
    pattern = load.version_from or LAST_MODIFIED
    if pattern == LAST_MODIFIED:
        return rest, staged.last_modified
    before, _, after = pattern.partition(VERSION_AT)
    ending = re.escape(after) if after else "$"
    found = re.match(f"{re.escape(before)}([^/]+?){ending}", rest)
    if not found:
        raise UnversionedError(f"the key does not begin with {load.path}{pattern}")
    matched = found[0]
    if load.complete_when and load.complete_when.rds_export:
        # Of one time there are several when a task failed and was started again.
        matched += rest[len(matched) :].partition("/")[0] + "/"
    try:
        return matched, parse_version(found[1])
    except ValueError:
        raise UnversionedError(f"{found[1]!r} in the key is not an ISO 8601 time") from None


def missing(
    rule: CompleteWhen, export: Export, bucket: str, read: Callable[[StagedObject], bytes]
) -> str | None:
    """Return what the export still lacks, or None when it is complete.

    `read` fetches a manifest: UNLOAD's form, {"entries": [{"url": "s3://bucket/key", "meta":
    {"content_length": n}}]}. Files that the manifest does not name are left out of the export.
    """
    if rule.files is not None:
        if len(export.files) < rule.files:
            return f"{len(export.files)} of {rule.files} files are there"
        if len(export.files) > rule.files:
            return f"{len(export.files)} files are there, the contract expects {rule.files}"
        return None
    if export.signal is None:
        return f"{_signal(rule)} is not there"
    if rule.marker:
        return None
    try:
        if rule.rds_export:
            return _unfinished(export.signal, read(export.signal))
        expected = _manifest(read(export.signal), bucket)
    except MovedError:
        return f"{export.signal.key} is being replaced"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{export.signal.key} is not a manifest: {error}"
    listed = {staged.key: staged for staged in export.files}
    export.files = [listed[key] for key in sorted(expected.keys() & listed.keys())]
    for key, length in sorted(expected.items()):
        if key not in listed:
            return f"{key} of the manifest is not there"
        if length is not None and listed[key].bytes != length:
            return f"{key} has {listed[key].bytes} bytes, the manifest says {length}"
    return None if expected else "the manifest names no files"


def _unfinished(info: StagedObject, content: bytes) -> str | None:
    status = json.loads(content)["status"]
    return None if status == "COMPLETE" else f"{info.key} says {status}"


def _manifest(content: bytes, bucket: str) -> dict[str, int | None]:
    """Return the length of each file that the manifest names, None where it gives none."""
    files: dict[str, int | None] = {}
    for entry in json.loads(content)["entries"]:
        scheme, _, place = str(entry["url"]).partition("://")
        where, _, key = place.partition("/")
        if (scheme, where) != ("s3", bucket):
            raise ValueError(f"{entry['url']} is not in s3://{bucket}")
        files[key] = entry.get("meta", {}).get("content_length")
    return files
