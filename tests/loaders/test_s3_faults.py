"""What S3 and the way to it do wrong: nothing is lost, doubled or refused for it."""

from __future__ import annotations

import gzip
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from crash_scenarios import SCENARIOS, RedshiftLab
from faulty_s3 import (
    INTERNAL_ERROR,
    LOGIN_PAGE,
    SLOW_DOWN,
    FaultyS3,
    Strike,
    after,
    answer,
    cut,
    stall,
)
from loading import HEADER, MEASUREMENTS, Lab, contract_of, rows
from test_crash_points import assert_healed, sample

from loaders.contracts import Contract
from loaders.errors import Transient, WarehouseError
from loaders.identifiers import Schemas
from loaders.load_run import load
from loaders.project import Project
from loaders.retry import Backoff
from loaders.settings import Settings
from tests.standin.fixtures import Bucket
from tests.standin.server import StandIn

GET_A, GET_B = r"^GET \S*/a\.csv", r"^GET \S*/b\.csv"
LIST = r"^GET \S*list-type"
LONG = [f"r{number:04}" for number in range(4000)]  # more than one block of a body


def product_client(endpoint: str, monkeypatch: pytest.MonkeyPatch, bucket: str) -> Any:
    """Return the client that the commands make, for an emulator at this address."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    settings = Settings(Path(), Path(), "test", "postgres", "s", {}, f"s3://{bucket}")
    return Project(settings).staging.client


def impatient(client: Any) -> Any:
    """Return such a client that tries once and waits half a second, so that tests need not."""
    quick = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        read_timeout=0.5,
        s3={"addressing_style": "path"},
    )
    return boto3.client(
        "s3",
        endpoint_url=client.meta.endpoint_url,
        config=client.meta.config.merge(quick),
    )


@pytest.fixture(params=["postgres", "redshift"])
def target(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Lab, FaultyS3]]:
    """Give a lab whose loader reaches S3 through the proxy only; Redshift has its own way."""
    if request.param == "postgres":
        bucket, direct = request.getfixturevalue("staging_bucket")
        lab = Lab(request.getfixturevalue("database"), None, bucket)
    else:
        standin: StandIn = request.getfixturevalue("standin")
        made: Bucket = request.getfixturevalue("bucket")
        bucket, direct = made.name, made.client
        connection = {
            "host": standin.host,
            "port": standin.port,
            "database": standin.database,
            "user": standin.user,
            "password": standin.password,
            "sslmode": "verify-full",
        }
        lab = RedshiftLab(connection, None, bucket, Schemas(f"f{uuid.uuid4().hex[:8]}"))
    proxy = FaultyS3(direct.meta.endpoint_url)
    lab.client = impatient(product_client(proxy.url, monkeypatch, bucket))
    yield lab, proxy
    proxy.close()


@pytest.fixture
def contract(tmp_path: Path, target: tuple[Lab, FaultyS3]) -> Contract:
    """Set up a table; stage two files of it."""
    made = contract_of(tmp_path, MEASUREMENTS)
    lab, _ = target
    lab.setup(made)
    lab.put("lab/measurements/a.csv", rows(*LONG))
    lab.put("lab/measurements/b.csv", rows("b"))
    return made


def ids(lab: Lab) -> list[str]:
    """Return the ids of all rows that were loaded, sorted, duplicates kept."""
    raw = lab.schemas.raw("lab", "measurements").sql
    return sorted(row[0] for row in lab.fetch(f"select id from {raw}"))


PASSING: dict[str, tuple[str, Strike, int]] = {
    "throttled": (GET_A, answer(503, SLOW_DOWN), 1),
    "throttled for a while": (GET_A, answer(503, SLOW_DOWN), 3),
    "internal error": (LIST, answer(500, INTERNAL_ERROR), 1),
    "no answer": (GET_A, stall(None), 1),
    "a silent body": (GET_A, stall(1000), 1),
    "a cut body": (GET_A, cut(50_000), 1),
    "a body cut at a line": (GET_A, cut(len(HEADER) + 1), 1),
    "no body": (GET_B, cut(0), 1),
    "a reset body": (GET_A, cut(50_000, reset=True), 1),
    "an error page as the object": (GET_A, answer(200, INTERNAL_ERROR), 1),
    "a login page as the object": (GET_A, answer(200, LOGIN_PAGE, "text/html"), 1),
    "an empty page as the object": (GET_A, answer(200, b""), 1),
    "an error page as the listing": (LIST, answer(200, INTERNAL_ERROR), 1),
    "a login page as the listing": (LIST, answer(200, LOGIN_PAGE, "text/html"), 1),
    "a page that is no XML as the listing": (LIST, answer(200, b"<html><br>hello", "text/html"), 1),
    "an empty page as the listing": (LIST, answer(200, b""), 1),
    "a cut listing": (LIST, cut(300), 1),
}

IN_MAKE_TEST = ("throttled", "a cut body", "an error page as the object", "a cut listing")


@pytest.mark.parametrize("name", sample(PASSING, *IN_MAKE_TEST))
def test_a_fault_that_passes_is_not_seen_in_the_result(
    target: tuple[Lab, FaultyS3], contract: Contract, name: str
) -> None:
    lab, proxy = target
    match, strike, times = PASSING[name]
    proxy.add(match, strike, times)
    result = lab.load(contract, workers=1)
    assert proxy.struck == times
    assert (result.exit_code, result.files, result.rows) == (0, 2, len(LONG) + 1)
    assert ids(lab) == sorted([*LONG, "b"])


@pytest.mark.parametrize("form", ["documents", "parquet", "dynamodb"])
def test_a_cut_body_of_another_form_is_read_again(
    target: tuple[Lab, FaultyS3], tmp_path: Path, form: str
) -> None:
    lab, proxy = target
    scenario = SCENARIOS[form]
    contracts = scenario.contracts(tmp_path)
    lab.setup(*contracts)
    scenario.prepare(lab, contracts)
    proxy.add(r"^GET \S*/(a\.json\.gz|a\.parquet|manifest-files\.json)", cut(20), 1)
    lab.load(*contracts, workers=1)
    assert proxy.struck == 1
    assert_healed(lab, scenario, contracts)


def stays(lab: Lab, contract: Contract) -> str:
    """Load under a fault that stays; return the message, and check that nothing came of it."""
    quick = Backoff(attempts=2, first=0.01)
    with pytest.raises(WarehouseError) as caught:
        load([contract], lab.connect, lab.staging, backoff=quick, workers=1)
    assert (type(caught.value), caught.value.exit_code) == (Transient, 3)
    assert "s3://" in str(caught.value)
    assert ids(lab) in ([], ["b"])
    files = lab.schemas.ledger("files").sql
    assert lab.fetch(f"select * from {files} where status <> 'loaded'") == []
    return str(caught.value)


@pytest.mark.ci
@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_stays_is_an_error_and_refuses_no_file(
    target: tuple[Lab, FaultyS3], contract: Contract, name: str
) -> None:
    lab, proxy = target
    match, strike, _ = PASSING[name]
    proxy.add(match, strike, None)
    stays(lab, contract)
    proxy.clear()
    assert lab.load(contract).exit_code == 0
    assert ids(lab) == sorted([*LONG, "b"])


def test_throttling_that_stays_names_the_place_and_what_s3_said(
    target: tuple[Lab, FaultyS3], contract: Contract
) -> None:
    lab, proxy = target
    proxy.add(".", answer(503, SLOW_DOWN), None)
    assert re.search(r"s3://\S+/lab/measurements/: S3 answered SlowDown", stays(lab, contract))


def test_the_commands_client_outlasts_throttling_by_itself(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = FaultyS3(lab.client.meta.endpoint_url)
    contract = contract_of(tmp_path, MEASUREMENTS)
    lab.setup(contract)
    lab.put("lab/measurements/a.csv", rows("a"))
    lab.client = product_client(proxy.url, monkeypatch, lab.bucket)
    proxy.add(r"\S+/a\.csv", answer(503, SLOW_DOWN), 2)
    once = Backoff(attempts=1)
    assert load([contract], lab.connect, lab.staging, backoff=once).rows == 1
    assert proxy.struck == 2
    proxy.close()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_that_is_cut_on_the_way_is_not_called_truncated(
    target: tuple[Lab, FaultyS3], contract: Contract, compressed: bool
) -> None:
    lab, proxy = target
    body = rows("c1", "c2").encode()
    key = "lab/measurements/c.csv" + (".gz" if compressed else "")
    lab.put(key, gzip.compress(body, mtime=0) if compressed else body)
    for most in (1, 10, len(body) // 2):
        proxy.add(r"^GET \S*/c\.csv", cut(most))
    result = lab.load(contract, workers=1)
    assert (result.exit_code, result.files, proxy.struck) == (0, 3, 3)
    assert ids(lab) == sorted([*LONG, "b", "c1", "c2"])


@pytest.mark.parametrize("replacement", [None, rows("x", "y")], ids=["vanishes", "changes"])
def test_an_object_that_moves_between_listing_and_reading_is_left_to_the_next_run(
    target: tuple[Lab, FaultyS3], contract: Contract, replacement: str | None
) -> None:
    lab, proxy = target

    def move() -> None:
        if replacement is None:
            lab.delete("lab/measurements/b.csv")
        else:
            lab.put("lab/measurements/b.csv", replacement)

    proxy.add(GET_B, after(move))
    result = lab.load(contract, workers=1)
    assert (result.exit_code, result.moved) == (0, ("lab/measurements/b.csv",))
    assert ids(lab) == LONG
    assert lab.load(contract).exit_code == 0
    assert ids(lab) == sorted([*LONG, *(["x", "y"] if replacement else [])])


REDSHIFT_FAULTS: dict[str, tuple[str, Strike]] = {
    "the manifest is throttled": (r"^PUT \S*manifest", answer(503, SLOW_DOWN)),
    "no answer about the manifest": (r"^PUT \S*manifest", stall(None)),
    "the check is throttled": (r"^HEAD \S*/a\.csv", answer(503, b"")),
    "the check meets a login page": (r"^HEAD \S*/a\.csv", answer(200, LOGIN_PAGE, "text/html")),
}


@pytest.mark.parametrize("target", ["redshift"], indirect=True)
@pytest.mark.parametrize("name", sample(REDSHIFT_FAULTS, "the check meets a login page"))
def test_faults_around_copy_pass_or_are_named(
    target: tuple[Lab, FaultyS3], contract: Contract, name: str
) -> None:
    lab, proxy = target
    match, strike = REDSHIFT_FAULTS[name]
    proxy.add(match, strike, None)
    stays(lab, contract)
    proxy.clear()
    proxy.add(match, strike, 1)
    assert lab.load(contract, workers=1).exit_code == 0
    assert ids(lab) == sorted([*LONG, "b"])


COPY_FAULTS: dict[str, tuple[str, Strike]] = {
    "throttled": (GET_A, answer(503, SLOW_DOWN)),
    "internal error": (GET_A, answer(500, INTERNAL_ERROR)),
    "throttled at the manifest": (r"^GET \S*manifest", answer(503, SLOW_DOWN)),
}


@pytest.mark.parametrize("target", ["redshift"], indirect=True)
@pytest.mark.parametrize("name", sample(COPY_FAULTS, "throttled"))
def test_s3_faults_of_copy_itself_are_tried_again(
    target: tuple[Lab, FaultyS3], contract: Contract, name: str, standin: StandIn
) -> None:
    lab, _ = target
    theirs = FaultyS3(str(standin.settings.s3_endpoint))
    true, standin.settings.s3_endpoint = standin.settings.s3_endpoint, theirs.url
    match, strike = COPY_FAULTS[name]
    # The stand-in's own client tries five times.
    theirs.add(match, strike, 5)
    try:
        assert lab.load(contract, workers=1).exit_code == 0
    finally:
        standin.settings.s3_endpoint = true
        theirs.close()
    assert theirs.struck == 5
    assert ids(lab) == sorted([*LONG, "b"])
