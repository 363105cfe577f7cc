"""Setting up the roles: by someone who may not create any, and for targets side by side."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redshift_connector
from loading import MEASUREMENTS, contract_of

from loaders.contracts import Contract
from loaders.errors import UsageError
from loaders.identifiers import Schemas
from loaders.reports import print_left_out
from loaders.warehouse.base import LeftOut, Warehouse
from loaders.warehouse.postgres import PostgresWarehouse
from loaders.warehouse.redshift import RedshiftWarehouse
from loaders.warehouse.roles import Roles, set_up_roles
from loaders.warehouse.setup import setup
from tests.standin.driver import value
from tests.standin.server import StandIn

PASSWORD = "Only-For-Tests-1"


class Server:
    """A server, its superuser, and an owner who may create schemas but no roles."""

    def __init__(self, redshift: bool, connection: dict[str, Any]) -> None:
        self.redshift = redshift
        self.connection = connection
        self.tag = uuid.uuid4().hex[:8]
        self.schemas = Schemas(f"t{self.tag}")
        self.users: list[str] = []

    def connect(self, user: str | None = None, schemas: Schemas | None = None) -> Warehouse:
        """Connect as the superuser or as a user that `add` made."""
        login = {"user": user, "password": PASSWORD} if user else {}
        kind = RedshiftWarehouse if self.redshift else PostgresWarehouse
        return kind(self.connection | login, schemas or self.schemas)

    def add(self, name: str, *grants: str) -> str:
        """Create a user with these grants, written for {user}."""
        user = f"{name}_{self.tag}"
        self.users.append(user)
        word = "" if self.redshift else "login"
        self.run(f"create user {user} {word} password '{PASSWORD}'",
                 *(grant.format(user=user) for grant in grants))  # fmt: skip
        return user

    def run(self, *statements: str) -> None:
        """Run statements as the superuser."""
        warehouse = self.connect()
        for sql in statements:
            warehouse.execute(sql)
        warehouse.close()

    def set_up(self, contract: Contract, user: str | None = None) -> list[LeftOut]:
        """Do what `warehouse setup` does."""
        warehouse = self.connect(user)
        try:
            setup(warehouse, [contract])
            return set_up_roles(warehouse, [contract])
        finally:
            warehouse.close()


@pytest.fixture(params=["postgres", "redshift"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Give each kind of server; what is made in it goes afterwards."""
    if request.param == "redshift":
        standin: StandIn = request.getfixturevalue("standin")
        connection: dict[str, Any] = {
            "host": standin.host,
            "port": standin.port,
            "database": standin.database,
            "user": standin.user,
            "password": standin.password,
        }
        made = Server(True, connection)
        admin = standin.admin
    else:
        connection = request.getfixturevalue("database")
        made = Server(False, connection)

        def admin(sql: str) -> Any:
            with psycopg.connect(**connection, autocommit=True) as opened:
                opened.execute(sql.encode())

    yield made
    roles = [*Roles.of(made.schemas).all, *Roles.of(Schemas(f"u{made.tag}")).all, *made.users]
    for role in roles:
        admin(
            f"do $$ begin if exists (select from pg_roles where rolname = '{role}') then "
            f"drop owned by {role} cascade; drop role {role}; end if; end $$"
        )


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return contract_of(tmp_path, MEASUREMENTS)


