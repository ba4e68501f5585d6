"""Operations of a board as requests and readers of their replies, without I/O."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.driver.exchange import Exchange, Request
from trine_sw.driver.requests import Requests
from trine_sw.driver.steps import WANTS, BoardState, Step, StepBlock, seed_of_state
from trine_sw.driver.windows import SequenceOutput, Windows
from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.golden import MAX_COUNT
from trine_sw.golden.sampler import STATE_SEED_0, seed_state
from trine_sw.link.protocol import Command, LinkConfig, Want
from trine_sw.link.records import Counters
from trine_sw.link.session import BoardGone, HostCounters, Session
from trine_sw.link.step_records import Asking
from trine_sw.model import HeadKind, Model
from trine_sw.support.checks import finite_real, integer, shown
from trine_sw.support.errors import TrineError

__all__ = ["Conversation", "Operation", "check_callback"]

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
    placement : where the board must have embedding and head
    most : of :class:`trine_sw.link.session.Session`
    """

    def __init__(
        self,
        model: Model | None,
        where: str,
        patience: float,
        placement: Placement = ANYWHERE,
        most: LinkConfig | None = None,
    ) -> None:
        self.model, self.where, self._placement, self._most = model, where, placement, most
        if most is not None and not isinstance(most, LinkConfig):
            raise TrineError(f"most must be a LinkConfig, the buffers of this side, not {shown(most)}")
        endless = isinstance(patience, float) and patience == math.inf
        self.patience = math.inf if endless else finite_real(patience, "patience")
        if self.patience <= 0:
            raise TrineError(f"patience must be more than 0 seconds, not {shown(patience)}")
        self.exchange: Exchange | None = None  # under way
        self.begin()

    def begin(self) -> None:
        """Forget the session there was and make a new one; it is to be opened."""
        self.session = Session(where=self.where, patience=self.patience, most=self._most)
        self.exchange = None
        self._requests: Requests | None = None
        # Of a state that was put in place; at first seed 0's, whatever a host before this one has left there.
        self._generator: int | None = STATE_SEED_0

    def opened(self) -> None:
        """The session is open: see whether it is the right board."""
        session = self.session
        assert (info := session.info) is not None
        for name, wanted, on_board in (
            ("embedding", self._placement.embedding, info.embedding_on_board),
            ("head", self._placement.head, info.head_on_board),
        ):
            there = "board" if on_board else "host"
            if wanted is not None and wanted != there:
                raise TrineError(
                    f"{self.where} has its {name} on the {there}, not on the {wanted}: ask for it there, or "
                    f"load a bitstream of trine build --{name} {wanted}"
                )
        self._requests = Requests(info, self.model, lambda: session.payload_limit)

    @property
    def requests(self) -> Requests:
        if self._requests is None:
            raise TrineError(f"{self.where} is not open; reset() opens it again")
        return self._requests

    @property
    def host_counters(self) -> HostCounters:
        return self.session.counters

    def exchange_of(self, operation: Operation) -> Exchange:
        """The exchange of an operation, to be started."""
        return Exchange(self.session, operation.requests)

    def start(self, exchange: Exchange) -> Exchange:
        """Begin an exchange, which is under way until it is done; the same one is returned.

        Raises :exc:`TrineError` where another one is under way.
        """
        if self.exchange is not None and not self.exchange.done:
            raise TrineError(
                "a stream is under way: take all its steps, or close() it (aclose() in a coroutine), before "
                "anything else"
            )
        exchange.begin()
        self.exchange = exchange
        return exchange

    def check(self, exchange: Exchange) -> None:
        """Raises :exc:`BoardGone` where a stream was begun before the board was closed or opened again."""
        if self.exchange is not exchange:
            raise BoardGone(f"{self.where} was closed: this stream is over; reset() begins a new one")

    # -- operations ----------------------------------------------------------------------------------

    def reset_state(self) -> Operation[None]:
        """The state is zero before the next token."""
        self._generator = None
        if self._requests is not None:
            self._requests.previous = None
        return _one(Command.RESET, lambda payload: [])

    def counters(self) -> Operation[Counters]:
        return _one(Command.COUNTERS, lambda payload: [Requests.decode_counters(payload)])

    def stream(self, tokens: Iterable[ArrayLike], want: Iterable[str], top: int = 0) -> Operation[Step]:
        """A step for each token."""
        blocks = self.stream_blocks(tokens, want, top)
        return Operation(blocks.requests, lambda payloads: list(chain.from_iterable(blocks.decode(payloads))))

    def stream_blocks(
        self, tokens: Iterable[ArrayLike], want: Iterable[str], top: int = 0
    ) -> Operation[StepBlock]:
        """The steps of all tokens whose replies have come, each time that some have."""
        requests = self.requests
        names = _names(want)
        asked = requests.wanted(names, top)
        requests.batch_size(asked)
        counts: deque[int] = deque()

        def decode(payloads: list[bytes]) -> list[StepBlock]:
            block = requests.decode_steps(payloads, counts, asked, names, top)
            return [block] if block.count else []

        return Operation(requests.steps(_iterable(tokens), asked, counts), decode)

    def windows(
        self,
        sequences: Iterable[ArrayLike],
        head_kind: HeadKind | None,
        *,
        logits: bool = True,
        top: int = 0,
        counts: bool = False,
    ) -> Operation[SequenceOutput]:
        """The output of each sequence, from the zero state on; without ``logits``, what a class needs.

        With ``top``, the largest logits in place of all; with ``counts``, how many steps chose each class.
        """
        if self.model is None:
            raise TrineError("outputs of sequences need the model: Board.open(url, model)")
        windows = Windows(self.requests, self.model, head_kind, logits=logits, top=top, counts=counts)
        return Operation(windows.series(sequences), windows.decode)

    def generate(self, prompt: ArrayLike, count: int, temperature: float, seed: int | None) -> Operation[int]:
        """The tokens that follow a prompt; ``seed`` None goes on with the generator as it is."""
        requests = self.requests
        tokens, count = requests.prompt(prompt), integer(count, "the count", 1, MAX_COUNT)
        if seed is None and self._generator is not None:
            seed = seed_of_state(self._generator)
        elif seed is not None:
            seed = integer(seed, "the seed", 0, 0xFFFFFFFF)
        if not requests.generates:
            return self._generate_on_host(tokens, count, temperature, 0 if seed is None else seed)
        made = requests.generations(tokens, count, temperature, seed)

        def series() -> Iterator[Request]:
            for request in made:
                if request[0] is Command.GENERATE:
                    self._generator = None  # from here on the board has its own
                yield request

        return Operation(series(), _each(lambda payload: requests.codec.unpack_tokens(payload).tolist()))

    def _generate_on_host(
        self, tokens: NDArray[np.integer], count: int, temperature: float, seed: int
    ) -> Operation[int]:
        requests = self.requests
        names = frozenset(("logits",))
        asked = requests.wanted(names)
        requests.batch_size(asked)
        requests.items(np.zeros(1, np.int64))  # a choice can be applied: its embedding is at hand
        sampler = requests.sampler(temperature, seed_state(seed))
        counts: deque[int] = deque()
        chosen: list[int] = []

        def series() -> Iterator[Request | None]:
            yield from requests.steps(tokens[:-1], Asking(Want(0)), deque())
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
            if self._generator is not None:  # one that the next generation begins with
                state = replace(state, generator=self._generator)
            return [replace(state, sample=requests.previous)]

        return Operation(requests.reads(), _each(decode))

    def write_state(self, state: BoardState) -> Operation[None]:
        """Puts a state in place, for the next token and the next generation without a seed."""
        if not isinstance(state, BoardState):
            raise TrineError(f"a state must be a BoardState, as board.state gives it, not {shown(state)}")
        requests = self.requests
        writes = list(requests.writes(state))
        generator = integer(state.generator, "the state's generator", 0, 0xFFFFFFFF)
        left = len(writes)

        def decode(payload: bytes) -> list[None]:
            nonlocal left
            left -= 1
            if not left:  # the state is in place
                self._generator, requests.previous = generator, state.sample
            return []

        return Operation(iter(writes), _each(decode))


