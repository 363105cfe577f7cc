"""What redshift-connector raises, as our errors, told by whose fault they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from redshift_connector import error as driver

from loaders.errors import Transient, UsageError, WarehouseError, without_values

_ADVICE = dict.fromkeys(("42P01", "42703", "3F000"), "run `warehouse setup`") | {
    "42501": "grant it to the profile's user",
    "28000": "check user and password of the profile",
    "3D000": "check the profile's `dbname`",
}
_SERIALIZATION = re.compile(
    "(?i)1023\\b|.*(serializable isolation violation|could not serialize)", re.DOTALL
)
# What S3 answered to COPY: throttling and its own faults pass.
_S3_FAULT = re.compile(r"S3ServiceException:.*Status (5\d\d|429)\b", re.DOTALL)
# Classes of SQLSTATE: connection, rollback, resources; and a server that shuts down.
_TRANSIENT = ("08", "40", "53", "57P")


class RefusedError(WarehouseError):
    """Redshift refused a statement, and would refuse it again."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours. Its texts hold neither parameters nor passwords."""
    try:
        yield
    except (driver.Error, OSError) as error:
        fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        code, message = str(fields.get("C", "")), str(fields.get("M") or error)
        text = f"Redshift: {message} {fields.get('D') or ''}".strip()
        logged = f"Redshift: {without_values(message)} (SQLSTATE {code or 'unknown'})"
        passing = _SERIALIZATION.match(f"{message} {text}") or _S3_FAULT.search(text)
        if code.startswith(_TRANSIENT) or passing:
            raise Transient(text, logged) from error
        if code in _ADVICE:
            advice = _ADVICE[code]
            raise UsageError(f"{text}; {advice}", f"{logged}; {advice}") from error
        if not fields and isinstance(
            error, (driver.InterfaceError, driver.OperationalError, OSError)
        ):
            kind = type(error).__name__
            raise Transient(f"Redshift: the connection failed ({kind})") from error
        raise RefusedError(text, logged) from error
