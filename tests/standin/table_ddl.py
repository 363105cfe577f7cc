"""CREATE TABLE and its kin: Redshift's physical attributes, keys that nobody enforces, types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.standin.errors import SqlError, refuse
from tests.standin.functions import TYPES as SYNONYMS
from tests.standin.lexer import Cursor, Token, literal, quote, render, split_commas

COLUMN_TYPES = frozenset(
    """
    smallint int2 integer int int4 bigint int8 decimal numeric real float4 double float float8
    boolean bool char character nchar bpchar varchar nvarchar text date timestamp timestamptz
    time timetz super varbyte datetime
    """.split()  # noqa: SIM905
)
TYPE_WORDS = frozenset(["varying", "precision", "with", "without", "time", "zone"])
COLUMN_ATTRIBUTES = (
    "DEFAULT", "IDENTITY", "GENERATED", "ENCODE", "DISTKEY", "SORTKEY", "COLLATE", "NOT", "NULL",
    "UNIQUE", "PRIMARY", "REFERENCES", "CHECK",
)  # fmt: skip
KEY_STARTS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK")


@dataclass
class Attributes:
    """How Redshift would lay out a table. The stand-in only remembers it."""

    diststyle: str = "AUTO"
    distkey: str | None = None
    sortstyle: str | None = None
    sortkeys: list[str] = field(default_factory=list)
    encoded: bool = False

    def insert(self, relation: str) -> str:
        """Return the SQL that remembers the attributes of `relation`, a dotted quoted name."""
        keys = ", ".join(literal(k).text for k in self.sortkeys)
        distkey = literal(self.distkey).text if self.distkey else "null"
        sortstyle = literal(self.sortstyle).text if self.sortstyle else "null"
        return (
            f"insert into pg_standin.relation values ({literal(relation).text}::regclass, "
            f"{literal(self.diststyle).text}, {distkey}, {sortstyle}, array[{keys}]::text[], "
            f"{self.encoded}) on conflict (oid) do update set diststyle = excluded.diststyle, "
            "distkey = excluded.distkey, sortstyle = excluded.sortstyle, "
            "sortkeys = excluded.sortkeys, encoded = excluded.encoded"
        )


@dataclass
class Column:
    """A column definition in the engine's words."""

    name: str
    sql: str
    not_null: bool
    has_default: bool


@dataclass
class Definitions:
    """The bracketed part of CREATE TABLE."""

    columns: list[Column] = field(default_factory=list)
    likes: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def sql(self) -> str:
        """Return the engine's definitions: primary keys only make their columns NOT NULL."""
        parts = [
            column.sql + (" not null" if column.not_null or column.name in self.keys else "")
            for column in self.columns
        ]
        return ", ".join([*parts, *self.likes])


def read_attributes(cursor: Cursor, attributes: Attributes) -> bool:
    """Read BACKUP, DISTSTYLE, DISTKEY, SORTKEY and so on; return AUTO REFRESH's value."""
    refresh = False
    while True:
        if cursor.accept("BACKUP"):
            cursor.next()
        elif cursor.accept("DISTSTYLE"):
            attributes.diststyle = cursor.next().name.upper()
            if attributes.diststyle not in ("AUTO", "EVEN", "ALL", "KEY"):
                raise SqlError("42601", f'"{attributes.diststyle}" is no distribution style')
        elif cursor.accept("DISTKEY"):
            names = _names(cursor.group())
            attributes.diststyle, attributes.distkey = "KEY", names[0]
        elif cursor.peek("COMPOUND") or cursor.peek("INTERLEAVED") or cursor.peek("SORTKEY"):
            _read_sortkey(cursor, attributes)
        elif cursor.accept("ENCODE"):
            cursor.next()
        elif cursor.accept("AUTO", "REFRESH"):
            refresh = cursor.next().spells("YES")
        else:
            return refresh


def _read_sortkey(cursor: Cursor, attributes: Attributes) -> None:
    attributes.sortstyle = cursor.next().name.upper()
    if attributes.sortstyle != "SORTKEY":
        cursor.expect("SORTKEY")
    else:
        attributes.sortstyle = "COMPOUND"
    if cursor.accept("AUTO"):
        attributes.sortstyle = "AUTO"
    elif cursor.accept("NONE"):
        attributes.sortstyle = None
    else:
        attributes.sortkeys = _names(cursor.group())


def _names(tokens: Sequence[Token]) -> list[str]:
    return [part[0].name for part in split_commas(tokens)]


