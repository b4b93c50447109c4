"""Telegram and Twilio, played on loopback: providers, and the people who write to them."""
