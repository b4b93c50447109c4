"""Phases of the plan open and close by themselves; what was due before is left as it is."""

import sqlalchemy as sa
from alembic import op

revision = "0018_plan_steps"
down_revision = "0017_ways_in"
branch_labels = None
depends_on = None

SINCE = {  # as Python writes a moment
    "postgresql": """INSERT INTO facts (key, value) SELECT 'plan.since',
        to_char(now() AT TIME ZONE 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')
        FROM facts WHERE key = 'plan.start'""",
    "sqlite": """INSERT INTO facts (key, value) SELECT 'plan.since',
        strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now') FROM facts WHERE key = 'plan.start'""",
}


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "plan_steps",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("phase", sa.Integer, nullable=False),
        sa.Column("step", sa.String(length=8), nullable=False),
        sa.Column("due", moment, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("form", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_steps")),
        sa.UniqueConstraint("phase", "step", "due", name=op.f("uq_plan_steps_phase_step_due")),
    )
    op.add_column(
        "phases", sa.Column("by_hand", sa.Boolean, nullable=False, server_default=sa.text("'0'"))
    )
    op.add_column("phases", sa.Column("set_at", moment, nullable=True))
    op.get_bind().exec_driver_sql(SINCE[op.get_bind().dialect.name])


def downgrade() -> None:
    op.execute("DELETE FROM facts WHERE key = 'plan.since'")
    op.drop_column("phases", "set_at")
    op.drop_column("phases", "by_hand")
    op.drop_table("plan_steps")
