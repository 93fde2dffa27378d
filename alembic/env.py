"""Runs migrations, for ``assayloop db`` (which hands its engine over) and for Alembic's command."""

import os
from pathlib import Path

from alembic import context

from db.models import Base
from db.session import connect


def run() -> None:
    """Migrate the database of the given engine, or the one that the settings name."""
    engine = context.config.attributes.get("engine")
    if engine is None:
        home = Path(os.environ.get("ASSAYLOOP_HOME", ".assayloop"))
        url = os.environ.get("ASSAYLOOP_DATABASE_URL", f"sqlite:///{home / 'assayloop.db'}")
        engine = connect(url.replace("postgresql://", "postgresql+psycopg://", 1))
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


run()
