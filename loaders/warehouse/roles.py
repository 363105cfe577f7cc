"""Roles with least privilege: who may do what, as the statements that grant it.

Names follow the schemas' rule, so that one target's roles open nothing of another's: bare for
`research_warehouse`, else with the target's schema as prefix. Grants are only ever added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from loaders.contracts import Contract
from loaders.identifiers import Schemas, quote_identifier, quote_literal
from loaders.warehouse.base import LeftOut, Warehouse

DBT_SCHEMAS = ("staging", "intermediate", "snapshots", "seeds")
"""Where dbt builds besides the marts; dbt_project.yml names the same."""

# Privilege -> tables of the ledger. No loader reads rejected rows, no build touches them.
_LOADER = {
    "select": ("files", "batches", "events", "runs", "publish_lock", "raw_columns", "alerts"),
    "insert": (
        "files",
        "batches",
        "events",
        "runs",
        "rejected_rows",
        "raw_columns",
        "alerts",
    ),
    "update": ("files", "runs", "publish_lock"),  # of a lock: LOCK asks for it
    "delete": ("files",),
}
_BUILDER = {
    "select": (
        "files",
        "batches",
        "events",
        "applied",
        "applied_versions",
        "builds",
        "build_lock",
        "raw_columns",
    ),
    "insert": ("applied", "applied_versions", "builds"),
    "update": ("builds", "build_lock"),
    "delete": ("applied", "applied_versions"),
}
_ADMIN = {"select": ("rejected_rows",)}


@dataclass(frozen=True)
class Roles:
    """The names of a target's roles."""

    readers: str  # all marts and summaries
    restricted: str  # the secure_* views only: one's own experiments
    loaders: str  # `warehouse load`
    builders: str  # dbt
    writers: str  # `warehouse run`: loads and builds
    admins: str  # all of these, the rejected rows, and who sees which experiment

    @classmethod
    def of(cls, schemas: Schemas) -> Roles:
        """Return the names for a target.

        >>> Roles.of(Schemas()).readers, Roles.of(Schemas("alice")).readers
        ('research_readers', 'alice_research_readers')
        """
        names = ("readers", "restricted", "loaders", "builders", "writers", "admins")
        return cls(*(schemas.role(f"research_{name}") for name in names))

    @property
    def all(self) -> tuple[str, ...]:
        """Every name, those that others contain first."""
        return (
            self.readers, self.restricted, self.loaders, self.builders, self.writers, self.admins,
        )  # fmt: skip

    @property
    def members(self) -> tuple[tuple[str, str], ...]:
        """Pairs (role, role that has all of its privileges)."""
        inside = [(self.loaders, self.writers), (self.builders, self.writers)]
        inside += [(role, self.admins) for role in (self.readers, self.writers)]
        return tuple(inside)


def access_ddl(schemas: Schemas) -> list[str]:
    """Return the DDL of the schemas that dbt builds in, and of who may see what.

    dbt does not manage these tables: neither a full refresh nor a dropped mart touches them.
    """
    parts = [schemas.target, *map(schemas.schema, (*DBT_SCHEMAS, "access"))]
    return [f"create schema if not exists {quote_identifier(part)}" for part in parts] + [
        # One row: this user sees this experiment through the secure_* views.
        f"create table if not exists {schemas.access('experiment_access').sql} "
        "(user_name varchar(127) not null, experiment_id varchar(36) not null)",
        # One row: builds let this role read what is `open` (marts), `secure` (secure_* views) or
        # `quality` (data_quality_daily).
        f"create table if not exists {schemas.access('mart_readers').sql} "
        "(role_name varchar(127) not null, reads varchar(16) not null)",
    ]


def set_up_roles(warehouse: Warehouse, contracts: Iterable[Contract]) -> list[LeftOut]:
    """Create the roles and grant what they need; return what the user was not allowed to do.

    Repeating it changes nothing.
    """
    roles = Roles.of(warehouse.schemas)
    left_out = warehouse.execute_allowed(
        [*_roles(warehouse, roles), *_grants(warehouse, roles, tuple(contracts))]
    )
    builders = (roles.builders, roles.writers, roles.admins)
    left_out += warehouse.execute_allowed(warehouse.builder_settings(builders))
    # Builds let read whom they find here: a role that is not there must not fail them.
    known, _ = warehouse.known_roles(roles.all)
    for statement in _mart_readers(warehouse.schemas, roles, known):
        warehouse.execute(statement)
    return left_out


def _roles(warehouse: Warehouse, roles: Roles) -> Iterator[str]:
    known, members = warehouse.known_roles(roles.all)
    for role in roles.all:
        if role not in known:
            yield f"create role {quote_identifier(role)}"
    for role, member in roles.members:
        if (role, member) not in members:
            yield f"grant {warehouse.role(role)} to {warehouse.role(member)}"


def _grants(warehouse: Warehouse, roles: Roles, contracts: Sequence[Contract]) -> Iterator[str]:
    schemas = warehouse.schemas

    def grant(privilege: str, on: str, *to: str) -> str:
        return f"grant {privilege} on {on} to {', '.join(map(warehouse.role, to))}"

    def schema(part: str) -> str:
        return f"schema {quote_identifier(part)}"

    yield grant("usage", schema(schemas.target), roles.readers, roles.restricted, roles.loaders)
    for part in (schemas.target, *map(schemas.schema, DBT_SCHEMAS)):
        yield grant("usage, create", schema(part), roles.builders)

    ledger = schema(schemas.schema("ledger"))
    yield grant("usage", ledger, roles.loaders, roles.builders, roles.admins)
    for role, tables in ((roles.loaders, _LOADER), (roles.builders, _BUILDER)):
        for privilege, names in tables.items():
            yield grant(privilege, ", ".join(schemas.ledger(name).sql for name in names), role)
    for privilege, names in _ADMIN.items():
        yield grant(privilege, ", ".join(schemas.ledger(n).sql for n in names), roles.admins)
    for sequence in warehouse.sequences:
        yield grant("usage", f"sequence {schemas.ledger(sequence).sql}", roles.loaders)
    for function in warehouse.functions:
        yield grant("execute", f"function {schemas.ledger(function).sql}()", roles.loaders)

    for part in sorted({schemas.raw(c.source, c.table).schema for c in contracts}):
        yield grant("usage", schema(part), roles.loaders, roles.builders)
    for contract in contracts:
        raw = schemas.raw(contract.source, contract.table).sql
        # It checks the keys of an export that it has just inserted.
        yield grant("select, insert", raw, roles.loaders)
        yield grant("select", raw, roles.builders)

    yield grant("usage", schema(schemas.schema("access")), roles.builders, roles.admins)
    for table in ("experiment_access", "mart_readers"):
        yield grant("select", schemas.access(table).sql, roles.builders)
        yield grant("select, insert, update, delete", schemas.access(table).sql, roles.admins)


def _mart_readers(schemas: Schemas, roles: Roles, known: set[str]) -> Iterator[str]:
    table = schemas.access("mart_readers").sql
    for role, reads in (
        (roles.readers, "open"), (roles.readers, "secure"), (roles.restricted, "secure"),
        (roles.loaders, "quality"),
    ):  # fmt: skip
        row = f"role_name = {quote_literal(role)} and reads = {quote_literal(reads)}"
        if role in known:
            yield (
                f"insert into {table} (role_name, reads) "  # noqa: S608
                f"select {quote_literal(role)}, {quote_literal(reads)} "
                f"where not exists (select 1 from {table} where {row})"
            )
