"""Requests of every kind for a board, valid and faulty, as a host might send them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from trine_sw.engine import Geometry
from trine_sw.link.board_model import BoardModel
from trine_sw.link.items import Segment, pack_segment
from trine_sw.link.protocol import (
    PROTOCOL_VERSION,
    SEQUENCES,
    Command,
    Feature,
    Form,
    Frame,
    Want,
    encode,
)
from trine_sw.link.records import CELL_BYTES
from trine_sw.model.trits import pack

__all__ = ["Requests"]


class _Most(NamedTuple):
    """What a request holds at most: tokens, tokens to generate, sequences and steps of one, and cells."""

    tokens: int
    generated: int
    sequences: int
    steps: int
    cells: int


#: Bytes by which a frame is longer than there is room for, of a request that is too long: a datagram of
#: Ethernet still carries it.
_BEYOND = 64
_MOST, _MOST_BRIEF = _Most(4, 12, 4, 3, 1 << 16), _Most(1, 2, 1, 2, 4)


class Requests:
    """Requests of every kind, as a host might send them, with and without faults; the same for a seed.

    The first :attr:`SCRIPT` show each kind once, the rest is random. Each is answered by one frame. `brief`
    requests are short, and :attr:`BRIEF` come first. The model is given each request before the next is made:
    one that is refused is followed by RESUME, and a state that no frame holds comes in several.

    Members
    -------
    shown : whether all kinds of the script have come
    """

    #: Kinds of request, in the order in which they come first; and those of a board that can be asked for
    #: little, where the first two show clock, link and engine.
    SCRIPT = (
        *("info", "early", "open", "counters", "step h", "step u", "step cycles", "step logits"),
        *("step choice", "step all", "read", "generate", "sample", "read", "bad crc", "gap", "repeat"),
        *("step all", "bad token", "halted", "resume", "write", "read", "step all", "bad value", "resume"),
        *("reset", "step all", "reopen", "step all", "late", "counters"),
    )
    BRIEF = (
        *("open", "step choice", "step all", "generate", "bad crc", "step all", "read", "gap", "repeat"),
        *("counters", "reset", "step all", "bad token", "halted", "resume", "step all"),
    )
    _LATER = (
        *(6 * ("step all",)),
        *(3 * ("step h", "step u", "step cycles", "step logits", "step choice", "generate", "sample")),
        *(6 * ("sequences",)),
        *(3 * ("read", "write", "gap", "repeat")),
        *(2 * ("counters", "reset", "garbage", "bad crc", "bad token", "bad value")),
        *("info", "open", "reopen", "late", "unknown", "long"),
    )
    _HALTING = ("write", "bad token", "bad value", "unknown", "long")

    def __init__(self, board: BoardModel, seed: int, *, brief: bool = False) -> None:
        self.board = board
        self.shown = False
        self._script, self._most = (self.BRIEF, _MOST_BRIEF) if brief else (self.SCRIPT, _MOST)
        self.config = board.model.config
        self._random = random.Random(seed)
        self._session = self._random.randrange(1, SEQUENCES)
        self._ended = 0
        self._sent: list[bytes] = []  # of this session
        # Looking at the cells may delay an engine of several groups: its cycles are not the model's.
        self.folded = Geometry(self.config, board.engine).groups > 1

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for kind, after in pairwise((*self._script, "")):
            yield kind, self._bytes(kind)
            yield from self._rest_of(kind)
            if self.board.session.halted and after not in ("halted", "resume"):
                yield "resume", self._bytes("resume")
        self.shown = True
        while True:
            kind = self._random.choice(self._LATER)
            yield kind, self._bytes(kind)
            yield from self._rest_of(kind)
            if kind in self._HALTING or self.board.session.halted:
                if self._random.randrange(4) == 0:
                    yield "halted", self._bytes("halted")
                yield "resume", self._bytes("resume")

    def _rest_of(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """The frames that follow a first one of a state that one does not hold."""
        while kind == "write" and self.board.written:
            yield kind, self._bytes(kind)

    @property
    def _sequence(self) -> int:
        """Number of the next request of the session."""
        open_one = self.board.session
        return open_one.expected if open_one.session == self._session else 0

    def _bytes(self, kind: str) -> bytes:
        rng = self._random
        if kind == "info":
            return encode(Frame(rng.randrange(SEQUENCES), rng.randrange(SEQUENCES), Command.INFO))
        if kind in ("open", "reopen", "late"):
            return self._open(kind)
        if kind == "early":  # of a session that nobody opened
            return encode(Frame(self._session ^ 0x5555 or 1, 0, Command.STEP, b"\1\0"))
        if kind == "repeat" and self._sent:
            back = rng.randint(1, min(len(self._sent), self.board.link.window))
            return self._sent[-back]
        if kind == "gap":
            number = (self._sequence + rng.randint(1, 40)) % SEQUENCES
            return encode(Frame(self._session, number, Command.STEP, self._step(Want.H)))
        if kind == "bad crc":
            frame = bytearray(encode(Frame(self._session, self._sequence, Command.STEP, self._step(Want.H))))
            at = rng.randrange(len(frame) - 1)
            frame[at] ^= 1 << rng.randrange(8)
            if not frame[at]:
                frame[at] = 0xFF  # no zero, which would end the frame
            return bytes(frame)
        if kind == "garbage":
            return bytes(rng.randint(1, 255) for _ in range(rng.randint(1, 60))) + b"\0"
        return self._numbered(*self._command(kind))

    def _open(self, kind: str) -> bytes:
        if kind == "late":  # of the session that this one has replaced
            return encode(Frame(self._ended or self._session, 0, Command.OPEN, bytes([PROTOCOL_VERSION])))
        if kind == "reopen":
            self._ended, self._session = self._session, self._random.randrange(1, SEQUENCES)
            self._sent = []
        return encode(Frame(self._session, 0, Command.OPEN, bytes([PROTOCOL_VERSION])))

    def _numbered(self, command: int, payload: bytes) -> bytes:
        frame = encode(Frame(self._session, self._sequence, command, payload))
        self._sent = [*self._sent, frame][-self.board.link.window :]
        return frame

    def _command(self, kind: str) -> tuple[int, bytes]:
        rng, info = self._random, self.board.info
        if kind == "sequences":
            return Command.STEP, self._sequences()
        if kind.startswith("step"):
            return Command.STEP, self._step(self._want(kind.removeprefix("step ")))
        if kind in ("generate", "sample"):
            room = self.board.link.max_payload // self.board.codec.token_bytes
            count = rng.randint(1, min(self._most.generated, room))
            tau = 0 if kind == "generate" else rng.randrange(4096)
            head = struct.pack("<HHBI", count, tau, rng.randrange(4), rng.getrandbits(32))
            token = rng.randrange(info.vocab_size)
            return Command.GENERATE, head + token.to_bytes(self.board.codec.token_bytes, "little")
        if kind == "read":
            first = rng.randrange(info.cells)
            most = (self.board.link.max_payload - 4) // CELL_BYTES
            return Command.READ, struct.pack(
                "<HH", first, rng.randint(1, min(most, info.cells - first, self._most.cells))
            )
        if kind == "write":
            return Command.WRITE, self._write()
        if kind == "bad token":
            wrong = b"\xff" if info.embedding_on_board else b"\xf3"
            return Command.STEP, bytes([Want.H]) + wrong * self.board.codec.item_bytes
        if kind == "bad value":
            return Command.STEP, b"\xff" + self._items(1)
        if kind == "unknown":
            return rng.randrange(9, 0x80), rng.randbytes(rng.randrange(5))
        if kind == "long":
            most = self.board.link.max_payload
            items = self._items(most // 2 + 1)[:-1]
            return Command.STEP, bytes([Want.H]) + items[: most + _BEYOND]
        if kind == "halted":
            return Command.READ, struct.pack("<HH", 0, 1)
        plain = {"reset": Command.RESET, "counters": Command.COUNTERS, "resume": Command.RESUME}
        return plain.get(kind, Command.RESUME), b""

    def _want(self, parts: str) -> Want:
        head = Want.LOGITS | Want.CHOICE if self.board.engine.head == "board" else Want(0)
        if parts != "all":
            want = Want[parts.upper()]
            return Want.H if want & Want.LOGITS | want & Want.CHOICE and not head else want
        seen = self._random.choice((Want.H, Want.U))
        return seen | Want.CYCLES | head

    def _step(self, want: Want) -> bytes:
        if self.folded:
            want &= ~Want.CYCLES
        room = self.board.link.max_payload
        record = max(1, self.board.codec.record_bytes(want))
        most = min(room // record, (room - 1) // self.board.codec.item_bytes, self._most.tokens)
        return bytes([want]) + self._items(self._random.randint(1, max(1, most)))

    def _sequences(self) -> bytes:
        """Sequences, or parts of some, as far as a frame holds them; steps where the board takes none."""
        rng, board = self._random, self.board
        want = self._want(rng.choice(("h", "u", "logits", "choice")))
        if not board.info.has(Feature.SEQUENCES):
            return self._step(want)
        form = rng.choice((Form.SEQUENCES, Form.SEQUENCES | Form.LAST))
        if board.info.has(Feature.SUMS) and want & (Want.LOGITS | Want.CHOICE):
            form |= Form.SUM * (Form.LAST in form)
        payload, room, record = (
            bytes([want | form]),
            board.link.max_payload,
            board.codec.record_bytes(want, form),
        )
        for _ in range(rng.randint(1, self._most.sequences)):
            segment = Segment(rng.randint(1, self._most.steps), rng.random() < 0.6, rng.random() < 0.6)
            part = pack_segment(segment) + self._items(segment.steps)
            room -= record * (segment.ends if Form.LAST in form else segment.steps)
            if len(payload) == 1 or (room >= 0 and len(payload + part) <= board.link.max_payload):
                payload += part
        return payload

    def _items(self, count: int) -> bytes:
        rng, codec = self._random, self.board.codec
        if codec.info.embedding_on_board:
            tokens = [rng.randrange(codec.info.vocab_size) for _ in range(count)]
            return codec.pack_tokens(np.array(tokens))
        trits = [[rng.choice((-1, 0, 1)) for _ in range(codec.info.embedding)] for _ in range(count)]
        return pack(np.array(trits)).tobytes()

    def _write(self) -> bytes:
        """The next cells of a new state, as many as a frame holds."""
        rng, config = self._random, self.config
        first, most = self.board.written, (self.board.link.max_payload - 2) // CELL_BYTES
        cells = []
        for _ in range(min(most, self.board.info.cells - first)):
            c = rng.randint(-config.cell_max, config.cell_max)
            h = ((c > 0) - (c < 0)) * (abs(c) >> config.output_shift >= 1)
            cells += [c, h if not config.spec.output_gate or rng.randrange(2) else 0]
        return first.to_bytes(2, "little") + np.array(cells, np.int8).tobytes()
