"""Accounts of the organizers, what they did, and the dates of their plan."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
FIGURES = {  # what the pages count, so that a million answers are counted within a second
    "ix_answers_at": ("answers", ["at"], None),
    "ix_responses_counted": ("responses", ["form", "version", "state", "mode"], None),
    "ix_inbox_failed": ("inbox", ["at"], "state = 'failed'"),
    "ix_outbox_troubled": ("outbox", ["state", "id"], "state IN ('failed', 'uncertain', 'held')"),
    "ix_requests_open": ("requests", ["at"], "settled_at IS NULL"),
}  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "organizers",
        sa.Column("id", ID, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password", sa.String(256), nullable=False),
        sa.Column("totp", sa.LargeBinary()),
        sa.Column("totp_step", sa.Integer()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("signed_in_at", MOMENT),
        sa.Column("closed_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_organizers"),
        sa.UniqueConstraint("email", name="uq_organizers_email"),
    )
    op.create_table(
        "sessions",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("organizer_id", ID, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sessions"),
        sa.ForeignKeyConstraint(
            ["organizer_id"],
            ["organizers.id"],
            name="fk_sessions_organizer_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_sessions_organizer_id", "sessions", ["organizer_id"])
    op.create_table(
        "sign_ins",
        sa.Column("id", ID, nullable=False),
        sa.Column("who", sa.LargeBinary(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ins"),
    )
    op.create_index("ix_sign_ins_who_at", "sign_ins", ["who", "at"])
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("who", sa.String(254), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "phases",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date(), nullable=False),
        sa.Column("done_at", MOMENT),
        sa.PrimaryKeyConstraint("number", name="pk_phases"),
    )
    op.create_table(
        "aside",
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("ref", ID, nullable=False),
        sa.Column("who", sa.String(254), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "ref", name="pk_aside"),
    )
    for name, (table, columns, where) in FIGURES.items():
        only = sa.text(where) if where else None
        op.create_index(name, table, columns, sqlite_where=only, postgresql_where=only)


def downgrade() -> None:
    for name, (table, _, _) in FIGURES.items():
        op.drop_index(name, table_name=table)
    for table in ("aside", "phases", "audit", "sign_ins", "sessions", "organizers"):
        op.drop_table(table)
