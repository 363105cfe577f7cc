"""`python -m tests.standin --port N`: run the stand-in until interrupted."""

from __future__ import annotations

import signal
import tempfile
import threading
from pathlib import Path

import click

from tests.standin.faults import parse_fault
from tests.standin.server import Settings, StandIn


@click.command()
@click.option("--port", default=5439, show_default=True, help="Port to listen on; 0: any free one.")
@click.option("--s3-endpoint", help="S3 endpoint of COPY and UNLOAD, else AWS_ENDPOINT_URL_S3.")
@click.option("--role", "roles", multiple=True, help="ARN of an IAM role that COPY may assume.")
@click.option("--fault", "specs", multiple=True, help="KIND:REGEX, as README.md explains.")
def main(
    port: int, s3_endpoint: str | None, roles: tuple[str, ...], specs: tuple[str, ...]
) -> None:
    """Run a stand-in for Amazon Redshift on this machine."""
    settings = Settings(s3_endpoint=s3_endpoint)
    if roles:
        settings.roles, settings.default_role = frozenset(roles), roles[0]
    with tempfile.TemporaryDirectory(prefix="standin-") as directory:
        server = StandIn(Path(directory), port, settings)
        try:
            for spec in specs:
                server.faults.add(parse_fault(spec))
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        server.start()
        click.echo(
            f"export SSL_CERT_FILE={server.ca_file}\n"
            f"host={server.host} port={server.port} dbname={server.database} user={server.user} "
            f"password={server.password} sslmode=verify-full\nCtrl-C stops it."
        )
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        stopped.wait()
        server.stop()


main()
