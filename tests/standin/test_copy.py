"""COPY and UNLOAD against an emulated S3. Pages of AWS documentation stand in brackets."""

from __future__ import annotations

import decimal
import gzip
import io
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from redshift_connector.core import Connection

from tests.standin.driver import execute, failure, rows, value
from tests.standin.fixtures import Bucket
from tests.standin.server import StandIn

CSV = "iam_role default format csv"


@pytest.fixture
def loading(redshift: Connection) -> Connection:
    execute(redshift, "drop table if exists loaded",
            "create table loaded (a varchar(5) not null, b integer, c decimal(6,2))")  # fmt: skip
    return redshift


def last_error(connection: Connection) -> list[object]:
    ((line, column, code, reason),) = rows(
        connection,
        "select line_number, trim(colname), err_code, trim(err_reason) from stl_load_errors "
        "where query = (select max(query) from stl_load_errors)",
    )
    return [line, column, code, reason]


def test_csv_quotes_newlines_empty_and_null(loading: Connection, bucket: Bucket) -> None:
    """An empty CHAR field is a text, any other NULL [copy-parameters-data-conversion]."""
    url = bucket.put("x.csv", 'a,b,c\r\n"x""y",1,1.239\r\n"p\nq",,\r\n,7,NA\r\n')
    execute(loading, f"copy loaded from '{url}' {CSV} ignoreheader 1 null as 'NA'")
    assert rows(loading, "select * from loaded order by a") == [
        ["", 7, None],
        ["p\nq", None, None],
        ['x"y', 1, decimal.Decimal("1.23")],
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ééé,1,1", [2, "a", 1204, "String length exceeds DDL length"]),
        ("x,1y,1", [2, "b", 1207, "Invalid digit, Value 'y', Pos 1, Type: Integer"]),
        ("x,1", [2, "", 1214, "Delimiter not found"]),
        ("x,1,1,1", [2, "", 1202, "Extra column(s) found"]),
        ('x"y,1,1', [2, "", 1214, "Invalid quote formatting for CSV"]),
        ("NA,1,1", [2, "a", 1213, "Missing data for not-null field"]),
        ("x,99999999999,1", [2, "b", 1222, "Overflow for integer"]),
    ],
)
def test_a_bad_row_fails_the_load_and_is_named(
    loading: Connection, bucket: Bucket, line: str, expected: list[object]
) -> None:
    """Codes as in [r_Load_Error_Reference]; lengths are bytes [r_Character_types]."""
    url = bucket.put("x.csv", f"ééo,1,1\n{line}\n")
    statement = f"copy loaded from '{url}' {CSV} null as 'NA'"
    error = failure(loading, statement)
    assert "Check 'stl_load_errors'" in error["M"]
    assert last_error(loading) == expected
    assert value(loading, "select count(*) from loaded") == 0


def test_maxerror_skips_bad_rows(loading: Connection, bucket: Bucket) -> None:
    """The load fails once there are as many errors as MAXERROR. [copy-parameters-data-load]."""
    url = bucket.put("x.csv", "a,1,1\nb,x,1\nc,3,1\nd,y,1\n")
    execute(loading, f"copy loaded from '{url}' {CSV} maxerror 3")
    assert rows(loading, "select a from loaded order by 1") == [["a"], ["c"]]
    query = value(loading, "select pg_last_copy_id()")
    assert rows(loading, "select line_number from stl_load_errors where query = %s order by 1",
                query) == [[2], [4]]  # fmt: skip
    assert rows(loading, "select loaded_rows, error_count, status from sys_load_history "
                "where query_id = %s", query) == [[2, 2, "completed"]]  # fmt: skip
    failure(loading, f"copy loaded from '{url}' {CSV} maxerror 2")


def test_errors_survive_the_rollback_but_the_copy_id_does_not(
    standin: StandIn, loading: Connection, bucket: Bucket
) -> None:
    """pg_last_copy_id() is not updated by a COPY that is rolled back. [PG_LAST_COPY_ID]."""
    url = bucket.put("x.csv", "a,x,1\n")
    with standin.connect() as connection:
        failure(connection, f"copy loaded from '{url}' {CSV}")
        connection.rollback()
        assert value(connection, "select pg_last_copy_id()") == -1
        found = rows(connection, "select error_code from sys_load_error_detail "
                     "where file_name = %s", url)  # fmt: skip
        assert found == [[1207]]
        connection.rollback()
    failure(loading, f"copy loaded from '{url}' {CSV}")
    assert value(loading, "select pg_last_copy_id()") != -1


def test_noload_checks_without_loading(loading: Connection, bucket: Bucket) -> None:
    good, bad = bucket.put("g.csv", "a,1,1\n"), bucket.put("b.csv", "a,x,1\n")
    execute(loading, f"copy loaded from '{good}' {CSV} noload")
    failure(loading, f"copy loaded from '{bad}' {CSV} noload")
    assert value(loading, "select count(*) from loaded") == 0


def test_a_manifest_names_the_files(loading: Connection, bucket: Bucket) -> None:
    """`mandatory` is false unless the manifest says so. [loading-data-files-using-manifest]."""
    there = bucket.put("data/1.csv.gz", gzip.compress(b"a,1,1\n"))
    bucket.put("data/2.csv.gz", gzip.compress(b"b,1,1\n"))
    for mandatory in (False, True):
        entries = [
            {"url": there, "mandatory": True},
            {"url": f"s3://{bucket.name}/data/gone.csv.gz", "mandatory": mandatory},
        ]
        manifest = bucket.put("m.json", json.dumps({"entries": entries}))
        statement = f"copy loaded from '{manifest}' {CSV} gzip manifest region 'us-east-1'"
        if mandatory:
            assert "is missing" in failure(loading, statement)["M"]
        else:
            execute(loading, statement)
    assert rows(loading, "select a from loaded") == [["a"]]


