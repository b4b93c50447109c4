"""Facilitators' names, places and what is computed from people's words stood in the open.

What stands there is sealed by whoever ticks (storage.personal); on PostgreSQL, where programs of
before may go on for a while, a day later.
"""

from alembic import op

revision = "0022_sealed_values"
down_revision = "0021_early_receipts_due"
branch_labels = None
depends_on = None

WAITS = """INSERT INTO facts (key, value) SELECT 'values open until', {} WHERE
    EXISTS (SELECT 1 FROM answers)
    OR EXISTS (SELECT 1 FROM facts WHERE substr(key, 1, 12) = 'facilitator:')"""
TOMORROW = """to_char(now() AT TIME ZONE 'utc' + interval '1 day',
    'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')"""


def upgrade() -> None:
    at_once = "'1970-01-01T00:00:00+00:00'"
    due = TOMORROW if op.get_bind().dialect.name == "postgresql" else at_once
    op.get_bind().exec_driver_sql(WAITS.format(due))


def downgrade() -> None:
    """An older program reads what is sealed in an answer; facilitators need new codes."""
