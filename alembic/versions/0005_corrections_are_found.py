"""The correction of a measurement is found without reading every measurement.

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEX = "ix_measurement_campaign_supersedes"


def upgrade() -> None:
    corrects = sa.text("supersedes IS NOT NULL")
    op.create_index(
        _INDEX,
        "measurement",
        ["campaign", "supersedes"],
        sqlite_where=corrects,
        postgresql_where=corrects,
    )


def downgrade() -> None:
    op.drop_index(_INDEX, "measurement")
