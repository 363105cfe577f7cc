"""Names of schemas and tables: one type for their SQL form and their form in messages."""

from __future__ import annotations

from dataclasses import dataclass

from loaders.errors import UsageError

MAX_BYTES = 63  # PostgreSQL cuts longer names silently; Redshift allows 127
BARE_TARGET = "research_warehouse"


def quote_identifier(name: str) -> str:
    """Return `name` as a quoted SQL identifier.

    >>> quote_identifier('a"; drop table b')
    '"a""; drop table b"'
    """
    if not name or len(name.encode()) > MAX_BYTES:
        raise UsageError(f"the name {name!r} must have 1 to {MAX_BYTES} bytes; shorten it")
    # The drivers read % in a statement with parameters; a NUL would end the statement.
    if "%" in name or "\0" in name:
        raise UsageError(f"the name {name!r} must not contain '%' or NUL; rename it")
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """Return `text` as a quoted SQL string, for statements that take no parameters, such as COPY.

    >>> quote_literal("it's")
    "'it''s'"
    """
    # PostgreSQL takes a backslash as itself and Redshift as an escape: no spelling fits both.
    if "\\" in text or "\0" in text:
        raise UsageError(f"{text!r} must not contain a backslash or NUL")
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, order=True)
class TableName:
    """A table or view: `sql` for statements, `log` for messages."""

    schema: str
    name: str

    def __post_init__(self) -> None:
        quote_identifier(self.schema)
        quote_identifier(self.name)

    @property
    def sql(self) -> str:
        """The quoted form."""
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"

    @property
    def log(self) -> str:
        """The readable form."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Schemas:
    """The schemas of one target: bare names for `research_warehouse`, else prefixed ones."""

    target: str = BARE_TARGET

    def schema(self, part: str) -> str:
        """Return the schema that holds `part` ("ledger", "staging", "raw_research_db" …).

        >>> Schemas().schema("ledger"), Schemas("alice").schema("ledger")
        ('ledger', 'alice_ledger')
        """
        return part if self.target == BARE_TARGET else f"{self.target}_{part}"

    def ledger(self, table: str) -> TableName:
        """Return a table of the ledger."""
        return TableName(self.schema("ledger"), table)

    def raw(self, source: str, table: str) -> TableName:
        """Return the raw table of a source table."""
        return TableName(self.schema(f"raw_{source}"), table)

    def intermediate(self, table: str) -> TableName:
        """Return a table between staging and the marts."""
        return TableName(self.schema("intermediate"), table)

    def access(self, table: str) -> TableName:
        """Return a table that says who may see what."""
        return TableName(self.schema("access"), table)

    def role(self, name: str) -> str:
        """Return the target's role of that name: no other target's roles open anything of it."""
        return name if self.target == BARE_TARGET else f"{self.target}_{name}"

    def marts(self, table: str) -> TableName:
        """Return a mart or a summary."""
        return TableName(self.target, table)
