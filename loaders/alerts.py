"""Tells an SNS topic of each breach once.

A breach is published first and noted in the ledger then: who is killed in between, publishes it
again, with the same id. So it is told at least once; a FIFO topic drops a second telling that comes
within five minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from loaders.errors import Transient, UsageError
from loaders.quality import Breach
from loaders.warehouse.database import Database

MAX_SUBJECT = 100  # SNS; ASCII only

_ARN = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
_TRANSIENT = {"Throttled", "Throttling", "ThrottlingException", "InternalError", "KMSThrottling"}


def region_of(arn: str) -> str:
    """Return the region of a topic. Raises UsageError for what is no topic's ARN.

    >>> region_of("arn:aws:sns:eu-central-1:123456789012:data-quality")
    'eu-central-1'
    """
    match = _ARN.fullmatch(arn)
    if match is None:
        raise UsageError(
            f"{arn!r} is not the ARN of an SNS topic; it must look like "
            "arn:aws:sns:eu-central-1:123456789012:name"
        )
    return match[1]


class _Publisher(Protocol):
    def publish(self, **arguments: Any) -> Any: ...


@dataclass(frozen=True)
class Topic:
    """An SNS topic."""

    client: _Publisher  # boto3's
    arn: str

    def publish(self, breach: Breach) -> str:
        """Publish a breach; return the message's id. Raises Transient or UsageError."""
        subject = f"{breach.measure} of {breach.table_name} is {breach.verdict}"
        attributes = {
            "breach_id": breach.breach_id,
            "table_name": breach.table_name,
            "day": breach.day.isoformat(),
            "kind": breach.kind,
            "measure": breach.measure,
            "verdict": breach.verdict,
        }
        fifo: dict[str, Any] = {}
        if self.arn.endswith(".fifo"):
            fifo = {"MessageGroupId": breach.table_name, "MessageDeduplicationId": breach.breach_id}
        with _translated(self.arn):
            answer = self.client.publish(
                TopicArn=self.arn,
                Subject=subject.encode("ascii", "replace").decode()[:MAX_SUBJECT],
                Message=f"{breach.text}\n\nbreach {breach.breach_id}\n",
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                },
                **fifo,
            )
        return str(answer["MessageId"])


def new_breaches(db: Database, breaches: Iterable[Breach], arn: str | None) -> list[Breach]:
    """Return the breaches that the topic has not been told of; without a topic all of them."""
    told = db.fetch(
        f"select distinct breach_id from {db.schemas.ledger('alerts').sql} "  # noqa: S608
        "where topic = %s",
        (arn or "",),
    )
    known = {str(breach_id) for (breach_id,) in told}
    return [breach for breach in breaches if breach.breach_id not in known]


def publish(db: Database, breaches: Iterable[Breach], topic: Topic) -> None:
    """Publish breaches and note each at once. What a fault leaves out, the next call publishes."""
    for breach in breaches:
        mark_told(db, [breach], topic.arn, topic.publish(breach))


def mark_told(
    db: Database, breaches: Iterable[Breach], arn: str, message_id: str | None = None
) -> None:
    """Note that a topic was told of these breaches, or is not to be: `message_id` is None then."""
    db.execute_many(
        f"insert into {db.schemas.ledger('alerts').sql} (breach_id, topic, table_name, "  # noqa: S608
        "day, measure, verdict, message_id, published_at) "
        f"values (%s, %s, %s, %s, %s, %s, %s, {db.now})",
        [
            (one.breach_id, arn, one.table_name, one.day, one.measure, one.verdict, message_id)
            for one in breaches
        ],
    )


@contextmanager
def _translated(arn: str) -> Iterator[None]:
    """Turn botocore's errors into ours, told by whose fault they are."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _TRANSIENT or status >= 500 or status == 429:
            raise Transient(f"{arn}: SNS answered {code}; try again later") from error
        raise UsageError(
            f"{arn}: SNS refused: {code}; check the topic's ARN and the permission sns:Publish"
        ) from error
    except (BotoConnectionError, HTTPClientError, OSError) as error:
        # Not its text, nor the error itself in a traceback: they quote the endpoint's URL, which
        # may hold a password.
        kind = type(error).__name__
        raise Transient(f"{arn}: the connection to SNS failed ({kind})") from None
    except BotoCoreError as error:
        raise UsageError(
            f"{arn}: SNS cannot be used ({type(error).__name__}); check credentials, region and "
            "endpoint of the AWS tools"
        ) from None
