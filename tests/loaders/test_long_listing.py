"""A listing of 100,000 objects over HTTP: as few requests as S3 allows, in bounded memory."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from loading import MEASUREMENTS, Lab, contract_of
from test_s3_faults import product_client

from loaders.load_run import make_plan
from tests.tallies import tally

OBJECTS, LOADED, PAGE = 100_000, 99_000, 1000
MEGABYTE = 1_000_000
ETAG = "0123456789abcdef0123456789abcdef"
ENTRY = (
    "<Contents><Key>{}{:07}.csv</Key><LastModified>2013-01-01T00:00:00.000Z</LastModified>"
    f"<ETag>&quot;{ETAG}&quot;</ETag><Size>10</Size></Contents>"
)


class Listing(ThreadingHTTPServer):
    """An S3 on loopback that only lists, whose every prefix has so many objects."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.asked: list[int] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Page(BaseHTTPRequestHandler):
    """Answers one request for a page; the token is the number of its first object."""

    protocol_version = "HTTP/1.1"
    server: Listing

    def do_GET(self) -> None:
        """Send at most 1,000 entries, as S3 does whatever it is asked for."""
        query = parse_qs(urlsplit(self.path).query)
        first = int(query.get("continuation-token", ["0"])[0])
        last = min(first + PAGE, OBJECTS)
        self.server.asked.append(first)
        more = f"<NextContinuationToken>{last}</NextContinuationToken>" if last < OBJECTS else ""
        entries = "".join(ENTRY.format(query["prefix"][0], number) for number in range(first, last))
        body = (
            f"<ListBucketResult><IsTruncated>{str(last < OBJECTS).lower()}</IsTruncated>"
            f"{entries}{more}</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def listing() -> Iterator[Listing]:
    """Run the server."""
    server = Listing()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.ci
def test_a_hundred_thousand_objects_are_planned_in_a_hundred_calls_and_bounded_memory(
    listing: Listing, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS)
    lab.setup(contract)
    url = f"http://127.0.0.1:{listing.server_port}"
    lab.client = product_client(url, monkeypatch, lab.bucket)
    with closing(lab.connect()) as warehouse:
        warehouse.execute(
            "insert into ledger.batches (batch_id, source_table, mode, files, rows_loaded, "
            "rows_rejected, bytes, loaded_at, run_id) values "
            f"(1, 'lab.measurements', 'append', {LOADED}, 0, 0, 0, now(), 'test')"
        )
        warehouse.execute(
            "insert into ledger.events (event_id, batch_id, source_table, event, recorded_at) "
            "values (1, 1, 'lab.measurements', 'loaded', now())"
        )
        warehouse.execute(
            "insert into ledger.files (source_table, bucket, object_key, generation, batch_id, "
            "etag, bytes, last_modified, status, rows_read, rows_loaded, rows_rejected, "
            "recorded_at) select 'lab.measurements', %s, "
            "'lab/measurements/' || lpad(n::text, 7, '0') || '.csv', "
            "1, 1, %s, 10, timestamp '2013-01-01', 'loaded', 0, 0, 0, now() "
            f"from generate_series(0, {LOADED - 1}) as n",
            (lab.bucket, ETAG),
        )
        tracemalloc.start()
        try:
            plan = make_plan([contract], warehouse, lab.staging)
            held = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (plan.tables[0].skipped, plan.files) == (LOADED, OBJECTS - LOADED)
    assert listing.asked == list(range(0, OBJECTS, PAGE))
    tally(f"planned: {len(listing.asked)} calls, {held / MEGABYTE:.1f} MB at most")
    assert held < 120 * MEGABYTE  # for each object and its row in the ledger about 1 kB
