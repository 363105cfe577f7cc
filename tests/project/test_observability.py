"""What data_quality_daily says of data and loads, and who is told of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from math import ceil
from types import ModuleType
from typing import Any

import boto3
import pytest
from click.testing import CliRunner

from loaders.cli import cli
from loaders.embedded.object_store import ObjectStore
from loaders.errors import UsageError
from loaders.nightly import _fingerprint, _record_built, run
from loaders.quality import recent_quality
from loaders.schema_history import observe_columns
from tests.project import hpc_objects, shop_objects
from tests.project.desk import Desk, Row, subjects
from tests.project.mart_checks import check_daily_counts

JUNE = date(2020, 6, 1)
OBSERVED = (
    *("--select", "source:research_db+,+data_quality_daily"),
    *("--exclude", *subjects("observations"), "daily_fact_counts"),
)
JUDGED = ("--select", "data_quality_daily")  # the views that it reads are there
SERIES = (
    "select day, value, expected_low, expected_high, verdict from data_quality_daily "
    "where table_name = 'fact_measurements.research_db' and measure = '{}' order by day"
)
DISTRIBUTION = (
    "select table_name, day, measure, value, expected_low, expected_high, verdict, is_whole_day "
    "from data_quality_daily where kind = 'distribution' order by 1, 2, 3"
)
LONG_AGO = (
    "update research_warehouse.data_quality_daily set _judged_at = _judged_at - interval '36 days'"
)
PARTS = "select * from measurement_distributions order by 1, 2, 3"
TABLE = "research_db.measurements"


@pytest.fixture
def observed(fresh: Callable[..., Desk]) -> Desk:
    """Give a warehouse where a build is one of the facts, and judges them."""
    return fresh(OBSERVED)


def put_day(desk: Desk, day: int, temperatures: list[str], name: str = "") -> None:
    """Stage a file of one day of June, a measurement an hour."""
    at = JUNE + timedelta(days=day)
    desk.put_measurements(
        f"{at}{name}",
        *(
            {
                "measurement_id": f"{at}{name}-{hour}",
                "measured_at": f"{at}T{hour:02}:00:00Z",
                "temperature": temperature,
                "humidity": "50",
                "humidity_unit": "%",
            }
            for hour, temperature in enumerate(temperatures)
        ),
    )


def ranked(values: list[Decimal], share: float) -> Decimal:
    return sorted(values)[ceil(share * len(values)) - 1]


def test_a_day_unlike_those_before_it_is_a_breach_whatever_came_when(observed: Desk) -> None:
    usual = ["18", "19", "", "20.5", "21", "22", "23.25"]
    days = dict.fromkeys(range(12), usual)
    days[9] = ["64.4", "66.2", "68", "68.9", "69.8", "71.6", "73.85"]  # Fahrenheit, unit unsaid
    for day in (0, 1, 2, 4, 5, 6, 7, 8, 9, 10):
        put_day(observed, day, days[day])
    observed.refresh()
    medians = {day: (value, verdict) for day, value, _, _, verdict in medians_of(observed)}
    assert medians[JUNE + timedelta(days=8)] == (Decimal("20.5000"), "ok")
    assert medians[JUNE + timedelta(days=9)] == (Decimal("68.9000"), "high")
    # Too few days before it; and the newest day, of which more may come.
    assert medians[JUNE + timedelta(days=6)][1] == "not_judged"
    assert medians[JUNE + timedelta(days=10)][1] == "not_judged"

    put_day(observed, 3, days[3])  # late: from now on the day after six others has seven
    put_day(observed, 11, days[11])
    put_day(observed, 8, ["-40"] * 9, name="-late")
    moved = {"measurement_id": f"{JUNE}-0", "measured_at": "2020-05-20T00:00:00Z"}
    observed.put_measurements("moved", moved | {"updated_at": "2020-07-01T00:00:00Z"})
    observed.refresh()
    by_day = {day: rest for day, *rest in medians_of(observed)}
    value, low, high, verdict = by_day[JUNE + timedelta(days=7)]
    assert (value, verdict) == (Decimal("20.5000"), "ok")
    assert (low, high) == (Decimal("5.5000"), Decimal("35.5000"))  # the least width, 15 °C
    assert by_day[JUNE + timedelta(days=8)][0] == Decimal("-40.0000")
    assert by_day[JUNE + timedelta(days=8)][3] == "low"
    assert by_day[JUNE + timedelta(days=10)][3] == "ok"

    # Known since this build, however long ago the day was.
    strange = {JUNE + timedelta(days=8), JUNE + timedelta(days=9)}
    assert days_of_breaches(observed) == strange
    observed.execute(f"{LONG_AGO} where day = '{max(strange)}'")
    assert days_of_breaches(observed) == {min(strange)}

    parts = observed.rows(PARTS)
    days[0] = usual[1:]
    found = {row[1]: row[3:] for row in parts if row[2] == "temperature"}
    for day, texts in days.items():
        values = [Decimal(text) for text in texts if text]
        texts = texts + ["-40"] * 9 * (day == 8)
        values += [Decimal(-40)] * 9 * (day == 8)
        quartiles = [ranked(values, share) for share in (0.25, 0.5, 0.75)]
        expected = (len(texts), len(values), min(values), *quartiles, max(values))
        assert found[JUNE + timedelta(days=day)] == expected
    assert {row[4] for row in parts if row[2] == "pressure"} == {0}

    incremental = observed.rows(DISTRIBUTION)
    observed.build("--select", "path:models/observability", "--full-refresh")
    assert observed.rows(PARTS) == parts
    assert observed.rows(DISTRIBUTION) == incremental


def medians_of(desk: Desk) -> list[Row]:
    return desk.rows(SERIES.format("temperature_median"))


@pytest.mark.parametrize(
    ("source", "objects"),
    [("shop", shop_objects), pytest.param("hpc", hpc_objects, marks=pytest.mark.ci)],
)
def test_other_facts_are_counted_by_day(
    fresh: Callable[..., Desk], source: str, objects: ModuleType
) -> None:
    """Also when a later change moves them or takes them away. Sales: see test_sales.py."""
    desk = fresh(("--select", f"source:{source}+,+data_quality_daily"))
    for stage in (objects.first, objects.later):
        for item in stage():
            desk.put(item.key, item.body)
        desk.refresh()
        check_daily_counts(desk)


def days_of_breaches(desk: Desk) -> set[date]:
    with desk.project.warehouse() as warehouse:
        quality = recent_quality(warehouse)
    assert quality is not None
    return {breach.day for breach in quality.breaches}


def play_nights(desk: Desk, rows: dict[int, int]) -> None:
    """Have the ledger say that so many nights ago a file of so many rows was loaded and built."""
    statements = []
    for ago in range(max(rows), -1, -1):
        night = f"(now() at time zone 'utc' - interval '{ago} days')"
        statements.append(
            "insert into ledger.builds (invocation_id, started_at, finished_at, outcome) "
            f"values ('night {ago}', {night}, {night}, 'success')"
        )
        if ago in rows:
            statements.append(
                "insert into ledger.batches (batch_id, source_table, mode, files, rows_loaded, "
                "rows_rejected, bytes, loaded_at, run_id) "
                f"values ({1000 - ago}, '{TABLE}', 'append', 1, {rows[ago]}, 0, 1, {night}, 'x')"
            )
            statements.append(
                "insert into ledger.events (event_id, batch_id, source_table, event, recorded_at) "
                f"values ({1000 - ago}, {1000 - ago}, '{TABLE}', 'loaded', {night})"
            )
            statements.append(
                "insert into ledger.applied (model, event_id, invocation_id, applied_at) "
                f"select model, {1000 - ago}, 'night {ago}', {night} from (values "
                "('int_measurements__normalized'), ('fact_measurements'), "
                "('measurement_distributions'), ('a model of old')) as models (model) "
            )
    desk.execute("; ".join(statements))  # one connection


def judged(desk: Desk, measure: str, table: str = TABLE) -> dict[int, tuple[Any, ...]]:
    """Return value, range and verdict by how many days ago it was."""
    rows = desk.rows(
        "select (now() at time zone 'utc')::date - day, value, expected_low, expected_high, "
        f"verdict from data_quality_daily where table_name = '{table}' and measure = '{measure}'"
    )
    return {ago: tuple(rest) for ago, *rest in rows}


def test_loads_are_judged_by_those_before_them(observed: Desk) -> None:
    # A file a night, larger or smaller; one is half empty, then none comes.
    nights = {ago: 1000 + 10 * (ago % 3) for ago in range(20, 5, -1)} | {5: 80}
    play_nights(observed, nights)
    observed.execute(
        "insert into ledger.files (source_table, bucket, object_key, generation, status, "
        f"recorded_at) values ('{TABLE}', 'b', 'bad.csv', 1, 'refused', "
        "now() at time zone 'utc' - interval '6 days')"
    )
    # One night's build did not reach one mart.
    observed.execute(
        "delete from ledger.applied where model = 'fact_measurements' and event_id = 1000 - 8"
    )
    # Another was taken out of the project.
    observed.execute("delete from ledger.applied where model = 'a model of old' and event_id > 985")
    observed.build(*JUDGED)

    rows = judged(observed, "rows_per_file")
    assert rows[20][3] == rows[14][3] == "not_judged"  # fewer than seven before it
    assert {rows[ago][3] for ago in range(13, 5, -1)} == {"ok"}
    low, high = Decimal("505.0000"), Decimal("1515.0000")  # half of the median, 1010, around it
    assert rows[5] == (Decimal("80.0000"), low, high, "low")
    assert judged(observed, "rows_loaded")[5][3] == "not_judged"  # more may come that day

    days = judged(observed, "days_since_load")
    assert [days[ago][3] for ago in range(5, -1, -1)] == ["ok"] * 4 + ["high"] * 2
    assert days[0] == (Decimal("5.0000"), None, Decimal("3.0000"), "high")

    assert judged(observed, "refused_files") == {
        6: (Decimal("1.0000"), None, Decimal("0.0000"), "high")
    }
    waiting = judged(observed, "batches_not_in_marts")
    assert {ago for ago, (value, *_) in waiting.items() if value} == {8}
    assert waiting[8][3] == "high"
    assert observed.rows("select batch_id, model from batch_lineage where applied_at is null") == [
        (992, "fact_measurements")
    ]

    # Nothing new: nothing is written. Then the mart is built, and what it says is taken back.
    before = observed.rows("select ctid::text, * from data_quality_daily order by 1")
    observed.build(*JUDGED)
    assert observed.rows("select ctid::text, * from data_quality_daily order by 1") == before
    observed.execute(
        "insert into ledger.applied (model, event_id, invocation_id, applied_at) values "
        "('fact_measurements', 992, 'night 0', now() at time zone 'utc')"
    )
    observed.build(*JUDGED)
    assert judged(observed, "batches_not_in_marts")[8][3] == "ok"


def test_the_day_a_column_appeared_is_kept_and_a_strange_one_is_a_breach(observed: Desk) -> None:
    observed.execute("update ledger.raw_columns set observed_at = observed_at - interval '3 days'")
    observed.execute("alter table raw_research_db.measurements add column by_hand integer")
    with observed.project.warehouse() as warehouse:
        assert observe_columns(warehouse, observed.project.contracts) == 1
        assert observe_columns(warehouse, observed.project.contracts) == 0
    observed.build(*JUDGED, "--full-refresh")
    assert observed.rows(
        "select contract_type, raw_type, observed_at::date = (now() at time zone 'utc')::date "
        "from ledger.raw_columns where column_name = 'by_hand'"
    ) == [(None, "integer", True)]
    unlike = judged(observed, "columns_unlike_contract")
    assert {ago: rest[0] for ago, rest in unlike.items()} == {3: 0, 0: 1}
    assert [unlike[ago][3] for ago in (3, 0)] == ["ok", "high"]
    appeared = judged(observed, "columns_appeared")
    assert appeared[0][0] == 1
    assert appeared[3][0] == len(observed.project.contract(TABLE).columns)


@pytest.mark.ci
def test_dbt_warns_of_recent_breaches_and_goes_on(observed: Desk) -> None:
    test = ("test", "--select", "data_quality_daily_volumes_are_usual")
    play_nights(observed, dict.fromkeys(range(50, 0, -1), 1000) | {40: 1})
    observed.build(*JUDGED)
    assert observed.dbt.invoke(*test).statuses["warn"] == 1
    observed.execute(LONG_AGO)
    assert observed.dbt.invoke(*test).statuses["pass"] == 1
    observed.execute("update ledger.batches set rows_loaded = 1 where batch_id = 1000 - 3")
    observed.build(*JUDGED)
    result = observed.dbt.invoke(*test)
    assert (result.statuses["warn"], result.failures) == (1, ())


@pytest.mark.ci
def test_a_night_without_news_is_judged_too(observed: Desk) -> None:
    play_nights(observed, {9: 1000})
    observed.execute("delete from ledger.builds where started_at::date >= current_date - 1")
    _record_built(observed.project, _fingerprint(observed.project))
    assert run(observed.project, quiet=True).build is None
    assert judged(observed, "days_since_load")[0][0] == 9
    builds = "select count(*) from ledger.builds"
    before = observed.rows(builds)
    assert run(observed.project, quiet=True).build is None
    assert observed.rows(builds) == before


class Inbox:
    """A topic with one subscriber, a queue."""

    def __init__(self, store: ObjectStore) -> None:
        def client(service: str) -> Any:
            return boto3.client(
                service,  # type: ignore[call-overload]
                endpoint_url=store.endpoint_url,
                region_name="us-east-1",
                aws_access_key_id="x",
                aws_secret_access_key="x",
            )

        topics, self._queues = client("sns"), client("sqs")
        self.arn = topics.create_topic(Name="data-quality")["TopicArn"]
        self._queue = self._queues.create_queue(QueueName="inbox")["QueueUrl"]
        topics.subscribe(
            TopicArn=self.arn,
            Protocol="sqs",
            Endpoint="arn:aws:sqs:us-east-1:123456789012:inbox",
        )

    def take(self) -> list[dict[str, Any]]:
        """Return what has arrived since."""
        taken = []
        while found := self._queues.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in found:
                taken.append(json.loads(message["Body"]))
                self._queues.delete_message(
                    QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"]
                )
        return taken


@pytest.fixture
def inbox(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    """Give a topic of the emulator, and what it was told."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", object_store.endpoint_url)
    return Inbox(object_store)


