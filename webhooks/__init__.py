"""Flask: the providers' calls, the organizers' pages, the local chat."""

from webhooks.app import create_app

__all__ = ["create_app"]
