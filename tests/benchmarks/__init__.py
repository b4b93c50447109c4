"""Measured, not tested: whole commands, at work."""

SECRET = "un-secreto-de-prueba"  # in X-Telegram-Bot-Api-Secret-Token
