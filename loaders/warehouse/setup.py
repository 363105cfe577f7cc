"""Brings a target's schemas, ledger and raw tables to what the contracts say; roles: see there."""

from __future__ import annotations

from collections.abc import Iterable

from loaders import ledger
from loaders.contracts import LOAD_COLUMNS, Contract
from loaders.errors import UsageError
from loaders.identifiers import quote_identifier
from loaders.schema_history import observe_columns
from loaders.warehouse.base import ExistingColumn, Warehouse
from loaders.warehouse.roles import access_ddl


def setup(warehouse: Warehouse, contracts: Iterable[Contract]) -> list[str]:
    """Create what is missing and add new columns; return the changes to raw tables.

    Nothing is changed when a raw table differs in another way: UsageError has the differences
    and the SQL that a person may run.
    """
    contracts = tuple(contracts)
    changes: list[str] = []
    problems: list[str] = []
    with warehouse.setup_transaction():
        for statement in [*warehouse.ledger_ddl(), *access_ddl(warehouse.schemas)]:
            warehouse.execute(statement)
        for statement in ledger.add_columns(warehouse):
            warehouse.execute(statement)
        for contract in contracts:
            existing = warehouse.raw_columns(contract)
            if existing:
                statements, wrong = compare(warehouse, contract, existing)
                problems += [f"{contract.name}: {text}" for text in wrong]
            else:
                statements = warehouse.create_raw(contract)
            for statement in statements:
                warehouse.execute(statement)
            changes += statements
        if problems:
            raise UsageError(
                "raw tables differ from their contracts; change the contract back, or run the "
                "SQL and set up again:\n" + "\n".join(f"  {problem}" for problem in problems)
            )
        observe_columns(warehouse, contracts)
    return changes


def compare(
    warehouse: Warehouse, contract: Contract, existing: list[ExistingColumn]
) -> tuple[list[str], list[str]]:
    """Return the statements that add the contract's new columns, and the other differences."""
    raw = warehouse.schemas.raw(contract.source, contract.table)
    found = {column.name: column for column in existing}
    expected = {column.name for column in contract.columns} | set(LOAD_COLUMNS)
    statements: list[str] = []
    problems: list[str] = []
    for column in contract.columns:
        known = found.get(column.name)
        if known is None:
            statements.append(warehouse.add_column(contract, column))
        elif known.type != str(column.type):
            problems.append(
                f"column {column.name} is {known.type}, the contract says {column.type}\n"
                f"    {warehouse.change_type(contract, column, known)};"
            )
    problems += [
        f"column {name} is not in the contract\n"
        f"    alter table {raw.sql} drop column {quote_identifier(name)};"
        for name in found
        if name not in expected
    ]
    problems += [
        f"{raw.log} has no column {name}, so it was not made by `warehouse setup`\n"
        f"    alter table {raw.sql} rename to {quote_identifier(f'{raw.name[:59]}_old')};"
        for name in LOAD_COLUMNS
        if name not in found
    ]
    return statements, problems