def test_what_the_user_may_not_do_is_printed_and_an_administrator_can_do_it(
    server: Server, contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    database = server.connection["database" if server.redshift else "dbname"]
    owner = server.add("owner", f"grant create on database {database} to {{user}}")
    left_out = server.set_up(contract, owner)
    roles = Roles.of(server.schemas)
    assert [one.sql for one in left_out[:6]] == [f'create role "{role}"' for role in roles.all]
    assert {one.sql.split(" to ")[0].split('"')[0] for one in left_out} > {"create role "}
    print_left_out(left_out)
    shown = capsys.readouterr().err
    assert "not allowed to run them" in shown
    assert "permission denied" in shown
    statements = [line.strip() for line in shown.splitlines() if line.endswith(";")]
    assert statements == [f"{one.sql};" for one in left_out]

    server.run(*statements)
    assert server.set_up(contract, owner) == []
    reader = server.add("reader", f"grant {'role ' * server.redshift}{roles.admins} to {{user}}")
    warehouse = server.connect(reader)
    assert warehouse.fetch(f"select * from {server.schemas.ledger('rejected_rows').sql}") == []
    found = warehouse.fetch(
        f"select role_name, reads from {server.schemas.access('mart_readers').sql} order by 1, 2"
    )
    warehouse.close()
    assert [tuple(row) for row in found] == [
        (roles.loaders, "quality"),
        (roles.readers, "open"), (roles.readers, "secure"), (roles.restricted, "secure"),
    ]  # fmt: skip


def test_builds_are_told_of_no_role_that_is_not_there(server: Server, contract: Contract) -> None:
    database = server.connection["database" if server.redshift else "dbname"]
    owner = server.add("owner", f"grant create on database {database} to {{user}}")
    assert server.set_up(contract, owner)
    warehouse = server.connect(owner)
    assert warehouse.fetch(f"select * from {server.schemas.access('mart_readers').sql}") == []
    warehouse.close()


def test_a_role_of_one_target_opens_nothing_of_another(server: Server, contract: Contract) -> None:
    assert server.set_up(contract) == []
    mine, other = server.schemas, Schemas(f"u{server.tag}")
    server.schemas = other
    assert server.set_up(contract) == []
    role = Roles.of(mine).writers
    user = server.add("writer", f"grant {'role ' * server.redshift}{role} to {{user}}")
    warehouse = server.connect(user, mine)
    assert warehouse.fetch(f"select count(*) from {mine.raw('lab', 'measurements').sql}") == [(0,)]
    for table in (other.raw("lab", "measurements"), other.ledger("files")):
        with pytest.raises(UsageError, match="permission denied"):
            warehouse.fetch(f"select * from {table.sql}")
    warehouse.close()


def test_setting_up_twice_changes_nothing(server: Server, contract: Contract) -> None:
    assert server.set_up(contract) == []
    assert server.set_up(contract) == []


@pytest.mark.parametrize("server", ["redshift"], indirect=True)  # PostgreSQL never folds them
def test_sessions_of_who_builds_do_not_fold_the_names_in_documents(
    server: Server, contract: Contract
) -> None:
    """A build sets nothing in its sessions, so it must be a setting of its user."""
    assert server.set_up(contract) == []
    roles = Roles.of(server.schemas)
    of = {role: server.add(role[-9:], f"grant role {role} to {{user}}") for role in roles.all}
    assert server.set_up(contract) == []
    setting = "enable_case_sensitive_super_attribute"
    on = set()
    for role, user in of.items():
        login = server.connection | {"user": user, "password": PASSWORD}
        with closing(redshift_connector.connect(**login)) as connection:
            if value(connection, f"select current_setting('{setting}')") == "true":
                on.add(role)
    assert on == {roles.builders, roles.writers, roles.admins}


def test_a_grant_that_only_warns_is_left_out(database: dict[str, Any], contract: Contract) -> None:
    """PostgreSQL does not fail for who has a privilege without the right to pass it on."""
    server = Server(False, database)
    assert server.set_up(contract) == []
    role = Roles.of(server.schemas).loaders
    user = server.add("member", f"grant {role} to {{user}}")
    warehouse = server.connect(user)
    files = server.schemas.ledger("files").sql
    (left,) = warehouse.execute_allowed([f"grant select on {files} to public"])
    warehouse.close()
    assert "no privileges were granted" in left.reason
    server.run(f"drop user {user}", f"drop owned by {', '.join(Roles.of(server.schemas).all)}",
               *(f"drop role {name}" for name in Roles.of(server.schemas).all))  # fmt: skip
