"""Database users who are members of exactly one role each, on either warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

PASSWORD = "Only-For-Tests-1"
ROLE_OF = {
    "the_loader": "research_loaders",
    "the_builder": "research_builders",
    "the_writer": "research_writers",
    "the_reader": "research_readers",
    "the_admin": "research_admins",
    "ada": "research_restricted",
    "bob": "research_restricted",
}
NO_PRIVILEGE = "42501"


@dataclass(frozen=True)
class People:
    """One warehouse as its users see it. `connect` gives an autocommitted connection of a user."""

    connect: Callable[[str], Any]
    code_of: Callable[[Exception], str]

    @contextmanager
    def _cursor(self, user: str) -> Iterator[Any]:
        connection = self.connect(user)
        try:
            yield connection.cursor()
        finally:
            connection.close()

    def rows(self, user: str, sql: str) -> list[tuple[Any, ...]]:
        """Return what a user reads."""
        with self._cursor(user) as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def denied(self, user: str, *statements: str) -> None:
        """Assert that a user has no privilege for any of these statements."""
        with self._cursor(user) as cursor:
            for sql in statements:
                with pytest.raises(Exception) as caught:  # noqa: PT011
                    cursor.execute(sql)
                assert self.code_of(caught.value) == NO_PRIVILEGE, (sql, caught.value)
