"""Indexes by which entries are found: by kind, and by time.

Revision: 0006, after 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in ("kind", "at"):
        name = f"ix_ledger_entry_chain_{column}_sequence"
        op.create_index(name, "ledger_entry", ["chain", column, "sequence"])


def downgrade() -> None:
    for column in ("kind", "at"):
        op.drop_index(f"ix_ledger_entry_chain_{column}_sequence", "ledger_entry")
