"""Errors that say whose fault it is and what to do next; only `Transient` is ever retried.

The exit code of the command line is the class's `exit_code` (see DESIGN, "The command line").
"""

from __future__ import annotations

import re

# What servers quote of a row stands behind a colon, or behind the word value; names behind others.
_BEHIND_A_COLON = re.compile(r"""(?s):\s*["'].*""")
_NAMED_VALUE = re.compile(r"""(?is)\b(value )(["']).*\2""")


def without_values(message: str) -> str:
    """Return a server's message without the values that it quotes; names stay.

    >>> without_values('invalid input syntax for type integer: "secret"')
    'invalid input syntax for type integer'
    >>> without_values('value "99999" is out of range for type smallint')
    'value … is out of range for type smallint'
    >>> without_values('column "a" does not exist')
    'column "a" does not exist'
    """
    return _NAMED_VALUE.sub(r"\1…", _BEHIND_A_COLON.sub("", message))


class WarehouseError(Exception):
    """Base of every error this project raises on purpose; its text is meant for a person.

    `logged` is what a log may hold: the same, or less where a server's text may quote data.
    """

    exit_code = 3

    def __init__(self, text: str, logged: str | None = None) -> None:
        super().__init__(text)
        self.logged = text if logged is None else logged


class UsageError(WarehouseError):
    """Wrong use or configuration: a contract, profile, option or environment variable."""

    exit_code = 2


class DataRefused(WarehouseError):
    """Input was refused; nothing of it was loaded. The message names the file and the reason."""

    exit_code = 1


class Transient(WarehouseError):
    """A fault that may pass by itself (lost connection, throttling, serialization failure)."""

    exit_code = 3


class BuildFailed(WarehouseError):
    """A dbt build or test failed."""

    exit_code = 4
