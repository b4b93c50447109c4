"""Two of one institution who began together were both taken; now it is one's at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0019_institution_claims"
down_revision = "0018_plan_steps"
branch_labels = None
depends_on = None

NEWEST = """INSERT INTO institution_claims (form, institution, response_id)
    SELECT form, value, id FROM (
        SELECT r.form, a.value, r.id, row_number() OVER (
            PARTITION BY r.form, a.value ORDER BY r.finished_at DESC, r.id) AS place
        FROM responses r JOIN answers a ON a.response_id = r.id
        WHERE r.state = 'completed' AND a.question = 'institucion'
            AND a.replaced_at IS NULL AND a.value IS NOT NULL) AS every
    WHERE place = 1"""


def upgrade() -> None:
    op.create_table(
        "institution_claims",
        sa.Column("form", sa.String(length=64), nullable=False),
        sa.Column("institution", sa.String(length=128), nullable=False),
        sa.Column("response_id", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["response_id"],
            ["responses.id"],
            name=op.f("fk_institution_claims_response_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("form", "institution", name=op.f("pk_institution_claims")),
    )
    op.create_index(
        op.f("ix_institution_claims_response_id"), "institution_claims", ["response_id"]
    )
    op.execute(NEWEST)


def downgrade() -> None:
    op.drop_table("institution_claims")
