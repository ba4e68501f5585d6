"""The errors that are the user's to fix."""

__all__ = ["ClockError", "TrineError"]


class TrineError(Exception):
    """Something the user gave is wrong or missing; the message says what it is and what to do."""


class ClockError(TrineError):
    """A clock that a PLL cannot make, or that a baud rate cannot be divided from."""
