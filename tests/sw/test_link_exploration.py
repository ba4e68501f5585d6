"""Exactly once, in every state that the two sides of the link can get into, and not without its rules."""

import pytest

from tests.helpers.link_exploration import Fooled, World, explore
from trine_sw.link.board_session import BoardSession
from trine_sw.link.protocol import SEQUENCES
from trine_sw.link.session import Session
from trine_sw.link.tags import new_tag


@pytest.mark.parametrize(
    "world, states",
    [
        (World(1, 4, (5, 1)), 12_000),  # sequence numbers begin anew
        (World(1, 4, (5, 2), drained=True), 12_000),
        (World(1, 4, (2, 1), capacity=3), 25_000),
        (World(1, 4, (2, 2), resets=1), 25_000),
        (World(1, 4, (1, 1, 1)), 20_000),
        (World(2, 4, (2, 1)), 15_000),
    ],
    ids=lambda world: str(world.requests) if isinstance(world, World) else "",
)
def test_no_host_is_fooled(monkeypatch, world, states):
    """Whatever the wire does, and whichever numbers hosts choose."""
    found = explore(world, monkeypatch)
    assert found.states > states and found.finished > 100 and not found.stuck
    assert bool(found.told) == bool(world.resets)


@pytest.mark.parametrize(
    "world",
    [
        World(1, 4, (2,), reorders=True),
        pytest.param(World(1, 4, (1, 1), reorders=True, drained=True), marks=pytest.mark.nightly),
        pytest.param(World(2, 4, (2,), reorders=True), marks=pytest.mark.nightly),
    ],
    ids=lambda world: f"{world.window}-{world.requests}",
)
def test_no_host_is_fooled_where_frames_overtake_each_other(monkeypatch, world):
    """As over a network. Here two late refusals already count as many, so that a host may give up."""
    found = explore(world, monkeypatch)
    assert found.states > 5_000 and found.finished > 100 and not found.stuck


def test_a_late_request_of_a_host_that_had_the_same_number(monkeypatch):
    """The limit of the above: it comes after another host has opened the unused session by that number."""
    with pytest.raises(Fooled):
        explore(World(1, 4, (1, 1), reorders=True), monkeypatch)


class OpensTheOpenSession(BoardSession):
    """As up to version 2 of the protocol: who names the open session has it."""

    def _opens(self, number):
        return number not in (0, self.ended)


class LooksAtTheSequence(BoardSession):
    """Takes a session for unused whose sequence number has begun anew."""

    def _opens(self, number):
        return number not in (0, self.ended) and not (number == self.session and self.expected)


class HasNoTag(Session):
    """Takes the answer to another host's OPEN for its own."""

    def __init__(self, **kwargs):
        super().__init__(tag=0, **kwargs)


class AsksNoMore(Session):
    """Keeps its number where the board says whose it is."""

    def _addressed(self, frame):
        return False


@pytest.mark.parametrize(
    "changed",
    [
        {"board": OpensTheOpenSession},
        {"board": OpensTheOpenSession, "drained": True},
        {"board": LooksAtTheSequence, "drained": True, "requests": (5, 1)},
        {"session": HasNoTag},
    ],
    ids=lambda changed: "-".join(str(getattr(v, "__name__", k)) for k, v in changed.items()),
)
def test_without_it_a_host_is_fooled(monkeypatch, changed):
    with pytest.raises(Fooled):
        explore(World(**({"window": 1, "sequences": 4, "requests": (2, 1)} | changed)), monkeypatch)


def test_host_that_keeps_a_taken_number_is_stuck(monkeypatch):
    assert explore(World(1, 4, (1, 1), session=AsksNoMore), monkeypatch).stuck


def test_hosts_one_after_the_other_have_different_tags():
    tags = [new_tag() for _ in range(1000)]
    assert all((b - a) % SEQUENCES < 1000 and a != b for a, b in zip(tags, tags[1:], strict=False))
    assert len(set(tags)) == 1000 and min(tags) >= 0 and max(tags) < SEQUENCES
