"""Exhaustive exploration of both sides of the link: the driver's Session and the board model's BoardSession.

Nothing of the protocol is written here a second time. The two classes run, over wires that carry whole
frames, from every state that can be reached, with everything that may happen in it: a frame arrives, arrives
and comes once more, arrives damaged, is lost; a timeout; a request; another host; a reset of the board.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import trine_sw.link.board_session
import trine_sw.link.session
from trine_sw.backends import default_engine
from trine_sw.link.board_info import board_info
from trine_sw.link.board_session import BoardSession
from trine_sw.link.pacing import RetryTimeout
from trine_sw.link.protocol import DONE, Command, Frame, LinkConfig
from trine_sw.link.session import BoardGone, HostCounters, Session
from trine_sw.model import ModelConfig
from trine_sw.random_model import random_model

__all__ = ["Explored", "Fooled", "World", "explore"]

_MODEL = random_model(ModelConfig(hidden=4, embedding=2, vocab_size=3), seed=1)
_DAMAGED = b"\x05\x05\0"
#: The members that copies and comparisons below take care of: a new one must be looked at here.
_SESSION = {
    *("nonce", "tag", "patience", "where", "info", "counters", "_splitter", "_window", "_credit"),
    *(
        "_requests",
        "_after",
        "_stamp",
        "halted",
        "_out",
        "_timeout",
        "_payload",
        "_heard",
        "_opening",
        "_refused",
    ),
    *("_bytes_seen", "_strange_gaps"),
}
_BOARD = {
    *("_link", "_describe", "_begin", "_execute", "_count"),
    *("session", "expected", "ended", "cached", "halted", "replies"),
}


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
    session, board : the two sides
    """

    window: int
    sequences: int
    requests: tuple[int, ...]
    resets: int = 0
    capacity: int = 2
    drained: bool = False
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


class _Device:
    """A board whose state is what was applied to it: whose requests, and how many, each once and in order."""

    def __init__(self, world: World) -> None:
        link = LinkConfig(world.window, 256, 256)
        info = board_info(_MODEL, default_engine(_MODEL), link).pack()
        self.applied: tuple[int, int] | None = (-1, 0)
        self.session = world.board(
            link, describe=lambda: info, begin=self._begin, execute=self._execute, count=lambda event: None
        )

    def copy(self) -> _Device:
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


class _Host(NamedTuple):
    who: int
    submitted: int
    done: int
    session: Session | None  # None once it has been told that the board has gone


class _State(NamedTuple):
    """A host and a board, by their numbers; frames on the way; resets so far."""

    host: int
    device: int
    up: tuple[bytes, ...]
    down: tuple[bytes, ...]
    resets: int


