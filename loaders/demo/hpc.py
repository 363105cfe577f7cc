"""A NetCDF file of the package `hvsampledata`, staged as `warehouse stage hpc` stages any file.

Real: the file, a grid of air temperatures of the NCEP reanalysis, as its authors distribute it.
Derived: the id of the experiment, which no export of the research database knows.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from loaders.errors import UsageError
from loaders.exporters.csv_dialect import BUILT_IN
from loaders.exporters.outcome import StageResult
from loaders.exporters.stage import stage_files
from loaders.staging.objects import Staging

EXPERIMENT = "exp-ncep-reanalysis"
FILE = "air_temperature_small.nc"


def stage_hpc(staging: Staging) -> StageResult:
    """Stage the file, unless it is staged already. Raises UsageError, Transient."""
    return stage_files(staging, [netcdf_file()], EXPERIMENT, dialect=BUILT_IN["plain"])


def netcdf_file() -> Path:
    """Return the file in the installed package. Raises UsageError where there is none."""
    found = importlib.util.find_spec("hvsampledata")
    if found is None or found.origin is None:
        raise UsageError(
            "the demo needs its data package: pip install -c constraints.txt -e '.[embedded]'"
        )
    return Path(found.origin).parent / "_data" / FILE
