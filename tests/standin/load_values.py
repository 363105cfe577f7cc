"""One field of a file to one value of a column, or the load error that Redshift gives it."""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from tests.standin.copy_options import CopyOptions
from tests.standin.errors import refuse

INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
TRUE, FALSE = ("t", "true", "1", "y", "yes"), ("f", "false", "0", "n", "no")
MAX_DOCUMENT = 4 * 1024 * 1024
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}$")
_ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,6})?([+-]\d{2}(:?\d{2})?|Z)?$")


class FieldError(Exception):
    """A value that does not fit its column: Redshift's code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Target:
    """A column to load: its type's name, length or precision and scale, and nullability."""

    name: str
    type: str
    size: int
    scale: int
    not_null: bool


def convert(text: str | None, target: Target, options: CopyOptions) -> str | None:
    """Return the value in the engine's text form; None is NULL. Raises FieldError."""
    value = None if text is None else _nullable(text, target, options)
    if value is None:
        if target.not_null:
            raise FieldError(1213, "Missing data for not-null field")
        return None
    if target.type in ("character varying", "character"):
        return _characters(value, target, options)
    if target.type in INTEGERS:
        return _integer(value, target)
    if target.type == "numeric":
        return _decimal(value, target, options)
    if target.type in ("real", "double precision"):
        if not re.match(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$", value):
            raise FieldError(1208, f"Invalid float value '{value}'")
        return value.strip()
    if target.type == "boolean":
        if value.lower() not in TRUE + FALSE:
            raise FieldError(1210, "Unknown boolean format")
        return "t" if value.lower() in TRUE else "f"
    if target.type == "date":
        return _date(value, options)
    if target.type.startswith("timestamp"):
        return _timestamp(value, options)
    if target.type == "super":
        return _json(value)
    if target.type == "varbyte":
        if not re.fullmatch(r"([0-9a-fA-F]{2})*", value):
            raise FieldError(1223, "Invalid VARBYTE value")
        return "\\x" + value
    raise refuse(f"COPY into type {target.type}")


def _nullable(text: str, target: Target, options: CopyOptions) -> str | None:
    if text == options.null_as:
        return None
    if target.type in ("character varying", "character"):
        if text == "" and "EMPTYASNULL" in options.flags:
            return None
        if text and not text.strip() and "BLANKSASNULL" in options.flags:
            return None
        return text
    return text if text != "" else None


def _characters(value: str, target: Target, options: CopyOptions) -> str:
    if "\0" in value:
        raise FieldError(1216, "Missing newline: Unexpected character 0x0 found")
    if "TRIMBLANKS" in options.flags and target.type == "character varying":
        value = value.rstrip(" ")
    if len(value.encode()) <= target.size:
        return value
    if "TRUNCATECOLUMNS" in options.flags:
        return value.encode()[: target.size].decode(errors="ignore")
    raise FieldError(1204, "String length exceeds DDL length")


def _integer(value: str, target: Target) -> str:
    digits = value.strip()
    found = re.match(r"[+-]?\d*", digits)
    place = found.end() if found else 0
    if place < len(digits) or not digits.lstrip("+-"):
        kind = target.type.capitalize()
        raise FieldError(1207, f"Invalid digit, Value '{digits[place : place + 1]}', Pos {place}, "
                               f"Type: {kind}")  # fmt: skip
    if not -INTEGERS[target.type] <= int(digits) < INTEGERS[target.type]:
        raise FieldError(1222, f"Overflow for {target.type}")
    return digits


def _decimal(value: str, target: Target, options: CopyOptions) -> str:
    if not re.match(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$", value):
        raise FieldError(1209, f"Invalid decimal value '{value}'")
    rounding = ROUND_HALF_UP if "ROUNDEC" in options.flags else ROUND_DOWN
    number = Decimal(value.strip()).quantize(Decimal(1).scaleb(-target.scale), rounding)
    if abs(number) >= Decimal(10) ** (target.size - target.scale):
        raise FieldError(1204, "Numeric overflow")
    return str(number)


def _date(value: str, options: CopyOptions) -> str:
    if options.date_format.lower() not in ("", "auto", "yyyy-mm-dd"):
        raise refuse(f"DATEFORMAT '{options.date_format}'")
    day = value.strip()
    if options.date_format.lower() == "auto":
        day = day[:10]
    try:
        if not _ISO_DATE.match(day):
            raise ValueError
        datetime.date.fromisoformat(day)
    except ValueError:
        raise FieldError(1205, "Invalid Date Format - length must be 10 or more") from None
    return day


def _timestamp(value: str, options: CopyOptions) -> str:
    if options.time_format.lower() not in ("", "auto", "yyyy-mm-dd hh:mi:ss"):
        raise refuse(f"TIMEFORMAT '{options.time_format}'")
    instant = value.strip()
    if options.time_format.lower() == "auto":
        instant = instant.replace("T", " ")
        instant = f"{instant} 00:00:00" if len(instant) == 10 else instant
    try:
        if not _ISO_TIME.match(instant):
            raise ValueError
        datetime.datetime.fromisoformat(instant)
    except ValueError:
        raise FieldError(
            1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"
        ) from None
    return instant


def _json(value: str) -> str:
    if len(value.encode()) > MAX_DOCUMENT:
        raise FieldError(1224, "A document is larger than 4 MB")
    try:
        json.loads(value)
    except ValueError:
        raise FieldError(1224, "Invalid JSON format") from None
    return value
