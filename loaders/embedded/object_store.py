"""An S3 emulator of the project's own: moto's server in the background, its objects in a folder."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

import loaders
from loaders.embedded.background import LOOPBACK, POLL_SECONDS, BackgroundProcess
from loaders.errors import UsageError, WarehouseError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

START_SECONDS = 60.0
STOP_SECONDS = 60.0

ACCESS_KEY = "testing"
REGION = "us-east-1"


class ObjectStore:
    """The S3 emulator whose objects lie in `directory`; it outlives the process that starts it.

    Buckets, keys and bytes survive `stop` and `start`, and so do the ETags of single-part
    uploads; times of modification, metadata and versions do not. A kill of the server loses what
    was written in the last second or two. Any local process may read and write the objects.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self._process = BackgroundProcess(self.directory / "lock")
        self._log = self.directory / "server.log"

    @property
    def running(self) -> bool:
        """Whether the server is alive; it may still be putting objects back."""
        return self._process.running

    @property
    def pid(self) -> int | None:
        """Process id of the server started last."""
        return self._process.pid

    @property
    def endpoint_url(self) -> str:
        """URL of the S3 endpoint; UsageError before the first start."""
        state = read_state(self.directory / "server.json")
        if not state:
            raise UsageError(
                f"No embedded object store was started in {self.directory}: run `warehouse up`."
            )
        return f"http://{LOOPBACK}:{state['port']}"

    def start(self) -> None:
        """Start the server unless it runs, and return when all objects are back.

        Raises WarehouseError with the end of the server's log when it does not start.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._ready:
            with self._process.try_lock() as lock:
                if lock is not None:
                    self._launch(lock)
            while self.running and not self._ready:
                if time.monotonic() > deadline:
                    raise WarehouseError(
                        f"The embedded object store (process {self.pid}) is not ready after "
                        f"{START_SECONDS:.0f} s. See {self._log}."
                    )
                time.sleep(POLL_SECONDS)
            if lock is not None and not self.running:
                raise WarehouseError(
                    f"The embedded object store stopped while starting. Its log {self._log} "
                    f"ends with:\n{self._log.read_text(errors='replace')[-2000:]}"
                )

    def stop(self) -> None:
        """Save what was written last and stop the server."""
        if not self._process.stop((signal.SIGTERM, signal.SIGKILL), STOP_SECONDS):
            raise WarehouseError(
                f"The embedded object store (process {self.pid}) does not stop; see {self._log}."
            )

    def client(self) -> S3Client:
        """Give a client of this store that looks at no profile or credential of the user's."""
        return connect(self.endpoint_url)

    @property
    def _ready(self) -> bool:
        ready = read_state(self.directory / "server.json").get("pid")
        return ready is not None and ready == self.pid and self.running

    def _launch(self, lock: int) -> None:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(Path(loaders.__path__[0]).parent),
            # The user's own settings for AWS are not meant for the emulator.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        command = [sys.executable, "-m", "loaders.embedded.object_server", str(self.directory)]
        self._process.launch(lock, command, log=self._log, environment=environment)

    def environment(self) -> dict[str, str]:
        """Give the AWS_* variables by which any S3 client finds this store."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_DEFAULT_REGION": REGION,
        }


def connect(endpoint_url: str) -> S3Client:
    """Give a client of the emulator at this URL, with the emulator's fake credentials."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=ACCESS_KEY,
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}),
    )


def read_state(state_file: Path) -> dict[str, int]:
    """Give `pid` and `port` of the server that was ready last; empty before the first."""
    state: dict[str, int] = json.loads(state_file.read_text()) if state_file.exists() else {}
    return state
