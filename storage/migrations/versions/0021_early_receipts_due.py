"""All early receipts were looked through with each tick; now those that are due."""

import sqlalchemy as sa
from alembic import op

revision = "0021_early_receipts_due"
down_revision = "0020_hidden_talks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    at_once = sa.Column(
        "due", sa.DateTime(timezone=True), nullable=False, server_default="1970-01-01 00:00:00"
    )
    op.add_column("early_receipts", at_once)
    op.create_index("ix_early_receipts_due", "early_receipts", ["due"])


def downgrade() -> None:
    op.drop_index("ix_early_receipts_due", "early_receipts")
    op.drop_column("early_receipts", "due")
