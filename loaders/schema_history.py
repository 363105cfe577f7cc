"""What columns the contracts and the raw tables have had, and since when."""

from __future__ import annotations

from collections.abc import Iterable

from loaders.contracts import LOAD_COLUMNS, Contract
from loaders.warehouse.base import Warehouse


def observe_columns(warehouse: Warehouse, contracts: Iterable[Contract]) -> int:
    """Note in the ledger what is new, another one or gone since the last look; return how many.

    Two looks at the same moment may note a thing twice, which says nothing else than once.
    """
    table = warehouse.schemas.ledger("raw_columns").sql
    known: dict[tuple[str, str], tuple[str | None, str | None]] = {
        (name, column): (declared, found)
        for name, column, declared, found in warehouse.fetch(
            "select source_table, column_name, contract_type, raw_type "  # noqa: S608
            f"from {table} order by observed_at"
        )
    }
    news: list[tuple[str, str, str | None, str | None]] = []
    for contract in contracts:
        declared = {column.name: str(column.type) for column in contract.columns}
        found = {column.name: column.type for column in warehouse.raw_columns(contract)}
        before = {column for name, column in known if name == contract.name}
        for column in sorted((declared.keys() | found.keys() | before) - set(LOAD_COLUMNS)):
            types = (declared.get(column), found.get(column))
            if known.get((contract.name, column), (None, None)) != types:
                news.append((contract.name, column, *types))
    warehouse.execute_many(
        f"insert into {table} "  # noqa: S608
        "(source_table, column_name, contract_type, raw_type, observed_at) "
        f"values (%s, %s, %s, %s, {warehouse.now})",
        news,
    )
    return len(news)
