"""Settings against dbt itself: the same profile must mean the same to both."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import psycopg2
import pytest
import redshift_connector
import yaml
from dbt.adapters.contracts.connection import Connection
from dbt.adapters.factory import load_plugin
from dbt.adapters.postgres.connections import PostgresConnectionManager
from dbt.adapters.redshift.connections import RedshiftCredentials, get_connection_method
from dbt.config.profile import Profile
from dbt.config.renderer import ProfileRenderer
from dbt_common.context import set_invocation_context
from hypothesis import given
from hypothesis import strategies as st

from loaders import profile_template
from loaders.errors import UsageError
from loaders.settings import LOCAL_TARGET, Settings, resolve_settings

PROJECT = Path(__file__).parents[2]
EXAMPLE = cast("dict[str, Any]", yaml.safe_load((PROJECT / "profiles.example.yml").read_text()))
TARGETS = list(EXAMPLE["research_warehouse"]["outputs"])
SECRET = "canary-7f3a"
ENVIRONMENT = {
    "PGHOST": "db.example.org",
    "PGUSER": "loader",
    "PGPASSWORD": SECRET,
    "PGDATABASE": "lab",
    "REDSHIFT_HOST": "c.abc.eu-west-1.redshift.amazonaws.com",
    "REDSHIFT_CLUSTER": "c",
    "REDSHIFT_USER": "loader",
    "REDSHIFT_PASSWORD": "canary",
    "REDSHIFT_DATABASE": "lab",
    "REDSHIFT_WORKGROUP": "group",
    "REDSHIFT_ACCOUNT": "0123456789",
    "AWS_REGION": "eu-west-1",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the profile of whoever runs the tests out of them."""
    home = tmp_path / "home"
    (home / ".dbt").mkdir(parents=True)
    (home / "elsewhere").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home / "elsewhere")
    return home


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project whose profiles.yml is the example, with a usable port."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "dbt_project.yml").write_text("name: p\nprofile: research_warehouse\n")
    write_output(project, {})
    return project


def write_output(directory: Path, changes: dict[str, Any], target: str = "local") -> Path:
    """Write profiles.yml: the example with some values of one target changed."""
    content: Any = yaml.safe_load(yaml.safe_dump(EXAMPLE))
    profile = content["research_warehouse"]
    profile["outputs"]["local"]["port"] = 15432
    profile["outputs"][target] = profile["outputs"].get(target, {}) | changes
    file = directory / "profiles.yml"
    file.write_text(yaml.safe_dump(content))
    return file


def dbt_credentials(project: Path, target: str, environment: dict[str, str]) -> Any:
    """Give the credentials object that dbt makes of the same file."""
    set_invocation_context(environment)
    raw = yaml.safe_load((project / "profiles.yml").read_text())["research_warehouse"]
    _, values = Profile.render_profile(raw, "research_warehouse", target, ProfileRenderer({}))
    values.pop("threads")
    credentials = load_plugin(values.pop("type"))
    values = credentials.translate_aliases(values)
    credentials.validate(values)
    return credentials.from_dict(values)


