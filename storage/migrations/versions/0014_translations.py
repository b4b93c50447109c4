"""Translations that were written or reviewed on a page, text by text."""

import sqlalchemy as sa
from alembic import op

revision = "0014_translations"
down_revision = "0013_spared"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "translations",
        sa.Column("form", sa.String(64), nullable=False),
        sa.Column("language", sa.String(3), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("mark", sa.String(12), nullable=False),
        sa.Column("translation", sa.Text(), nullable=False),
        sa.Column("audio", sa.Text(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("by", sa.String(254), nullable=False),
        sa.Column("on", sa.String(10), nullable=False),
        sa.PrimaryKeyConstraint("form", "language", "place", name="pk_translations"),
    )


def downgrade() -> None:
    op.drop_table("translations")
