"""Driver for asyncio: the operations of ``Board`` in the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from os import PathLike
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.driver.async_results import AsyncResults
from trine_sw.driver.exchange import Exchange
from trine_sw.driver.operations import Conversation, Operation, check_callback
from trine_sw.driver.steps import BoardState, Step, StepBlock
from trine_sw.driver.transports import Transport
from trine_sw.driver.urls import Connect, opening
from trine_sw.driver.windows import SequenceOutput, classes_of, values_of
from trine_sw.engine.placement import ANYWHERE, Place, Placement
from trine_sw.link.board_info import Info
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.records import Counters
from trine_sw.link.session import BoardGone
from trine_sw.model import HeadKind, Model
from trine_sw.support.errors import TrineError

__all__ = ["AsyncBoard"]

T = TypeVar("T")


class AsyncBoard:
    """:class:`trine_sw.driver.board.Board` with coroutines in place of calls; its contract is the same.

    ``async with await AsyncBoard.open(url) as board: ...``. A task that is cancelled in the middle of an
    operation leaves the board as a stream that was closed: what was sent has been applied.

    Examples
    --------
    >>> async def text():
    ...     async with await trine.AsyncBoard.open("golden:m.trine") as board:
    ...         chosen = await board.generate(board.model.encode("ROMEO:"), 20)
    ...         return board.model.decode(chosen)
    >>> asyncio.run(text())
    '\\nWhich are the cant '
    """

    def __init__(
        self,
        connect: Connect,
        model: Model | None,
        where: str,
        patience: float,
        placement: Placement = ANYWHERE,
        most: LinkConfig | None = None,
    ) -> None:
        self.model = model
        self._connect = connect
        self._transport: Transport | None = None
        self._conversation = Conversation(model, where, patience, placement, most)

    @classmethod
    async def open(
        cls,
        url: str,
        model: Model | str | PathLike[str] | None = None,
        *,
        baud: int | None = None,
        patience: float = 5.0,
        embedding: Place | None = None,
        head: Place | None = None,
        most: LinkConfig | None = None,
    ) -> AsyncBoard:
        """As :meth:`trine_sw.driver.board.Board.open`."""
        placement = Placement(embedding, head)
        board = cls(*opening(url, model, baud, placement), patience, placement, most)
        await board._begin()
        return board

    async def __aenter__(self) -> AsyncBoard:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the port; may be repeated."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self._conversation.exchange = None

    @property
    def info(self) -> Info:
        """What the board says of itself."""
        return self._conversation.requests.info

    async def counters(self) -> Counters:
        """What the board has counted since it was configured."""
        return await self._one(self._conversation.counters())

    async def reset(self) -> None:
        """Begin a stream from the zero state; connects anew where the board had gone."""
        if self._transport is not None:
            try:
                await self._all(self._conversation.reset_state())
                return
            except BoardGone:
                pass
        await self._begin()

    async def step(self, token: ArrayLike, want: Iterable[str] = ("h",), *, top: int = 0) -> Step:
        """Apply one token, the features (F,) of one step, or one input vector of trits (E,)."""
        return await self._one(self._conversation.stream([token], want, top))

    def stream(
        self, tokens: Iterable[ArrayLike], want: Iterable[str] = ("h",), *, top: int = 0
    ) -> AsyncResults[Step]:
        """Apply tokens one after the other; gives a :class:`Step` for each.

        ``async for`` may be left at any point: what was sent has been applied.
        """
        return self._run(self._conversation.stream(tokens, want, top))

    def stream_blocks(
        self, tokens: Iterable[ArrayLike], want: Iterable[str] = ("h",), *, top: int = 0
    ) -> AsyncResults[StepBlock]:
        """As :meth:`stream`, with arrays for results: :meth:`trine_sw.driver.board.Board.stream_blocks`."""
        return self._run(self._conversation.stream_blocks(tokens, want, top))

    def sequences(
        self,
        sequences: Iterable[ArrayLike],
        *,
        head_kind: HeadKind | None = None,
        top: int = 0,
        counts: bool = False,
    ) -> AsyncResults[SequenceOutput]:
        """Run each sequence from the zero state, as :meth:`trine_sw.driver.board.Board.sequences`."""
        return self._run(self._conversation.windows(sequences, head_kind, top=top, counts=counts))

    async def classify(
        self, windows: Iterable[ArrayLike], *, head_kind: HeadKind | None = None, vote: bool = False
    ) -> NDArray[np.int64] | list[NDArray[np.int64]]:
        """The class of each window, as :meth:`trine_sw.driver.board.Board.classify`."""
        found = await self._all(self._conversation.windows(windows, head_kind, logits=False, counts=vote))
        return classes_of(self.model, found, vote=vote)

    async def regress(
        self, windows: Iterable[ArrayLike], *, head_kind: HeadKind | None = None
    ) -> NDArray[np.float64]:
        """The values of each window, float64 (N, K), of a model of the task ``"regress"``."""
        return values_of(self.model, await self._all(self._conversation.windows(windows, head_kind)))

    async def generate(
        self,
        prompt: ArrayLike,
        count: int,
        temperature: float = 0.0,
        seed: int | None = 0,
        *,
        on_choice: Callable[[int], None] | None = None,
    ) -> NDArray[np.int64]:
        """Apply a prompt (P,) and return the ``count`` tokens that follow."""
        check_callback(on_choice)
        chosen = []
        async for token in self._run(self._conversation.generate(prompt, count, temperature, seed)):
            chosen.append(token)
            if on_choice:
                on_choice(token)
        return np.array(chosen, np.int64)

    async def read_state(self) -> BoardState:
        """The state after the last token."""
        return await self._one(self._conversation.read_state())

    async def write_state(self, state: BoardState) -> None:
        """Go on from a state."""
        await self._all(self._conversation.write_state(state))

    async def _begin(self) -> None:
        self.close()
        self._transport = await _connected(self._connect)
        conversation = self._conversation
        conversation.begin()
        session = conversation.session
        clock = self._transport.clock
        session.open(clock())
        try:
            while session.info is None:
                deadline = session.deadline()
                assert deadline is not None
                await self._move(session.output(), deadline - clock(), session.receive)
                session.tick(clock())
            conversation.opened()
        except BaseException:
            self.close()
            raise

    async def _move(self, out: bytes, wait: float, take: Callable[[bytes, float], list[T]]) -> list[T]:
        transport = self._transport
        if transport is None:
            raise BoardGone(f"{self._conversation.where} is closed; reset() opens it again")
        try:
            if out:
                transport.write(out)
            await _readable(transport, wait)
            data = transport.read(0)
        except OSError as error:
            self.close()
            raise BoardGone(
                f"{self._conversation.where} has gone ({error}); once it is back, reset() begins anew"
            ) from None
        return take(data, transport.clock())

    def _run(self, operation: Operation[T]) -> AsyncResults[T]:
        async def move(exchange: Exchange) -> list[T]:
            self._conversation.check(exchange)
            clock = self._transport.clock if self._transport else time.monotonic
            out = exchange.outgoing(clock())
            return operation.decode(await self._move(out, exchange.wait(clock()), exchange.incoming))

        conversation = self._conversation
        return AsyncResults(lambda: conversation.start(conversation.exchange_of(operation)), move)

    async def _all(self, operation: Operation[T]) -> list[T]:
        return [result async for result in self._run(operation)]

    async def _one(self, operation: Operation[T]) -> T:
        results = await self._all(operation)
        if len(results) != 1:
            raise TrineError("the board answered an operation without its result")
        return results[0]


async def _connected(connect: Connect) -> Transport:
    """A transport; one that is there only after this task was cancelled is closed again."""
    given_up = threading.Event()

    def work() -> Transport:
        transport = connect()
        if given_up.is_set():
            transport.close()
        return transport

    def close(made: asyncio.Future[Transport]) -> None:
        if not made.cancelled() and made.exception() is None:
            made.result().close()

    connecting = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        given_up.set()
        connecting.add_done_callback(close)
        raise


async def _readable(transport: Transport, timeout: float) -> None:
    """Wait until the transport can be read, or for so many seconds."""
    descriptor = transport.fileno()
    if descriptor is None or timeout <= 0:
        await asyncio.sleep(0)
        return
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await asyncio.wait_for(ready.wait(), timeout)
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(descriptor)
