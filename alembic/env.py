"""Runs migrations, for ``assayloop db`` (which hands its engine over) and for Alembic's command."""

import os
from pathlib import Path

from alembic import context

from db.models import Base
from db.session import connect
from orchestrator import private_files


def run() -> None:
    """Migrate the database of the given engine, or the one that the settings name."""
    engine = context.config.attributes.get("engine")
    if engine is None:
        engine = connect(_url())
    with engine.connect().execution_options(writing=True) as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=connection.dialect.name == "sqlite",
            compare_type=True,
            transactional_ddl=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


def _url() -> str:
    """The database that the settings name; the folder of a SQLite file is made."""
    home = Path(os.environ.get("ASSAYLOOP_HOME") or ".assayloop")
    url = os.environ.get("ASSAYLOOP_DATABASE_URL") or f"sqlite:///{home / 'assayloop.db'}"
    scheme, _, place = url.partition("://")
    if scheme == "sqlite":
        private_files.make_folder(Path(place.removeprefix("/")).parent)
    return f"postgresql+psycopg://{place}" if scheme in ("postgres", "postgresql") else url


run()
