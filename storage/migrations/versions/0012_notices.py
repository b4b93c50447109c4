"""The privacy notice and its versions; each consent names the one that was in force."""

import sqlalchemy as sa
from alembic import op

revision = "0012_notices"
down_revision = "0011_lease_holders"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_notices"),
    )
    op.add_column("consents", sa.Column("notice", sa.Integer()))


def downgrade() -> None:
    with op.batch_alter_table("consents") as batch_op:
        batch_op.drop_column("notice")
    op.drop_table("notices")
