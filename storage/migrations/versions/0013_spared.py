"""Kinds of forums to which somebody does not want to be invited."""

import sqlalchemy as sa
from alembic import op

revision = "0013_spared"
down_revision = "0012_notices"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "spared",
        sa.Column("id", number, nullable=False),
        sa.Column("person_id", number, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_spared_person_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_spared"),
        sa.UniqueConstraint("kind", "person_id", name="uq_spared_kind_person_id"),
    )
    op.create_index("ix_spared_person_id", "spared", ["person_id"])


def downgrade() -> None:
    op.drop_table("spared")
