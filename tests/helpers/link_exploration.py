"""Exhaustive exploration of both sides of the link: the driver's Session and the board model's BoardSession.

Nothing of the protocol is written here a second time. The two classes run, over wires that carry whole
frames, from every state that can be reached, with everything that may happen in it: a frame arrives, arrives
and comes once more, arrives damaged, is lost, overtakes others; a timeout; a request; another host; a reset
of the board.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from typing import Any

import trine_sw.link.board_session
import trine_sw.link.session
from tests.helpers.link_world import Device, Explored, Fooled, Host, Numbers, Random, State, World
from trine_sw.link.pacing import RetryTimeout
from trine_sw.link.protocol import DONE, Command
from trine_sw.link.session import BoardGone, HostCounters, Session

__all__ = ["Explored", "Fooled", "World", "explore"]

_DAMAGED = b"\x05\x05\0"
#: The members that copies and comparisons below take care of: a new one must be looked at here.
_SESSION = {
    *("nonce", "tag", "patience", "where", "_most", "info", "counters", "_splitter", "_window", "_credit"),
    *(
        "_requests",
        "_after",
        "_stamp",
        "halted",
        "_out",
        "_timeout",
        "_payload",
        "_heard",
        "_answered",
        "_opening",
        "_refused",
    ),
    *("_bytes_seen", "_strange_gaps", "_measured", "_progress"),
}
_BOARD = {
    *("_link", "_describe", "_begin", "_execute", "_count"),
    *("session", "expected", "ended", "cached", "halted", "replies"),
}


class _Explorer:
    """Steps of the whole; those of a host and of a board are run once each, and remembered."""

    def __init__(self, world: World, random: Random) -> None:
        self.world, self.random = world, random
        self.hosts, self.devices = Numbers(), Numbers()
        self._host_steps: dict[tuple, list[tuple[int, tuple[bytes, ...]]]] = {}
        self._device_steps: dict[tuple[int, bytes], tuple[int, bytes]] = {}
        self._fresh = self._numbered(Device(world))

    def beginning(self) -> Iterator[State]:
        return self._connect(0, State(-1, self._fresh, (), (), 0))

    def after(self, state: State) -> Iterator[State]:
        """All states that may come next."""
        world, (host, device, up, down, resets) = self.world, state
        who, submitted, _, session = self.hosts.things[host]
        for came, left in self._arrivals(up):
            for frame, rest in ((came, left), (came, up), (_DAMAGED, left)):
                new, answer = self._device_step(device, frame)
                yield State(host, new, rest, self._room(*down, answer), resets)
            yield State(host, device, left, down, resets)
        for came, left in self._arrivals(down):
            yield State(host, device, up, left, resets)
            if session is not None:
                for new, sent in self._host_step(host, "receive", came):
                    yield State(new, device, self._room(*up, *sent), left, resets)
                    yield State(new, device, self._room(*up, *sent), down, resets)
        if session is not None:
            if session.deadline() is not None:
                for new, sent in self._host_step(host, "tick"):
                    yield State(new, device, self._room(*up, *sent), down, resets)
            if submitted < world.requests[who] and session.room(2):
                for new, sent in self._host_step(host, "submit"):
                    yield State(new, device, self._room(*up, *sent), down, resets)
        if resets < world.resets:
            yield State(host, self._fresh, up, down, resets + 1)
        if who + 1 < len(world.requests):
            yield from self._connect(who + 1, state)

    def _arrivals(self, way: tuple[bytes, ...]) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        """The frames that may be the next to come, with those that stay on the way."""
        for at in range(len(way) if self.world.reorders else min(len(way), 1)):
            yield way[at], way[:at] + way[at + 1 :]

    def _room(self, *frames: bytes) -> tuple[bytes, ...]:
        return frames[: self.world.capacity]

    # -- a host ------------------------------------------------------------------------------------------

    def _connect(self, who: int, state: State) -> Iterator[State]:
        """A host begins; what the one before has sent arrives before its own."""
        for new, sent in self._host_step(-1, "open", who=who):
            before, down = ((), ()) if self.world.drained else (state.up, state.down)
            # If the OPEN finds no room it is lost, like any frame: the host will send it again.
            yield State(new, state.device, self._room(*before, *sent), down, state.resets)

    def _host_step(self, number: int, action: str, frame: bytes = b"", who: int = 0) -> list:
        key = (number, action, frame, who)
        if key not in self._host_steps:
            old = self.hosts.things[number] if number >= 0 else Host(who, 0, 0, None)
            self.random.who = old.who
            self._host_steps[key] = list(self.random.every(lambda: self._act(old, action, frame)))
        return self._host_steps[key]

    def _act(self, old: Host, action: str, frame: bytes) -> tuple[int, tuple[bytes, ...]]:
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
            return self.hosts.of((who, submitted, done), Host(who, submitted, done, None)), ()
        for command, reply in replies:
            done += 1
            if reply.code != DONE | command or reply.payload != repr((who, done)).encode():
                raise Fooled(f"host {who} takes this for its reply {done}: {reply}")
        sent = tuple(part + b"\0" for part in session.output().split(b"\0") if part)
        key = (who, submitted, done, self._settled(session))
        return self.hosts.of(key, Host(who, submitted, done, session)), sent

    @staticmethod
    def _settled(session: Session) -> tuple:
        """Forgets times and statistics; gives what is left."""
        session._heard = session._answered = 0.0
        session._bytes_seen, session.counters = 0, HostCounters()
        session._opening = None if session._opening is None else 0.0
        session._timeout, session._measured = RetryTimeout(), 0.0
        order = sorted(request.stamp for request in session._requests)
        session._stamp = len(order)
        session._progress = sum(stamp <= session._progress for stamp in order)
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
            *(session._after, session._strange_gaps, session._progress),
            tuple((r.sequence, r.encoded, r.stamp, r.owed, r.reply) for r in session._requests),
        )

    # -- a board -----------------------------------------------------------------------------------------

    def _device_step(self, number: int, frame: bytes) -> tuple[int, bytes]:
        key = (number, frame)
        if key not in self._device_steps:
            device = self.devices.things[number].copy()
            answer = device.session.answer(frame[:-1])
            self._device_steps[key] = self._numbered(device), answer
        return self._device_steps[key]

    def _numbered(self, device: Device) -> int:
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
    random = Random(world)
    for module in (trine_sw.link.session, trine_sw.link.board_session):
        monkeypatch.setattr(module, "SEQUENCES", world.sequences)
    monkeypatch.setattr(trine_sw.link.session, "STRANGE_GAPS", 2)
    monkeypatch.setattr(trine_sw.link.session, "secrets", random)
    monkeypatch.setattr(trine_sw.link.session, "new_tag", random.tag)
    explorer = _Explorer(world, random)
    before: dict[State, list[State]] = {state: [] for state in explorer.beginning()}
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