class _Numbers:
    """Things that are equal by their key have one number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple, int] = {}
        self.things: list[Any] = []

    def of(self, key: tuple, thing: Any) -> int:
        number = self._numbers.setdefault(key, len(self.things))
        if number == len(self.things):
            self.things.append(thing)
        return number


class _Random:
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


class _Explorer:
    """Steps of the whole; those of a host and of a board are run once each, and remembered."""

    def __init__(self, world: World, random: _Random) -> None:
        self.world, self.random = world, random
        self.hosts, self.devices = _Numbers(), _Numbers()
        self._host_steps: dict[tuple, list[tuple[int, tuple[bytes, ...]]]] = {}
        self._device_steps: dict[tuple[int, bytes], tuple[int, bytes]] = {}
        self._fresh = self._numbered(_Device(world))

    def beginning(self) -> Iterator[_State]:
        return self._connect(0, _State(-1, self._fresh, (), (), 0))

    def after(self, state: _State) -> Iterator[_State]:
        """All states that may come next."""
        world, (host, device, up, down, resets) = self.world, state
        who, submitted, _, session = self.hosts.things[host]
        if up:
            for frame, rest in ((up[0], up[1:]), (up[0], up), (_DAMAGED, up[1:])):
                new, answer = self._device_step(device, frame)
                yield _State(host, new, rest, self._room(*down, answer), resets)
            yield _State(host, device, up[1:], down, resets)
        if down:
            yield _State(host, device, up, down[1:], resets)
        if session is not None:
            if down:
                for new, sent in self._host_step(host, "receive", down[0]):
                    yield _State(new, device, self._room(*up, *sent), down[1:], resets)
                    yield _State(new, device, self._room(*up, *sent), down, resets)
            if session.deadline() is not None:
                for new, sent in self._host_step(host, "tick"):
                    yield _State(new, device, self._room(*up, *sent), down, resets)
            if submitted < world.requests[who] and session.room(2):
                for new, sent in self._host_step(host, "submit"):
                    yield _State(new, device, self._room(*up, *sent), down, resets)
        if resets < world.resets:
            yield _State(host, self._fresh, up, down, resets + 1)
        if who + 1 < len(world.requests):
            yield from self._connect(who + 1, state)

    def _room(self, *frames: bytes) -> tuple[bytes, ...]:
        return frames[: self.world.capacity]

    # -- a host ------------------------------------------------------------------------------------------

    def _connect(self, who: int, state: _State) -> Iterator[_State]:
        """A host begins; what the one before has sent arrives before its own."""
        for new, sent in self._host_step(-1, "open", who=who):
            before, down = ((), ()) if self.world.drained else (state.up, state.down)
            # If the OPEN finds no room it is lost, like any frame: the host will send it again.
            yield _State(new, state.device, self._room(*before, *sent), down, state.resets)

    def _host_step(self, number: int, action: str, frame: bytes = b"", who: int = 0) -> list:
        key = (number, action, frame, who)
        if key not in self._host_steps:
            old = self.hosts.things[number] if number >= 0 else _Host(who, 0, 0, None)
            self.random.who = old.who
            self._host_steps[key] = list(self.random.every(lambda: self._act(old, action, frame)))
        return self._host_steps[key]

    def _act(self, old: _Host, action: str, frame: bytes) -> tuple[int, tuple[bytes, ...]]:
        who, submitted, done, _ = old
        if old.session is None:
            session = self.world.session(patience=float("inf"))
        else:
            session = copy.copy(old.session)
            session._requests = deque(copy.copy(request) for request in session._requests)
            session._out = []
        replies = []
        try:
            if action == "open":
                session.open(0.0)
            elif action == "tick":
                session.tick(1e9)
            elif action == "submit":
                session.submit(Command.STEP, bytes([who, submitted]), 0.0)
                submitted += 1
            else:
                replies = session.receive(frame, 0.0)
        except BoardGone:
            return self.hosts.of((who, submitted, done), _Host(who, submitted, done, None)), ()
        for command, reply in replies:
            done += 1
            if reply.code != DONE | command or reply.payload != repr((who, done)).encode():
                raise Fooled(f"host {who} takes this for its reply {done}: {reply}")
        sent = tuple(part + b"\0" for part in session.output().split(b"\0") if part)
        key = (who, submitted, done, self._settled(session))
        return self.hosts.of(key, _Host(who, submitted, done, session)), sent

    @staticmethod
    def _settled(session: Session) -> tuple:
        """Forgets times and statistics; gives what is left."""
        session._heard, session._bytes_seen, session.counters = 0.0, 0, HostCounters()
        session._opening = None if session._opening is None else 0.0
        session._timeout = RetryTimeout()
        order = sorted(request.stamp for request in session._requests)
        session._stamp = len(order)
        for request in session._requests:
            request.stamp, request.sent_at, request.first = order.index(request.stamp) + 1, 0.0, True
        assert vars(session).keys() == _SESSION and not session._splitter._rest
        return (
            *(
                session.nonce,
                session.tag,
                session.info is None,
                session._opening,
                session._refused,
                session.halted,
            ),
            *(session._after, session._strange_gaps),
            tuple((r.sequence, r.encoded, r.stamp, r.reply) for r in session._requests),
        )

    # -- a board -----------------------------------------------------------------------------------------

    def _device_step(self, number: int, frame: bytes) -> tuple[int, bytes]:
        key = (number, frame)
        if key not in self._device_steps:
            device = self.devices.things[number].copy()
            answer = device.session.answer(frame[:-1])
            self._device_steps[key] = self._numbered(device), answer
        return self._device_steps[key]

    def _numbered(self, device: _Device) -> int:
        """Forgets the replies that no frame can ask for any more; to ask for one would fail."""
        session, world = device.session, self.world
        assert vars(session).keys() == _BOARD
        kept = [(session.expected - 1 - age) % world.sequences for age in range(session.cached)]
        session.replies = {slot: session.replies[slot] for slot in sorted(n % world.window for n in kept)}
        key = (
            *(session.session, session.expected, session.ended, session.cached, session.halted),
            *(device.applied, tuple(session.replies.items())),
        )
        return self.devices.of(key, device)


def explore(world: World, monkeypatch: Any) -> Explored:
    """Every state that can be reached. Raises :exc:`Fooled` where a host is."""
    random = _Random(world)
    for module in (trine_sw.link.session, trine_sw.link.board_session):
        monkeypatch.setattr(module, "SEQUENCES", world.sequences)
    monkeypatch.setattr(trine_sw.link.session, "_STRANGE_GAPS", 2)
    monkeypatch.setattr(trine_sw.link.session, "secrets", random)
    monkeypatch.setattr(trine_sw.link.session, "new_tag", random.tag)
    explorer = _Explorer(world, random)
    before: dict[_State, list[_State]] = {state: [] for state in explorer.beginning()}
    waiting, steps = list(before), len(before)
    while waiting:
        state = waiting.pop()
        for following in explorer.after(state):
            steps += 1
            if following not in before:
                before[following] = []
                waiting.append(following)
            before[following].append(state)
    last, told, finished = len(world.requests) - 1, [], []
    for state in before:
        host = explorer.hosts.things[state.host]
        if host.session is None:
            told.append(state)
        elif host.who == last and host.done == world.requests[last]:
            finished.append(state)
    waiting, lead_there = told + finished, {*told, *finished}
    while waiting:
        for state in before[waiting.pop()]:
            if state not in lead_there:
                lead_there.add(state)
                waiting.append(state)
    return Explored(len(before), steps, len(told), len(finished), len(before) - len(lead_there))
