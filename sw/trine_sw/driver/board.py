"""Driver: a connection to a real, simulated or golden board."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.driver.operations import Conversation, Operation, check_callback
from trine_sw.driver.steps import BoardState, Step, StepBlock
from trine_sw.driver.transports import Transport
from trine_sw.driver.urls import Connect, opening
from trine_sw.driver.windows import SequenceOutput, classes_of, values_of
from trine_sw.engine.placement import ANYWHERE, Place, Placement
from trine_sw.link.board_info import Info
from trine_sw.link.protocol import LinkConfig
from trine_sw.link.records import Counters
from trine_sw.link.session import BoardGone, HostCounters
from trine_sw.model import HeadKind, Model
from trine_sw.support.errors import TrineError

__all__ = ["Board"]

T = TypeVar("T")

_NO_RESULT = "the board answered an operation without its result"


class Board:
    """A board with a recurrent state, driven over its link. Get one by :meth:`open`.

    Contract: each token is applied once, in order, and answers are those of that token, whatever the wire
    does; where that can no longer be promised, :exc:`trine_sw.link.session.BoardGone` is raised. Any
    :exc:`TrineError` leaves a board that can be used: after ``BoardGone`` by :meth:`reset`, otherwise as if
    the call that failed had not been made from the point at which it failed.

    h are int8 trits (H,), logits int32 (V,), cycles those of the board's clock.

    Examples
    --------
    >>> with trine.Board.open("golden:m.trine") as board:
    ...     print(repr(board.model.decode(board.generate(board.model.encode("ROMEO:"), 20))))
    ...     board.reset()
    ...     step = board.step(board.model.encode("W")[0], want=["h", "cycles"])
    ...     print(step.h.shape, step.cycles)
    ...     for block in board.stream_blocks(board.model.encode("hen"), want=["h", "cycles"]):
    ...         print(block.h.shape, block.cycles)
    '\\nWhich are the cant '
    (64,) 13
    (3, 64) [17 16 20]
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
    def open(
        cls,
        url: str,
        model: Model | str | PathLike[str] | None = None,
        *,
        baud: int | None = None,
        patience: float = 5.0,
        embedding: Place | None = None,
        head: Place | None = None,
        most: LinkConfig | None = None,
    ) -> Board:
        """Open a board and begin a stream from the zero state.

        Parameters
        ----------
        url : ``golden:M.trine``, ``verilator:M.trine``, ``icarus:M.trine``, ``socket://host:port``, or a
            serial port such as ``/dev/ttyUSB0``
        model : what the board must hold, a model or its file; needed for what is kept on the host
        baud : of a serial port; default 3,000,000, as most boards are built unless ``trine build --baud``
            says another (``trine ports`` shows the rest). ``/dev/ttyUSB0?baud=1000000`` in ``url`` says
            the same
        patience : seconds of silence after which a board counts as gone; twelve times as long where it is
            heard, but no request gets through
        embedding, head : ``"board"`` or ``"host"``, where they must be. A board of a model file is made so;
            one that is there must have been built so. By default as they are: of a model file on the board,
            where the file has them and the vocabulary is of 4096 symbols at most, except a head beside a
            float one
        most : for a program with less room than the board has: frames in flight, bytes of a frame and bytes
            in flight are no more than those of this :class:`trine_sw.link.protocol.LinkConfig`

        Raises
        ------
        TrineError
            Where there is no such board, it does not answer, it holds another model, or has embedding or head
            in another place.
        """
        placement = Placement(embedding, head)
        board = cls(*opening(url, model, baud, placement), patience, placement, most)
        board._begin()
        return board

    @classmethod
    def connected(
        cls,
        connect: Connect,
        model: Model | None,
        where: str = "the board",
        *,
        patience: float = 5.0,
        most: LinkConfig | None = None,
    ) -> Board:
        """As :meth:`open`, over a transport that ``connect`` makes, anew after the board had gone."""
        board = cls(connect, model, where, patience, most=most)
        board._begin()
        return board

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the port; may be repeated. :meth:`reset` opens it again."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self._conversation.exchange = None

    # -- what it is --------------------------------------------------------------------------------------

    @property
    def info(self) -> Info:
        """What the board says of itself."""
        return self._conversation.requests.info

    @property
    def counters(self) -> Counters:
        """What the board has counted since it was configured."""
        return self._one(self._conversation.counters())

    @property
    def host_counters(self) -> HostCounters:
        """What this side of the link has counted in this session."""
        return self._conversation.host_counters

    # -- what it does ------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Begin a stream from the zero state; connects anew where the board had gone."""
        if self._transport is not None:
            try:
                self._all(self._conversation.reset_state())
                return
            except BoardGone:
                pass
        self._begin()

    def step(self, token: ArrayLike, want: Iterable[str] = ("h",), *, top: int = 0) -> Step:
        """Apply one token, the features (F,) of one step, or one input vector of trits (E,).

        ``want`` are names of :class:`Step`'s fields; for ``top`` see :meth:`stream`.
        """
        return self._one(self._conversation.stream([token], want, top))

    def stream(
        self, tokens: Iterable[ArrayLike], want: Iterable[str] = ("h",), *, top: int = 0
    ) -> Iterator[Step]:
        """Apply tokens one after the other; gives a :class:`Step` for each.

        In place of a token may be the real features (F,) of a step, of which the model's encoder makes trits
        on the host, or an input vector of trits (E,), which are integers. Tokens are taken and sent ahead of
        the steps that are given, several to a frame: for tokens that depend on earlier steps use
        :meth:`step`. A stream that is closed before its end has applied what was sent. An error in one token
        comes after the steps of all tokens before it. With ``top``, ``top_symbols`` and ``top_logits`` of a
        step are the ``top`` largest logits, up to V, which a board with the fast codec chooses by itself.
        """
        return self._run(self._conversation.stream(tokens, want, top))

    def stream_blocks(
        self, tokens: Iterable[ArrayLike], want: Iterable[str] = ("h",), *, top: int = 0
    ) -> Iterator[StepBlock]:
        """As :meth:`stream`, and gives the results as arrays, those of one or several frames at a time.

        A :class:`trine_sw.driver.steps.StepBlock` has a row for each token, in order, and comes as soon as
        their replies have. How many tokens are in one depends on the frames and on the wire;
        ``StepBlock.joined(blocks)`` makes one of all. Where the tokens are an array, (n,), features (n, F) or
        trits (n, E), nothing is done token by token: this is the fastest way through a board.
        """
        return self._run(self._conversation.stream_blocks(tokens, want, top))

    def sequences(
        self,
        sequences: Iterable[ArrayLike],
        *,
        head_kind: HeadKind | None = None,
        top: int = 0,
        counts: bool = False,
    ) -> Iterator[SequenceOutput]:
        """Run each sequence from the zero state; gives its class or labels, its logits and its values.

        The sequences are as :func:`trine_sw.golden.sequences.run_sequences` takes them: features (T, F) or
        trits (T, E), ``T >= 1``. They are taken and sent ahead, so that frames of several are in flight, and
        an error in one comes after the outputs of all before it. ``head_kind`` chooses between two heads.
        With ``top``, the outputs have the ``top`` largest logits in place of all, and with ``counts`` how
        many steps of a sequence chose each class.
        """
        return self._run(self._conversation.windows(sequences, head_kind, top=top, counts=counts))

    def classify(
        self, windows: Iterable[ArrayLike], *, head_kind: HeadKind | None = None, vote: bool = False
    ) -> NDArray[np.int64] | list[NDArray[np.int64]]:
        """The class of each window, int64 (N,); of the task ``"label"``, classes (T,) of each one's steps.

        As :meth:`sequences`, and the board sends nothing but what a class needs. With ``vote``, int64 (N,) in
        any case: the class that most of a window's steps chose, the first of equals. :meth:`regress` is the
        same for a regression.
        """
        found = self._all(self._conversation.windows(windows, head_kind, logits=False, counts=vote))
        return classes_of(self.model, found, vote=vote)

    def regress(
        self, windows: Iterable[ArrayLike], *, head_kind: HeadKind | None = None
    ) -> NDArray[np.float64]:
        """The values of each window, float64 (N, K), of a model of the task ``"regress"``."""
        return values_of(self.model, self._all(self._conversation.windows(windows, head_kind)))

    def generate(
        self,
        prompt: ArrayLike,
        count: int,
        temperature: float = 0.0,
        seed: int | None = 0,
        *,
        on_choice: Callable[[int], None] | None = None,
    ) -> NDArray[np.int64]:
        """Apply a prompt (P,) and return the ``count`` tokens that follow; each is told to ``on_choice``.

        The last of them is not applied. Temperature 0 takes the likeliest; the same seed gives the same
        tokens on every board, and None goes on with the random numbers of the generation before: at
        first those of seed 0.
        """
        check_callback(on_choice)
        chosen = []
        for token in self._run(self._conversation.generate(prompt, count, temperature, seed)):
            chosen.append(token)
            if on_choice:
                on_choice(token)
        return np.array(chosen, np.int64)

    @property
    def state(self) -> BoardState:
        """The state after the last token. Set it to go on from there, on this board or another."""
        return self._one(self._conversation.read_state())

    @state.setter
    def state(self, state: BoardState) -> None:
        self._all(self._conversation.write_state(state))

    # -- bytes ---------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.close()
        self._transport = self._connect()
        conversation = self._conversation
        conversation.begin()
        session = conversation.session
        clock = self._transport.clock
        session.open(clock())
        try:
            while session.info is None:
                deadline = session.deadline()
                assert deadline is not None
                self._move(session.output(), deadline - clock(), session.receive)
                session.tick(clock())
            conversation.opened()
        except BaseException:
            self.close()
            raise

    def _move(self, out: bytes, wait: float, take: Callable[[bytes, float], list[T]]) -> list[T]:
        """Write, read, and hand over what was read."""
        if self._transport is None:
            raise BoardGone(f"{self._conversation.where} is closed; reset() opens it again")
        try:
            if out:
                self._transport.write(out)
            data = self._transport.read(max(wait, 0))
        except OSError as error:
            self.close()
            raise BoardGone(
                f"{self._conversation.where} has gone ({error}); once it is back, reset() begins anew"
            ) from None
        return take(data, self._transport.clock())

    def _run(self, operation: Operation[T]) -> Iterator[T]:
        """An operation's results as they come."""
        exchange = self._conversation.exchange_of(operation)
        clock = self._transport.clock if self._transport else time.monotonic
        try:  # from before it is under way, so that Ctrl-C at any point ends it
            self._conversation.start(exchange)
            while not exchange.done:
                self._conversation.check(exchange)
                out = exchange.outgoing(clock())
                yield from operation.decode(self._move(out, exchange.wait(clock()), exchange.incoming))
        finally:
            exchange.done = True

    def _all(self, operation: Operation[T]) -> list[T]:
        return list(self._run(operation))

    def _one(self, operation: Operation[T]) -> T:
        results = self._all(operation)
        if len(results) != 1:
            raise TrineError(_NO_RESULT)
        return results[0]
