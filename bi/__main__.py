"""`make bi`: start the embedded warehouse, build the dashboard, and serve it until Ctrl-C."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bi.server import DASHBOARD, Superset, open_to_reader
from loaders.embedded.background import LOOPBACK, free_port, port_is_free
from loaders.embedded.local import STATE, LocalServers
from loaders.errors import WarehouseError
from loaders.project import find_project

PORT = 8088  # Superset's usual one


def main() -> None:
    """Build and serve; this process becomes Superset's server."""
    project = find_project()
    superset = Superset(Path(sys.prefix, "superset"), project / STATE / "bi")
    servers = LocalServers(project)
    try:
        servers.up()
        login = open_to_reader(servers.postgres)
        print("building the dashboard (half a minute at the first time) …", flush=True)
        superset.build(login)
    except WarehouseError as error:
        sys.exit(f"bi: {error}")
    port = PORT if port_is_free(PORT) else free_port()
    print(f"dashboard   http://{LOOPBACK}:{port}/{DASHBOARD}")
    print(f"            user admin, password in {superset.password_file}")
    print(f"other tools PostgreSQL {login['host']}:{login['port']}, database {login['dbname']},")
    print(f"            user {login['user']}, password in {superset.service_file}")
    print("Ctrl-C stops Superset; `warehouse down` stops the warehouse", flush=True)
    with superset.log.open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    command = superset.command(port)
    os.execve(command[0], command, superset.environment)  # noqa: S606


if __name__ == "__main__":
    main()
