"""Amazon Redshift: COPY of a batch, and its publication with its ledger rows.

Each file is scanned here first, so that it is refused for the same reasons as on PostgreSQL; then
one COPY per header order reads the good ones from a manifest into a session temporary table, and
a short transaction under the publish lock moves them into the raw table with the ledger rows.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from loaders import ledger
from loaders.errors import UsageError
from loaders.formats.faults import FileRefused
from loaders.formats.scanners import Scanner, scanner_of
from loaders.identifiers import quote_identifier, quote_literal
from loaders.staging.batches import Batch, BatchLimits, BatchOutcome, FileOutcome, PlannedFile
from loaders.staging.objects import MovedError, Staging
from loaders.warehouse.base import (
    OnProgress,
    Progress,
)
from loaders.warehouse.copy_statement import (
    STAGED,
    Source,
    as_rewritten,
    as_staged,
    copy_statement,
    is_misnamed,
    lengths,
    load_advice,
    manifest,
    needs_rewriting,
)
from loaders.warehouse.database import ClaimedError
from loaders.warehouse.outcomes import (
    NotWholeError,
    check_whole,
    guarded,
    refused,
    refused_by_scanner,
    scanned,
)
from loaders.warehouse.redshift_errors import RefusedError
from loaders.warehouse.redshift_session import RedshiftSession, definition
from loaders.warehouse.redshift_work import WORK, check_unmoved, remove_work, rewrite

LOGGED_NAME = 256  # characters of a file name in sys_load_error_detail


class RedshiftWarehouse(RedshiftSession):
    """A connection to Redshift; `connection` has redshift-connector's parameters."""

    # One COPY loads many files in parallel, and each costs a transaction under the lock.
    limits = BatchLimits(files=500, bytes=4 * 1024**3)

    def copy_sql(self, batch: Batch) -> str:
        """See Warehouse: for files whose header has the contract's order."""
        contract, keys = batch.contract, [file.object.key for file in batch.files]
        work = f"{keys[0].partition(contract.load.path)[0]}{WORK}<run>/"
        header = tuple(column.name for column in contract.columns)
        source = as_staged(contract.form, keys[0], header)
        if needs_rewriting(contract.form):
            keys = [f"{work}{number}" for number in range(len(keys))]
            source = as_rewritten(contract.form, "", header)
        url = f"s3://{batch.bucket}/{work}manifest-0.json"
        body = manifest(batch.bucket, keys, lengths(contract.form, batch.files))
        return f"{copy_statement(source, url)} -- manifest: {body}"

    def advice(self, batch: Batch) -> list[str]:
        """See Warehouse. Serverless does not show its slices: then nothing is said of them."""
        try:
            slices = int(self.fetch("select count(*) from stv_slices")[0][0])
        except (RefusedError, UsageError):
            return []
        return load_advice([file.object for file in batch.files], slices)

    def load_batch(
        self, batch: Batch, staging: Staging, run_id: str, on_progress: OnProgress
    ) -> BatchOutcome:
        """See Warehouse."""
        book, started = ledger.Ledger(self), time.monotonic()
        # A label for people only: a backslash in a name, which no literal can hold, goes.
        tag = f"warehouse:{run_id}:{batch.contract.name}".replace("\\", "_")
        self.execute(f"set query_group to {quote_literal(tag)}")
        work = f"{staging.root}{WORK}{run_id}-{os.getpid()}-{id(self)}/"
        try:
            files, sources = self._scan(batch, staging, work, on_progress)
            files = self._copy_all(batch, staging, work, files, sources)
            outcome = self._publish(batch, run_id, files, book, started)
        except NotWholeError as error:
            outcome = BatchOutcome(batch, None, error.files)
            self.record_refusals(batch.contract.name, batch.bucket, error.files)
        finally:
            remove_work(staging, work)
        on_progress(Progress("committed", batch.contract.name, rows=outcome.rows_loaded))
        return outcome

    def _scan(
        self, batch: Batch, staging: Staging, work: str, on_progress: OnProgress
    ) -> tuple[list[FileOutcome], dict[str, Source]]:
        """Check every file; say what COPY shall read for each good one, by the file's key."""
        files: list[FileOutcome] = []
        sources: dict[str, Source] = {}
        name, form = batch.contract.name, batch.contract.form
        most = batch.contract.load.max_rejects
        for file in batch.files:
            key, cleaned = file.object.key, f"{work}{len(files)}"
            scanner: Scanner | None = None
            try:
                with staging.open(file.object, md5=file.check is not None) as reader:
                    scanner = scanner_of(reader, form, most)
                    if needs_rewriting(form):
                        sources[key] = rewrite(scanner, form, staging, cleaned)
                    else:
                        for _ in scanner.chunks():
                            on_progress(
                                Progress("reading", name, key, reader.bytes_read, scanner.records)
                            )
                        sources[key] = as_staged(form, key, scanner.header)
                unlike = scanner.rejected or is_misnamed(form, key, reader.beginning)
                if unlike and sources[key].key == key:
                    with staging.open(file.object) as again:
                        cleaner = scanner_of(again, form, most)
                        sources[key] = rewrite(cleaner, form, staging, cleaned)
                files.append(scanned(file, scanner, reader))
                on_progress(Progress("read", name, key, reader.bytes_read, scanner.records))
            except MovedError:
                files.append(FileOutcome(file, "moved"))
            except FileRefused as error:
                files.append(refused_by_scanner(file, scanner, error))
        return files, sources

    def _copy_all(
        self,
        batch: Batch,
        staging: Staging,
        work: str,
        files: list[FileOutcome],
        sources: Mapping[str, Source],
    ) -> list[FileOutcome]:
        """Bring the good files into the temporary table; a file that COPY refuses is left out."""
        while True:
            good = [file for file in files if file.status == "loaded"]
            bad = self._try_copy(batch, staging, work, good, sources)
            if not bad:
                return files
            files = [bad.get(file.file.object.key, file) for file in files]

    def _try_copy(
        self,
        batch: Batch,
        staging: Staging,
        work: str,
        good: Sequence[FileOutcome],
        sources: Mapping[str, Source],
    ) -> dict[str, FileOutcome]:
        """COPY the files into a new temporary table; return those that are to blame if it fails."""
        columns = ", ".join(definition(column) for column in batch.contract.columns)
        self.execute(f"drop table if exists {STAGED}")
        self.execute(f"create temporary table {STAGED} ({columns})")
        groups: dict[Source, list[FileOutcome]] = {}
        for file in good:
            kind = replace(sources[file.file.object.key], key="")
            groups.setdefault(kind, []).append(file)
        session = self.fetch("select pg_backend_pid(), getdate()")[0]
        for number, (kind, group) in enumerate(groups.items()):
            keys = {sources[file.file.object.key].key: file for file in group}
            place = f"{work}manifest-{number}.json"
            sizes = lengths(batch.contract.form, [file.file for file in group])
            body = manifest(batch.bucket, list(keys), sizes)
            staging.upload(io.BytesIO(body.encode()), place)
            try:
                self.execute(copy_statement(kind, f"s3://{batch.bucket}/{place}"))
            except RefusedError:
                check_unmoved(good, staging)
                if bad := self._blamed(batch.bucket, keys, session):
                    return bad
                raise
        check_unmoved(good, staging)
        expected = sum(file.rows_loaded for file in good)
        copied = int(self.fetch(f"select count(*) from {STAGED}")[0][0])  # noqa: S608
        if copied == expected:
            return {}
        detail = f"Redshift made {copied} rows of the {expected} good records of these files"
        return {f.file.object.key: refused(f.file, f.rows_read, "miscounted", detail) for f in good}

    def _blamed(
        self, bucket: str, keys: Mapping[str, FileOutcome], session: tuple[int, datetime]
    ) -> dict[str, FileOutcome]:
        """Return the file of `keys` that this session's COPY failed at, if it was a file.

        Nothing is named when the role, the bucket or the warehouse was at fault: then no file
        is refused for it. `session` is its process id and a time before the COPY.
        """
        named = self.fetch(
            "select trim(file_name), line_number, trim(error_message) from sys_load_error_detail "
            "where session_id = %s and start_time >= %s order by start_time desc",
            session,
        )
        for url, line, message in named:
            for key, file in keys.items():
                # The view cuts long names.
                if f"s3://{bucket}/{key}"[:LOGGED_NAME] == str(url)[:LOGGED_NAME]:
                    detail = f"line {line}: {message}"
                    bad = refused(file.file, file.rows_read, "refused_by_warehouse", detail)
                    return {file.file.object.key: bad}
        return {}

    def _publish(
        self,
        batch: Batch,
        run_id: str,
        files: list[FileOutcome],
        book: ledger.Ledger,
        started: float,
    ) -> BatchOutcome:
        """Move the rows into the raw table with the ledger rows: all of it or nothing."""
        with self.publishing():
            self.refuse_if_recorded(batch.contract.name, batch.bucket, batch.files)
            files = guarded(batch, files, self, STAGED)
            check_whole(batch, files)
            loaded = [file for file in files if file.status == "loaded"]
            batch_id = self.new_id("batch_id") if loaded else None
            outcome = BatchOutcome(batch, batch_id, tuple(files))
            kept = [file for file in files if file.status != "moved"]
            book.insert_files(batch.contract.name, batch.bucket, batch_id, kept)
            if batch_id is not None:
                columns = ", ".join(quote_identifier(c.name) for c in batch.contract.columns)
                self.execute(
                    f"insert into {self._raw(batch.contract).sql} "  # noqa: S608
                    f"({columns}, _batch_id, _loaded_at) "
                    f"select {columns}, {batch_id}, {self.now} from {STAGED}"
                )
                book.publish(outcome, batch_id, run_id, time.monotonic() - started)
        return outcome

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """See Warehouse."""
        with self.transaction():
            # The first statement: any other would take the snapshot before the lock is held.
            self.execute(f"lock table {self.schemas.ledger('publish_lock').sql}")
            yield

    def refuse_if_recorded(
        self, source_table: str, bucket: str, files: Iterable[PlannedFile]
    ) -> None:
        """See Warehouse."""
        table = self.schemas.ledger("files").sql
        found = self.fetch(
            f"select object_key, generation from {table} "  # noqa: S608
            "where source_table = %s and bucket = %s",
            (source_table, bucket),
        )
        known = {(str(key), int(generation)) for key, generation in found}
        for file in files:
            if (file.object.key, file.generation) in known:
                raise ClaimedError(f"{file.object.key} generation {file.generation} is recorded")
