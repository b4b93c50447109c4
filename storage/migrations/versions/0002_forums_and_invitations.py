"""Forums, invitations, and the ledger of who was called."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "forums",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("token", sa.String(length=24), nullable=False),
        sa.Column("door", sa.String(length=16), nullable=False),
        sa.Column("changes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forums")),
        sa.UniqueConstraint("door", name=op.f("uq_forums_door")),
        sa.UniqueConstraint("name", name=op.f("uq_forums_name")),
        sa.UniqueConstraint("token", name=op.f("uq_forums_token")),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("forum_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("latest", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spread", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reach", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "cursor",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default="0",
            nullable=False,
        ),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("template", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("alert", sa.Text(), nullable=True),
        sa.Column("any_hour", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["forum_id"], ["forums.id"], name=op.f("fk_invitations_forum_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
    )
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invitations_forum_id"), ["forum_id"], unique=False)

    op.create_table(
        "rsvps",
        sa.Column("forum_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("answer", sa.String(length=8), nullable=True),
        sa.Column("companions", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["forum_id"], ["forums.id"], name=op.f("fk_rsvps_forum_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_rsvps_person_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("forum_id", "person_id", name=op.f("pk_rsvps")),
    )
    with op.batch_alter_table("rsvps", schema=None) as batch_op:
        batch_op.create_index("ix_rsvps_person_id", ["person_id"], unique=False)

    op.create_table(
        "early_receipts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("provider_id", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_early_receipts")),
    )
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.create_index(
            "ix_consents_person_id_kind_id", ["person_id", "kind", "id"], unique=False
        )

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "invitation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
            )
        )
        batch_op.add_column(sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column("message", existing_type=sa.BLOB(), nullable=True)
        batch_op.drop_index(batch_op.f("ix_outbox_queued"))
        batch_op.drop_index("ix_outbox_channel_provider_id")
        batch_op.create_index(
            "ix_outbox_channel_provider_id",
            ["channel", "provider_id"],
            unique=False,
            sqlite_where=sa.text("provider_id IS NOT NULL"),
            postgresql_where=sa.text("provider_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_outbox_queued",
            ["channel", "due", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'queued' AND lane = 0"),
            postgresql_where=sa.text("state = 'queued' AND lane = 0"),
        )
        batch_op.create_index(
            "ix_outbox_calling",
            ["invitation_id", "channel", "due", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'queued' AND lane = 1"),
            postgresql_where=sa.text("state = 'queued' AND lane = 1"),
        )
        batch_op.create_index(
            "ix_outbox_uncertain",
            ["channel", "due"],
            unique=False,
            sqlite_where=sa.text("state = 'uncertain'"),
            postgresql_where=sa.text("state = 'uncertain'"),
        )
        batch_op.create_index(
            "uq_outbox_invitation_id_person_id",
            ["invitation_id", "person_id"],
            unique=True,
            sqlite_where=sa.text("invitation_id IS NOT NULL"),
            postgresql_where=sa.text("invitation_id IS NOT NULL"),
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_outbox_invitation_id"),
            "invitations",
            ["invitation_id"],
            ["id"],
            ondelete="CASCADE",
        )

    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("role", sa.String(length=16), server_default="citizen", nullable=False)
        )
        batch_op.add_column(sa.Column("needs", sa.LargeBinary(), nullable=True))

    with op.batch_alter_table("senders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("replied_at", sa.Float(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_table("early_receipts")
    with op.batch_alter_table("senders", schema=None) as batch_op:
        batch_op.drop_column("replied_at")

    with op.batch_alter_table("people", schema=None) as batch_op:
        batch_op.drop_column("needs")
        batch_op.drop_column("role")

    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_outbox_invitation_id_person_id",
            sqlite_where=sa.text("invitation_id IS NOT NULL"),
            postgresql_where=sa.text("invitation_id IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_outbox_uncertain",
            sqlite_where=sa.text("state = 'uncertain'"),
            postgresql_where=sa.text("state = 'uncertain'"),
        )
        batch_op.drop_index(
            "ix_outbox_calling",
            sqlite_where=sa.text("state = 'queued' AND lane = 1"),
            postgresql_where=sa.text("state = 'queued' AND lane = 1"),
        )
        batch_op.drop_index(
            "ix_outbox_queued",
            sqlite_where=sa.text("state = 'queued' AND lane = 0"),
            postgresql_where=sa.text("state = 'queued' AND lane = 0"),
        )
        batch_op.create_index(
            "ix_outbox_queued",
            ["channel", "lane", "due", "id"],
            sqlite_where=sa.text("state = 'queued'"),
            postgresql_where=sa.text("state = 'queued'"),
        )
        batch_op.drop_index("ix_outbox_channel_provider_id")
        batch_op.create_index("ix_outbox_channel_provider_id", ["channel", "provider_id"])
        batch_op.drop_constraint("fk_outbox_invitation_id", type_="foreignkey")
        batch_op.alter_column("message", existing_type=sa.BLOB(), nullable=False)
        batch_op.drop_column("asked_at")
        batch_op.drop_column("attempted_at")
        batch_op.drop_column("invitation_id")

    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_index("ix_consents_person_id_kind_id")

    with op.batch_alter_table("rsvps", schema=None) as batch_op:
        batch_op.drop_index("ix_rsvps_person_id")

    op.drop_table("rsvps")
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_invitations_forum_id"))

    op.drop_table("invitations")
    op.drop_table("forums")
