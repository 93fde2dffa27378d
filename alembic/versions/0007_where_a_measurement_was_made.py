"""Batches have a barcode; measurements name instrument, operator and lot.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ADDED = (
    ("batch", "barcode"),
    ("measurement", "instrument"),
    ("measurement", "operator"),
    ("measurement", "lot"),
)


def upgrade() -> None:
    for table, name in _ADDED:
        op.add_column(table, sa.Column(name, sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    for table, name in reversed(_ADDED):
        op.drop_column(table, name)
