"""A lab on PostgreSQL or on the stand-in for Redshift, used alike."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from loading import Lab
from redshift_lab import RedshiftLab

from loaders.identifiers import Schemas

TARGETS = ("postgres", "redshift")
AnyLab = Lab | RedshiftLab


def lab_of(request: pytest.FixtureRequest) -> AnyLab:
    """Return a fresh lab on the target that the fixture's parameter names."""
    if request.param == "redshift":
        schemas = Schemas(f"t{uuid.uuid4().hex[:12]}")
        standin, bucket = (request.getfixturevalue(name) for name in ("standin", "bucket"))
        return RedshiftLab(standin, bucket, schemas)
    name, client = request.getfixturevalue("staging_bucket")
    return Lab(request.getfixturevalue("database"), client, name)


def put(lab: AnyLab, key: str, body: str | bytes) -> None:
    """Stage an object."""
    data = body.encode() if isinstance(body, str) else body
    lab.staging.client.put_object(Bucket=lab.staging.bucket, Key=key, Body=data)


def ledger(lab: AnyLab, columns: str, table: str) -> list[tuple[Any, ...]]:
    """Return these columns of a table of the ledger, sorted."""
    return sorted(lab.fetch(f"select {columns} from {lab.schemas.ledger(table).sql}"))


def settings_of(lab: AnyLab) -> dict[str, Any]:
    """Return, as JSON can hold it, what another process needs to load there."""
    if isinstance(lab, Lab):
        kind, connection = "postgres", lab.connection
    else:
        server = lab.standin
        kind, connection = (
            "redshift",
            {
                "host": server.host,
                "port": server.port,
                "database": server.database,
                "user": server.user,
                "password": server.password,
                "sslmode": "verify-full",
            },
        )
    return {
        "type": kind,
        "connection": connection,
        "target": lab.schemas.target,
        "bucket": lab.staging.bucket,
        "s3_url": lab.staging.client.meta.endpoint_url,
    }