def read_definitions(tokens: Sequence[Token], attributes: Attributes) -> Definitions:
    """Read column definitions, keys and LIKE."""
    definitions = Definitions()
    for part in split_commas(tokens):
        cursor = Cursor(part)
        if cursor.accept("LIKE"):
            name = ".".join(quote(p) for p in cursor.qualified_name())
            defaults = "including defaults" if cursor.accept("INCLUDING", "DEFAULTS") else ""
            definitions.likes.append(f"like {name} {defaults}")
        elif part[0].spells(*KEY_STARTS):
            definitions.keys |= read_key(cursor)
        else:
            definitions.columns.append(read_column(cursor, attributes, definitions.keys))
    return definitions


def read_key(cursor: Cursor) -> set[str]:
    """Read a table constraint; return the columns of a primary key. Nobody enforces it."""
    if cursor.accept("CONSTRAINT"):
        cursor.next()
    if cursor.accept("PRIMARY", "KEY"):
        return set(_names(cursor.group()))
    if cursor.peek("CHECK"):
        raise refuse("CHECK constraint")
    return set()


def read_column(cursor: Cursor, attributes: Attributes, keys: set[str]) -> Column:
    """Read one column definition."""
    name = cursor.next().name
    type_tokens: list[Token] = []
    while not cursor.done and not cursor.peek("(") and not _attribute_next(cursor):
        type_tokens.append(cursor.next())
    size = render(cursor.group()) if cursor.peek("(") else ""
    while not cursor.done and not _attribute_next(cursor):
        type_tokens.append(cursor.next())  # "with time zone"
    sql, not_null, has_default = (
        f"{quote(name)} {column_type(name, type_tokens, size)}",
        False,
        False,
    )
    while not cursor.done:
        if cursor.accept("NOT", "NULL"):
            not_null = True
        elif cursor.accept("DEFAULT"):
            has_default = True
            sql += f" default {render(_expression(cursor))}"
        elif cursor.accept("IDENTITY"):
            sql += f" generated always as identity ({_identity(cursor)})"
        elif cursor.accept("GENERATED", "BY", "DEFAULT", "AS", "IDENTITY"):
            sql += f" generated by default as identity ({_identity(cursor)})"
        elif cursor.accept("ENCODE"):
            attributes.encoded = not cursor.next().spells("RAW", "AUTO")
        elif cursor.accept("DISTKEY"):
            attributes.diststyle, attributes.distkey = "KEY", name
        elif cursor.accept("SORTKEY"):
            attributes.sortstyle, attributes.sortkeys = "COMPOUND", [*attributes.sortkeys, name]
        elif cursor.accept("PRIMARY", "KEY"):
            keys.add(name)
        elif cursor.accept("REFERENCES"):
            cursor.qualified_name()
            if cursor.peek("("):
                cursor.group()
        elif not cursor.accept("UNIQUE") and not cursor.accept("NULL"):
            raise refuse(f"column attribute {cursor.next().text.upper()}")
    return Column(name, sql, not_null, has_default)


def _attribute_next(cursor: Cursor) -> bool:
    return any(cursor.peek(word) for word in COLUMN_ATTRIBUTES)


def _expression(cursor: Cursor) -> list[Token]:
    taken = [cursor.next()]
    while not cursor.done and not _attribute_next(cursor):
        if cursor.peek("("):
            taken += [Token("operator", "(", False), *cursor.group(), Token("operator", ")", False)]
        else:
            taken.append(cursor.next())
    return taken


def _identity(cursor: Cursor) -> str:
    seed, step = (render(p) for p in split_commas(cursor.group()))
    return f"start with {seed} increment by {step} minvalue {min(int(seed), 0)}"


def column_type(name: str, tokens: Sequence[Token], size: str) -> str:
    """Return a column's type for the engine: lengths that Redshift implies are written out."""
    words = [t.name for t in tokens]
    base = SYNONYMS.get(words[0], words[0]) if words else ""
    if base not in COLUMN_TYPES or not set(words[1:]) <= TYPE_WORDS:
        raise refuse(f"type {render(tokens)}")
    if words[:2] == ["character", "varying"] or base in ("varchar", "text"):
        return f"varchar({'65535' if size.lower() == 'max' else size or 256})"
    if base == "bpchar":
        return "char(256)"
    if base in ("char", "character"):
        return f"char({size or 1})"
    if base in ("decimal", "numeric"):
        return f"decimal({size or '18,0'})"
    if base == "varbyte":
        return f"varbyte check (octet_length({quote(name)}) <= {size or 64000})"
    rest = " ".join([base, *words[1:]])
    return f"{rest}({size})" if size and base == "float" else rest
