"""Test frames for a board, valid and faulty, whose answers are compared with the board model's."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from trine_boards.verify.compared import Mismatch
from trine_sw.driver.transports import Transport
from trine_sw.engine import Geometry
from trine_sw.link.board_model import BoardModel
from trine_sw.link.items import Segment, pack_segment
from trine_sw.link.protocol import (
    DONE,
    PROTOCOL_VERSION,
    SEQUENCES,
    Command,
    Feature,
    Form,
    Frame,
    Want,
    decode,
    encode,
)
from trine_sw.link.records import CELL_BYTES
from trine_sw.model.trits import pack

__all__ = ["Requests", "check_frames"]

#: Bit times after which a board is silent for good that has nothing to compute, and those for each cycle that
#: the model says the engine computes for; a cell that is looked at may take a few cycles more.
_SILENT_BITS, _BITS_A_CYCLE = 1500, 1.0
#: Tokens generated in one frame, at most.
_LONGEST = 12


class Requests:
    """Requests of every kind, as a host might send them, with and without faults; the same for a seed.

    The first :attr:`SCRIPT` show each kind once, the rest is random. Each is answered by one frame.
    """

    #: Kinds of request, in the order in which they come first.
    SCRIPT = (
        *("info", "early", "open", "counters", "step h", "step u", "step cycles", "step logits"),
        *("step choice", "step all", "read", "generate", "sample", "read", "bad crc", "gap", "repeat"),
        *("step all", "bad token", "halted", "resume", "write", "read", "step all", "bad value", "resume"),
        *("reset", "step all", "reopen", "step all", "late", "counters"),
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

    def __init__(self, board: BoardModel, seed: int) -> None:
        self.board = board
        self.config = board.model.config
        self._random = random.Random(seed)
        self._session = self._random.randrange(1, SEQUENCES)
        self._ended = 0
        self._sequence = 0
        self._sent: list[bytes] = []  # of this session
        # Looking at the cells may delay an engine of several groups: its cycles are not the model's.
        self.folded = Geometry(self.config, board.engine).groups > 1

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        yield from ((kind, self._bytes(kind)) for kind in self.SCRIPT)
        while True:
            kind = self._random.choice(self._LATER)
            yield kind, self._bytes(kind)
            if kind in self._HALTING:
                if self._random.randrange(4) == 0:
                    yield "halted", self._bytes("halted")
                yield "resume", self._bytes("resume")

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
            self._sequence, self._sent = 0, []
        return encode(Frame(self._session, 0, Command.OPEN, bytes([PROTOCOL_VERSION])))

    def _numbered(self, command: int, payload: bytes) -> bytes:
        frame = encode(Frame(self._session, self._sequence, command, payload))
        self._sequence = (self._sequence + 1) % SEQUENCES
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
            count = rng.randint(1, min(_LONGEST, room))
            tau = 0 if kind == "generate" else rng.randrange(4096)
            head = struct.pack("<HHBI", count, tau, rng.randrange(4), rng.getrandbits(32))
            token = rng.randrange(info.vocab_size)
            return Command.GENERATE, head + token.to_bytes(self.board.codec.token_bytes, "little")
        if kind == "read":
            first = rng.randrange(info.cells)
            most = (self.board.link.max_payload - 4) // CELL_BYTES
            return Command.READ, struct.pack("<HH", first, rng.randint(1, min(most, info.cells - first)))
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
            return Command.STEP, bytes([Want.H]) + self._items(self.board.link.max_payload // 2 + 1)[:-1]
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
        most = min(room // record, (room - 1) // self.board.codec.item_bytes, 4)
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
        for _ in range(rng.randint(1, 4)):
            segment = Segment(rng.randint(1, 3), rng.random() < 0.6, rng.random() < 0.6)
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
        rng, config = self._random, self.config
        most = (self.board.link.max_payload - 2) // CELL_BYTES
        cells = []
        for _ in range(min(most, self.board.info.cells)):
            c = rng.randint(-config.cell_max, config.cell_max)
            h = ((c > 0) - (c < 0)) * (abs(c) >> config.output_shift >= 1)
            cells += [c, h if not config.spec.output_gate or rng.randrange(2) else 0]
        return b"\0\0" + np.array(cells, np.int8).tobytes()


def check_frames(
    transport: Transport,
    board: BoardModel,
    *,
    count: int,
    seed: int = 1,
    bit_seconds: float = 1e-6,
    tick: Callable[[], None] = lambda: None,
) -> Counter[str]:
    """Send `count` requests, each after the answer to the one before; how many there were of each kind, and
    under ``tokens`` the tokens that were applied.

    Parameters
    ----------
    transport : to a board that has been configured and not yet been spoken to
    board : the model of it, in the same state
    count : at least those of :attr:`Requests.SCRIPT` show every kind
    bit_seconds : of the line
    tick : called after each answer

    Raises
    ------
    Mismatch
        At the first byte that is not the board model's, or where the board is silent. The message says which
        frame that is, what it asked for and what was answered.
    """
    requests = Requests(board, seed)
    kinds: Counter[str] = Counter()
    transport.write(b"\0\0")  # ends what a line may have shown before
    for number, (kind, data) in enumerate(requests):
        if number == count:
            break
        before = board.counts["cycles"]
        expected = board.exchange(data)
        computing = board.counts["cycles"] - before
        patience = bit_seconds * (_SILENT_BITS + _BITS_A_CYCLE * computing)
        transport.write(data)
        found = _answer(transport, expected.count(0), patience)
        if requests.folded:
            expected, found = (_without_cycles(answer) for answer in (expected, found))
        if found != expected:
            raise Mismatch(f"frame {number} ({kind}): {_difference(expected, found, data)}")
        kinds[kind] += 1
        tick()
    kinds["tokens"] = board.counts["tokens"]
    return kinds


def _answer(transport: Transport, frames: int, patience: float) -> bytes:
    """What comes until so many frames are whole, or the board is silent for `patience` seconds of its time
    after the last byte of the request or of its own."""
    data = b""
    heard = transport.clock()
    while data.count(0) < frames and transport.clock() - heard <= patience:
        if more := transport.read(patience):
            data += more
            heard = transport.clock()
    return data


def _without_cycles(answer: bytes) -> bytes:
    """The answer to COUNTERS without the counter of cycles."""
    frame = decode(answer[:-1]) if answer.endswith(b"\0") else None
    if frame is None or frame.code != DONE | Command.COUNTERS:
        return answer
    payload = frame.payload[:4] + bytes(4) + frame.payload[8:]
    return encode(Frame(frame.session, frame.sequence, frame.code, payload))


def _difference(expected: bytes, found: bytes, sent: bytes) -> str:
    if not found:
        return f"no answer to {sent.hex()}; the board model says {expected.hex()}"
    at = next(
        (n for n, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b),
        min(len(expected), len(found)),
    )
    ours, theirs = (f"{answer[at]:#04x}" if at < len(answer) else "the end" for answer in (expected, found))
    return (
        f"byte {at} of the answer is {theirs} and not {ours}; sent {sent.hex()}, got {found.hex()}, "
        f"the board model says {expected.hex()}"
    )
