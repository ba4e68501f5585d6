"""A simulated board behind a TCP socket, with faults on its wire."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from trine_hw.simulation.virtual_board import VirtualBoard
from trine_sw.errors import TrineError
from trine_sw.link.faulty_wire import FaultyWire

__all__ = ["BoardServer"]

_CHUNK = 256


class BoardServer:
    """Serves one client at a time; the board keeps its state from one to the next, as a real one does.

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
            client, _ = self._listener.accept()
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
            waits = None if self.board.idle else 0
            if select.select([client], [], [], waits)[0]:
                data = client.recv(_CHUNK)
                if not data:
                    return
                self.board.write(self.up.carry(data))
            if data := self.board.read(0):
                client.sendall(self.down.carry(data))

    def close(self) -> None:
        """Stop listening and end the board."""
        self._listener.close()
        self.board.close()
