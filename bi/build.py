"""Build the dashboard in Superset's own database. Superset's Python runs this, not the project's.

The environment says where: SUPERSET_HOME, SUPERSET_SECRET_KEY, PGSERVICEFILE (see __main__.py).
Repeating it overwrites what `assets` describes, and nothing else.
"""

import os
from pathlib import Path
from typing import Any

import yaml
from flask_migrate import upgrade
from superset.app import create_app

ASSETS = Path(__file__).parent / "assets"
DATASETS = ASSETS / "datasets"
ADMIN = "admin"


def build() -> None:
    """Bring Superset's database up to date, import `assets`, and describe their columns.

    Superset takes the descriptions from the comments in the warehouse, which dbt writes there.
    """
    with create_app().app_context():
        # These ask for the application when they are imported.
        from superset import appbuilder, db, security_manager
        from superset.commands.importers.v1.assets import ImportAssetsCommand
        from superset.connectors.sqla.models import SqlaTable
        from superset.sql.parse import Table
        from superset.utils.core import override_user

        upgrade()
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        db.session.commit()
        with override_user(_admin(security_manager)):
            ImportAssetsCommand(
                {str(f.relative_to(ASSETS)): f.read_text() for f in ASSETS.rglob("*.yaml")}
            ).run()
            described = [yaml.safe_load(f.read_text())["uuid"] for f in DATASETS.rglob("*.yaml")]
            for dataset in db.session.query(SqlaTable).filter(SqlaTable.uuid.in_(described)):
                dataset.fetch_metadata()
                if not dataset.is_virtual:
                    table = Table(dataset.table_name, dataset.schema)
                    dataset.description = dataset.database.get_table_comment(table)
            db.session.commit()


def _admin(security_manager: Any) -> Any:
    """Return Superset's administrator, made at the first time."""
    known = security_manager.find_user(ADMIN)
    if known is not None:
        return known
    role = security_manager.find_role("Admin")
    password = Path(os.environ["SUPERSET_HOME"], "admin_password").read_text()
    made = security_manager.add_user(ADMIN, "BI", "Admin", f"{ADMIN}@localhost", role, password)
    if not made:
        raise RuntimeError("Superset does not make its administrator; its log says why")
    return made


if __name__ == "__main__":
    build()
