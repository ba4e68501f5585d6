"""The board's side of a session: which frames are applied, which are answered again, which are refused."""

from __future__ import annotations

from collections.abc import Callable

from trine_sw.link.items import Refusal
from trine_sw.link.protocol import (
    BAD_FRAME,
    DONE,
    PROTOCOL_VERSION,
    REFUSED,
    SEQUENCES,
    Command,
    Frame,
    LinkConfig,
    Reason,
    decode,
    encode,
    refusal_payload,
)

__all__ = ["BoardSession"]


class BoardSession:
    """Takes encoded frames, and calls the board for those whose turn has come.

    Contract: ``execute`` is called once for each sequence number of a session, in their order; a frame that
    comes again is answered from the last ``link.window`` replies. A session whose number is 0, that of the
    session before, or that of the open session once it keeps a reply, cannot be opened. The gateware does the
    same in ``session_states.py`` and ``request_checks.py``.

    Parameters
    ----------
    link : sizes of the board's buffers
    describe : gives the payload of the replies to INFO and OPEN
    begin : called when a new session begins, from the zero state
    execute : applies a command and gives its reply's payload, or raises
        :exc:`trine_sw.link.items.Refusal` and has changed nothing
    count : told the name of each event, of :data:`trine_sw.link.records.COUNTERS`

    Members
    -------
    session, expected : of the open session, its number (0: none) and the sequence number that comes next
    ended : the session that the open one has replaced: a late OPEN of it opens nothing
    cached : replies that are kept, up to the window; never 0 again once the session has answered anything
    halted : a command was refused, and none is done until RESUME
    replies : encoded, at their sequence number modulo the window
    """

    def __init__(
        self,
        link: LinkConfig,
        *,
        describe: Callable[[], bytes],
        begin: Callable[[], None],
        execute: Callable[[Frame], bytes],
        count: Callable[[str], None],
    ) -> None:
        self._link = link
        self._describe, self._begin, self._execute, self._count = describe, begin, execute, count
        self.session = self.expected = self.ended = self.cached = 0
        self.halted = False
        self.replies: dict[int, bytes] = {}

    def answer(self, encoded: bytes) -> bytes:
        """The encoded reply to what came between two zero bytes."""
        frame = decode(encoded)
        # The decoded length is one less than the encoded, and another one for every 254 bytes.
        if frame is None or len(frame.payload) > self._link.max_payload:
            self._count("damaged")
            return encode(Frame(self.session, self.expected, BAD_FRAME, refusal_payload(self.expected, 0)))
        self._count("frames")
        if frame.code in (Command.INFO, Command.OPEN):
            return self._unsequenced(frame)
        if not self.session or frame.session != self.session:
            return self._refuse(frame, Reason.SESSION)
        if frame.sequence != self.expected:
            age = (self.expected - frame.sequence - 1) % SEQUENCES
            if age < self.cached:
                self._count("repeats")
                return self.replies[frame.sequence % self._link.window]
            self._count("gaps")
            return self._refuse(frame, Reason.SEQUENCE)
        try:
            if self.halted and frame.code != Command.RESUME:
                raise Refusal(Reason.HALTED)
            payload = self._execute(frame)
            if frame.code == Command.RESUME:
                self.halted = False
            reply = encode(Frame(self.session, frame.sequence, DONE | frame.code, payload))
        except Refusal as refusal:
            self.halted = True
            reply = self._refuse(frame, refusal.reason)
        self.replies[frame.sequence % self._link.window] = reply
        self.expected = (self.expected + 1) % SEQUENCES
        self.cached = min(self.cached + 1, self._link.window)
        return reply

    def _refuse(self, frame: Frame, reason: Reason) -> bytes:
        payload = refusal_payload(self.expected, frame.session)
        return encode(Frame(self.session, frame.sequence, REFUSED | reason, payload))

    def _unsequenced(self, frame: Frame) -> bytes:
        opens = frame.code == Command.OPEN
        if len(frame.payload) != int(opens):
            return self._refuse(frame, Reason.LENGTH)
        if opens:
            if frame.payload[0] != PROTOCOL_VERSION:
                return self._refuse(frame, Reason.VERSION)
            if not self._opens(frame.session):
                return self._refuse(frame, Reason.SESSION)
            if frame.session != self.session:
                self.ended, self.session = self.session, frame.session
                self.expected = self.cached = 0
                self.halted = False
                self._begin()
        return encode(Frame(self.session, frame.sequence, DONE | frame.code, self._describe()))

    def _opens(self, number: int) -> bool:
        """Whether a session of this number may be opened.

        A host sends no request before its OPEN is answered. Where the open session keeps a reply, an OPEN of
        its number is therefore another host's, or one of its own that comes late and is no longer needed.
        """
        used = number == self.session and self.cached != 0
        return number not in (0, self.ended) and not used
