"""What Redshift's COPY is told: the statement, its manifest, and advice on the files. No I/O."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

from loaders.formats.csv_form import CsvForm
from loaders.formats.json_form import JsonForm
from loaders.formats.parquet_form import ParquetForm
from loaders.formats.scanners import Form
from loaders.formats.source_bytes import GZIP
from loaders.identifiers import quote_identifier, quote_literal
from loaders.staging.batches import PlannedFile
from loaders.staging.objects import StagedObject

ROLE_VARIABLE = "WAREHOUSE_COPY_ROLE"  # the ARN that COPY assumes; the cluster's default if unset
REGION_VARIABLE = "WAREHOUSE_COPY_REGION"  # the bucket's region, if it is not the cluster's
STAGED = '"staged_files"'
"""The session temporary table that COPY fills, quoted."""
# COPY makes a NULL of this text only. No export holds it; '\N', the default, some do.
NO_NULL = "null-0f6d2a8e-5f0c-4c57-9d0b-7d3a1b6f4e21"
SMALL_BYTES, LARGE_BYTES = 10**6, 10**9


_CSV = ("format as csv", f"null as {quote_literal(NO_NULL)}", "maxerror 0")
_JSON = ("format as json 'noshred'", "maxerror 0")
_PARQUET = ("format as parquet",)


@dataclass(frozen=True)
class Source:
    """What COPY shall read for a file: its own object, or its canonical form at a work key."""

    key: str
    header: tuple[str, ...]
    options: tuple[str, ...]


def as_staged(form: Form, key: str, header: tuple[str, ...]) -> Source:
    """Return the file's own object as COPY reads it."""
    packed = ("gzip",) if key.endswith(".gz") else ()
    match form:
        case CsvForm():
            return Source(key, header, (*_CSV, "ignoreheader 1", *packed))
        case JsonForm():
            return Source(key, header, (*_JSON, *packed))
        case ParquetForm():
            return Source(key, header, _PARQUET)


def as_rewritten(form: Form, key: str, header: tuple[str, ...]) -> Source:
    """Return the file's canonical form at a work key: CSV without header, or a document a line."""
    return Source(key, header, _JSON if isinstance(form, JsonForm) else _CSV)


def needs_rewriting(form: Form) -> bool:
    """Whether COPY could not read the files as they are: only canonical CSV is left to it."""
    if not isinstance(form, CsvForm):
        return False
    plain = (form.delimiter, form.codec, form.skip_lines) == (",", "utf-8", 0)
    return not (plain and form.header and not form.trailing_delimiter)


def is_misnamed(form: Form, key: str, beginning: bytes) -> bool:
    """Whether COPY, which is told by the key what is gzip, would read other bytes than we do."""
    return not isinstance(form, ParquetForm) and key.endswith(".gz") != beginning.startswith(GZIP)


def lengths(form: Form, files: Sequence[PlannedFile]) -> list[int] | None:
    """Return the bytes of the files where COPY wants to know them: in columnar formats."""
    return [file.object.bytes for file in files] if isinstance(form, ParquetForm) else None


def manifest(bucket: str, keys: Sequence[str], lengths: Sequence[int] | None = None) -> str:
    """Return the manifest: every file is mandatory, which is not COPY's default."""
    entries: list[dict[str, object]] = [
        {"url": f"s3://{bucket}/{key}", "mandatory": True} for key in keys
    ]
    for entry, length in zip(entries, lengths or [], strict=False):
        entry["meta"] = {"content_length": length}
    return json.dumps({"entries": entries})


def copy_statement(source: Source, manifest_url: str) -> str:
    """Return the COPY into the temporary table of files like `source` (its key does not matter).

    Only a role can authorize it, never a key. No option changes or drops what a file says.
    Columnar formats take no list of columns and no region (they go by position, in one region).
    """
    role, region = os.environ.get(ROLE_VARIABLE), os.environ.get(REGION_VARIABLE)
    columns = f" ({', '.join(map(quote_identifier, source.header))})"
    options = [
        f"iam_role {quote_literal(role) if role else 'default'}",
        "manifest",
        *source.options,
    ]
    if source.options == _PARQUET:
        columns = ""
    elif region:
        options.append(f"region {quote_literal(region)}")
    return f"copy {STAGED}{columns} from {quote_literal(manifest_url)} {' '.join(options)}"


def load_advice(objects: Sequence[StagedObject], slices: int) -> list[str]:
    """Return what AWS advises for COPY: compressed files of 1 MB to 1 GB, a multiple of the slices.

    Source: Amazon Redshift Database Developer Guide, "Loading data files".
    """
    advice = []
    largest = max(item.bytes for item in objects)
    small = sum(item.bytes < SMALL_BYTES for item in objects)
    if len(objects) < slices and largest > SMALL_BYTES:
        advice.append(f"{len(objects)} files for {slices} slices: split them into {slices} or more")
    if largest > LARGE_BYTES:
        advice.append(f"the largest file has {largest} bytes: split files above {LARGE_BYTES}")
    if small > 10 * slices:
        advice.append(f"{small} files below {SMALL_BYTES} bytes: join them before staging")
    return advice
