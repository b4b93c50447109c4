"""Erasures and what is left of them; and which key sealed a value, in its first byte."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
SEALED = (
    ("people", "identity"), ("people", "address"), ("people", "needs"), ("inbox", "raw"),
    ("answers", "said"), ("media", "ref"), ("consents", "words"), ("outbox", "message"),
    ("chat_lines", "chat"), ("chat_lines", "content"), ("organizers", "totp"),
    ("sign_ins", "who"),
)  # fmt: skip


def upgrade() -> None:
    op.add_column("people", sa.Column("pace", sa.Text()))
    op.add_column("people", sa.Column("erased_at", MOMENT))
    op.create_index(
        "ix_people_erased", "people", ["erased_at"],
        sqlite_where=sa.text("erased_at IS NOT NULL"),
        postgresql_where=sa.text("erased_at IS NOT NULL"),
    )  # fmt: skip
    op.create_table(
        "erasures",
        sa.Column("id", ID, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("who", sa.LargeBinary(), nullable=False),
        sa.Column("folio", sa.String(16), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("pending", sa.Text()),
        sa.Column("settled_at", MOMENT),
        sa.Column("filed", sa.Boolean(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
    )
    op.create_index("ix_erasures_who", "erasures", ["who"])
    op.create_table(
        "erased_responses",
        sa.Column("form", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("form", "version", "mode", "state", name="pk_erased_responses"),
    )
    op.create_table(
        "doomed_files",
        sa.Column("name", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_doomed_files"),
    )
    _name_the_key()


def _name_the_key() -> None:
    """Everything sealed so far was sealed by the key with which the program runs now."""
    db = op.get_bind()
    key = db.get_execution_options()["vault"].newest.id
    for table, column in SEALED:
        sealed: sa.ColumnClause[bytes] = sa.column(column)
        whole = sa.cast(sa.literal(key, sa.LargeBinary()).op("||")(sealed), sa.LargeBinary())
        named = sa.update(sa.table(table, sealed)).where(sealed.is_not(None))
        db.execute(named.values({column: whole}))


def downgrade() -> None:
    raise NotImplementedError("An older program cannot open what is sealed: restore a copy.")
