"""How Alembic reaches the database: by the engine that the program has open already."""

from typing import Any

from alembic import context

from storage.schema import Moment, metadata


def render(kind: str, item: object, _context: object) -> Any:
    """A migration is history: it names the plain type, not one of ours that may change."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Moment) else False


engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        render_item=render,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
