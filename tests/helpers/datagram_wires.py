"""A board model at the end of a network that loses, doubles and reorders whole frames, in simulated time."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass

from trine_sw.link.protocol import Command, Frame
from trine_sw.link.session import Session

__all__ = ["DatagramWires", "Faulty"]


@dataclass
class Faulty:
    """One direction: a share of the frames is lost, another doubled, another held back behind later ones.

    Parameters
    ----------
    lost, doubled, late : shares of the frames
    seed : of what befalls which
    late_s : a late frame comes up to so many seconds later than it would
    """

    lost: float
    doubled: float
    late: float
    seed: int
    late_s: float = 100e-6
    faults: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def arrivals(self, at: float) -> list[float]:
        """When a frame arrives that would arrive at this time: never, once or twice."""
        chance = self._random.random()
        for share, times in (
            (self.lost, lambda: []),
            (self.doubled, lambda: [at, at + self._random.random() * self.late_s]),
            (self.late, lambda: [at + self._random.random() * self.late_s]),
        ):
            if chance < share:
                self.faults += 1
                return times()
            chance -= share
        return [at]


class DatagramWires:
    """A board behind a network, as a session of its host sees it.

    A frame takes ``frame_s`` of each direction's line and of the board, and ``latency_s`` on its way.

    Members
    -------
    now : simulated seconds
    carried : frames that have entered the network, in both directions
    """

    def __init__(
        self,
        answer: Callable[[bytes], bytes],
        up: Faulty,
        down: Faulty,
        *,
        frame_s: float = 10e-6,
        latency_s: float = 40e-6,
    ) -> None:
        self.answer, self.up, self.down = answer, up, down
        self.frame_s, self.latency_s = frame_s, latency_s
        self.now = 0.0
        self.carried = 0
        self._free = {"up": 0.0, "down": 0.0, "board": 0.0}
        self._coming: list[tuple[float, int, str, bytes]] = []

    def _busy(self, what: str, since: float) -> float:
        self._free[what] = max(self._free[what], since) + self.frame_s
        return self._free[what]

    def _send(self, way: str, faulty: Faulty, frame: bytes, since: float) -> None:
        for arrival in faulty.arrivals(self._busy(way, since) + self.latency_s):
            self.carried += 1
            heapq.heappush(self._coming, (arrival, self.carried, way, frame))

    def move(self, session: Session) -> list[tuple[Command, Frame]]:
        """Send what the session has to send, and let time pass until something reaches it."""
        for part in session.output().split(b"\0"):
            if part:
                self._send("up", self.up, part + b"\0", self.now)
        while True:
            deadline = session.deadline()
            if not self._coming or (deadline is not None and deadline < self._coming[0][0]):
                assert deadline is not None, "nothing is under way, and nothing is waited for"
                self.now = max(self.now, deadline)
                session.tick(self.now)
                return []
            arrival, _, way, frame = heapq.heappop(self._coming)
            if way == "up":
                self._send("down", self.down, self.answer(frame), self._busy("board", arrival))
                continue
            self.now = max(self.now, arrival)
            replies = session.receive(frame, self.now)
            session.tick(self.now)
            return replies
