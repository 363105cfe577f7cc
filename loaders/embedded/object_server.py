"""The process behind `ObjectStore`: moto's S3, filled from a folder and kept in step with it.

Run as `python -m loaders.embedded.object_server DIRECTORY`. moto forgets everything when it ends,
so the folder is read at the start and written again soon after each change, and before the end.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from loaders.embedded.background import LOOPBACK, free_port, port_is_free, write_private
from loaders.embedded.object_store import connect, read_state

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SAVE_SECONDS = 1.0
_CHUNK = 1 << 20

_Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class ObjectFolder:
    """Buckets as directories; an object is a body and a description, named by its key's hash.

    Hashes, because keys may be longer than file names, differ in case only, or be a prefix of one
    another. Bytes are kept, and with them single-part ETags; metadata and versions are not.
    """

    def __init__(self, folder: Path, client: S3Client) -> None:
        self._folder = folder
        self._client = client
        self._saved: dict[tuple[str, str], str] = {}  # (bucket, key): ETag

    def restore(self) -> None:
        """Put every bucket and object of the folder into the emulator."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for bucket in sorted(self._folder.iterdir()):
            self._client.create_bucket(Bucket=bucket.name)
            for description in sorted(bucket.glob("*.json")):
                key = json.loads(description.read_text())["key"]
                with description.with_suffix(".body").open("rb") as body:
                    answer = self._client.put_object(Bucket=bucket.name, Key=key, Body=body)
                self._saved[bucket.name, key] = answer["ETag"]

    def save(self) -> None:
        """Write what changed in the emulator since the last call, and remove what is gone."""
        buckets = {bucket["Name"] for bucket in self._client.list_buckets()["Buckets"]}
        live: dict[tuple[str, str], str] = {}
        for bucket in buckets:
            (self._folder / bucket).mkdir(exist_ok=True)
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for item in page.get("Contents", []):
                    live[bucket, item["Key"]] = item["ETag"]
        for (bucket, key), etag in live.items():
            if self._saved.get((bucket, key)) != etag:
                self._write(bucket, key)
        for bucket, key in self._saved.keys() - live.keys():
            self._path(bucket, key).with_suffix(".json").unlink(missing_ok=True)
            self._path(bucket, key).with_suffix(".body").unlink(missing_ok=True)
        for directory in self._folder.iterdir():
            if directory.name not in buckets:
                shutil.rmtree(directory)
        self._saved = live

    def _write(self, bucket: str, key: str) -> None:
        path = self._path(bucket, key)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            body = self._client.get_object(Bucket=bucket, Key=key)["Body"]
            for chunk in body.iter_chunks(_CHUNK):
                file.write(chunk)
        # The description last: without it a body is no object yet.
        partial.replace(path.with_suffix(".body"))
        write_private(path.with_suffix(".json"), json.dumps({"key": key}))

    def _path(self, bucket: str, key: str) -> Path:
        return self._folder / bucket / hashlib.sha256(key.encode()).hexdigest()


def notice_changes(application: _Application, changed: threading.Event) -> _Application:
    """Wrap a WSGI application so that `changed` is set after each request that may write."""

    def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer = application(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            changed.set()
        return answer

    return wrapped


def serve(directory: Path) -> None:
    """Serve until SIGTERM; `server.json` is written when the folder has been put back."""
    stopping, changed = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # or one line for every request
    state_file = directory / "server.json"
    port = read_state(state_file).get("port", 0)
    if not port or not port_is_free(port):
        port = free_port()
    application = notice_changes(DomainDispatcherApplication(create_backend_app), changed)
    server = make_server(
        LOOPBACK, port, application, threaded=True, request_handler=MotoRequestHandler
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    folder = ObjectFolder(directory / "objects", connect(f"http://{LOOPBACK}:{port}"))
    folder.restore()
    write_private(state_file, json.dumps({"pid": os.getpid(), "port": port}))
    while not stopping.wait(SAVE_SECONDS):
        if changed.is_set():
            changed.clear()
            try:
                folder.save()
            except Exception:  # an object or bucket may go while it is being read: try again
                logging.exception("not all objects could be saved")
                changed.set()
    folder.save()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
