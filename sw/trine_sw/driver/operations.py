"""What a board can be asked to do, as requests and a reader of their replies: the driver without its I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from trine_sw.driver.exchange import Exchange, Request
from trine_sw.driver.requests import BoardState, Requests, Step, seed_of_state
from trine_sw.errors import TrineError
from trine_sw.link.protocol import Command, Want
from trine_sw.link.records import Counters
from trine_sw.link.session import HostCounters, Session
from trine_sw.model import Model
from trine_sw.sampler import seed_state

__all__ = ["Conversation", "Operation"]

T = TypeVar("T")


@dataclass(frozen=True)
class Operation(Generic[T]):
    """A series of requests, and what becomes of their replies' payloads; several may come at once."""

    requests: Iterator[Request | None]
    decode: Callable[[list[bytes]], list[T]]


class Conversation:
    """A session and everything that is asked in it; a front moves the bytes.

    Parameters
    ----------
    model : the model that the board must hold, or None
    where : the board's name in messages
    patience : of :class:`trine_sw.link.session.Session`
    """

    def __init__(self, model: Model | None, where: str, patience: float) -> None:
        self.model, self.where, self.patience = model, where, patience
        self.exchange: Exchange | None = None  # under way
        self.begin()

    def begin(self) -> None:
        """Forget the session there was and make a new one; it is to be opened."""
        self.session = Session(where=self.where, patience=self.patience)
        self.exchange = None
        self._requests: Requests | None = None
        self._generator: int | None = None  # of a state that was put in place

    def opened(self) -> None:
        """The session is open: see whether it is the right board."""
        session = self.session
        assert session.info is not None
        self._requests = Requests(session.info, self.model, lambda: session.payload_limit)

    @property
    def requests(self) -> Requests:
        if self._requests is None:
            raise TrineError(f"{self.where} is not open; reset() opens it again")
        return self._requests

    @property
    def host_counters(self) -> HostCounters:
        return self.session.counters

    def start(self, operation: Operation) -> Exchange:
        """Begin an operation. Raises :exc:`TrineError` where another one is under way."""
        if self.exchange is not None and not self.exchange.done:
            raise TrineError("a stream is under way: take all its steps, or close() it, before anything else")
        self.exchange = Exchange(self.session, operation.requests)
        return self.exchange

    # -- operations ----------------------------------------------------------------------------------

    def reset_state(self) -> Operation[None]:
        """The state is zero before the next token."""
        self._generator = None
        return _one(Command.RESET, lambda payload: [])

    def counters(self) -> Operation[Counters]:
        return _one(Command.COUNTERS, lambda payload: [Requests.decode_counters(payload)])

    def stream(self, tokens: Iterable[ArrayLike], want: Iterable[str]) -> Operation[Step]:
        """A step for each token."""
        requests = self.requests
        names = frozenset((want,) if isinstance(want, str) else want)
        asked = requests.wanted(names)
        requests.batch_size(asked)
        counts: deque[int] = deque()
        return Operation(
            requests.steps(tokens, asked, counts),
            lambda payloads: requests.decode_steps(payloads, counts, asked, names),
        )

    def generate(self, prompt: ArrayLike, count: int, temperature: float, seed: int | None) -> Operation[int]:
        """The tokens that follow a prompt; ``seed`` None goes on with the generator as it is."""
        requests = self.requests
        if seed is None and self._generator is not None:
            seed = seed_of_state(self._generator)
        if not requests.generates:
            return self._generate_on_host(prompt, count, temperature, seed)
        series = requests.generations(prompt, count, temperature, seed)
        self._generator = None
        return Operation(series, _each(lambda payload: requests.codec.unpack_tokens(payload).tolist()))

    def _generate_on_host(
        self, prompt: ArrayLike, count: int, temperature: float, seed: int | None
    ) -> Operation[int]:
        requests = self.requests
        tokens = np.atleast_1d(np.asarray(prompt))
        if not tokens.size or count < 1:
            raise TrineError("a generation needs at least one token to begin with, and a count of at least 1")
        names = frozenset(("logits",))
        asked = requests.wanted(names)
        sampler = requests.sampler(temperature, seed_state(seed or 0))
        counts: deque[int] = deque()
        chosen: list[int] = []

        def series() -> Iterator[Request | None]:
            yield from requests.steps(tokens[:-1], Want(0), deque())
            following: ArrayLike = tokens[-1]
            for index in range(count):
                yield from requests.steps([following], asked, counts)
                while len(chosen) <= index:
                    yield None
                following = chosen[-1]

        def decode(payload: bytes) -> list[int]:
            if not payload:
                return []
            (step,) = requests.decode_steps([payload], counts, asked, names)
            assert step.logits is not None
            chosen.append(sampler.choose(step.logits))
            self._generator = sampler.state
            return chosen[-1:]

        return Operation(series(), _each(decode))

    def read_state(self) -> Operation[BoardState]:
        """The whole state, in one piece with the last reply."""
        requests = self.requests
        pending = len(list(requests.reads()))
        payloads: list[bytes] = []

        def decode(payload: bytes) -> list[BoardState]:
            payloads.append(payload)
            if len(payloads) < pending:
                return []
            state = requests.decode_state(payloads)
            if not requests.generates and self._generator is not None:
                state = BoardState(state.h, state.c, self._generator)
            return [state]

        return Operation(requests.reads(), _each(decode))

    def write_state(self, state: BoardState) -> Operation[None]:
        """Puts a state in place, for the next token and the next generation without a seed."""
        if not isinstance(state, BoardState):
            raise TrineError(f"a state must be a BoardState, as board.state gives it, not {state!r:.40}")
        writes = self.requests.writes(state)
        self._generator = state.generator
        return Operation(writes, _each(lambda payload: []))


def _one(command: Command, decode: Callable[[bytes], list[T]]) -> Operation[T]:
    return Operation(iter([(command, b"")]), _each(decode))


def _each(decode: Callable[[bytes], list[T]]) -> Callable[[list[bytes]], list[T]]:
    return lambda payloads: [result for payload in payloads for result in decode(payload)]
