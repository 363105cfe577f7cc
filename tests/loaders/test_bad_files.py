"""Files that nobody meant to stage, on the whole way to both targets: refused, and why."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from either import TARGETS, AnyLab, lab_of, ledger, put, settings_of
from loading import HEADER, MEASUREMENTS, contract_of, rows, write_sources

from loaders.contracts import load_contracts
from loaders.rejects import refused_files

PYTHON = f"{HEADER.replace(',', ' = ')} = 1\nimport os\nos.system('true')\n"
S3_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code>'
    "<Message>Please reduce your request rate.</Message></Error>"
)


def workbook() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("xl/workbook.xml"), rows("a"))
    return packed.getvalue()


# Name of the file: reason, what the detail says of it, bytes.
BAD: dict[str, tuple[str, str, bytes]] = {
    "empty.csv": ("no_header", "the file is empty", b""),
    "empty.csv.gz": ("no_header", "the file is empty", gzip.compress(b"", mtime=0)),
    "script.csv": ("header_differs", "missing: 'id'", PYTHON.encode()),
    "s3-error.csv": ("not_delimited_text", "such as an error page of S3", S3_ERROR.encode()),
    "login.csv": ("not_delimited_text", "XML or HTML", b"<!DOCTYPE html>\n<title>Log in</title>"),
    "workbook.csv": ("not_delimited_text", "an Excel workbook", workbook()),
    "parquet.csv": ("not_delimited_text", "a Parquet file", b"PAR1\x15\x04\x15\x10"),
    "twice.csv.gz": (
        "not_delimited_text",
        "compressed twice",
        gzip.compress(gzip.compress(rows("a").encode(), mtime=0), mtime=0),
    ),
    "excel.csv": ("stray_quote", "column 'id'", f'{HEADER}\n="001",1,t\n'.encode()),
    "utf-16.csv": ("not_delimited_text", "encoding: utf-16-le", rows("a").encode("utf-16")),
    "two-marks.csv": ("header_differs", "missing: 'id'", b"\xef\xbb\xbf" * 2 + rows("a").encode()),
    "mixed.csv": ("mixed_line_ends", "lines before it", (rows("a") + "b,1,t\r\n").encode()),
    "old-mac.csv": ("bare_cr", "CR without LF", rows("a").replace("\n", "\r").encode()),
    "columns.csv": ("duplicate_header", "'value'", f"{HEADER},value\na,1,t,1\n".encode()),
    "nul.csv": ("nul_byte", "value 2", f"{HEADER}\na,\0,t\n".encode()),
    "latin-1.csv": ("invalid_encoding", "byte 0xe9", f"{HEADER}\na,é,t\n".encode("latin-1")),
    "open.csv": ("unterminated_quote", "column 'value'", f'{HEADER}\na,"1,t\nb,1,t\n'.encode()),
    "cut.csv.gz": ("gzip_truncated", "cut short", gzip.compress(rows("a").encode(), mtime=0)[:-4]),
}
# What looks as bad and is good.
GOOD = {
    "bom.csv": b"\xef\xbb\xbf" + rows("bom").encode(),
    "windows.csv": rows("windows").replace("\n", "\r\n").encode(),
    "no-last-end.csv": rows("crlf", "end").replace("\n", "\r\n").encode()[:-2],
    "packed-but-not-named-so.csv": gzip.compress(rows("packed").encode(), mtime=0),
    "named-so-but-not-packed.csv.gz": rows("plain").encode(),
    "header-only.csv": f"{HEADER}\n".encode(),
}


@pytest.fixture(params=TARGETS)
def lab(request: pytest.FixtureRequest) -> AnyLab:
    return lab_of(request)


def test_each_is_refused_for_its_reason_and_the_good_ones_load(lab: AnyLab, tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS)
    lab.setup(contract)
    for name, (_, _, body) in BAD.items():
        put(lab, f"lab/measurements/{name}", body)
    for name, body in GOOD.items():
        put(lab, f"lab/measurements/{name}", body)
    result = lab.load(contract)
    assert result.exit_code == 1
    assert {file.key.rpartition("/")[2]: file.reason for file in result.refused} == {
        name: reason for name, (reason, _, _) in BAD.items()
    }
    assert lab.live_ids() == ["bom", "crlf", "end", "packed", "plain", "windows"]
    warehouse = lab.connect()
    kept = {file.key.rpartition("/")[2]: file.detail for file in refused_files(warehouse)}
    warehouse.close()
    assert kept.keys() == BAD.keys()
    for name, (_, hint, _) in BAD.items():
        assert hint in kept[name]
    files = ledger(lab, "rows_read, rows_loaded, status", "files")
    loaded = [(read, good) for read, good, status in files if status == "loaded"]
    assert loaded == [(0, 0), (1, 1), (1, 1), (1, 1), (1, 1), (2, 2)]


def endless(beginning: bytes, repeated: bytes, times: int) -> bytes:
    """Return one gzip member that expands to that; its end is missing, but nobody gets there."""
    member = zlib.compressobj(1, wbits=31)
    start = member.compress(beginning) + member.flush(zlib.Z_FULL_FLUSH)
    # What follows a full flush depends on nothing before it, so it can stand there many times.
    middle = member.compress(repeated) + member.flush(zlib.Z_FULL_FLUSH)
    return start + middle * times


MEGA = 1 << 20
ROW = b"%s,%s,%s\n" % (b"i" * 16, b"v" * 32, b"u" * 40)
LINES = f"{HEADER}\n".encode()
# All but the last hold a record of 100 MB, the last 400 MB of good ones.
ENDLESS = {
    "header.record_too_long.csv.gz": endless(b"", b"x" * MEGA, 100),
    "value.record_too_long.csv.gz": endless(LINES + b"a,", b"x" * MEGA, 100),
    "quoted.record_too_long.csv.gz": endless(LINES + b'a,"', b"x,\n" * (MEGA // 3), 100),
    "zeros.record_too_long.csv.gz": endless(LINES, bytes(MEGA), 100),
    "rows.file_too_large.csv.gz": endless(LINES, ROW * (MEGA // len(ROW)), 400),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read and reset in /proc")
def test_files_without_end_are_refused_in_bounded_memory(lab: AnyLab, tmp_path: Path) -> None:
    form = {"max_bytes": 20_000_000}
    bad = MEASUREMENTS | {"csv": form}
    write_sources(tmp_path, {"bad": bad, "a_good_one": MEASUREMENTS | {"path": "lab/good/"}})
    lab.setup(*load_contracts(tmp_path))
    put(lab, "lab/good/1.csv", LINES + ROW * 40_000)
    for name, body in ENDLESS.items():
        put(lab, f"lab/measurements/{name}", body)
    child = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("bounded_load.py"))],
        input=json.dumps(settings_of(lab) | {"project": str(tmp_path)}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = json.loads(child.stdout)
    assert found["reasons"] == {name: name.split(".")[1] for name in ENDLESS}
    # A record may have 4 MiB, and the buffer it is looked for in a few times that.
    assert found["grown"] < 40_000, found["grown"]
