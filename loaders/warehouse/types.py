"""Portable column types of the contracts and what each warehouse calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Name -> the inclusive range of each argument.
_ARGUMENTS: dict[str, tuple[tuple[int, int], ...]] = {
    "varchar": ((1, 65535),),
    "varbyte": ((1, 16_777_216),),
    "decimal": ((1, 38), (0, 38)),
    "smallint": (),
    "integer": (),
    "bigint": (),
    "double precision": (),
    "boolean": (),
    "date": (),
    "timestamp": (),
    "timestamptz": (),
    "super": (),
}
_POSTGRES = {"varchar": "text", "varbyte": "bytea", "super": "jsonb", "decimal": "numeric"}
_POSTGRES_NAMES = {
    "text": "varchar",
    "bytea": "varbyte",
    "jsonb": "super",
    "numeric": "decimal",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}
_REDSHIFT_NAMES = _POSTGRES_NAMES | {
    "character varying": "varchar",
    "binary varying": "varbyte",
}
_SPELLING = re.compile(r"([a-z]+(?: [a-z]+)*)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?")

ALLOWED = (
    "varchar(n) with n 1-65535 bytes, varbyte(n), decimal(p,s) with p 1-38, smallint, integer, "
    "bigint, double precision, boolean, date, timestamp, timestamptz, super"
)


@dataclass(frozen=True)
class ColumnType:
    """A portable type: `varchar(64)` is ColumnType("varchar", (64,)); its text is portable too."""

    name: str
    arguments: tuple[int, ...] = ()

    def __str__(self) -> str:
        if not self.arguments:
            return self.name
        return f"{self.name}({','.join(map(str, self.arguments))})"

    @property
    def max_octets(self) -> int | None:
        """The bytes a value may have, or None where the type does not say."""
        return self.arguments[0] if self.name in ("varchar", "varbyte") else None

    @property
    def redshift(self) -> str:
        """The type on Redshift, where varchar(n) counts bytes already."""
        return str(self)

    @property
    def postgres(self) -> str:
        """The type on PostgreSQL, whose varchar(n) counts characters: see `postgres_check`."""
        name = _POSTGRES.get(self.name, self.name)
        return name if self.max_octets else str(ColumnType(name, self.arguments))

    def postgres_check(self, quoted_column: str) -> str:
        """Return the check that makes a PostgreSQL column as narrow as Redshift's, or ""."""
        if self.max_octets is None:
            return ""
        return f" check (octet_length({quoted_column}) <= {self.max_octets})"


def parse_type(text: str) -> ColumnType:
    """Read a contract's `data_type`. Raises ValueError that says what is allowed.

    >>> str(parse_type("decimal(10, 4)"))
    'decimal(10,4)'
    """
    found = _SPELLING.fullmatch(text.strip().lower())
    name = found[1] if found else ""
    arguments = tuple(int(part) for part in (found[2], found[3]) if part) if found else ()
    ranges = _ARGUMENTS.get(name)
    if ranges is None or len(ranges) != len(arguments):
        raise ValueError(f"{text!r} is not a type; use one of: {ALLOWED}")
    for argument, (least, most) in zip(arguments, ranges, strict=True):
        if not least <= argument <= most:
            raise ValueError(f"{text!r}: {argument} is outside {least}-{most}; {ALLOWED}")
    if name == "decimal" and arguments[1] > arguments[0]:
        raise ValueError(f"{text!r}: the scale exceeds the precision")
    return ColumnType(name, arguments)


def from_postgres(catalog_type: str, max_octets: int | None) -> str:
    """Return the portable spelling of `format_type()`'s text and the column's octet check.

    A type that no contract can have comes back as PostgreSQL spells it.

    >>> from_postgres("text", 64), from_postgres("numeric(10,4)", None), from_postgres("xml", None)
    ('varchar(64)', 'decimal(10,4)', 'xml')
    """
    base, bracket, rest = catalog_type.partition("(")
    name = _POSTGRES_NAMES.get(base, base)
    if name in ("varchar", "varbyte"):
        return f"{name}({max_octets})" if max_octets else base
    return name + bracket + rest


def from_redshift(
    catalog_type: str, length: int | None, precision: int | None, scale: int | None
) -> str:
    """Return the portable spelling of a row of svv_columns.

    >>> from_redshift("character varying", 64, None, None), from_redshift("super", None, None, None)
    ('varchar(64)', 'super')
    """
    name = _REDSHIFT_NAMES.get(catalog_type, catalog_type)
    if name in ("varchar", "varbyte"):
        return f"{name}({length})"
    return f"decimal({precision},{scale})" if name == "decimal" else name
