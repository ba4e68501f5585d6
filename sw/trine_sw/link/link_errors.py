"""Errors between a host and a board, as the driver raises them, and their messages."""

from __future__ import annotations

from trine_sw.link.protocol import PROTOCOL_VERSION, Command, Reason
from trine_sw.support.errors import TrineError

__all__ = [
    "BoardGone",
    "RequestRefused",
    "lost_session",
    "out_of_reach",
    "refuses_version",
    "silence",
]


class BoardGone(TrineError):
    """The board does not answer, or has lost the session; its state is gone for this program."""


class RequestRefused(TrineError):
    """The board has refused a request; its state is that before the request."""

    def __init__(self, reason: Reason | None, command: Command) -> None:
        self.reason = reason
        sentence = reason.sentence if reason else "the board gives a reason that this driver does not know"
        super().__init__(f"the board refused {command.name}: {sentence}; its state is unchanged")


def refuses_version(where: str) -> str:
    """Of a board of another version of the protocol."""
    return (
        f"{where} refuses version {PROTOCOL_VERSION} of the protocol and does not say which it "
        "speaks: build its bitstream with this version of Trine, and load it"
    )


def lost_session(where: str, session: int) -> str:
    """Of a board whose session is now this one; 0 after its reset."""
    if session == 0:
        return f"{where} was reset: the state of this stream is lost; call reset() to begin anew"
    return f"{where} was opened by another program: this stream is over; reset() takes it back"


def out_of_reach(where: str, seconds: float) -> str:
    """Of a board that is heard, but for so many seconds no request has got through to it and back."""
    return (
        f"{where} is there, but no request has got through for {seconds:g} s: the wire damages each. Try a "
        "shorter cable, a lower baud rate, or shorter frames (Board.open(most=LinkConfig(slot_bytes=64)))"
    )


def silence(where: str, seconds: float | None, *, some_bytes: bool) -> str:
    """Of a board that has been silent for so many seconds; None where it never sent a frame, but perhaps
    bytes."""
    if seconds is not None:
        return f"{where} has stopped answering ({seconds:g} s): is it still plugged in? reset() begins anew"
    if some_bytes:
        return (
            f"{where} sends bytes, but no frame of Trine's protocol: is the baud rate right, and "
            "is it a Trine board?"
        )
    return f"{where} does not answer: is a Trine bitstream loaded, and are port and baud rate right?"