def dbt_connects_with(credentials: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Give the arguments with which dbt would call the driver."""
    seen: dict[str, Any] = {}

    class Connected:
        autocommit = False

    def connect(**arguments: Any) -> Connected:
        seen.update(arguments)
        return Connected()

    monkeypatch.setattr(redshift_connector, "connect", connect)
    monkeypatch.setattr(psycopg2, "connect", connect)
    if isinstance(credentials, RedshiftCredentials):
        get_connection_method(credentials)()
    else:
        PostgresConnectionManager.open(
            Connection(type="postgres", name="c", credentials=credentials)
        )
    return seen


def said(arguments: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing: absent and empty, and dbt's own name and default time-out."""
    own = {"application_name", "connect_timeout"}
    return {
        name: value
        for name, value in arguments.items()
        if name not in own and value not in (None, [], False)
    }


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_of_the_example_connects_as_dbt_does(
    project: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = resolve_settings(project, target, environment=ENVIRONMENT)
    credentials = dbt_credentials(project, target, ENVIRONMENT)
    expected = said(dbt_connects_with(credentials, monkeypatch))
    actual = said(dict(settings.connection))
    if settings.type == "postgres":
        assert actual.pop("sslmode") == expected.pop("sslmode", "prefer")  # libpq's default
    assert actual == {name: value for name, value in expected.items() if value != ""} | {
        name: "" for name in ("user", "password") if expected.get(name) == ""
    }
    assert (settings.type, settings.schema) == (credentials.type, credentials.schema)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "database", "user": "u", "password": "p", "sslmode": "require"},
        {"method": "database", "user": "u", "pass": "p", "sslmode": "disable"},
        {"method": "iam", "user": "u", "cluster_id": "c", "iam_profile": "x", "autocreate": True},
        {"method": "iam", "user": "u", "cluster_id": "c", "db_groups": ["g"]},
        {"method": "iam", "user": "u", "is_serverless": True, "serverless_work_group": "w"},
        {"method": "iam_role", "cluster_id": "c"},
    ],
)
def test_other_redshift_methods_connect_as_dbt_does(
    project: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = {"type": "redshift", "host": "h", "port": 1, "dbname": "d", "schema": "s", "threads": 1}
    write_output(project, base | changes, target="other")
    settings = resolve_settings(project, "other", environment={})
    expected = dbt_connects_with(dbt_credentials(project, "other", {}), monkeypatch)
    assert said(dict(settings.connection)) == said(expected)


@pytest.mark.parametrize("where", ["option", "variable", "current", "project", "home"])
def test_profiles_yml_is_found_where_dbt_finds_it(
    project: Path, home: Path, tmp_path: Path, where: str
) -> None:
    """Each place wins over those after it."""
    (project / "profiles.yml").unlink()
    places = {
        "option": tmp_path / "option",
        "variable": tmp_path / "variable",
        "current": Path.cwd(),
        "project": project,
        "home": home / ".dbt",
    }
    names = list(places)
    for name in names[names.index(where) :]:
        places[name].mkdir(exist_ok=True)
        write_output(places[name], {"dbname": name})
    environment = {"DBT_PROFILES_DIR": str(places["variable"])} if where == "variable" else {}
    option = places["option"] if where == "option" else None
    settings = resolve_settings(project, None, option, environment)
    assert (settings.connection["dbname"], settings.profiles_dir) == (where, places[where])


@pytest.mark.parametrize(
    ("option", "environment", "default", "expected"),
    [
        ("postgres", {"DBT_TARGET": "redshift"}, "local", "postgres"),
        (None, {"DBT_TARGET": "redshift"}, "local", "redshift"),
        (None, {"DBT_TARGET": "redshift", "DBT_ENGINE_TARGET": "postgres"}, "local", "postgres"),
        (None, {}, "postgres", "postgres"),
        (None, {"T": "redshift"}, "{{ env_var('T', 'local') }}", "redshift"),
        (None, {}, "{{ env_var('T', 'local') }}", "local"),
    ],
)
def test_the_target_is_chosen_as_dbt_chooses_it(
    project: Path,
    option: str | None,
    environment: dict[str, str],
    default: str,
    expected: str,
) -> None:
    content = yaml.safe_load(write_output(project, {}).read_text())
    content["research_warehouse"]["target"] = default
    (project / "profiles.yml").write_text(yaml.safe_dump(content))
    settings = resolve_settings(project, option, environment=ENVIRONMENT | environment)
    assert settings.target == expected


@given(
    text=st.sampled_from(
        [
            "{{ env_var('X') }}",
            "{{ env_var('X') | as_number }}",
            "{{ env_var('X') | as_bool }}",
            "{{ env_var('X') | as_native }}",
            "{{ env_var('X') | as_text }}",
            "{{ env_var('Y', '12') | as_number }}",
            "{{ env_var('Y', 'a') }}-{{ env_var('X') | as_number }}",
            "{{ env_var('Y') }}",
            "plain",
            "12",
            "{{ 12 }}",
        ]
    ),
    value=st.sampled_from(
        ["", "1", "0123", "-1.5", "True", "true", "None", "[1]", "a'b", "{{ x }}"]
    )
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
)
def test_jinja_means_what_it_means_to_dbt(text: str, value: str) -> None:
    environment = {"X": value}
    set_invocation_context(environment)
    expected: Any
    try:
        expected = ProfileRenderer({}).render_value(text)
    except Exception:
        expected = UsageError
    try:
        actual = profile_template.render(text, environment, "f: k")
    except UsageError:
        actual = UsageError
    assert actual == expected
    assert isinstance(actual, str) == isinstance(expected, str)  # dbt leaves marked text marked
    assert isinstance(actual, bool) == isinstance(expected, bool)


@pytest.mark.parametrize(
    ("target", "changes", "message"),
    [
        ("local", {"password": None}, r"profiles.yml: research_warehouse.outputs.local.password"),
        ("local", {"port": "54x"}, r"local.port must be a number"),
        ("local", {"type": "snowflake"}, r"local.type is 'snowflake'; .* postgres, redshift"),
        ("local", {"sslmode": "verify_full"}, r"local.sslmode is 'verify_full'"),
        ("local", {"schema": ""}, r"local.schema is missing"),
        ("local", {"user": "{{ env_var('NOT_SET') }}"}, r"local.user: .* NOT_SET is not set"),
        ("local", {"user": "{{ nobody }}"}, r"local.user: 'nobody' is undefined"),
        ("local", {"user": "{{ "}, r"local.user: line 1 .* Jinja"),
        ("redshift", {"sslmode": "verify_full"}, r"redshift.sslmode is 'verify_full'"),
        ("redshift", {"method": "keys"}, r"redshift.method is 'keys'"),
        ("redshift", {"cluster_id": None}, r"redshift.cluster_id is missing"),
    ],
)
def test_a_fault_names_file_and_key(
    project: Path, target: str, changes: dict[str, Any], message: str
) -> None:
    write_output(project, changes, target)
    with pytest.raises(UsageError, match=message):
        resolve_settings(project, target, environment=ENVIRONMENT)


def test_a_missing_profile_or_target_says_what_to_do(project: Path) -> None:
    with pytest.raises(UsageError, match=r"targets are local, postgres, .* --target"):
        resolve_settings(project, "nowhere", environment={})
    (project / "profiles.yml").write_text("another: {outputs: {}}\n")
    with pytest.raises(UsageError, match="no profile `research_warehouse`"):
        resolve_settings(project, environment={})
    (project / "profiles.yml").unlink()
    with pytest.raises(UsageError, match="warehouse up"):
        resolve_settings(project, environment={})
    (project / "dbt_project.yml").write_text("name: p\n")
    with pytest.raises(UsageError, match="no `profile`"):
        resolve_settings(project, environment={})
    (project / "dbt_project.yml").unlink()
    with pytest.raises(UsageError, match=r"dbt_project\.yml cannot be read"):
        resolve_settings(project, environment={})


@pytest.mark.parametrize("target", TARGETS)
def test_no_secret_is_shown(project: Path, target: str) -> None:
    write_output(project, {"password": SECRET})
    settings = resolve_settings(project, target, environment=ENVIRONMENT)
    assert SECRET not in repr(settings) + str(settings)
    assert (SECRET in settings.connection.values()) == (settings.type == "postgres")


@pytest.mark.parametrize(
    "content",
    [
        f"research_warehouse: {{outputs: {{local: {{password: {SECRET}\n  port: ]\n",
        f"research_warehouse: {{outputs: {{local: {{type: postgres, port: {SECRET}}}}}}}\n",
        f"research_warehouse: {{outputs: {{local: {{user: '{{{{ {SECRET!r} | no_filter }}}}'}}}}}}",
        f"- {SECRET}\n",
    ],
)
def test_no_fault_shows_a_secret(project: Path, content: str) -> None:
    (project / "profiles.yml").write_text(content)
    with pytest.raises(UsageError) as caught:
        resolve_settings(project, "local", environment={})
    chain, error = "", cast("BaseException | None", caught.value)
    while error is not None:
        chain += str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert SECRET not in chain
    assert str(project / "profiles.yml") in chain


def test_a_password_that_looks_like_jinja_is_itself(project: Path) -> None:
    write_output(project, {"password": "a{{b"})
    settings = resolve_settings(project, "local", environment={})
    assert settings.connection["password"] == "a{{b"
    assert settings.connection["password"] == dbt_credentials(project, "local", {}).password


@pytest.mark.parametrize(
    ("target", "variable", "bucket", "prefix"),
    [
        ("local", None, "research-staging", ""),
        ("local", "s3://mine", "mine", ""),
        ("postgres", "s3://mine/", "mine", ""),
        ("redshift", "s3://mine/a/b", "mine", "a/b/"),
        ("redshift", "s3://mine/a/b/", "mine", "a/b/"),
    ],
)
def test_the_staging_bucket(
    project: Path, target: str, variable: str | None, bucket: str, prefix: str
) -> None:
    environment = ENVIRONMENT | ({"WAREHOUSE_STAGING": variable} if variable else {})
    settings = resolve_settings(project, target, environment=environment)
    assert (settings.bucket, settings.prefix) == (bucket, prefix)


@pytest.mark.parametrize("variable", [None, "mine", "s3://", "s3://Mine", "https://mine/a"])
def test_a_staging_bucket_that_is_not_one(project: Path, variable: str | None) -> None:
    environment = ENVIRONMENT | ({"WAREHOUSE_STAGING": variable} if variable else {})
    settings = resolve_settings(project, "redshift", environment=environment)
    with pytest.raises(UsageError, match="s3://bucket/prefix"):
        _ = settings.bucket


def test_real_aws_keeps_its_environment(project: Path) -> None:
    settings = resolve_settings(project, "postgres", environment=ENVIRONMENT)
    assert settings.aws_environment == {}
    local: Settings = resolve_settings(project, LOCAL_TARGET, environment={})
    with pytest.raises(UsageError, match="warehouse up"):
        _ = local.aws_environment


def test_the_environment_is_the_process_s_own_by_default(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert resolve_settings(project, "postgres").connection["host"] == os.environ["PGHOST"]
