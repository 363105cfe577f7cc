"""A server process that outlives its starter, and is known to live by the lock it inherits.

The starter opens the lock file, takes `flock`, and hands the descriptor to the server. The kernel
keeps the lock until the last process that inherited it is gone. So no process id is ever guessed
at, a killed server cannot look alive, and two starters cannot both start one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Account:
    """Whom a process runs as, in the terms of `subprocess`; nothing set: as the caller."""

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None

    @classmethod
    def of(cls, entry: pwd.struct_passwd) -> Account:
        """Give the account of a password entry, without supplementary groups."""
        return cls(entry.pw_uid, entry.pw_gid, ())


class BackgroundProcess:
    """The one process, with its children, that holds the lock file `lock`."""

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._child: subprocess.Popen[bytes] | None = None  # kept, so that it can be reaped

    @property
    def running(self) -> bool:
        """Whether the server, or one who is just starting it, is alive."""
        if not self._lock.exists():
            return False
        with self._lock.open() as handle:
            try:
                # Shared, so that two who only look do not take each other for the server.
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @property
    def pid(self) -> int | None:
        """Process id of the server started last, alive or not."""
        text = self._lock.read_text() if self._lock.exists() else ""
        return int(text) if text else None

    @contextlib.contextmanager
    def try_lock(self) -> Iterator[int | None]:
        """Yield the descriptor of the lock, or None while somebody else holds it."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)  # closed, not unlocked: a server that inherited it keeps the lock

    def launch(
        self,
        lock: int,
        argv: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        account: Account = Account(),
    ) -> None:
        """Start `argv` as the holder of `lock`, in a session of its own: no Ctrl-C reaches it."""
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=dict(environment),
                pass_fds=(lock,),
                start_new_session=True,
                user=account.uid,
                group=account.gid,
                extra_groups=account.groups,
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(self._child.pid).encode(), 0)

    def wait_until_gone(self, seconds: float) -> bool:
        """Whether nobody holds the lock any more, after waiting at most `seconds`."""
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        if self._child is not None:
            self._child.wait()
            self._child = None
        return True

    def stop(self, signals: Sequence[signal.Signals], seconds: float) -> bool:
        """Send each signal in turn, waiting `seconds` after each; whether the server is gone."""
        for number in signals:
            if not self.running:
                break
            pid = self.pid
            # It leads its session; a process that got a dead server's number does not.
            with contextlib.suppress(ProcessLookupError):
                if pid is not None and os.getsid(pid) == pid:
                    os.kill(pid, number)
            if self.wait_until_gone(seconds):
                break
        return self.wait_until_gone(0)


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Choose a loopback port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def write_private(path: Path, text: str) -> None:
    """Replace `path` at once with `text`, readable by the owner alone."""
    # A name that nobody can have taken before: in a shared directory it might be a link.
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)