def check_callback(on_choice: object) -> None:
    """Raises :exc:`TrineError` for what cannot be told choices."""
    if on_choice is not None and not callable(on_choice):
        raise TrineError(f"on_choice must be a function of a choice, or None, not {shown(on_choice)}")


def _names(want: Iterable[str]) -> frozenset[str]:
    try:
        return frozenset((want,) if isinstance(want, str) else want)
    except (TypeError, ValueError):  # not iterable, or names that have no hash
        raise TrineError(f"want must be names of {', '.join(WANTS)}, not {shown(want)}") from None


def _iterable(tokens: Iterable[ArrayLike]) -> Iterable[ArrayLike]:
    if isinstance(tokens, np.ndarray) and tokens.ndim:
        return tokens  # is cut, not gone through one by one
    try:
        return iter(tokens)
    except TypeError:
        raise TrineError(
            f"tokens must be a sequence or another iterable, not {shown(tokens)}; one token goes to step()"
        ) from None


def _one(command: Command, decode: Callable[[bytes], list[T]]) -> Operation[T]:
    return Operation(iter([(command, b"")]), _each(decode))


def _each(decode: Callable[[bytes], list[T]]) -> Callable[[list[bytes]], list[T]]:
    return lambda payloads: [result for payload in payloads for result in decode(payload)]
