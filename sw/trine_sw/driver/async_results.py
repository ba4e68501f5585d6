"""Results of an operation for a coroutine that may stop at any point."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, TypeVar

from trine_sw.driver.exchange import Exchange
from trine_sw.support.errors import TrineError

__all__ = ["AsyncResults"]

T = TypeVar("T")


class AsyncResults(AsyncIterator[T], Generic[T]):
    """Results as they come.

    Contract: it ends where ``async for`` does. Where that is left early by ``break``, an exception, or a task
    that is cancelled, the operation is given up at once, and the board may be used. (An asynchronous
    generator would be told only when the event loop comes round to it.) One that is kept under a name is
    under way until it is at its end or :meth:`aclose` is called, as a generator is.

    Parameters
    ----------
    start : begins the operation, when the first result is asked for
    move : sends, waits, receives, and gives the results that are complete
    """

    def __init__(self, start: Callable[[], Exchange], move: Callable[[Exchange], Awaitable[list[T]]]) -> None:
        self._start, self._move = start, move
        self._exchange: Exchange | None = None
        self._ready: deque[T] = deque()
        self._closed = self._waiting = False

    def __aiter__(self) -> AsyncResults[T]:
        return self

    async def __anext__(self) -> T:
        if self._waiting:
            raise TrineError("another task is waiting for this stream's next step: one at a time")
        if self._closed:
            raise StopAsyncIteration
        try:
            self._waiting = True
            if self._exchange is None:
                self._exchange = self._start()
            while not self._ready and not self._exchange.done:
                self._ready.extend(await self._move(self._exchange))
        except BaseException:
            self._end()
            raise
        finally:
            self._waiting = False
        if self._ready:
            return self._ready.popleft()
        self._end()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Give the operation up; may be repeated."""
        self._end()

    def __del__(self) -> None:
        self._end()

    def _end(self) -> None:
        self._closed = True
        self._ready.clear()
        if self._exchange is not None:
            self._exchange.done = True
