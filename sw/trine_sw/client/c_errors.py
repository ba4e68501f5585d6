"""Errors of the C client: their names and what to do."""

from __future__ import annotations

__all__ = ["ERRORS"]

#: Names, without the prefix, in the order of their numbers, and a sentence each.
ERRORS = (
    ("OK", "done"),
    ("ERROR_ARGUMENT", "an argument is out of its range or NULL: nothing was sent"),
    ("ERROR_CLOSED", "no session is open: call trine_open"),
    ("ERROR_WIRE", "the read or the write function has failed: see to the wire, then call trine_open"),
    ("ERROR_SILENT", "the board does not answer: is it powered and connected, and its bitstream loaded?"),
    (
        "ERROR_NOISE",
        "bytes come, but no frame of the protocol: are baud rate and board right?",
    ),
    ("ERROR_RESET", "the board was reset, and its state is lost: call trine_open"),
    ("ERROR_TAKEN", "the board was opened by another program: call trine_open to take it back"),
    ("ERROR_BUSY", "the board serves another program: end that first"),
    (
        "ERROR_VERSION",
        "the board speaks another version of the protocol: build bitstream or client anew",
    ),
    (
        "ERROR_MODEL",
        "the board holds another model, or embedding or head elsewhere: generate the client anew",
    ),
    ("ERROR_REFUSED", "the board has refused a request: its reason is in the client"),
    ("ERROR_ANSWER", "the board answers against its own description: build its bitstream anew"),
    (
        "ERROR_DAMAGE",
        "the board is there, but the wire damages each request or reply: shorten it, or lower the baud rate",
    ),
    ("ERROR_ROOM", "the answer does not fit TRINE_REPLY_BYTES: compile with more, or ask for less"),
)
