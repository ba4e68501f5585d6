"""A board model at a UDP port of this machine, behind a network that does what networks may."""

from __future__ import annotations

import random
import socket
import threading

from cobs import cobs

from trine_sw.link.board_model import BoardModel

__all__ = ["UDPBoard"]


class UDPBoard:
    """Serves in a thread of its own until the block ends.

    Parameters
    ----------
    board : what answers
    fault : share of the datagrams, of each direction, that are lost; as many are doubled, and as many come
        behind the next three
    seed : of what befalls which

    Members
    -------
    port : that it listens at
    faults : that there have been, by their names
    """

    def __init__(self, board: BoardModel, fault: float = 0.0, seed: int = 0) -> None:
        self.board = board
        self.faults = {"lost": 0, "doubled": 0, "late": 0}
        self._fault, self._random = fault, random.Random(seed)
        self._held: dict[str, list[tuple[int, bytes]]] = {"up": [], "down": []}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> UDPBoard:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                data, host = self._socket.recvfrom(1 << 16)
            except TimeoutError:
                continue
            for datagram in self._carry("up", data):
                reply = self.board.exchange(cobs.encode(datagram) + b"\0")
                for answer in self._carry("down", cobs.decode(reply[:-1])):
                    self._socket.sendto(answer, host)

    def _carry(self, way: str, data: bytes) -> list[bytes]:
        chance = self._random.random() / self._fault if self._fault else 3.0
        come = [data]
        if chance < 3:
            kind = ("lost", "doubled", "late")[int(chance)]
            self.faults[kind] += 1
            come = [data, data] if kind == "doubled" else []
            if kind == "late":
                self._held[way].append((4, data))
        held = [(left - 1, datagram) for left, datagram in self._held[way]]
        self._held[way] = [each for each in held if each[0] > 0]
        return come + [datagram for left, datagram in held if left <= 0]
