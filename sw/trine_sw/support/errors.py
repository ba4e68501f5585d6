"""Errors that a user can correct."""

__all__ = ["ClockError", "MissingPackage", "TrineError"]


class TrineError(Exception):
    """Something the user gave is wrong or missing; the message says what it is and what to do.

    Every error that the user can mend is of this class: a wrong value, a damaged file, a missing tool, a
    board that does not answer. Other exceptions are faults of Trine.

    Examples
    --------
    >>> try:
    ...     trine.Model.load("missing.trine")
    ... except trine.TrineError as error:
    ...     print(error)
    cannot read missing.trine: No such file or directory
    """


class MissingPackage(TrineError, ImportError):
    """A Python package that this needs is not installed; the message says what to install."""


class ClockError(TrineError):
    """A clock that a PLL cannot make, or that a baud rate cannot be divided from."""
