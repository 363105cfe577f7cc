"""From a measurement or observation in the marts back to its batch, objects, and record in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loaders.contracts import Contract
from loaders.errors import UsageError
from loaders.history import BatchTrace, trace_batch
from loaders.staging.objects import StagedObject, Staging
from loaders.staging.rereading import Reread, find_records
from loaders.warehouse.base import Warehouse

# ruff: noqa: S608  # only table names, quoted, are put into the statements

_SURROGATE_KEYS = 1 << 60  # they are below it
_VALUES = ("measured_at", "updated_at", "temperature", "humidity", "pressure")  # as source_<name>


@dataclass(frozen=True)
class MeasurementTrace:
    """Where a measurement stands (`mart`), why it is not a fact if so, its batch and its record.

    Of an observation, which has no name in its source, `measurement_id` is its observation_key.
    `source_key` is the record's key as its source wrote it, with `|` between the parts.
    """

    mart: str
    measurement_id: str
    source_system: str
    quarantine_reasons: str | None
    batch: BatchTrace
    source_key: str
    record: Reread


def trace_measurement(
    warehouse: Warehouse, staging: Staging, contracts: Sequence[Contract], measurement_id: str
) -> list[MeasurementTrace]:
    """Return the facts and quarantined rows with this id, one for each source system.

    The id of an observation is its observation_key. The objects of their batches are read again,
    to the last. Raises UsageError when there is no such measurement or observation.
    """
    schemas = warehouse.schemas
    normalized = schemas.intermediate("int_measurements__normalized").sql
    sources = ", ".join(f"n.source_{name}" for name in _VALUES)
    # Of a batch's versions of a measurement, the one that current_measurements takes.
    rows = [
        f"select '{mart}', m.measurement_id, m.source_system, {reasons}, m._batch_id, "
        f"n.source_key, {sources} from {schemas.marts(mart).sql} m inner join ("
        "select v.*, row_number() over (partition by measurement_key, _batch_id order by "
        f"copy_rank, updated_at desc nulls last, row_hash) as version_rank from {normalized} v "
        f"where measurement_key in (select measurement_key from {schemas.marts(mart).sql} "
        "where measurement_id = %s)) n "
        "on n.measurement_key = m.measurement_key and n._batch_id = m._batch_id "
        "where m.measurement_id = %s and n.version_rank = 1"
        for mart, reasons in (
            ("fact_measurements", "null"),
            ("quarantined_measurements", "m.quarantine_reasons"),
        )
    ]
    found = warehouse.fetch(" union all ".join(rows), (measurement_id,) * 4)
    found += _observations(warehouse, measurement_id)
    if not found:
        raise UsageError(
            f"no measurement {measurement_id!r} in the marts, nor an observation with this key; "
            "if it was loaded, build first (a row of another mart: ledger.files has the objects of "
            "its _batch_id)"
        )
    by_name = {contract.name: contract for contract in contracts}
    traces = []
    for mart, found_id, source, reasons, batch_id, source_key, *values in found:
        batch = trace_batch(warehouse, int(batch_id))
        objects = [
            StagedObject(file.key, file.etag, file.bytes, file.last_modified)
            for file in batch.files
        ]
        record = find_records(
            by_name[batch.source_table],
            staging,
            objects,
            source_key or "",
            [value for value in values if value is not None],
        )
        traces.append(
            MeasurementTrace(mart, found_id, source, reasons, batch, source_key or "", record)
        )
    return traces


def _observations(warehouse: Warehouse, key: str) -> list[tuple[Any, ...]]:
    """Return the same columns of the observation whose key it is, if it is one."""
    if not (key.isascii() and key.isdigit() and int(key) < _SURROGATE_KEYS):
        return []
    schemas = warehouse.schemas
    normalized = schemas.intermediate("int_observations__normalized").sql
    source_key = (
        "n.experiment_id || '|' || n.file_id || '|' || n.variable || '|' || "
        "cast(n.position as varchar(20))"
    )
    rows = [
        f"select distinct '{mart}', '{int(key)}', m.source_system, {reasons}, m._batch_id, "
        f"{source_key} from {schemas.marts(mart).sql} m inner join {normalized} n "
        "on n.observation_key = m.observation_key and n.file_key = m.file_key "
        "and n._batch_id = m._batch_id where m.observation_key = %s"
        for mart, reasons in (
            ("fact_observations", "null"),
            ("quarantined_observations", "m.quarantine_reasons"),
        )
    ]
    return warehouse.fetch(" union all ".join(rows), (int(key), int(key)))
