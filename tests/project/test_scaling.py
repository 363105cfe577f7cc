"""What docs/scaling.md says of incremental builds, as far as PostgreSQL can show it."""

from __future__ import annotations

from tests.project.desk import Desk

# Rows that scans of whole tables read, by the server's own count.
SCANNED = """
    select schemaname || '.' || relname, seq_tup_read from pg_stat_user_tables
    where relname in (
        'measurements', 'int_measurements__normalized', 'fact_measurements',
        'daily_measurement_summary'
    )
"""


def scanned(desk: Desk) -> dict[str, int]:
    desk.execute("select pg_stat_force_next_flush()")
    return {str(name): int(rows) for name, rows in desk.rows(SCANNED)}


def test_an_incremental_build_scans_no_history(demo: Desk) -> None:
    """Ten new rows in one day and a correction: neither raw rows nor facts are read through."""
    june = {"measured_at": "2013-06-01T00:00:00Z", "temperature": "1.5"}
    corrected = {"measurement_id": "EWR-2013-06-15T12:00:00Z", "updated_at": "2020-01-01T00:00:00Z"}
    demo.put_measurements(
        "late", *(june | {"measurement_id": f"late-{n}"} for n in range(10)), corrected
    )
    distributions = ("--select", "measurement_distributions")
    demo.build(*distributions)
    demo.load()
    demo.execute("analyze raw_research_db.measurements")
    before = scanned(demo)
    demo.build()
    demo.build(*distributions)
    read = {name: rows - before[name] for name, rows in scanned(demo).items()}
    assert demo.rows("select count(*) from fact_measurements where temperature = 1.5") == [(10,)]
    # One row: the end of a join whose other side turns out to be empty.
    assert len(read) == 4
    assert max(read.values()) <= 1, read


def test_statistics_are_renewed_after_a_large_change_alone(demo: Desk) -> None:
    analyzed = "select analyze_count from pg_stat_user_tables where relname = 'fact_measurements'"
    rows = demo.rows("select count(*) from fact_measurements")[0][0]
    demo.execute("analyze research_warehouse.fact_measurements")
    counts = demo.rows(analyzed)
    for name, new in (("few", rows // 20), ("many", rows // 8)):
        hour = {"measured_at": "2013-06-01T00:00:00Z", "temperature": "1.5"}
        demo.put_measurements(name, *(hour | {"measurement_id": f"{name}{n}"} for n in range(new)))
        demo.load()
        demo.build()
        demo.execute("select pg_stat_force_next_flush()")
        counts += demo.rows(analyzed)
    ((before,), few, many) = counts
    assert (few, many) == ((before,), (before + 1,))
