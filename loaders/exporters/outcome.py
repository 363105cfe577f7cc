"""What became of the files that were to be staged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loaders.errors import DataRefused

Status = Literal["staged", "referenced", "skipped", "refused"]


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file: values = missing + staged, if it was not only referenced."""

    path: Path
    status: Status
    file_id: str | None = None  # SHA-256 of the content, hexadecimal
    bytes: int = 0
    values: int = 0
    missing: int = 0
    staged: int = 0
    archive_key: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class StageResult:
    """What became of all files."""

    experiment_id: str
    files: tuple[FileOutcome, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        """1 if a file was refused, else 0."""
        return DataRefused.exit_code if any(f.status == "refused" for f in self.files) else 0
