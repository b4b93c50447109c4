"""PostgreSQL looked up the same invitation for each of a million rows of the outbox.

It took half the time of queueing them. An invitation is never deleted; SQLite, which asks its own
memory, goes on looking.
"""

from alembic import op

revision = "0016_calls_unchecked"
down_revision = "0015_spoken_consents"
branch_labels = None
depends_on = None
KEY = "fk_outbox_invitation_id"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(KEY, "outbox", type_="foreignkey")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.create_foreign_key(
            KEY, "outbox", "invitations", ["invitation_id"], ["id"], ondelete="CASCADE"
        )
