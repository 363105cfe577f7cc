"""Corrections: files that hold only the corrected records of another file.

The name says which content of which file is corrected, by its ETag: `a.rows-<mark>.csv` of
`a.csv`. So the two stay together when the file is loaded again, and part when it is replaced.
"""

from __future__ import annotations

import hashlib
import re

MARK = ".rows-"
_CORRECTION = re.compile(rf"(?P<before>(?:.*/)?[^/.]*){re.escape(MARK)}(?P<mark>[0-9a-f]{{12}})")


def correction_key(key: str, etag: str) -> str:
    """Return the key of the file with the corrected records of a file's content.

    >>> correction_key("lab/2013-01.csv.gz", "9b2cf535f27731c974343645a3985328")
    'lab/2013-01.rows-a38c35bd1119.csv.gz'
    """
    folder, slash, name = key.rpartition("/")
    stem, dot, extension = name.partition(".")
    return f"{folder}{slash}{stem}{MARK}{_mark(etag)}{dot}{extension}"


def corrected_key(key: str) -> str | None:
    """Return the key of the file that the file with this key corrects, if it is a correction."""
    found = _CORRECTION.match(key)
    return found["before"] + key[found.end() :] if found else None


def _mark(etag: str) -> str:
    return hashlib.sha256(etag.encode()).hexdigest()[:12]
