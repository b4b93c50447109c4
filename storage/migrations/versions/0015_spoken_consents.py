"""A consent may be a recording; recordings are found again by what they belong to."""

import sqlalchemy as sa
from alembic import op

revision = "0015_spoken_consents"
down_revision = "0014_translations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    media = sa.ForeignKey("media.id", name="fk_consents_media_id", ondelete="SET NULL")
    with op.batch_alter_table("consents") as batch_op:
        batch_op.add_column(sa.Column("media_id", number, media))
    some = sa.text("media_id IS NOT NULL")
    for table in ("consents", "answers"):
        op.create_index(
            f"ix_{table}_media_id", table, ["media_id"],
            sqlite_where=some, postgresql_where=some,
        )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_answers_media_id", "answers")
    op.drop_index("ix_consents_media_id", "consents")
    with op.batch_alter_table("consents") as batch_op:
        batch_op.drop_column("media_id")
