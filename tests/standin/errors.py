"""The one error type of the stand-in, and the refusal that names an unsupported construct."""

from __future__ import annotations


class SqlError(Exception):
    """An error for the client: SQLSTATE, message, and optionally detail and position."""

    def __init__(self, code: str, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail


def refuse(construct: str, why: str = "") -> SqlError:
    """Return the error for a construct that Redshift lacks or that the stand-in does not know."""
    detail = why or "The stand-in refuses what it does not support; see tests/standin/README.md."
    return SqlError("0A000", f"{construct} is not supported", detail)
