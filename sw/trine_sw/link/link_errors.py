"""Errors between a host and a board, as the driver raises them."""

from __future__ import annotations

from trine_sw.link.protocol import Command, Reason
from trine_sw.support.errors import TrineError

__all__ = ["BoardGone", "RequestRefused"]


class BoardGone(TrineError):
    """The board does not answer, or has lost the session; its state is gone for this program."""


class RequestRefused(TrineError):
    """The board has refused a request; its state is that before the request."""

    def __init__(self, reason: Reason | None, command: Command) -> None:
        self.reason = reason
        sentence = reason.sentence if reason else "the board gives a reason that this driver does not know"
        super().__init__(f"the board refused {command.name}: {sentence}; its state is unchanged")
