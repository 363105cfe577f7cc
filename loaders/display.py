"""How results are shown: tables for a person, JSON and CSV for a program."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, TextIO
from unicodedata import category

import click
from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

ROWS_PER_PAGE = 1000
LINES_OF_HEAD = 5  # of a table: what stands around its rows, and the prompt


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    console: Console | None = None,
) -> None:
    """Print rows as a table, numbers to the right. Values are text, never markup."""
    rows = list(rows)
    console = console or Console()
    if not console.is_terminal:
        # A pipe has no width: whatever reads it gets whole values, a row a line.
        console.width = 10_000
    console.print(_table(columns, rows, title))


def print_pages(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as one table; on a terminal what is longer than the screen in pages.

    The pager gets a table a page, read as it is needed: leave it, and no further row is read.
    """
    rows = iter(rows)
    console = Console()
    first = list(islice(rows, ROWS_PER_PAGE))
    if not console.is_terminal or len(first) + LINES_OF_HEAD < console.height:
        print_table(columns, [*first, *rows])  # one table: whatever reads a pipe wants one head
        return

    def text() -> Iterator[str]:
        page = first
        while page:
            out = Console(file=StringIO(), width=console.width)
            out.print(_table(columns, page))
            yield out.file.getvalue()  # type: ignore[attr-defined]
            page = list(islice(rows, ROWS_PER_PAGE))

    click.echo_via_pager(text())


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None
) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], int | float | Decimal) for row in rows)
        table.add_column(
            Text(column),
            justify="right" if numeric else "left",
            no_wrap=True,
            overflow="fold" if numeric else "ellipsis",
        )
    for row in rows:
        table.add_row(*(Text(printable(_as_text(value))) for value in row))
    return table


def print_json(value: object, out: TextIO) -> None:
    """Print dataclasses and what they hold as one JSON document."""
    json.dump(value, out, default=_as_json, ensure_ascii=False, indent=2)
    out.write("\n")


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]], out: TextIO) -> None:
    """Print rows as RFC 4180 CSV with a header; NULL is an empty field."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_as_text(value) for value in row] for row in rows)


def printable(text: str) -> str:
    """Escape all that a terminal would obey instead of show: line ends, colours, directions."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or category(char) == "Zs" else _escaped(char) for char in text
    )


def human_bytes(size: float) -> str:
    """Return a size like `12.3 MB` (powers of ten)."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return repr(value)[2:-1]
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dict | list):
        return json.dumps(value, default=_as_text, ensure_ascii=False)
    return str(value)


def _as_json(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        # What its repr does not show is a secret, or content of a source.
        return {field.name: getattr(value, field.name) for field in fields(value) if field.repr}
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, Decimal):
        # A JSON number where a double holds it exactly as written, else text: no digit is lost.
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")
