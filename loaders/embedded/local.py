"""The servers of target `local`, and the `profiles.yml` by which dbt finds them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from loaders.embedded.background import write_private
from loaders.embedded.postgres import EmbeddedPostgres
from loaders.errors import UsageError

if TYPE_CHECKING:
    from loaders.embedded.object_store import ObjectStore

STATE = ".warehouse"
BUCKET = "research-staging"
PROFILE = "research_warehouse"
MARK = "# Written by `warehouse up`, which overwrites it. Take another directory for your own."


@dataclass(frozen=True)
class LocalServers:
    """The embedded PostgreSQL and object store of one checkout; their state is in `.warehouse/`."""

    project_dir: Path

    @property
    def postgres(self) -> EmbeddedPostgres:
        """The PostgreSQL server."""
        return EmbeddedPostgres(self.project_dir / STATE / "postgres")

    @property
    def object_store(self) -> ObjectStore:
        """The S3 emulator."""
        from loaders.embedded.object_store import ObjectStore  # boto3, which not all need

        return ObjectStore(self.project_dir / STATE / "s3")

    @property
    def running(self) -> bool:
        """Whether both servers run."""
        return self.postgres.running and self.object_store.running

    @property
    def psql(self) -> str:
        """The command line that opens the marts in psql; the password is in a file of its own."""
        server = self.postgres
        return (
            f"PGOPTIONS='-c search_path=research_warehouse' psql 'host={server.host} "
            f"port={server.port} user={server.superuser} dbname={server.database} "
            f"passfile={self._password_file}'"
        )

    @property
    def _password_file(self) -> Path:
        return self.project_dir / STATE / "pgpass"

    def up(self) -> None:
        """Start what does not run, make the staging bucket, and write `profiles.yml`.

        Raises UsageError before anything is started if there is a `profiles.yml` that this did
        not write.
        """
        profiles = self.project_dir / "profiles.yml"
        if profiles.exists() and not profiles.read_text(encoding="utf-8").startswith(MARK):
            raise UsageError(
                f"{profiles} was not written by `warehouse up`, which would overwrite it. Move it "
                "to a directory of its own and set DBT_PROFILES_DIR to that when you want it."
            )
        postgres = self.postgres
        postgres.start()
        self.object_store.start()
        self.object_store.client().create_bucket(Bucket=BUCKET)
        write_private(profiles, self._profiles(postgres))
        write_private(self._password_file, f"*:*:*:{postgres.superuser}:{postgres.password}\n")

    def down(self) -> None:
        """Stop both servers; data and objects stay."""
        self.object_store.stop()
        self.postgres.stop()

    def delete(self) -> None:
        """Delete what the servers hold, wherever it lies, and the `profiles.yml` written here."""
        self.postgres.remove()
        shutil.rmtree(self.project_dir / STATE, ignore_errors=True)
        profiles = self.project_dir / "profiles.yml"
        if profiles.exists() and profiles.read_text(encoding="utf-8").startswith(MARK):
            profiles.unlink()

    def _profiles(self, postgres: EmbeddedPostgres) -> str:
        """Fill the target `local` of profiles.example.yml with the server's own values."""
        example = self.project_dir / "profiles.example.yml"
        content = yaml.safe_load(example.read_text(encoding="utf-8"))
        content[PROFILE]["outputs"]["local"] |= {
            "host": postgres.host,
            "port": postgres.port,
            "user": postgres.superuser,
            "password": postgres.password,
            "dbname": postgres.database,
        }
        return f"{MARK}\n{yaml.safe_dump(content, sort_keys=False)}"
