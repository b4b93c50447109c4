"""Regions, as organizers part the state for their invitations."""

import sqlalchemy as sa
from alembic import op

revision = "0010_regions"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "regions",
        sa.Column("region", sa.String(64), primary_key=True),
        sa.Column("municipality", sa.String(64), primary_key=True),
    )
