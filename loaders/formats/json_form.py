"""JSON documents: what a contract declares, and the limits that both warehouses keep.

Redshift's SUPER and PostgreSQL's jsonb differ on the edge of JSON: SUPER takes 4 MB a document in
COPY, 65,535 bytes a string, 1,000 levels and 38 digits; jsonb takes no NUL character, keeps the
last of repeated keys and reads numbers of any size. Only what both read alike is accepted.
Source: Amazon Redshift Database Developer Guide, "Limitations" of semistructured data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loaders.errors import UsageError
from loaders.formats.faults import MAX_BYTES

MAX_DIGITS = 38
# Half of what Redshift allows: the parser that checks it is recursive.
MAX_DEPTH = 500
MAX_STRING_BYTES = 65_535


@dataclass(frozen=True)
class JsonForm:
    """Objects one after another, with or without line ends between them, one a raw row.

    `columns` names the one column that holds the document. `max_bytes` bounds the decompressed
    file, `max_document_bytes` a document and thereby memory.
    """

    columns: Mapping[str, None]
    max_document_bytes: int = 4 * 1024 * 1024
    max_bytes: int | None = MAX_BYTES

    def __post_init__(self) -> None:
        if len(self.columns) != 1:
            raise UsageError("json: the contract declares one column, of type super")
