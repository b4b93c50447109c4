"""Conditions may read what people said: where they are in what is being asked is hidden.

Machines that are not brought up to date yet read the open column: on PostgreSQL, where people are
already, programs go on writing it for a day. Then it is emptied, by whoever ticks.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020_hidden_talks"
down_revision = "0019_institution_claims"
branch_labels = None
depends_on = None

TOMORROW = """INSERT INTO facts (key, value) SELECT 'talks open until',
    to_char(now() AT TIME ZONE 'utc' + interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')
    WHERE EXISTS (SELECT 1 FROM people)"""
AT_ONCE = """INSERT INTO facts (key, value) SELECT 'breaking migration', '0020_hidden_talks'
    WHERE NOT EXISTS (SELECT 1 FROM facts WHERE key = 'talks open until')"""


def upgrade() -> None:
    op.add_column("people", sa.Column("hidden_talk", sa.LargeBinary(), nullable=True))
    some = sa.text("talk <> '{}'")
    op.create_index(
        "ix_people_open_talk", "people", ["id"], sqlite_where=some, postgresql_where=some
    )
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(TOMORROW)
    op.get_bind().exec_driver_sql(AT_ONCE)


def downgrade() -> None:
    raise NotImplementedError("An older program cannot open what is hidden: restore a copy.")
