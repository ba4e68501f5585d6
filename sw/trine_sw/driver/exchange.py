"""Exchange of a series of requests over a session: several in flight, replies in order."""

from __future__ import annotations

from collections.abc import Iterator

from trine_sw.link.protocol import DONE, Command, Reason
from trine_sw.link.session import RequestRefused, Session

__all__ = ["Exchange", "Request"]

#: A command and its payload.
Request = tuple[Command, bytes]


class Exchange:
    """Feeds requests to a session and gives their payloads back; a front moves the bytes.

    Contract: payloads come in the order of the requests, one each. Where the board refuses a request, or
    taking the next one from ``requests`` fails, the payloads of all before it come first; then
    :meth:`incoming` raises, and the board takes requests again. ``requests`` may give None where its next
    request depends on a reply that has not come. What a series before this one has left behind when it was
    given up, replies that are owed or a board that is halted, is cleared away first.
    """

    def __init__(self, session: Session, requests: Iterator[Request | None]) -> None:
        self._session = session
        self._requests = requests
        self._next: Request | None = None
        self._exhausted = False
        self._error: BaseException | None = None
        self._abandoned = 0  # replies still owed to a series that was given up
        self._begun = self.done = False

    def begin(self) -> None:
        """What the session owes now is of a series before this one."""
        self._abandoned = self._session.outstanding

    def outgoing(self, now: float) -> bytes:
        """Bytes to be written now."""
        session = self._session
        if not self._begun:
            self._begun = True
            session.listen(now)
        if session.halted:
            if not session.outstanding:
                session.submit(Command.RESUME, b"", now)
        elif not self._abandoned:
            while (following := self._next or self._pull()) and session.room(len(following[1])):
                session.submit(*following, now)
                self._next = None
        return session.output()

    def wait(self, now: float) -> float:
        """Seconds that may be waited for bytes."""
        deadline = self._session.deadline()
        return 0 if deadline is None else max(deadline - now, 0)

    def incoming(self, data: bytes, now: float) -> list[bytes]:
        """Payloads that are complete. Raises what went wrong, once everything before it has come."""
        session = self._session
        payloads = []
        for command, reply in session.receive(data, now):
            kept = not self._abandoned
            self._abandoned -= not kept
            if not kept or command is Command.RESUME:
                continue
            if reply.code == DONE | command:
                payloads.append(reply.payload)
            elif reply.reason is not Reason.HALTED:
                self._error = RequestRefused(reply.reason, command)
        session.tick(now)
        if payloads or session.outstanding or session.halted:
            return payloads
        self._pull()
        if self._next is None:
            if self._error is not None:
                self.done = True
                raise self._error
            self.done = self._exhausted
        return payloads

    def _pull(self) -> Request | None:
        """Have the next request at hand; None where there is none."""
        if self._error is not None:
            self._next = None
        elif self._next is None and not self._exhausted:
            try:
                self._next = next(self._requests)
            except StopIteration:
                self._exhausted = True
            except Exception as error:  # the caller's own: raised when what came before it is answered
                self._error = error
        return self._next
