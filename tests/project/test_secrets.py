"""Secrets and refused contents, marked, are looked for in everything that is written or printed."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from loaders import cli
from loaders.embedded.object_store import ObjectStore
from loaders.embedded.postgres import EmbeddedPostgres
from loaders.load_run import Backoff
from tests.project.conftest import _replace_database
from tests.project.desk import EXPERIMENT, MEASUREMENT, ROOT, _csv
from tests.standin.server import StandIn

DATABASE = "secrets_tests"
REFUSED = "canary-refused-content"
STARTED: list[list[str]] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        STARTED.append([str(part) for part in arguments[1]])


@dataclass
class Ward:
    """A project whose every secret is marked, and all that its commands have let out."""

    place: Path
    target: str
    bucket: str
    client: Any
    dump: Callable[[], str]
    execute: Callable[[str], object]
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch
    secrets: dict[str, str]
    shown: list[str] = field(default_factory=list)

    def put(self, key: str, body: str) -> None:
        """Stage an object."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body.encode())

    def run(self, *arguments: str, code: int | None = None) -> str:
        """Run a command and return what it printed; a traceback counts as printed."""
        self.patch.setattr(sys, "argv", ["warehouse", *arguments, "--target", self.target,
                                         "--profiles-dir", str(self.place)])  # fmt: skip
        left: int | str | None = 0
        try:
            cli.main()
        except SystemExit as end:
            left = end.code
        out, error = self.capture.readouterr()
        self.shown.append(f"{arguments}: {left}\n{out}{error}")
        assert left == code if code is not None else True, self.shown[-1]
        return out + error

    def everything(self) -> dict[str, str]:
        """Return all that was let out, by where."""
        found = {"output": "\n".join(self.shown), "ledger": self.dump(), "argv": repr(STARTED)}
        for folder in ("logs", "target"):
            for file in (self.place / folder).rglob("*"):
                if file.is_file():
                    found[str(file)] = file.read_bytes().decode(errors="replace")
        versions = self.client.list_object_versions(Bucket=self.bucket)
        for item in versions.get("Versions", []):
            if "_warehouse/" in item["Key"]:  # manifests, deleted again
                body = self.client.get_object(
                    Bucket=self.bucket, Key=item["Key"], VersionId=item["VersionId"]
                )["Body"].read()
                found[item["Key"]] = f"{item['Key']} {body.decode(errors='replace')}"
        return found

    def assert_nothing_leaked(self) -> None:
        """Look for every mark, plain and as hexadecimal, everywhere."""
        everything = self.everything()
        assert len(everything["ledger"]) > 100
        marks = [*self.secrets.values(), REFUSED]
        marks += [mark.encode().hex() for mark in marks]
        leaks = [
            (place, mark, text[max(0, text.find(mark) - 200) : text.find(mark) + 60])
            for place, text in everything.items()
            for mark in marks
            if mark in text
        ]
        assert leaks == []


@pytest.fixture(params=["postgres", "redshift"])
def ward(
    request: pytest.FixtureRequest,
    object_store: ObjectStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Ward]:
    """Give each warehouse, set up by a user whose password is marked."""
    tag = uuid.uuid4().hex[:8]
    marked = {name: f"canary-{name}-{tag}" for name in ("secret", "token", "password", "endpoint")}
    marked["key"] = f"AKIACANARY{tag.upper()}"
    bucket = f"secrets-{tag}"
    client = object_store.client()
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    url = object_store.endpoint_url.replace("://", f"://someone:{marked['endpoint']}@")
    for name, value in {
        "AWS_ACCESS_KEY_ID": marked["key"],
        "AWS_SECRET_ACCESS_KEY": marked["secret"],
        "AWS_SESSION_TOKEN": marked["token"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": url,
        "WAREHOUSE_TEST_PASSWORD": marked["password"],
        "WAREHOUSE_STAGING": f"s3://{bucket}",
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_WRITE_JSON": "true",
        "DBT_LOG_PATH": str(tmp_path / "logs"),
        "DBT_LOG_LEVEL": "debug",
        "DBT_LOG_LEVEL_FILE": "debug",
        "DBT_DEBUG": "1",
        "DBT_PROJECT_DIR": str(ROOT),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it would remember other credentials
    monkeypatch.setattr("loaders.load_run.Backoff", lambda: Backoff(attempts=2, first=0.01))
    user, schema = f"keeper_{tag}", f"s{tag}"
    output: dict[str, Any] = {"schema": schema, "threads": 2, "user": user,
                              "password": "{{ env_var('WAREHOUSE_TEST_PASSWORD') }}"}  # fmt: skip
    if request.param == "postgres":
        postgres: EmbeddedPostgres = request.getfixturevalue("postgres")
        _replace_database(postgres, DATABASE, "template1")
        output |= {"type": "postgres", "host": postgres.host, "port": postgres.port,
                   "dbname": DATABASE}  # fmt: skip

        def execute(sql: str) -> list[Any]:
            with psycopg.connect(
                host=postgres.host, port=postgres.port, user=postgres.superuser,
                password=postgres.password, dbname=DATABASE, autocommit=True,
            ) as opened:  # fmt: skip
                cursor = opened.execute(sql.encode())
                return cursor.fetchall() if cursor.description else []
    else:
        standin: StandIn = request.getfixturevalue("standin")
        monkeypatch.setattr(standin.settings, "s3_endpoint", object_store.endpoint_url)
        output |= {"type": "redshift", "host": standin.host, "port": standin.port,
                   "dbname": standin.database, "sslmode": "verify-full"}  # fmt: skip
        execute = standin.admin
    execute(f"create role {user} login superuser password '{marked['password']}'")
    if output["type"] == "redshift":  # a superuser is a member of no role that sets it
        execute(f"alter role {user} set standin.enable_case_sensitive_super_attribute to true")
    outputs = {
        "good": output,
        "wrong": output | {"password": marked["password"] + "x"},
        "away": output | {"port": 1},
    }
    profile = {"research_warehouse": {"target": "good", "outputs": outputs}}
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profile))

    def dump() -> str:
        tables = execute(
            f"select table_schema, table_name from information_schema.tables "
            f"where table_schema in ('{schema}_ledger', '{schema}_access') "
            "and table_name <> 'rejected_rows'"
        )
        rows = [execute(f"select * from {place}.{name}") for place, name in tables]
        rows.append(
            execute(f"select object_key, reason, detail from {schema}_ledger.rejected_rows")
        )
        return repr(rows)

    sys.addaudithook(_watch)
    STARTED.clear()
    yield Ward(tmp_path, "good", bucket, client, dump, execute, capfd, monkeypatch, marked)
    execute(f"drop owned by {user} cascade")
    execute(f"drop role {user}")


