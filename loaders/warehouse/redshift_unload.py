"""An answer of any size from Redshift, by way of S3: UNLOAD writes objects, which are read here."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from loaders.identifiers import quote_literal
from loaders.staging.objects import Staging
from loaders.warehouse.arrow_rows import ROWS_PER_BATCH, Batches
from loaders.warehouse.copy_statement import REGION_VARIABLE, ROLE_VARIABLE

CHUNK = 1024 * 1024
_LIMIT = re.compile(r"(?i)\blimit\b")


def unload_statement(sql: str, url: str, limit: int | None = None) -> str:
    r"""Return the UNLOAD of a query to Parquet objects below `url`.

    Only a role can authorize it, never a key. It is not parallel: only so the rows keep the
    query's order. UNLOAD takes no LIMIT at the query's own level, so that goes one level down.

    >>> unload_statement("select 'a\\b' as x;", "s3://b/p/")  # in Redshift's texts \ escapes
    "unload ('select ''a\\\\b'' as x') to 's3://b/p/' iam_role default format parquet parallel off"
    """
    query = _bare(sql)
    if limit is not None:
        # Behind the query's own ORDER BY, which an outer LIMIT need not heed.
        query = f"{_around(query) if _LIMIT.search(query) else query}\nlimit {limit}"
    if _LIMIT.search(query):  # at this level or another: one level more does no harm
        query = _around(query)
    text = query.replace("\\", "\\\\").replace("'", "''")
    role, region = os.environ.get(ROLE_VARIABLE), os.environ.get(REGION_VARIABLE)
    options = f"iam_role {quote_literal(role) if role else 'default'} format parquet parallel off"
    if region:
        options += f" region {quote_literal(region)}"
    return f"unload ('{text}') to {quote_literal(url)} {options}"


def no_rows_of(sql: str) -> str:
    """Return the query that has the columns of `sql` and no rows."""
    return f"{_around(_bare(sql))} limit 0"


def _bare(sql: str) -> str:
    return sql.rstrip("; \n\t")


def _around(query: str) -> str:
    return f"select * from (\n{query}\n) as asked"  # noqa: S608


def unloaded(staging: Staging, work: str) -> Batches | None:
    """Return what lies below the work prefix, in order; None if UNLOAD wrote no object."""
    parts = _parts(staging, work)
    first = next(parts, None)
    if first is None:
        return None

    def batches() -> Iterator[pa.RecordBatch]:
        yield from first.iter_batches(ROWS_PER_BATCH)
        for part in parts:
            yield from part.iter_batches(ROWS_PER_BATCH)

    return Batches(first.schema_arrow, batches())


def _parts(staging: Staging, work: str) -> Iterator[pq.ParquetFile]:
    """Yield each object as a local file, one at a time: memory never holds a whole one."""
    for item in staging.list(work.removeprefix(staging.root)):
        with tempfile.TemporaryFile() as spool, staging.open(item) as reader:
            while data := reader.read(CHUNK):
                spool.write(data)
            spool.seek(0)
            # Otherwise years before 1677 and after 2262 overflow.
            with pq.ParquetFile(spool, coerce_int96_timestamp_unit="us") as part:
                yield part