def warehouse_command(desk: Desk, *arguments: str) -> tuple[int, str]:
    place = ("--target", "test", "--profiles-dir", str(desk.project.settings.profiles_dir))
    result = CliRunner().invoke(cli, [*arguments, *place], standalone_mode=False)
    if isinstance(result.exception, UsageError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_each_breach_is_published_once(observed: Desk, inbox: Inbox) -> None:
    alert = ("alert", "--topic", inbox.arn)
    assert warehouse_command(observed, "alert")[0] == 2
    play_nights(observed, dict.fromkeys(range(20, 5, -1), 1000) | {5: 80})
    observed.build(*JUDGED)
    expected = {"rows_per_file": "low", "days_since_load": "high"}

    code, output = warehouse_command(observed, "status")
    assert code == 0
    assert output.index("rows_per_file") < output.index("Source tables")

    code, output = warehouse_command(observed, *alert, "--dry-run")
    assert (code, output.count("expected")) == (0, 3)
    other = ("alert", "--topic", f"{inbox.arn}-of-others")
    assert "3 marked as told to" in warehouse_command(observed, *other, "--mark-told")[1]
    assert "no new breach" in warehouse_command(observed, *other)[1]
    assert inbox.take() == []

    code, output = warehouse_command(observed, *alert, "--json")
    assert code == 0
    assert {(row["measure"], row["verdict"]) for row in json.loads(output)["breaches"]} == set(
        expected.items()
    )
    told = inbox.take()
    assert len(told) == 3
    ids = {message["MessageAttributes"]["breach_id"]["Value"] for message in told}
    assert len(ids) == 3
    (volume,) = [message for message in told if "rows_per_file" in message["Subject"]]
    assert volume["Subject"] == f"rows_per_file of {TABLE} is low"
    assert "is 80.0000, expected at least 500.0000 and at most 1500.0000" in volume["Message"]

    assert "no new breach" in warehouse_command(observed, *alert)[1]
    assert inbox.take() == []

    # Two more. The warehouse fails when the first was published: it is published again.
    observed.execute("update ledger.batches set rows_loaded = 1 where batch_id = 994")
    observed.build(*JUDGED)
    observed.execute("alter table ledger.alerts rename column message_id to gone")
    assert warehouse_command(observed, *alert)[0] == 2
    observed.execute("alter table ledger.alerts rename column gone to message_id")
    assert warehouse_command(observed, *alert)[0] == 0
    more = Counter(message["MessageAttributes"]["breach_id"]["Value"] for message in inbox.take())
    assert sorted(more.values()) == [1, 2]
    assert not ids & more.keys()
    assert warehouse_command(observed, *alert, "--days", "4")[1].startswith("no new breach")

    code, text = warehouse_command(observed, "alert", "--topic", inbox.arn + "-x")
    assert code == 2
    assert "NotFound" in text
    assert "sns:Publish" in text
    code, text = warehouse_command(observed, "alert", "--topic", "data-quality")
    assert code == 2
    assert "must look like arn:aws:sns:" in text
    assert observed.rows("select count(message_id), count(*) from ledger.alerts") == [(5, 5 + 3)]


def test_nothing_is_judged_before_the_first_build(observed: Desk, inbox: Inbox) -> None:
    observed.execute("drop table research_warehouse.data_quality_daily cascade")
    with closing(observed.project.connect()) as warehouse:
        assert recent_quality(warehouse) is None
    code, output = warehouse_command(observed, "status")
    assert code == 0
    assert output.startswith("data quality: not judged yet")
    code, text = warehouse_command(observed, "alert", "--topic", inbox.arn)
    assert code == 2
    assert "warehouse run" in text
