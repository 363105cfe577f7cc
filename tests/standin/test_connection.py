"""The wire protocol as the real driver meets it: TLS, login, parameters, types, transactions."""

from __future__ import annotations

import datetime
import decimal
import threading

import pytest
from redshift_connector.core import Connection
from redshift_connector.error import InterfaceError

from tests.standin.driver import failure, rows
from tests.standin.faults import Faults
from tests.standin.server import StandIn


def test_values_travel_in_the_types_of_redshift(redshift: Connection) -> None:
    assert rows(
        redshift,
        "select 7::smallint, 7::bigint, 1.50::decimal(5,2), 0.5::float8, true, 'ä'::varchar, "
        "'2013-01-31'::date, '2013-01-31 10:00:00.123456'::timestamp, "
        "'2013-01-31 10:00:00+02'::timestamptz, json_parse('{\"a\": [1, 2.50]}'), "
        "to_varbyte('616263', 'hex'), null",
    ) == [[
        7, 7, decimal.Decimal("1.50"), 0.5, True, "ä",
        datetime.date(2013, 1, 31), datetime.datetime(2013, 1, 31, 10, 0, 0, 123456),
        datetime.datetime(2013, 1, 31, 8, tzinfo=datetime.UTC), '{"a":[1,2.50]}', "abc", None,
    ]]  # fmt: skip


def test_types_that_redshift_lacks_travel_as_text(redshift: Connection) -> None:
    catalog = "select proargtypes, proacl, prosrc from pg_proc where proname = 'md5' order by 1"
    assert rows(redshift, catalog)[0] == ["17", None, "md5_bytea"]


def test_parameters_are_bound(redshift: Connection) -> None:
    sql = "select %s + 1, %s || 'x', %s"
    for number in (1, 2):  # the second time the driver reuses its prepared statement
        assert rows(redshift, sql, number, "é", None) == [[number + 1, "éx", None]]


def test_consecutive_parameters_are_no_dollar_quotes(redshift: Connection) -> None:
    holes = "),(".join(["%s"] * 12)
    assert len(rows(redshift, f"select * from (values ({holes})) v", *range(12))) == 12


def test_a_prepared_statement_survives_a_new_table_of_that_name(redshift: Connection) -> None:
    for width in (1, 2):
        redshift.cursor().execute("create temporary table again as select 1 as a, 2 as b")
        columns = ", ".join(["a", "b"][:width])
        assert rows(redshift, f"select {columns} from again where a = %s", 1)[0][0] == 1
        assert rows(redshift, "select a from again where a = %s", 1) == [[1]]
        redshift.cursor().execute("drop table again")


def test_verify_full_rejects_an_unknown_authority(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(InterfaceError, match="unable to get local issuer certificate"):
        standin.connect()


def test_verify_full_rejects_another_host_name(standin: StandIn) -> None:
    alias = "127.1"  # the same address by a name that the certificate lacks
    standin.connect(host=alias, sslmode="verify-ca").close()
    with pytest.raises(InterfaceError, match="mismatch"):
        standin.connect(host=alias)


def test_a_connection_without_tls_is_refused(standin: StandIn) -> None:
    with pytest.raises(InterfaceError, match="SSL is required"):
        standin.connect(ssl=False)


def test_a_wrong_password_is_refused(standin: StandIn) -> None:
    with pytest.raises(InterfaceError, match="password authentication failed"):
        standin.connect(password="wrong")


def test_an_error_aborts_the_transaction_until_rollback(standin: StandIn) -> None:
    with standin.connect() as connection:
        assert failure(connection, "create index i on t (a)")["C"] == "0A000"
        assert failure(connection, "select 1")["C"] == "25P02"
        connection.rollback()
        assert rows(connection, "select 1") == [[1]]


def test_two_statements_in_one_message_are_refused(redshift: Connection) -> None:
    assert failure(redshift, "select 1; select 2")["C"] == "42601"


def test_a_session_is_seen_until_it_ends(redshift: Connection, standin: StandIn) -> None:
    sql = "select end_time is null from sys_session_history where session_id = %s"
    other = standin.connect()
    ((pid,),) = rows(other, "select pg_backend_pid()")
    assert rows(redshift, sql, pid) == [[True]]
    other.close()
    while rows(redshift, sql, pid) == [[True]]:
        pass
    assert rows(redshift, sql, pid) == [[False]]


# Faults -------------------------------------------------------------------------------------


@pytest.fixture
def counted(standin: StandIn) -> StandIn:
    standin.admin("drop table if exists public.counted; create table public.counted (x integer)")
    standin.admin("alter table public.counted owner to awsuser")
    return standin


def count(standin: StandIn) -> int:
    return int(standin.admin("select count(*) from public.counted")[0][0] or 0)


def test_error_1023_strikes_the_chosen_statement(
    counted: StandIn, redshift: Connection, faults: Faults
) -> None:
    faults.error_1023(r"^insert into counted", skip=1)
    insert = "insert into counted values (1)"
    redshift.cursor().execute(insert)
    error = failure(redshift, insert)
    assert error["M"] == "1023"
    assert "Serializable isolation violation" in error["D"]
    redshift.cursor().execute(insert)
    assert count(counted) == 2


@pytest.mark.parametrize(("kind", "kept"), [("drop_before", 0), ("drop_after", 1)])
def test_a_commit_whose_answer_is_lost(
    counted: StandIn, faults: Faults, kind: str, kept: int
) -> None:
    getattr(faults, kind)(r"^commit$")
    connection = counted.connect()
    connection.cursor().execute("insert into counted values (1)")
    with pytest.raises(InterfaceError):
        connection.commit()
    assert count(counted) == kept


def test_a_held_statement_runs_when_released(counted: StandIn, faults: Faults) -> None:
    hold = faults.hold(r"^insert into counted")
    connection = counted.connect()
    connection.autocommit = True
    worker = threading.Thread(
        target=connection.cursor().execute, args=("insert into counted values (1)",)
    )
    worker.start()
    hold.wait_until_reached()
    assert count(counted) == 0
    hold.release()
    worker.join()
    assert count(counted) == 1


def test_concurrent_updates_of_one_row_fail_as_1023(counted: StandIn) -> None:
    counted.admin("insert into public.counted values (1)")
    with counted.connect() as first, counted.connect() as second:
        rows(second, "select * from counted")  # takes the snapshot
        first.cursor().execute("update counted set x = 2")
        first.commit()
        assert failure(second, "update counted set x = 3")["M"] == "1023"
