"""Credentials from Secrets Manager, against moto."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from loaders.errors import UsageError
from loaders.secrets_manager import fill_in_credentials


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Give an environment that names a secret."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        secret = json.dumps({"username": "loader", "password": "canary-7f"})
        made = boto3.client("secretsmanager").create_secret(Name="redshift", SecretString=secret)
        yield {"WAREHOUSE_SECRET_ARN": made["ARN"]}


def test_user_and_password_come_from_the_secret(stored: dict[str, str]) -> None:
    fill_in_credentials(stored)
    assert (stored["REDSHIFT_USER"], stored["REDSHIFT_PASSWORD"]) == ("loader", "canary-7f")


def test_a_password_that_is_set_wins(stored: dict[str, str]) -> None:
    environment = stored | {"REDSHIFT_PASSWORD": "mine"}
    fill_in_credentials(environment)
    assert environment == stored | {"REDSHIFT_PASSWORD": "mine"}


def test_nothing_is_asked_for_without_the_variable() -> None:
    environment: dict[str, str] = {}
    fill_in_credentials(environment)
    assert environment == {}


@pytest.mark.parametrize("content", ["canary-7f", '["canary-7f"]', '{"password": "canary-7f"}'])
def test_a_secret_of_another_form_is_refused_without_showing_it(
    stored: dict[str, str], content: str
) -> None:
    arn = stored["WAREHOUSE_SECRET_ARN"]
    boto3.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=content)
    with pytest.raises(UsageError, match="JSON text") as error:
        fill_in_credentials(stored)
    assert "canary" not in str(error.value)


def test_a_secret_that_is_not_there_is_named(stored: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="no-such-secret cannot be read"):
        fill_in_credentials({"WAREHOUSE_SECRET_ARN": "no-such-secret"})
