"""The errors that are the user's to fix."""

__all__ = ["ClockError", "MissingPackage", "TrineError"]


class TrineError(Exception):
    """Something the user gave is wrong or missing; the message says what it is and what to do."""


class MissingPackage(TrineError, ImportError):
    """A Python package that this needs is not installed; the message says what to install."""


class ClockError(TrineError):
    """A clock that a PLL cannot make, or that a baud rate cannot be divided from."""
