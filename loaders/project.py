"""One dbt project and target as the commands use it: contracts, connections, the staging bucket."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from loaders.contracts import Contract, load_contracts
from loaders.errors import UsageError
from loaders.secrets_manager import fill_in_credentials
from loaders.settings import Settings, resolve_settings
from loaders.staging.objects import Staging
from loaders.warehouse.base import Warehouse

if TYPE_CHECKING:
    from loaders.alerts import Topic

PROJECT_FILE = "dbt_project.yml"


@dataclass(frozen=True)
class Project:
    """A target of the project; nothing is read or connected to before it is asked for."""

    settings: Settings

    @classmethod
    def open(cls, project_dir: Path, target: str | None, profiles_dir: Path | None) -> Project:
        """Resolve the target as dbt does. Raises UsageError."""
        fill_in_credentials(os.environ)
        return cls(resolve_settings(project_dir, target, profiles_dir))

    @cached_property
    def contracts(self) -> tuple[Contract, ...]:
        """The contracts of all source tables."""
        return load_contracts(self.settings.project_dir)

    def contract(self, name: str) -> Contract:
        """Return the contract of `source.table`. Raises UsageError."""
        found = {contract.name: contract for contract in self.contracts}
        if name not in found:
            raise UsageError(f"no source table {name!r}; there are: {', '.join(found)}")
        return found[name]

    @cached_property
    def staging(self) -> Staging:
        """The staging bucket, with credentials as the AWS tools find them."""
        client = self._aws_client("s3", self.settings.aws_environment.get("AWS_DEFAULT_REGION"))
        return Staging(client, self.settings.bucket, self.settings.prefix)

    def topic(self, arn: str) -> Topic:
        """Return an SNS topic; of the embedded target, the emulator's. Raises UsageError."""
        from loaders.alerts import Topic, region_of

        return Topic(self._aws_client("sns", region_of(arn)), arn)

    def _aws_client(self, service: Literal["s3", "sns"], region: str | None) -> Any:
        import boto3  # takes a third of a second, which `query` need not wait for
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        environment = self.settings.aws_environment
        new_client: Callable[..., Any] = boto3.client
        try:
            return new_client(
                service,
                endpoint_url=environment.get("AWS_ENDPOINT_URL_S3"),  # the emulator has SNS, too
                aws_access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
                aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
                region_name=region,
                config=Config(retries={"mode": "standard", "total_max_attempts": 5}),
            )
        except (BotoCoreError, ValueError) as error:
            # Not its text, nor the error itself in a traceback: they quote the endpoint.
            raise UsageError(
                f"no {service.upper()} client can be made ({type(error).__name__}): check "
                f"AWS_ENDPOINT_URL_{service.upper()}, AWS_DEFAULT_REGION and the profile of the "
                "AWS tools"
            ) from None

    def connect(self) -> Warehouse:
        """Open a connection; who calls it closes it."""
        return self._connect(self.settings.connection)

    def _connect(self, connection: Mapping[str, Any]) -> Warehouse:
        # Each driver takes a while to import: only the one that is needed.
        if self.settings.type == "redshift":
            from loaders.warehouse.redshift import RedshiftWarehouse

            return RedshiftWarehouse(connection, self.settings.schemas)
        from loaders.warehouse.postgres import PostgresWarehouse

        return PostgresWarehouse(connection, self.settings.schemas)

    @contextmanager
    def warehouse(self) -> Iterator[Warehouse]:
        """Open a connection for the block."""
        with closing(self.connect()) as warehouse:
            yield warehouse

    @contextmanager
    def reader(self) -> Iterator[Warehouse]:
        """Open a connection for statements of a person's, with no more rights than reading needs.

        On the embedded server it is not the superuser's; elsewhere it is the profile's user.
        """
        with closing(self._connect(self.settings.reading_connection)) as warehouse:
            yield warehouse


def find_project(start: Path | None = None) -> Path:
    """Return the directory of the dbt project: DBT_PROJECT_DIR, or here or above."""
    if named := os.environ.get("DBT_PROJECT_DIR"):
        return Path(named).absolute()
    here = (start or Path.cwd()).absolute()
    for directory in (here, *here.parents):
        if (directory / PROJECT_FILE).is_file():
            return directory
    raise UsageError(f"no {PROJECT_FILE} in {here} or above: run this inside the project")
