"""Apache Superset in an environment of its own, and the login by which it reads the marts."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from loaders.embedded.background import LOOPBACK, write_private
from loaders.embedded.postgres import EmbeddedPostgres
from loaders.errors import UsageError, WarehouseError
from loaders.identifiers import Schemas
from loaders.warehouse.roles import Roles

READER = "bi_reader"
SERVICE = "research_warehouse"  # as assets/databases/research_warehouse.yaml names it
DASHBOARD = "superset/dashboard/research-warehouse/"


def open_to_reader(postgres: EmbeddedPostgres) -> dict[str, str]:
    """Let READER log in, with the rights of readers and no others; return libpq's parameters.

    Raises UsageError where no marts are built.
    """
    marts, readers = Schemas().target, Roles.of(Schemas()).readers
    login = {"user": READER, "password": postgres.password_of(READER)}
    with psycopg.connect(
        host=postgres.host,
        port=postgres.port,
        user=postgres.superuser,
        password=postgres.password,
        dbname=postgres.database,
    ) as connection:
        ready = connection.execute(
            "select to_regclass(%s) is not null and to_regrole(%s) is not null",
            [f"{marts}.fact_measurements", readers],
        ).fetchone()
        if ready != (True,):
            raise UsageError("there are no marts to look at yet: run `make demo`")
        known = connection.execute("select to_regrole(%s) is not null", [READER]).fetchone()
        if known != (True,):
            connection.execute(
                sql.SQL("create role {} login password {} in role {}").format(
                    sql.Identifier(READER), sql.Literal(login["password"]), sql.Identifier(readers)
                )
            )
    server = {"host": postgres.host, "port": str(postgres.port), "dbname": postgres.database}
    return server | login | {"options": f"-c search_path={marts}"}


@dataclass(frozen=True)
class Superset:
    """Superset as it is installed in the environment `packages`.

    What it keeps lies in `home`: its own database (SQLite), its log, and in files that only their
    maker can read the passwords of its administrator and of the warehouse's reader.
    """

    packages: Path
    home: Path

    @property
    def log(self) -> Path:
        """What it has to say."""
        return self.home / "superset.log"

    @property
    def service_file(self) -> Path:
        """The login of the warehouse, as libpq reads it."""
        return self.home / "pg_service.conf"

    @property
    def password_file(self) -> Path:
        """The password of Superset's user `admin`."""
        return self.home / "admin_password"

    def build(self, login: Mapping[str, str]) -> None:
        """Build the dashboard on the warehouse that `login` (libpq's parameters) leads to.

        Repeating it overwrites the dashboard, its charts and its datasets; others stay. Raises
        UsageError where Superset is not installed, WarehouseError where it fails.
        """
        python = self.packages / "bin" / "python"
        if not python.exists():
            raise UsageError("Superset is not installed: run `make bi`")
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = [f"[{SERVICE}]", *(f"{name}={value}" for name, value in login.items())]
        write_private(self.service_file, "\n".join(lines) + "\n")
        if not self.password_file.exists():
            write_private(self.password_file, secrets.token_urlsafe(18))
        with self.log.open("w", encoding="utf-8") as log:
            # -P: what stands beside the script must not hide packages of the same name.
            done = subprocess.run(
                [python, "-P", Path(__file__).with_name("build.py")],
                check=False,
                stdout=log,
                stderr=log,
                env=self.environment,
            )
        if done.returncode:
            said = self.log.read_text(encoding="utf-8", errors="replace")
            raise WarehouseError(
                f"Superset does not build its dashboard. Its log {self.log} ends with:\n"
                f"{said[-2000:]}"
            )

    def command(self, port: int) -> list[str]:
        """Return the command that serves it on the loopback address, to be run in `environment`.

        Only its own people can use it: they log in as `admin`.
        """
        return [
            str(self.packages / "bin" / "gunicorn"),
            *("--bind", f"{LOOPBACK}:{port}"),
            *("--threads", "8", "--timeout", "120", "--graceful-timeout", "2"),
            *("--log-level", "warning", "--no-control-socket"),
            "superset.app:create_app()",
        ]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its processes: nothing of the caller's but the search path."""
        key = self.home / "secret_key"
        if not key.exists():
            write_private(key, secrets.token_urlsafe(42))
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "SUPERSET_HOME": str(self.home),
            "SUPERSET_SECRET_KEY": key.read_text(encoding="utf-8"),
            "PGSERVICEFILE": str(self.service_file),
            "SUPERSET_CONFIG_PATH": str(Path(__file__).with_name("superset_config.py")),
        }
