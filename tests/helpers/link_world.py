"""What an exploration of the link consists of: its size, a board that says what was applied, and chance."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from trine_sw.engine.default import default_engine
from trine_sw.link.board_info import board_info
from trine_sw.link.board_session import BoardSession
from trine_sw.link.protocol import Frame, LinkConfig
from trine_sw.link.session import Session
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

__all__ = ["Device", "Explored", "Fooled", "Host", "Numbers", "Random", "State", "World"]

_MODEL = random_model(ModelConfig(hidden=4, embedding=2, vocab_size=3), seed=1)


class Fooled(AssertionError):
    """A host takes for done what was not applied once and in order, or another host's reply for its own."""


@dataclass(frozen=True)
class World:
    """What is explored.

    Parameters
    ----------
    window : of the board
    sequences : sequence numbers count modulo this, and sessions have numbers below it
    requests : that each host has, of the hosts that come one after the other; a host may end at any time
    resets : of the board, at most
    capacity : frames on the way, each direction; what finds no room is lost
    drained : nothing that is on the way when a host ends reaches the board or the next host, and two hosts
        may have the same tag; otherwise it does, and they have not
    reorders : a frame may overtake those before it, in either direction; sequence numbers must not come again
        while it is on its way
    session, board : the two sides
    """

    window: int
    sequences: int
    requests: tuple[int, ...]
    resets: int = 0
    capacity: int = 2
    drained: bool = False
    reorders: bool = False
    session: type[Session] = Session
    board: type[BoardSession] = BoardSession


class Explored(NamedTuple):
    """What was found.

    Members
    -------
    states, steps : reached, and from one to the next
    told : states in which a host has been told that the board has gone
    finished : states in which the last host has all its replies
    stuck : states from which neither can be reached any more
    """

    states: int
    steps: int
    told: int
    finished: int
    stuck: int


class Device:
    """A board whose state is what was applied to it: whose requests, and how many, each once and in order."""

    def __init__(self, world: World) -> None:
        link = LinkConfig(world.window, 256, 256)
        info = board_info(_MODEL, default_engine(_MODEL), link).pack()
        self.applied: tuple[int, int] | None = (-1, 0)
        self.session = world.board(
            link, describe=lambda: info, begin=self._begin, execute=self._execute, count=lambda event: None
        )

    def copy(self) -> Device:
        new = copy.copy(self)
        new.session = copy.copy(self.session)
        new.session.replies = dict(self.session.replies)
        new.session._begin, new.session._execute = new._begin, new._execute
        return new

    def _begin(self) -> None:
        self.applied = (-1, 0)

    def _execute(self, frame: Frame) -> bytes:
        host, index = frame.payload
        due = self.applied == (host, index) or (index == 0 and self.applied == (-1, 0))
        self.applied = (host, index + 1) if due else None
        return repr(self.applied).encode()


class Host(NamedTuple):
    who: int
    submitted: int
    done: int
    session: Session | None  # None once it has been told that the board has gone


class State(NamedTuple):
    """A host and a board, by their numbers; frames on the way; resets so far."""

    host: int
    device: int
    up: tuple[bytes, ...]
    down: tuple[bytes, ...]
    resets: int


class Numbers:
    """Things that are equal by their key have one number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple, int] = {}
        self.things: list[Any] = []

    def of(self, key: tuple, thing: Any) -> int:
        number = self._numbers.setdefault(key, len(self.things))
        if number == len(self.things):
            self.things.append(thing)
        return number


class Random:
    """In place of ``secrets`` and of the clock: whatever it is asked for, every answer is tried."""

    def __init__(self, world: World) -> None:
        self.drained, self.who = world.drained, 0
        self._script: tuple[int, ...] = ()
        self._options: list[int] = []

    def randbelow(self, limit: int) -> int:
        at = len(self._options)
        self._options.append(min(limit, 3))  # numbers are as good as each other: equal, or not
        return self._script[at] if at < len(self._script) else 0

    def tag(self) -> int:
        return self.randbelow(2) if self.drained else self.who

    def every(self, act: Callable[[], Any]) -> Iterator[Any]:
        """The results of ``act`` for all that it may draw."""
        scripts: list[tuple[int, ...]] = [()]
        while scripts:
            self._script, self._options = script, _ = scripts.pop(), []
            yield act()
            for at in range(len(script), len(self._options)):
                zeros = (0,) * (at - len(script))
                scripts += [(*script, *zeros, choice) for choice in range(1, self._options[at])]
