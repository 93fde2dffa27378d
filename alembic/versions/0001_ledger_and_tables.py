"""The ledger and the tables it folds into.

Revision: 0001, the first
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


APPEND_ONLY = ("ledger_entry", "measurement", "measurement_flag", "artifact", "artifact_chunk")


def upgrade() -> None:
    op.create_table(
        "artifact",
        sa.Column("chain", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "sha256", name="pk_artifact"),
    )
    op.create_table(
        "campaign",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("rounds", sa.BigInteger(), nullable=False),
        sa.Column("evaluations", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.Column("driver_seconds", sa.Double(), nullable=False),
        sa.Column("best", sa.BigInteger(), nullable=True),
        sa.Column("since_best", sa.BigInteger(), nullable=False),
        sa.Column("barren_rounds", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaign"),
        sa.UniqueConstraint("name", "ordinal", name="uq_campaign_name_ordinal"),
    )
    op.create_table(
        "latent_model",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_latent_model"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("process_started", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lease"),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("chain", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("clock_back", sa.Boolean(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("chain", "sequence", name="pk_ledger_entry"),
    )
    op.create_table(
        "artifact_chunk",
        sa.Column("chain", sa.String(length=36), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["chain", "sha256"],
            ["artifact.chain", "artifact.sha256"],
            name="fk_artifact_chunk_chain_sha256",
        ),
        sa.PrimaryKeyConstraint("chain", "sha256", "number", name="pk_artifact_chunk"),
    )
    op.create_table(
        "batch",
        sa.Column("campaign", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_batch_campaign"),
        sa.PrimaryKeyConstraint("campaign", "number", name="pk_batch"),
    )
    op.create_table(
        "campaign_revision",
        sa.Column("campaign", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("written", sa.Text(), nullable=False),
        sa.Column("resolved", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign"], ["campaign.id"], name="fk_campaign_revision_campaign"
        ),
        sa.ForeignKeyConstraint(
            ["model"], ["latent_model.hash"], name="fk_campaign_revision_model"
        ),
        sa.PrimaryKeyConstraint("campaign", "revision", name="pk_campaign_revision"),
    )
    op.create_table(
        "fit",
        sa.Column("campaign", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("data_hash", sa.String(length=64), nullable=False),
        sa.Column("data_size", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.BigInteger(), nullable=True),
        sa.Column("versions", sa.Text(), nullable=False),
        sa.Column("duration", sa.Double(), nullable=False),
        sa.Column("fitted_at", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_fit_campaign"),
        sa.PrimaryKeyConstraint("campaign", "number", name="pk_fit"),
    )
    op.create_table(
        "round",
        sa.Column("campaign", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposer", sa.Text(), nullable=False),
        sa.Column("fit", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_round_campaign"),
        sa.PrimaryKeyConstraint("campaign", "number", name="pk_round"),
    )
    op.create_table(
        "candidate",
        sa.Column("campaign", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("edited_from", sa.BigInteger(), nullable=True),
        sa.Column("external_ids", sa.Text(), nullable=False),
        sa.Column("point", sa.LargeBinary(), nullable=True),
        sa.Column("mean", sa.Double(), nullable=True),
        sa.Column("std", sa.Double(), nullable=True),
        sa.Column("acquisition", sa.Double(), nullable=True),
        sa.Column("valid", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=True),
        sa.Column("artifact", sa.String(length=64), nullable=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("filters", sa.Text(), nullable=False),
        sa.Column("realised", sa.LargeBinary(), nullable=True),
        sa.Column("log_prior", sa.Double(), nullable=True),
        sa.Column("duplicate_of", sa.BigInteger(), nullable=True),
        sa.Column("objective", sa.Double(), nullable=True),
        sa.Column("feasible", sa.Boolean(), nullable=True),
        sa.Column("objective_revision", sa.BigInteger(), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign", "round"],
            ["round.campaign", "round.number"],
            name="fk_candidate_campaign_round",
        ),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_candidate_campaign"),
        sa.PrimaryKeyConstraint("campaign", "number", name="pk_candidate"),
    )
    op.create_index("ix_candidate_campaign_key", "candidate", ["campaign", "key"])
    op.create_index("ix_candidate_campaign_objective", "candidate", ["campaign", "objective"])
    op.create_index("ix_candidate_campaign_round", "candidate", ["campaign", "round"])
    op.create_table(
        "job",
        sa.Column("campaign", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("candidate", sa.BigInteger(), nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("replicate", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("cost", sa.Double(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign", "candidate"],
            ["candidate.campaign", "candidate.number"],
            name="fk_job_campaign_candidate",
        ),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_job_campaign"),
        sa.PrimaryKeyConstraint("campaign", "number", name="pk_job"),
        sa.UniqueConstraint("key", name="uq_job_key"),
    )
    op.create_index("ix_job_campaign_candidate", "job", ["campaign", "candidate"])
    op.create_index("ix_job_campaign_state", "job", ["campaign", "state"])
    op.create_table(
        "measurement",
        sa.Column("campaign", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("candidate", sa.BigInteger(), nullable=False),
        sa.Column("job", sa.BigInteger(), nullable=True),
        sa.Column("attempt", sa.BigInteger(), nullable=True),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("std", sa.Double(), nullable=True),
        sa.Column("censoring", sa.Text(), nullable=False),
        sa.Column("measured_at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("delivery", sa.String(length=64), nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("supersedes", sa.BigInteger(), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign", "candidate"],
            ["candidate.campaign", "candidate.number"],
            name="fk_measurement_campaign_candidate",
        ),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_measurement_campaign"),
        sa.PrimaryKeyConstraint("campaign", "number", name="pk_measurement"),
    )
    op.create_index("ix_measurement_campaign_candidate", "measurement", ["campaign", "candidate"])
    op.create_index("ix_measurement_campaign_entry", "measurement", ["campaign", "entry"])
    op.create_table(
        "attempt",
        sa.Column("campaign", sa.String(length=36), nullable=False),
        sa.Column("job", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("delivery", sa.String(length=64), nullable=True),
        sa.Column("receipt", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign", "job"], ["job.campaign", "job.number"], name="fk_attempt_campaign_job"
        ),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_attempt_campaign"),
        sa.PrimaryKeyConstraint("campaign", "job", "number", name="pk_attempt"),
    )
    op.create_table(
        "measurement_flag",
        sa.Column("campaign", sa.String(length=36), nullable=False),
        sa.Column("measurement", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign", "measurement"],
            ["measurement.campaign", "measurement.number"],
            name="fk_measurement_flag_campaign_measurement",
        ),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name="fk_measurement_flag_campaign"),
        sa.PrimaryKeyConstraint("campaign", "measurement", "number", name="pk_measurement_flag"),
    )
    for table in APPEND_ONLY:
        _refuse_changes(table)


def _refuse_changes(table: str) -> None:
    """Triggers that refuse UPDATE and DELETE (and TRUNCATE) on an append-only table."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {verb} refused'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION assayloop_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP; END $$"
    )
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION assayloop_refuse()"
        )


def downgrade() -> None:
    op.drop_table("measurement_flag")
    op.drop_table("attempt")
    op.drop_table("measurement")
    op.drop_table("job")
    op.drop_table("candidate")
    op.drop_table("round")
    op.drop_table("fit")
    op.drop_table("campaign_revision")
    op.drop_table("batch")
    op.drop_table("artifact_chunk")
    op.drop_table("ledger_entry")
    op.drop_table("lease")
    op.drop_table("latent_model")
    op.drop_table("campaign")
    op.drop_table("artifact")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS assayloop_refuse()")
