"""A simulated board behind a TCP socket, with faults on its wire."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from trine_hw.simulation.virtual_board import VirtualBoard
from trine_sw.driver.waiting import readable
from trine_sw.link.faulty_wire import FaultyWire
from trine_sw.link.protocol import REFUSED, Frame, Reason, decode, encode, refusal_payload
from trine_sw.support.errors import TrineError

__all__ = ["BoardServer"]

_CHUNK = 256
#: Seconds for which a client waits for the one before it to go: one that was killed is still to be noticed.
_GRACE = 1.0


class _Waiting(NamedTuple):
    socket: socket.socket
    until: float


class BoardServer:
    """Serves one client at a time; the board keeps its state from one to the next, as a real one does.

    A client that comes while another is served is told after a second that the board is in use.

    Parameters
    ----------
    board : the board
    port : to listen on at 127.0.0.1; 0 takes a free one
    fault_rate, seed : of the wires in both directions (:class:`trine_sw.link.faulty_wire.FaultyWire`)

    Raises
    ------
    TrineError
        Where the port is taken.
    """

    def __init__(self, board: VirtualBoard, port: int, fault_rate: float = 0, seed: int = 0) -> None:
        self.board = board
        self.up, self.down = FaultyWire(fault_rate, seed), FaultyWire(fault_rate, seed + 1)
        self._waiting: deque[_Waiting] = deque()
        try:
            self._listener = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise TrineError(
                f"cannot listen on port {port}: {error.strerror}; another program may have it"
            ) from None

    @property
    def port(self) -> int:
        """That it listens on."""
        return self._listener.getsockname()[1]

    def serve(self, tell: Callable[[str], None] = lambda what: None) -> None:
        """Serve clients, for ever; ``tell`` hears of their coming and going."""
        while True:
            client = self._waiting.popleft().socket if self._waiting else self._listener.accept()[0]
            tell("a client has come")
            with client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    self._serve(client)
                except OSError:
                    pass
            tell("the client has gone")

    def _serve(self, client: socket.socket) -> None:
        while True:
            self._turn_away()
            waits = None if self.board.idle else 0
            if waits is None and self._waiting:
                waits = max(self._waiting[0].until - time.monotonic(), 0)
            ready = readable((client, self._listener), waits)
            if self._listener in ready:
                self._waiting.append(_Waiting(self._listener.accept()[0], time.monotonic() + _GRACE))
            if client in ready:
                data = client.recv(_CHUNK)
                if not data:
                    return
                self.board.write(self.up.carry(data))
            if data := self.board.read(0):
                client.sendall(self.down.carry(data))

    def _turn_away(self) -> None:
        """Tell those who have waited for long that the board is in use."""
        while self._waiting and self._waiting[0].until <= time.monotonic():
            with self._waiting.popleft().socket as client:
                try:
                    client.settimeout(0)
                    for part in client.recv(_CHUNK).split(b"\0"):
                        if frame := decode(part):
                            told = refusal_payload(0, frame.session)
                            client.send(encode(Frame(0, frame.sequence, REFUSED | Reason.BUSY, told)))
                except OSError:
                    pass

    def close(self) -> None:
        """Stop listening and end the board."""
        self._listener.close()
        for waiting in self._waiting:
            waiting.socket.close()
        self.board.close()
