"""From a measurement in the marts back to the batches and objects that brought it."""

from __future__ import annotations

from dataclasses import dataclass

from loaders.errors import UsageError
from loaders.history import BatchTrace, trace_batch
from loaders.warehouse.base import Warehouse

# ruff: noqa: S608  # only table names, quoted, are put into the statements


@dataclass(frozen=True)
class MeasurementTrace:
    """Where a measurement stands (`mart`), why it is not a fact if so, and its batch."""

    mart: str
    measurement_id: str
    source_system: str
    quarantine_reasons: str | None
    batch: BatchTrace


def trace_measurement(warehouse: Warehouse, measurement_id: str) -> list[MeasurementTrace]:
    """Return the facts and quarantined rows with this id, one for each source system.

    Raises UsageError when there is none.
    """
    marts = warehouse.schemas.marts
    found = warehouse.fetch(
        "select 'fact_measurements', measurement_id, source_system, null, _batch_id "
        f"from {marts('fact_measurements').sql} where measurement_id = %s "
        "union all "
        "select 'quarantined_measurements', measurement_id, source_system, quarantine_reasons, "
        f"_batch_id from {marts('quarantined_measurements').sql} where measurement_id = %s",
        (measurement_id, measurement_id),
    )
    if not found:
        raise UsageError(
            f"no measurement {measurement_id!r} in the marts; if it was loaded, build first"
        )
    return [
        MeasurementTrace(mart, found_id, source, reasons, trace_batch(warehouse, int(batch_id)))
        for mart, found_id, source, reasons, batch_id in found
    ]
