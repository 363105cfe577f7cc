"""Short ways to run SQL through the real driver in tests."""

from __future__ import annotations

import pytest
from redshift_connector.core import Connection
from redshift_connector.error import ProgrammingError


def execute(connection: Connection, *statements: str) -> None:
    """Run statements."""
    for sql in statements:
        connection.cursor().execute(sql)


def rows(connection: Connection, sql: str, *parameters: object) -> list[list[object]]:
    """Run a query and return its rows."""
    cursor = connection.cursor()
    cursor.execute(sql, parameters or None)
    return [list(row) for row in cursor.fetchall()]


def value(connection: Connection, sql: str) -> object:
    """Run a query of one row and column and return its value."""
    ((only,),) = rows(connection, sql)
    return only


def failure(connection: Connection, sql: str) -> dict[str, str]:
    """Run a statement that must fail and return the fields of its error."""
    with pytest.raises(ProgrammingError) as raised:
        connection.cursor().execute(sql)
    return dict(raised.value.args[0])
