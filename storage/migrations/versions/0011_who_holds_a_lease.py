"""Who holds a lease, so that the letters of a worker that died go on at once."""

import sqlalchemy as sa
from alembic import op

revision = "0011_lease_holders"
down_revision = "0010_regions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("leased_by", sa.Integer()))


def downgrade() -> None:
    op.drop_column("outbox", "leased_by")