def test_a_prefix_names_all_objects_below_it(loading: Connection, bucket: Bucket) -> None:
    bucket.put("data/1.csv", "a,1,1\n")
    bucket.put("data/2.csv", "b,1,1\n")
    execute(loading, f"copy loaded (a, b, c) from 's3://{bucket.name}/data/' {CSV}")
    assert rows(loading, "select a from loaded order by 1") == [["a"], ["b"]]
    assert "does not exist" in failure(
        loading, f"copy loaded from 's3://{bucket.name}/none/' {CSV}"
    )["M"]  # fmt: skip


def test_json_noshred_keeps_documents_whole(loading: Connection, bucket: Bucket) -> None:
    """COPY of JSON 'noshred' goes into one SUPER column [copy-usage_notes-copy-from-json]."""
    execute(loading, "create temporary table documents (doc super)")
    url = bucket.put("x.json", '{"a":{"B":1.50}}\n{"a":null}{"b":[]}')
    execute(loading, f"copy documents from '{url}' iam_role default json 'noshred'")
    assert rows(loading, "select doc from documents") == [
        ['{"a":{"B":1.50}}'], ['{"a":null}'], ['{"b":[]}'],
    ]  # fmt: skip


def test_json_auto_matches_keys_to_columns(loading: Connection, bucket: Bucket) -> None:
    url = bucket.put("x.json", '{"b": 7, "a": "x", "C": 1}\n')
    execute(loading, f"copy loaded from '{url}' iam_role default format json as 'auto'")
    assert rows(loading, "select * from loaded") == [["x", 7, None]]


def parquet(**columns: pa.Array) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_parquet_is_matched_by_position(loading: Connection, bucket: Bucket) -> None:
    """Columns go by position and types must agree. [copy-usage_notes-copy-from-columnar]."""
    amounts = pa.array([decimal.Decimal("1.50")], pa.decimal128(6, 2))
    body = parquet(z=pa.array(["x"]), y=pa.array([7], pa.int32()), x=amounts)
    url = bucket.put("x.parquet", body)
    copy = "iam_role default format parquet"
    entry = {"url": url, "mandatory": True, "meta": {"content_length": len(body)}}
    manifest = bucket.put("m.json", json.dumps({"entries": [entry]}))
    execute(loading, f"copy loaded from '{manifest}' {copy} manifest")
    assert rows(loading, "select * from loaded") == [["x", 7, decimal.Decimal("1.50")]]
    entry["meta"] = {"content_length": 1}
    bucket.put("m.json", json.dumps({"entries": [entry]}))
    assert (
        "its manifest says 1"
        in failure(loading, f"copy loaded from '{manifest}' {copy} manifest")["D"]
    )
    del entry["meta"]
    bucket.put("m.json", json.dumps({"entries": [entry]}))
    assert (
        "content_length" in failure(loading, f"copy loaded from '{manifest}' {copy} manifest")["M"]
    )
    wide = bucket.put("y.parquet", parquet(z=pa.array(["x"]), y=pa.array([7]), x=amounts))
    assert (
        "incompatible Parquet schema" in failure(loading, f"copy loaded from '{wide}' {copy}")["D"]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("iam_role 'arn:aws:iam::1:role/other' csv", "Not authorized to get credentials of role"),
        ("access_key_id 'x' secret_access_key 'y' csv", "ACCESS_KEY_ID .* is not supported"),
        ("csv", "needs an authorization"),
        ("iam_role default", "without FORMAT CSV"),
        ("iam_role default csv lzop", "COPY option LZOP is not supported"),
        ("iam_role default format parquet maxerror 5", "MAXERROR and NOLOAD are not supported"),
    ],
)
def test_what_copy_refuses(loading: Connection, bucket: Bucket, options: str, message: str) -> None:
    url = bucket.put("x.csv", "a,1,1\n")
    error = failure(loading, f"copy loaded from '{url}' {options}")
    assert re.search(message, error["M"])


def test_a_role_can_be_allowed(standin: StandIn, loading: Connection, bucket: Bucket) -> None:
    url = bucket.put("x.csv", "a,1,1\n")
    (role,) = standin.settings.roles
    execute(loading, f"copy loaded from '{url}' iam_role '{role}' csv")
    assert value(loading, "select count(*) from loaded") == 1


def test_unload_and_copy_give_the_rows_back(loading: Connection, bucket: Bucket) -> None:
    execute(loading, "insert into loaded values ('x,\"', 1, 1.50), ('y', null, null)")
    before = rows(loading, "select * from loaded order by a")
    for form in ("csv", "parquet"):
        target = f"s3://{bucket.name}/{form}/"
        unload = f"unload ('select * from loaded where a <> ''z''') to '{target}' iam_role default"
        execute(loading, f"{unload} format {form} manifest")
        assert bucket.keys(form)[0].startswith(f"{form}/0000_part_00")
        assert "is not empty" in failure(loading, f"{unload} format {form}")["M"]
        copy = f"copy loaded from '{target}manifest' iam_role default format {form} manifest"
        execute(loading, f"{unload} format {form} manifest allowoverwrite", "truncate loaded", copy)
        assert rows(loading, "select * from loaded order by a") == before


def test_unload_to_one_csv_with_header(loading: Connection, bucket: Bucket) -> None:
    target = f"'s3://{bucket.name}/one' iam_role default csv header parallel off"
    execute(loading, f"unload ('select 1 as a, null::varchar as b') to {target}")
    assert bucket.get("one000") == b"a,b\n1,\n"
