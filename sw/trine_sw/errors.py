"""The one error that is the user's to fix."""

__all__ = ["TrineError"]


class TrineError(Exception):
    """Something the user gave is wrong or missing; the message says what it is and what to do."""
