"""The database: functions that take a connection; no network."""
