"""The host's side of the link: every request is applied once and answered once, in order.

Nothing here reads, writes or waits: bytes and the time go in, bytes and replies come out, so that one
implementation serves the synchronous driver, the asynchronous one and the tests.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass

from trine_sw.link.board_info import Info
from trine_sw.link.link_errors import (
    BoardGone,
    RequestRefused,
    lost_session,
    out_of_reach,
    refuses_version,
    silence,
)
from trine_sw.link.pacing import PayloadLimit, RetryTimeout
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
    Splitter,
    decode,
    encode,
)
from trine_sw.link.tags import new_tag
from trine_sw.support.errors import TrineError

__all__ = [
    "OUT_OF_REACH",
    "PATIENCE",
    "STRANGE_GAPS",
    "BoardGone",
    "HostCounters",
    "RequestRefused",
    "Session",
]

#: Seconds without any valid frame, while one is owed, after which the board counts as gone.
PATIENCE = 5.0

#: Times the patience after which a board counts as gone where it is heard, but no request gets through.
OUT_OF_REACH = 12

#: Refusals in a row after which a gap that cannot be filled is believed.
STRANGE_GAPS = 16
#: Replies to commands without a sequence number.
_UNSEQUENCED = (DONE | Command.OPEN, DONE | Command.INFO)
#: Bytes of a frame that no board sends.
_LONGEST_FRAME = 1 << 14


@dataclass
class HostCounters:
    """What the host has seen of the wire: frames sent and sent again, replies, and damage."""

    sent: int = 0
    resent: int = 0
    replies: int = 0
    damaged: int = 0
    timeouts: int = 0


#: Answers to one request that are told apart: one to an earlier transmission, and one to the latest.
_MOST_OWED = 2


@dataclass(slots=True)
class _Request:
    sequence: int
    command: Command
    encoded: bytes
    end: int  # bytes of all requests up to this one, since none was in flight
    stamp: int  # order of its latest transmission
    sent_at: float
    first: bool = True  # not yet sent again: its reply measures the round trip (Karn)
    owed: int = 1  # answers to its transmissions that may still come, as far as they are told apart
    reply: Frame | None = None


class Session:
    """One session with a board, from its opening on.

    Contract: replies come in the order of :meth:`submit`, each once, whatever the wire loses, repeats or
    damages; the board applies each request once. :exc:`BoardGone` is raised by :meth:`receive` or
    :meth:`tick` when that can no longer be kept: the board was reset or opened by another program, or does
    not answer for ``patience`` seconds, or answers no request for twelve times as long. Any method may be
    interrupted by an exception, at any point: what it would have sent or taken is then as if the wire had
    lost it.

    Parameters
    ----------
    patience : seconds without any valid frame, while one is owed, after which the board counts as gone; with
        valid frames, but none of them a reply, twelve times as long
    nonce : the session's number, 1 to 65535; default random, and chosen anew where it is another host's
    tag : 0 to 65535, comes back with the reply to OPEN; default another one than those of hosts just before
    where : the board's name in messages
    most : what this side has room for; default whatever the board has

    Members
    -------
    info : what the board says of itself, once the session is open; its buffers no larger than ``most``
    halted : the board has refused a request, and takes none until RESUME
    counters : what this side has seen of the wire
    """

    def __init__(
        self,
        *,
        patience: float = PATIENCE,
        nonce: int | None = None,
        tag: int | None = None,
        where: str = "the board",
        most: LinkConfig | None = None,
    ) -> None:
        self.nonce = nonce or 1 + secrets.randbelow(SEQUENCES - 1)
        self.tag = new_tag() if tag is None else tag
        self.patience = patience
        self.where = where
        self._most = most
        self.info: Info | None = None
        self.counters = HostCounters()
        self._splitter = Splitter(_LONGEST_FRAME)
        self._window, self._credit = 1, 0
        self._requests: deque[_Request] = deque()
        self._after = 0  # the sequence number after the last request that was answered
        self.halted = False
        self._stamp = 0
        self._out: list[bytes] = []
        self._timeout = RetryTimeout()
        self._measured = 0.0  # when a round trip was last measured
        self._payload: PayloadLimit | None = None
        self._heard = 0.0  # time of the last valid frame, or of the first request after silence
        self._answered = 0.0  # time of the last reply, or of the first request after none was in flight
        self._opening: float | None = None  # when OPEN was last sent
        self._refused = False  # the board speaks another version of the protocol, and is asked which
        self._bytes_seen = 0
        self._strange_gaps = 0  # refusals since the last reply that wait for what has been answered
        self._progress = 0  # stamp of what had been sent when the last reply came

    @property
    def payload_limit(self) -> int:
        """Bytes of a payload that suit the wire as it is now; 0 until the session is open."""
        return self._payload.bytes if self._payload else 0

    # -- requests ------------------------------------------------------------------------------------

    def open(self, now: float) -> None:
        """Ask for the session; :attr:`info` is set when the board has answered."""
        self._heard = now
        self._send_open(now)

    def _send_open(self, now: float) -> None:
        self._opening = now
        command, payload = Command.OPEN, bytes([PROTOCOL_VERSION])
        if self._refused:
            command, payload = Command.INFO, b""
        # The zero ends whatever part of a frame a host before this one may have left there.
        self._out.append(b"\0" + encode(Frame(self.nonce, self.tag, command, payload)))

    def listen(self, now: float) -> None:
        """Patience begins anew: nobody has listened for a while."""
        self._heard = self._answered = now

    @property
    def outstanding(self) -> int:
        """Requests that are not answered."""
        return len(self._requests)

    def room(self, payload_bytes: int) -> bool:
        """Whether a request with so long a payload may be submitted now."""
        if self.info is None:
            return False
        # COBS and the closing zero add two bytes, and one for every 254.
        size = payload_bytes + 11 + payload_bytes // 254 + 1
        requests = self._requests
        if not requests:
            return True
        in_flight = requests[-1].end - requests[0].end + len(requests[0].encoded)
        return len(requests) < self._window and in_flight + size <= self._credit

    def submit(self, command: Command, payload: bytes, now: float) -> None:
        """Send a request; there must be :meth:`room`."""
        requests = self._requests
        assert self._payload is not None and len(requests) < self._window
        if len(payload) > self._payload.most:
            raise TrineError(
                f"a payload of {len(payload)} bytes is too long: {self.where} takes {self._payload.most}"
            )
        if requests:
            sequence, end = (requests[-1].sequence + 1) % SEQUENCES, requests[-1].end
        else:
            self._heard = self._answered = now
            sequence, end = self._after, 0
        encoded = encode(Frame(self.nonce, sequence, command, payload))
        self._stamp += 1
        requests.append(_Request(sequence, command, encoded, end + len(encoded), self._stamp, now))
        self._out.append(encoded)
        self.counters.sent += 1

    def output(self) -> bytes:
        """Bytes to be written now."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # -- replies -------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> list[tuple[Command, Frame]]:
        """Take bytes from the board; returns commands and their replies, in order, refusals among them."""
        self._bytes_seen += len(data)
        replies: list[tuple[Command, Frame]] = []
        for part in self._splitter.feed(data):
            frame = decode(part)
            if frame is None:
                self.counters.damaged += 1
                if self._payload is not None:
                    self._payload.damaged()
                continue
            self._take(frame, now)
            self._deliver(replies)
        self._judge_reach(now)
        return replies

    def _deliver(self, replies: list[tuple[Command, Frame]]) -> None:
        """Hand over what is answered, up to the first request that is not."""
        while self._requests and (reply := self._requests[0].reply) is not None:
            command = self._requests[0].command
            reason = reply.reason if reply.code >= REFUSED else None
            if reason is not None or command is Command.RESUME:
                self.halted = reason is not None
            self._after = (self._requests[0].sequence + 1) % SEQUENCES
            self._requests.popleft()
            replies.append((command, reply))

    def _take(self, frame: Frame, now: float) -> None:
        if self.info is None:
            self._take_opening(frame, now)
            return
        if frame.session == self.nonce:
            self._heard = now
        reason = frame.reason if frame.code >= REFUSED else None
        if reason is Reason.SESSION:
            # It names the session that was addressed: an answer to a frame older than this session does not.
            # Where that is the open one, what is refused is an OPEN, which came late or twice.
            if self._addressed(frame) and frame.session != self.nonce:
                raise BoardGone(lost_session(self.where, frame.session))
            return
        if frame.session != self.nonce or frame.code in _UNSEQUENCED:
            return
        if frame.code == BAD_FRAME:
            assert self._payload is not None
            self._payload.damaged()
            # If requests follow the damaged one, the board's answers to them will tell; the last has none.
            last = max(self._requests, key=lambda request: request.stamp, default=None)
            if last and last.reply is None and last.sequence == frame.sequence:
                self._resend([last], now)
            return
        request = self._find(frame.sequence)
        if request is None or request.reply is not None:
            return
        # Without doubled frames this answers the latest transmission if all before it were answered.
        request.owed -= request.owed > 0
        latest = request.owed == 0
        if reason is Reason.SEQUENCE:
            if latest:
                self._judge_gap(frame, request)
                # It misses something before this one, and refuses all that was sent after that: this follows
                # again, in its order, before anything new. Refusals of it on their way are of earlier ones.
                self._resend([other for other in self._requests if other.reply is None], now)
            return
        self._strange_gaps = 0
        self._answered = now
        self._progress = self._stamp
        self.counters.replies += 1
        request.reply = frame
        assert self._payload is not None
        self._payload.judge()
        if request.first:
            if now != self._measured:  # of replies that come together the first one's is the longest
                self._measured = now
                self._timeout.measure(now - request.sent_at)
            if request is self._requests[0]:
                return  # all others were sent after it
        # What was sent before this one and is unanswered was lost on one way, or comes late: then it is sent
        # in vain.
        stamp = request.stamp
        lost = [other for other in self._requests if other.reply is None and other.stamp <= stamp]
        if lost:
            self._resend(lost, now)

    def _judge_gap(self, frame: Frame, request: _Request) -> None:
        """The board waits for a sequence number that none of the requests has: it has begun anew.

        A late OPEN of this session may have opened it again after a reset. Refusals may be late too, but not
        so many of them with no reply between, of what was sent after the last one.
        """
        expected = int.from_bytes(frame.payload[:2], "little")
        strange = (expected - self._requests[0].sequence) % SEQUENCES > len(self._requests)
        if strange and request.stamp > self._progress:
            self._strange_gaps += 1
            if self._strange_gaps == STRANGE_GAPS:
                raise BoardGone(lost_session(self.where, 0))

    def _take_opening(self, frame: Frame, now: float) -> None:
        self._heard = now  # it is there, though it may still be about what another host has sent
        if frame.sequence != self.tag:
            return  # what another host before this one was still to be told
        if self._refused:
            if frame.code == DONE | Command.INFO:
                Info.unpack(frame.payload)
                raise TrineError(refuses_version(self.where))
            return
        if frame.reason is Reason.VERSION and self._addressed(frame):
            self._refused = True
            self._send_open(now)
            return
        if frame.reason is Reason.BUSY:
            raise TrineError(f"{self.where} is in use by another program: end that first")
        if frame.reason is Reason.SESSION and self._addressed(frame):
            # The board has, or has had, another host's session of this number, or this one, replaced.
            self.nonce = 1 + (self.nonce + secrets.randbelow(SEQUENCES - 2)) % (SEQUENCES - 1)
            self.tag = new_tag()
            self._send_open(now)
            return
        if frame.session != self.nonce or frame.code != DONE | Command.OPEN:
            return
        info = Info.unpack(frame.payload)
        if self._most is not None:
            info = info.at_most(self._most)
        self._window, self._credit = info.window, info.receive_bytes
        self._payload = PayloadLimit(info.link.max_payload)
        if self._opening is not None:
            self._timeout.measure(now - self._opening)
        self._opening = None
        self.info = info
        self._heard = now

    def _addressed(self, frame: Frame) -> bool:
        """Whether what is refused was addressed to this session."""
        return frame.payload[2:4] == self.nonce.to_bytes(2, "little")

    def _find(self, sequence: int) -> _Request | None:
        if not self._requests:
            return None
        index = (sequence - self._requests[0].sequence) % SEQUENCES
        return self._requests[index] if index < len(self._requests) else None

    # -- time ----------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When :meth:`tick` wants to be called if nothing arrives before; None while nothing is owed."""
        if self._opening is not None:
            return self._opening + self._timeout.seconds
        first = next((request for request in self._requests if request.reply is None), None)
        return None if first is None else max(first.sent_at, self._heard) + self._timeout.seconds

    def tick(self, now: float) -> None:
        """Send again what is overdue. Raises :exc:`BoardGone` where the board has been silent for long, or no
        request has got through."""
        self._judge_reach(now)
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return
        if now - self._heard > self.patience:
            if self._refused:
                raise TrineError(refuses_version(self.where))
            patience = None if self.info is None else self.patience
            raise BoardGone(silence(self.where, patience, some_bytes=bool(self._bytes_seen)))
        self.counters.timeouts += 1
        self._timeout.back_off()
        if self._opening is not None:
            self._send_open(now)
            return
        for request in self._requests:
            request.owed = 0  # what has not come by now does not come
        self._resend([next(request for request in self._requests if request.reply is None)], now)

    def _judge_reach(self, now: float) -> None:
        """The board is heard, but each transmission of a request or of its reply is damaged."""
        waits = any(request.reply is None for request in self._requests)
        if waits and now - self._answered > OUT_OF_REACH * self.patience:
            raise BoardGone(out_of_reach(self.where, OUT_OF_REACH * self.patience))

    def _resend(self, requests: list[_Request], now: float) -> None:
        for request in requests:
            self._stamp += 1
            request.stamp, request.sent_at, request.first = self._stamp, now, False
            request.owed = min(request.owed + 1, _MOST_OWED)
            self._out.append(request.encoded)
            self.counters.resent += 1
