"""Which warehouse and which bucket: dbt's profile and target, resolved as dbt resolves them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from loaders import profile_template
from loaders.errors import UsageError
from loaders.identifiers import Schemas, quote_identifier

PROFILES_FILE = "profiles.yml"
LOCAL_TARGET = "local"
LOCAL_STAGING = "s3://research-staging"
STAGING_VARIABLE = "WAREHOUSE_STAGING"

# dbt's sslmode and what redshift-connector is told; it ignores a mode that it does not know.
REDSHIFT_SSL: Mapping[str, Mapping[str, Any]] = {
    "disable": {"ssl": False, "sslmode": None},
    "allow": {"ssl": True, "sslmode": "verify-ca"},
    "prefer": {"ssl": True, "sslmode": "verify-ca"},
    "require": {"ssl": True, "sslmode": "verify-ca"},
    "verify-ca": {"ssl": True, "sslmode": "verify-ca"},
    "verify-full": {"ssl": True, "sslmode": "verify-full"},
}
POSTGRES_SSL = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_STAGING = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


@dataclass(frozen=True)
class Settings:
    """One target of the profile, ready to connect with. Its repr holds no secret."""

    project_dir: Path
    profiles_dir: Path
    target: str
    type: str  # "postgres" or "redshift"
    schema: str  # of the target: where the marts are
    connection: Mapping[str, Any] = field(repr=False)  # keyword arguments of the type's driver
    staging: str | None  # s3://bucket/prefix

    @property
    def schemas(self) -> Schemas:
        """Names of the target's schemas."""
        return Schemas(self.schema)

    @property
    def bucket(self) -> str:
        """The staging bucket; UsageError if none is configured."""
        return self._staging[0]

    @property
    def prefix(self) -> str:
        """What stands before every contract's path in the bucket: empty, or ending in `/`."""
        return self._staging[1]

    @property
    def reading_connection(self) -> Mapping[str, Any]:
        """Like `connection`; on the embedded target of a log-in that can only read."""
        if self.target != LOCAL_TARGET:
            return self.connection
        from loaders.embedded.local import LocalServers

        return {**self.connection, **LocalServers(self.project_dir).postgres.reader}

    @property
    def aws_environment(self) -> Mapping[str, str]:
        """AWS_* variables to connect to S3 with: the embedded store's, else none but one's own.

        Raises UsageError if the target is the embedded one and its store was never started.
        """
        if self.target != LOCAL_TARGET:
            return {}
        from loaders.embedded.local import LocalServers  # boto3 takes a while to import

        return LocalServers(self.project_dir).object_store.environment()

    @property
    def _staging(self) -> tuple[str, str]:
        if self.staging is None:
            raise UsageError(
                f"Set {STAGING_VARIABLE} to the staging bucket of target {self.target}: "
                "s3://bucket or s3://bucket/prefix."
            )
        match = _STAGING.fullmatch(self.staging)
        if match is None:
            raise UsageError(
                f"{STAGING_VARIABLE} is {self.staging!r}; it must look like s3://bucket or "
                "s3://bucket/prefix."
            )
        prefix = (match[2] or "").strip("/")
        return match[1], f"{prefix}/" if prefix else ""


