"""The scanner of each format; all have `header`, `records`, `rejected` and `chunks()`."""

from __future__ import annotations

from loaders.formats.csv_form import CsvForm
from loaders.formats.csv_scanner import CsvScanner
from loaders.formats.json_form import JsonForm
from loaders.formats.json_scanner import JsonScanner
from loaders.formats.parquet_form import ParquetForm
from loaders.formats.parquet_scanner import ParquetScanner
from loaders.formats.source_bytes import ByteStream

Form = CsvForm | JsonForm | ParquetForm
Scanner = CsvScanner | JsonScanner | ParquetScanner


def scanner_of(stream: ByteStream, form: Form, max_rejects: int = 0) -> Scanner:
    """Return the scanner that reads the stream; it raises FileRefused when the form is another."""
    match form:
        case CsvForm():
            return CsvScanner(stream, form, max_rejects)
        case JsonForm():
            return JsonScanner(stream, form, max_rejects)
        case ParquetForm():
            return ParquetScanner(stream, form)