def stage(ward: Ward) -> None:
    """Stage good files, and bad ones whose contents are marked."""
    folder = "research_db/experiments/exported_at=20200101T000000Z/"
    ward.put(folder + "part-0.csv", _csv(EXPERIMENT, ({},)))
    ward.put(folder + "_SUCCESS", "")
    ward.put("research_db/measurements/good.csv", _csv(MEASUREMENT, ({}, {"measurement_id": "m2"})))
    header = ",".join(MEASUREMENT)
    ward.put("research_db/measurements/short.csv", f"{header}\nm3,{REFUSED}\n")
    ward.put("research_db/measurements/quote.csv", f'{header}\n"{REFUSED}"x,a\n')
    ward.put("research_db/measurements/header.csv", f"{REFUSED},b\n1,2\n")
    long = {"measurement_id": REFUSED + "x" * 70}
    ward.put("research_db/measurements/long.csv", _csv(MEASUREMENT, (long,)))


def test_loading_and_looking_let_nothing_out(ward: Ward) -> None:
    stage(ward)
    ward.run("setup", code=0)
    ward.run("plan")
    ward.run("plan", "--json")
    assert '"event": "batch"' in ward.run("load", "--log-format", "json", code=1)
    ward.run("load", "--json", code=1)
    ward.run("load", code=1)
    ward.run("status")
    ward.run("status", "--json")
    ward.run("rejects", "--json")
    ward.run("query", "select 1 / 0 as broken", code=2)
    ward.run("report", "--out", str(ward.place / "target" / "report.html"), code=0)
    ward.assert_nothing_leaked()
    shown = ward.run("rejects", "--rows", "--json")
    assert REFUSED.encode().hex() in shown or REFUSED in shown


def test_failures_let_nothing_out(ward: Ward) -> None:
    stage(ward)
    ward.run("setup", code=0)
    good = ward.target
    for target in ("wrong", "away"):
        ward.target = target
        for command in ("setup", "load", "status"):
            ward.run(command)
    ward.target = good
    for url in (
        "http://someone:{}@127.0.0.1:1",
        "http://someone:{}@no host",
        "http://someone:{}@127.0.0.1:notaport",
        "someone:{}@127.0.0.1",
    ):
        with ward.patch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_S3", url.format(ward.secrets["endpoint"]))
            ward.run("plan")
            assert '"event": "failed"' in ward.run("load", "--log-format", "json")
    ward.assert_nothing_leaked()


@pytest.mark.ci
def test_builds_let_nothing_out(ward: Ward) -> None:
    """With dbt at debug level: when all goes well, when a model fails, when the log-in does."""
    stage(ward)
    ward.run("setup", code=0)
    ward.run("run", "--log-format", "json", code=1)  # data was refused
    ward.run("run", "--json", code=1)
    assert "m2" in ward.run("trace", "m2", code=0)
    ward.put("research_db/measurements/more.csv", _csv(MEASUREMENT, ({"measurement_id": "m9"},)))
    schema = f"s{ward.bucket.removeprefix('secrets-')}"
    raw = f"{schema}_raw_research_db"
    ward.execute(f"alter table {raw}.measurements drop column humidity cascade")
    ward.run("run", code=2)
    ward.execute(f"alter table {raw}.measurements add column humidity varchar(9)")
    ward.execute(f"alter table {raw}.researchers drop column department cascade")
    ward.run("run", code=4)
    ward.target = "wrong"
    ward.run("run")
    log = (ward.place / "logs" / "dbt.log").read_text()
    assert "Began running node" in log  # that is debug level
    assert (ward.place / "target" / "manifest.json").exists()
    ward.assert_nothing_leaked()
