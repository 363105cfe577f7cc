"""Objects that a load or a query on Redshift writes below its work prefix, and looks at again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import suppress

from loaders.errors import Transient
from loaders.formats.json_scanner import JsonScanner
from loaders.formats.scanners import Form, Scanner
from loaders.staging.batches import FileOutcome
from loaders.staging.objects import Staging
from loaders.warehouse.copy_statement import Source, as_rewritten

# Below the staging root: manifests, files in canonical form, answers.
WORK = "_warehouse/"


def rewrite(scanner: Scanner, form: Form, staging: Staging, key: str) -> Source:
    """Put the file's canonical form, without header and rejected records, at a work key."""
    with tempfile.TemporaryFile() as spool:
        if isinstance(scanner, JsonScanner):
            spool.writelines(document + b"\n" for document in scanner.documents())
        else:
            spool.writelines(scanner.chunks())
        spool.seek(0)
        staging.upload(spool, key)
    return as_rewritten(form, key, scanner.header)


def check_unmoved(files: Iterable[FileOutcome], staging: Staging) -> None:
    """Raise Transient if COPY may have read, or missed, other content than was scanned."""
    for file in files:
        if staging.etag(file.file.object.key) != file.file.object.etag:
            raise Transient(f"{file.file.object.key} changed while it was loaded")


def remove_work(staging: Staging, work: str) -> None:
    """Delete manifests and rewritten files; what a kill leaves there is never read again."""
    with suppress(Exception):
        for item in list(staging.list(work.removeprefix(staging.root))):
            staging.client.delete_object(Bucket=staging.bucket, Key=item.key)
