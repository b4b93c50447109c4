"""Everything that may go wrong, at once: the real program among people while it is killed."""
