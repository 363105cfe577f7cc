"""`warehouse report`: what the warehouse holds, as one HTML file that needs no network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loaders.errors import UsageError
from loaders.project import Project


@dataclass(frozen=True)
class Report:
    """The file that was written."""

    path: Path
    bytes: int


def make_report(project: Project, path: Path | None = None) -> Report:
    """Read the figures with the rights of `query`, and write them; the warehouse stays as it is.

    Raises UsageError.
    """
    try:
        # It takes a second to import, which no other command need wait for.
        from loaders.report.page import write_report
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is missing: pip install '.[report]'") from None
    from loaders.report.reading import read_figures

    path = path or project.settings.project_dir / "target" / "report.html"
    with project.reader() as warehouse:
        figures = read_figures(warehouse, project.settings)
    return Report(path, write_report(figures, path))