def resolve_settings(
    project_dir: Path,
    target: str | None = None,
    profiles_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Find profile and target as dbt does, and give what the loaders need of them.

    profiles.yml is looked for in `profiles_dir` (--profiles-dir), DBT_PROFILES_DIR, the current
    directory, `project_dir` and ~/.dbt; the target is `target` (--target), DBT_TARGET or the
    profile's own default. `environment` defaults to the process's.

    Raises UsageError naming the file and the key at fault, and never a secret.
    """
    environment = os.environ if environment is None else environment
    project_file = project_dir / "dbt_project.yml"
    name = _dbt_variable(environment, "PROFILE") or _read(project_file).get("profile")
    if not isinstance(name, str):
        raise UsageError(f"{project_file} has no `profile`: add `profile: research_warehouse`.")
    file = _find_profiles(project_dir, profiles_dir, environment)
    profile = _read(file).get(name)
    if not isinstance(profile, dict) or not isinstance(profile.get("outputs"), dict):
        raise UsageError(
            f"{file} has no profile `{name}` with `outputs`: see profiles.example.yml."
        )
    if target is None:
        target = _dbt_variable(environment, "TARGET")
    if target is None:
        default = profile.get("target", "default")
        target = str(profile_template.render(default, environment, f"{file}: {name}.target"))
    where = f"{file}: {name}.outputs.{target}"
    if not isinstance(profile["outputs"].get(target), dict):
        raise UsageError(
            f"{where} is missing; the profile's targets are {', '.join(profile['outputs'])}. "
            f"Choose one with --target, or add `{target}`: see profiles.example.yml."
        )
    output = _Output(profile_template.render(profile["outputs"][target], environment, where), where)
    kind = output.text("type")
    if kind not in _CONNECTIONS:
        raise UsageError(f"{where}.type is {kind!r}; it must be one of {', '.join(_CONNECTIONS)}.")
    schema = output.text("schema")
    quote_identifier(schema)
    staging = environment.get(STAGING_VARIABLE) or (
        LOCAL_STAGING if target == LOCAL_TARGET else None
    )
    return Settings(
        project_dir=project_dir,
        profiles_dir=file.parent,
        target=target,
        type=kind,
        schema=schema,
        connection=_CONNECTIONS[kind](output),
        staging=staging,
    )


def _dbt_variable(environment: Mapping[str, str], name: str) -> str | None:
    """Give dbt's option variable; the longer name wins, as in dbt 1.11."""
    return environment.get(f"DBT_ENGINE_{name}") or environment.get(f"DBT_{name}") or None


def _find_profiles(
    project_dir: Path, profiles_dir: Path | None, environment: Mapping[str, str]
) -> Path:
    named = profiles_dir or _dbt_variable(environment, "PROFILES_DIR")
    places = [Path(named)] if named else [Path.cwd(), project_dir, Path.home() / ".dbt"]
    for place in places:
        if (place / PROFILES_FILE).is_file():
            return place / PROFILES_FILE
    raise UsageError(
        f"No {PROFILES_FILE} in {', '.join(dict.fromkeys(map(str, places)))}. Run `warehouse up`, "
        "which writes one for the embedded server, or copy profiles.example.yml."
    )


def _read(file: Path) -> dict[str, Any]:
    """Read a YAML mapping."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None
    except yaml.MarkedYAMLError as error:
        # Not the error's own text: it quotes the line, which may hold a password.
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{file}{line} is not valid YAML: {error.problem}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise UsageError(f"{file} is not valid YAML in UTF-8.") from None
    if not isinstance(content, dict):
        raise UsageError(f"{file} must be a YAML mapping.")
    return content


@dataclass(frozen=True)
class _Output:
    """The rendered values of one target, and where they stand."""

    values: Mapping[str, Any] = field(repr=False)
    where: str

    def get(self, *names: str) -> Any:
        """Give the value under the first of `names` that has one, else None."""
        return next((self.values[n] for n in names if self.values.get(n) is not None), None)

    def required(self, *names: str) -> Any:
        value = self.get(*names)
        if value is None or value == "":
            raise UsageError(f"{self.where}.{names[0]} is missing: see profiles.example.yml.")
        return value

    def text(self, *names: str) -> str:
        return str(self.required(*names))

    def port(self, default: int) -> int:
        port = self.get("port")
        if port is None:
            return default
        if not str(port).isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(f"{self.where}.port must be a number from 1 to 65535.")
        return int(port)

    def one_of(self, name: str, allowed: Mapping[str, Any] | tuple[str, ...], default: str) -> str:
        value = str(self.get(name) or default)
        if value not in allowed:
            raise UsageError(
                f"{self.where}.{name} is {value!r}; it must be one of {', '.join(allowed)}."
            )
        return value

    def given(self, **names: str) -> dict[str, Any]:
        """Give the values that are there, under the driver's names: driver's=profile's."""
        found = {driver: self.get(name) for driver, name in names.items()}
        return {driver: value for driver, value in found.items() if value is not None}


def _postgres_connection(output: _Output) -> dict[str, Any]:
    """Give libpq's parameters."""
    connection = {
        "host": output.text("host"),
        "port": output.port(5432),
        "user": output.text("user"),
        "password": output.text("password", "pass"),
        "dbname": output.text("dbname", "database"),
        "sslmode": output.one_of("sslmode", POSTGRES_SSL, "prefer"),
    }
    connection |= output.given(
        sslcert="sslcert",
        sslkey="sslkey",
        sslrootcert="sslrootcert",
        connect_timeout="connect_timeout",
    )
    role = output.get("role")
    if role is not None:
        escaped = re.sub(r"([\\ ])", r"\\\1", str(role))
        connection["options"] = f"-c role={escaped}"
    return connection


def _redshift_connection(output: _Output) -> dict[str, Any]:
    """Give redshift-connector's parameters, as dbt-redshift gives them."""
    host = output.text("host")
    serverless = output.get("is_serverless") is True or "serverless" in host
    connection = {
        "host": host,
        "port": output.port(5439),
        "database": output.text("dbname", "database"),
        "is_serverless": serverless,
        "tcp_keepalive": True,
        **REDSHIFT_SSL[output.one_of("sslmode", REDSHIFT_SSL, "prefer")],
        **output.given(region="region", timeout="connect_timeout"),
    }
    method = output.one_of("method", ("database", "iam", "iam_role"), "database")
    if method == "database":
        return connection | {
            "user": output.text("user"),
            "password": output.text("password", "pass"),
        }
    connection |= {"iam": True, "user": "", "password": ""}
    connection |= output.given(
        auto_create="autocreate",
        db_groups="db_groups",
        profile="iam_profile",
        access_key_id="access_key_id",
        secret_access_key="secret_access_key",  # noqa: S106 -- a key's name
    )
    if serverless:
        connection |= output.given(
            serverless_work_group="serverless_work_group",
            serverless_acct_id="serverless_acct_id",
        )
    else:
        connection["cluster_identifier"] = output.text("cluster_id")
    if method == "iam":
        return connection | {"db_user": output.text("user")}
    return connection | {"db_user": None, "group_federation": not serverless}


_CONNECTIONS: Mapping[str, Callable[[_Output], dict[str, Any]]] = {
    "postgres": _postgres_connection,
    "redshift": _redshift_connection,
}
