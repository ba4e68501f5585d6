"""Encoding of tokens as requests, and of replies as steps."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.driver.exchange import Request
from trine_sw.driver.step_decoder import StepDecoder
from trine_sw.driver.steps import WANTS, BoardState
from trine_sw.golden import Golden
from trine_sw.golden.sampler import Sampler, tau_code
from trine_sw.link.board_info import Info, level_values
from trine_sw.link.protocol import Command, Want
from trine_sw.link.records import CELL_BYTES, GENERATE_BYTES, Codec, Counters, impossible_cells
from trine_sw.link.step_records import Asking, pack_asking
from trine_sw.model import Model
from trine_sw.model.inputs import input_trits, is_of_features
from trine_sw.model.trits import pack
from trine_sw.support.checks import integer, integer_array, shown
from trine_sw.support.errors import TrineError

__all__ = ["Requests"]

#: Most tokens of a generation in one frame: choices are shown while the next ones are made.
_GENERATE_AT_ONCE = 64
#: Tokens of an array that are encoded together, at least, if they fill frames.
_ENCODED_AT_ONCE = 1024

#: How many tokens were encoded together, their bytes, and the samples (n, F) of features.
_Encoded = tuple[int, bytes, "NDArray[np.int16] | None"]


class Requests:
    """Builds requests for a board and reads its replies.

    Parameters
    ----------
    info : of the board.
    model : its model; without one, nothing can be kept on the host, and head inputs have no values.
    limit : the longest payload that suits the wire now.

    Members
    -------
    previous : samples int16 (F,) of the step before the next, for an encoder of differences; None at first
    limit : tells the longest payload that suits the wire now
    decode_steps : :meth:`trine_sw.driver.step_decoder.StepDecoder.decode`

    Raises
    ------
    TrineError
        Where the board holds another model than ``model``, or one is needed and not given.
    """

    def __init__(self, info: Info, model: Model | None, limit: Callable[[], int] | None = None) -> None:
        self.limit = limit or (lambda: info.link.max_payload)
        if model is not None:
            given = model.board_digest(embedding=info.embedding_on_board, head=info.head_on_board)
            if given != info.digest:
                raise TrineError(
                    f"the board holds another model (digest {info.digest.hex()[:12]}…, {info.hidden} units) "
                    f"than the one given ({given.hex()[:12]}…, {model.config.hidden} units): give the file "
                    "that its bitstream was built from, or build and load one from this file"
                )
        self.info, self.model, self.codec = info, model, Codec(info)
        self._golden = Golden(model) if model and model.head_weight is not None else None
        levels = level_values(model.config) if model else ()
        self.decode_steps = StepDecoder(self.codec, levels, self._golden).decode
        self._table: NDArray[np.uint8] | None = None
        if not info.embedding_on_board and model and model.embedding_weight is not None:
            self._table = pack(model.embedding_weight)
        self.previous: NDArray[np.int16] | None = None

    # -- steps -----------------------------------------------------------------------------------------

    def wanted(self, names: frozenset[str], top: int = 0) -> Asking:
        """What the board must send so that the host has these of :data:`WANTS`, and the ``top`` largest
        logits."""
        if unknown := names - set(WANTS):
            raise TrineError(f"a step gives {', '.join(WANTS)}, not {min(map(shown, unknown))}")
        asked = reduce(lambda flags, name: flags | Want[name.upper()], names, Want(0))
        by_board = 0
        if integer(top, "top", 0, self.info.vocab_size):
            by_board = top if self.gives_top(top) and not asked & (Want.H | Want.U | Want.LOGITS) else 0
            asked |= Want(0) if by_board else Want.LOGITS
        if asked & (Want.LOGITS | Want.CHOICE) and not self.info.head_on_board:
            if self._golden is None:
                raise TrineError("the board has no head: give the model that has one, Board.open(url, model)")
            asked = asked & ~(Want.LOGITS | Want.CHOICE) | Want.U
        if Want.U in asked:
            if self.model is None:
                raise TrineError("head inputs need the model's levels: Board.open(url, model)")
            asked &= ~Want.H  # u tells h
        return Asking(asked, top=by_board)

    def gives_top(self, top: int) -> bool:
        """Whether the board gives so many largest logits, in fewer bytes than all of them take."""
        codec = self.codec
        return 0 < top <= self.info.top and top * codec.top_bytes < codec.sizes[Want.LOGITS]

    def batch_size(self, asked: Asking) -> int:
        """Tokens of one request, at least one."""
        return self.sizes(asked)()

    def sizes(self, asked: Asking) -> Callable[[], int]:
        """Tells, each time, how many tokens suit one request now: :meth:`batch_size`."""
        record, item = self.codec.record_bytes(*asked), self.codec.item_bytes
        most, head = self.info.link.max_payload, len(pack_asking(asked))
        if record > most:
            raise TrineError(
                f"one token's answer takes {record} bytes, and the board's frames hold {most}: ask for less"
            )

        def size() -> int:
            room = self.limit()
            return max(1, min((room - head) // item, room // record if record else room))

        return size

    def steps(self, tokens: Iterable[ArrayLike], asked: Asking, counts: deque[int]) -> Iterator[Request]:
        """Requests for tokens, for features or for input vectors of trits; notes how many are in each.

        An array is encoded many frames at a time, anything else as it is taken, a frame at a time.
        """
        head, item, size = pack_asking(asked), self.codec.item_bytes, self.sizes(asked)
        for count, items, samples in self._encoded(tokens, size):
            start = 0
            while start < count:
                end = min(start + size(), count)
                counts.append(end - start)
                yield Command.STEP, head + items[start * item : end * item]
                if samples is not None:  # it is asked for the next one: this one was sent
                    self.previous = samples[end - 1]
                start = end

    def _encoded(self, tokens: Iterable[ArrayLike], size: Callable[[], int]) -> Iterator[_Encoded]:
        if not isinstance(tokens, np.ndarray):
            iterator = iter(tokens)
            while batch := list(islice(iterator, size())):
                yield from self._frame(batch)
            return
        start = 0
        while start < len(tokens):
            most = size()
            part = tokens[start : start + most * max(1, _ENCODED_AT_ONCE // most)]
            start += len(part)
            try:
                encoded = self._items(part)
            except TrineError:
                # Which token is wrong is found frame by frame; those before it are sent.
                for at in range(0, len(part), most):
                    yield from self._frame(part[at : at + most])
            else:
                yield len(part), *encoded

    def _frame(self, batch: Sequence[ArrayLike] | NDArray[Any]) -> Iterator[_Encoded]:
        """The tokens of a frame; where one is wrong, each token before it alone, and then the error."""
        try:
            encoded = self._items(batch)
        except TrineError:
            for good in range(len(batch)):
                yield 1, *self._items(batch[good : good + 1])
            raise
        yield len(batch), *encoded

    def items(self, batch: Sequence[ArrayLike] | NDArray[Any]) -> bytes:
        """Tokens (n,), features (n, F) or input vectors (n, E) as the board takes them."""
        return self._items(batch)[0]

    def _items(self, batch: Any) -> tuple[bytes, NDArray[np.int16] | None]:
        """:meth:`items`, and the samples (n, F) of features of which :attr:`previous` is to be kept."""
        try:
            values = np.asarray(batch)
        except (ValueError, OverflowError):
            raise TrineError(f"input vectors must all have {self.info.embedding} trits") from None
        if is_of_features(values) and self.model is not None and self.model.encoder is not None:
            trits, samples = input_trits(self.model, values, self.previous)
            return pack(trits).tobytes(), samples
        return self._plain_items(values), None

    def _plain_items(self, values: NDArray[Any]) -> bytes:
        if values.dtype.kind not in "iu":
            raise TrineError(f"tokens must be whole numbers, not {values.dtype}")
        if values.ndim == 1:
            return self._tokens(values)
        if values.ndim != 2 or values.shape[1] != self.info.embedding:
            raise TrineError(
                f"an input vector must have {self.info.embedding} trits, not {values.shape[1:]} values"
            )
        if self.info.embedding_on_board:
            raise TrineError("the board embeds tokens itself: give token numbers, not vectors")
        if values.min() < -1 or values.max() > 1:
            raise TrineError("an input vector must hold -1, 0 and +1 only")
        return pack(values).tobytes()

    def _tokens(self, values: NDArray[np.integer]) -> bytes:
        info = self.info
        if not info.embedding_on_board and self._table is None:
            raise TrineError("the board takes vectors: give them, or the model with its embedding")
        if values.min() < 0 or values.max() >= info.vocab_size:
            wrong = values[(values < 0) | (values >= info.vocab_size)][0]
            raise TrineError(f"token {wrong} is out of range: the model has {info.vocab_size} symbols")
        return (
            self.codec.pack_tokens(values)
            if self._table is None
            else self._table.take(values, axis=0).tobytes()
        )

    # -- generation ------------------------------------------------------------------------------------

    @property
    def generates(self) -> bool:
        """Whether the board generates by itself."""
        return self.info.embedding_on_board and self.info.head_on_board

    @property
    def head_scale(self) -> float:
        """Real logits are this times the integer ones."""
        scale = self.info.head_scale or (self.model.head_scale if self.model else None)
        if not scale:
            raise TrineError("neither the board nor the model given has a ternary head: it cannot generate")
        return scale

    def sampler(self, temperature: float, generator: int) -> Sampler:
        """The sampler of a host that generates."""
        sampler = Sampler(self.head_scale, temperature, 0)
        sampler.state = generator
        return sampler

    def prompt(self, prompt: ArrayLike) -> NDArray[np.integer]:
        """A prompt's tokens (P,), or vectors (P, E); raises :exc:`TrineError` for what no board takes."""
        try:
            tokens = np.atleast_1d(np.asarray(prompt))
        except (ValueError, TypeError, OverflowError):
            raise TrineError(f"a prompt must be tokens (P,), not {shown(prompt)}") from None
        if not tokens.size:
            raise TrineError("the prompt must be at least one token")
        self.items(tokens)
        return tokens

    def generations(
        self, tokens: NDArray[np.integer], count: int, temperature: float, seed: int | None
    ) -> Iterator[Request]:
        """Requests that apply a :meth:`prompt` and have ``count`` tokens follow."""
        return self._generations(tokens, count, tau_code(temperature, self.head_scale), seed)

    def _generations(
        self, tokens: NDArray[np.integer], count: int, tau: int, seed: int | None
    ) -> Iterator[Request]:
        yield from self.steps(tokens[:-1], Asking(Want(0)), deque())
        most = min(_GENERATE_AT_ONCE, self.info.link.max_payload // self.codec.token_bytes)
        for made in range(0, count, most):
            flags = 2 if made else int(seed is not None)
            head = struct.pack("<HHBI", min(most, count - made), tau, flags, seed or 0)
            assert len(head) == GENERATE_BYTES
            yield Command.GENERATE, head + self.codec.pack_tokens(np.array([0]) if made else tokens[-1:])

    # -- state and counters ----------------------------------------------------------------------------

    def reads(self) -> Iterator[Request]:
        """Requests for the whole state."""
        most = (self.info.link.max_payload - 4) // CELL_BYTES
        for first in range(0, self.info.cells, most):
            yield Command.READ, struct.pack("<HH", first, min(most, self.info.cells - first))

    def decode_state(self, payloads: list[bytes]) -> BoardState:
        """The state in the replies to :meth:`reads`."""
        cells = np.frombuffer(b"".join(payload[4:] for payload in payloads), np.int8).reshape(-1, CELL_BYTES)
        return BoardState(cells[:, 1].copy(), cells[:, 0].copy(), int.from_bytes(payloads[-1][:4], "little"))

    def writes(self, state: BoardState) -> Iterator[Request]:
        """Requests that put a state in place; raises :exc:`TrineError` for one that no cell can have."""
        info = self.info
        h = integer_array(state.h, "a state's h", f"({info.cells},)", (1,))
        c = integer_array(state.c, "a state's c", f"({info.cells},)", (1,))
        if h.shape != (info.cells,) or c.shape != (info.cells,):
            raise TrineError(f"a state of this board has {info.cells} cells, not {h.shape} and {c.shape}")
        if max(abs(int(bound)) for part in (h, c) for bound in (part.min(), part.max())) > info.cell_max:
            raise TrineError(f"this is no state of the board's model: its cells go to {info.cell_max}")
        # Of an unknown model's cells, which may have an output gate, the board knows better.
        gated = self.model is None or self.model.config.spec.output_gate
        if impossible_cells(c, h, info.cell_max, info.output_shift, gated=gated).any():
            raise TrineError("this is no state of the board's model: a cell is out of range, or h against c")
        return self._writes(np.stack([c, h], axis=1).astype(np.int8))

    def _writes(self, cells: NDArray[np.int8]) -> Iterator[Request]:
        most = (self.info.link.max_payload - 2) // CELL_BYTES
        for first in range(0, len(cells), most):
            yield Command.WRITE, struct.pack("<H", first) + cells[first : first + most].tobytes()

    @staticmethod
    def decode_counters(payload: bytes) -> Counters:
        """The counters in a reply."""
        return Counters(*struct.unpack(f"<{len(payload) // 4}I", payload))
