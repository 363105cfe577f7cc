"""A database user's password from AWS Secrets Manager, for this process and the dbt in it."""

from __future__ import annotations

import json
from collections.abc import MutableMapping

from loaders.errors import UsageError

SECRET_VARIABLE = "WAREHOUSE_SECRET_ARN"  # noqa: S105 -- a variable's name
USER, PASSWORD = "REDSHIFT_USER", "REDSHIFT_PASSWORD"  # those of profiles.example.yml


def fill_in_credentials(environment: MutableMapping[str, str]) -> None:
    """Set REDSHIFT_USER and REDSHIFT_PASSWORD from the secret that WAREHOUSE_SECRET_ARN names.

    The secret has the form that Redshift's own rotation keeps: {"username": …, "password": …}.
    Does nothing without the variable, or when a password is set. Raises UsageError, without the
    secret's content.
    """
    arn = environment.get(SECRET_VARIABLE)
    if not arn or environment.get(PASSWORD):
        return
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = boto3.client("secretsmanager").get_secret_value(SecretId=arn)
        secret = json.loads(answer["SecretString"])
        environment[USER], environment[PASSWORD] = secret["username"], secret["password"]
    except (BotoCoreError, ClientError) as error:
        raise UsageError(f"{SECRET_VARIABLE}: {arn} cannot be read: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{SECRET_VARIABLE}: {arn} must be a JSON text with `username` and `password`"
        ) from None
