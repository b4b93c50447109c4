"""By which code somebody came stood with the person alone; now with each questionnaire begun."""

import sqlalchemy as sa
from alembic import op

revision = "0017_ways_in"
down_revision = "0016_calls_unchecked"
branch_labels = None
depends_on = None

FIRST = """UPDATE responses SET came_by = (
    SELECT came_by FROM people WHERE people.id = responses.person_id)
    WHERE person_id IN (SELECT id FROM people WHERE came_by IS NOT NULL)"""


def upgrade() -> None:
    op.add_column("responses", sa.Column("came_by", sa.String(length=64), nullable=True))
    op.execute(FIRST)


def downgrade() -> None:
    op.drop_column("responses", "came_by")
