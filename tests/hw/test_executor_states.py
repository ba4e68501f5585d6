"""The executor's states: random sequences of requests, right and hostile, answered as the board model does.

Every command, lengths off by one, values at their limits and beyond, repeats, gaps, sessions, refusals with
and without RESUME, states that are half written. All counters are asked for again and again.
"""

import random
import struct
from dataclasses import replace

import pytest

from tests.helpers.link_run import check
from trine_sw.engine import EngineConfig
from trine_sw.link.board_info import board_info
from trine_sw.link.items import Segment, pack_segment
from trine_sw.link.protocol import DONE, PROTOCOL_VERSION, Command, Frame, LinkConfig, encode
from trine_sw.link.records import COUNTERS, Codec
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

LINK = LinkConfig(window=2, slot_bytes=128, receive_bytes=128)
TINY = ModelConfig(hidden=3, embedding=2, vocab_size=5, cell_max=7, output_shift=1, head_levels=(0, 1, 3))
CASES = {
    "lstm": (TINY, EngineConfig(100, 1)),
    "mgu": (ModelConfig(cell="mgu", hidden=2, embedding=1, vocab_size=3, cell_max=3), EngineConfig(100, 1)),
    "gru": (ModelConfig(cell="gru", hidden=2, embedding=1, vocab_size=3, cell_max=3), EngineConfig(100, 1)),
    "host": (
        ModelConfig(hidden=2, embedding=6, vocab_size=3, cell_max=3),
        EngineConfig(100, 1, embedding="host", head="host"),
    ),
    "wide": (ModelConfig(hidden=1, embedding=1, vocab_size=258, cell_max=1), EngineConfig(5, 1, head="host")),
}


class Requests:
    """Frames to a board: most of the open session and in turn, whatever is in them."""

    def __init__(self, config: ModelConfig, engine: EngineConfig, rng: random.Random) -> None:
        self.config, self.engine, self.rng = config, engine, rng
        self.codec = Codec(board_info(random_model(config, seed=5), engine, LINK))
        self.session, self.expected = 1, 0
        self.sent: list[bytes] = []

    def turn(self, command: int, payload: bytes = b"") -> None:
        """The next frame of the session."""
        self.sent.append(encode(Frame(self.session, self.expected, command, payload)))
        if command > Command.OPEN:
            self.expected = (self.expected + 1) % 65536

    def open(self, session: int, version: int = PROTOCOL_VERSION, rest: bytes = b"") -> None:
        self.sent.append(encode(Frame(session, 0, Command.OPEN, bytes([version]) + rest)))
        if version == PROTOCOL_VERSION and session != self.session and not rest:
            self.session, self.expected = session, 0

    def items(self) -> bytes:
        rng, codec = self.rng, self.codec
        data = bytearray()
        for _ in range(rng.choice((1, 1, 2, 3))):
            if codec.info.embedding_on_board:
                top = codec.info.vocab_size
                token = rng.choice((0, top - 1, rng.randrange(top), rng.randrange(top), top))
                data += token.to_bytes(codec.token_bytes, "little")
            else:
                data += bytes(rng.choice((0, 121, 242, 121 + 80, 243)) for _ in range(codec.item_bytes - 1))
                data += bytes([rng.choice((120, 121, 122, 121 + 3))])
        return bytes(data[: len(data) - (rng.random() < 0.1)])

    def step(self) -> None:
        want = self.rng.choice((0, 1, 2, 4, 5, 6, 8, 16, 25, 29, 30, 3, 64, 255))
        self.turn(Command.STEP, bytes([want]) + self.items())

    def sequences(self) -> None:
        """Segments of tokens; some too long or too short, empty, or with flags that do not go together."""
        rng = self.rng
        flags = rng.choice((1, 2, 4, 0, 8, 16, 17, 26, 29)) | rng.choice((32, 96, 96, 224, 224, 160, 128))
        payload = b""
        for _ in range(rng.choice((1, 1, 2, 3))):
            items = self.items()
            steps = len(items) // self.codec.item_bytes + rng.choice((0, 0, 0, 0, 0, 1, -1))
            begins, ends = rng.random() < 0.5, rng.random() < 0.5
            payload += pack_segment(Segment(max(0, steps), begins, ends)) + items
        self.turn(Command.STEP, bytes([flags]) + payload[: len(payload) - (rng.random() < 0.1)])

    def full(self) -> None:
        """As many tokens as fit the frame or its reply, and one more or fewer."""
        codec, rng = self.codec, self.rng
        want = rng.choice((1, 2, 4, 5))
        room = LINK.max_payload // (codec.record_bytes(want) or 1)
        count = max(1, min(room + rng.choice((-1, 0, 1)), (LINK.max_payload - 1) // codec.item_bytes))
        item = bytes(codec.item_bytes) if codec.info.embedding_on_board else bytes([121] * codec.item_bytes)
        self.turn(Command.STEP, bytes([want]) + count * item)

    def generate(self) -> None:
        rng, codec = self.rng, self.codec
        most = LINK.max_payload // codec.token_bytes
        count = rng.choice((1, 2, 3, 0, most + 1, 65535))
        tau, flags = rng.choice((0, 30, 4095, 4096, 65535)), rng.choice((0, 1, 2, 3, 3, 4, 255))
        token = rng.choice((0, codec.info.vocab_size - 1, codec.info.vocab_size))
        payload = struct.pack("<HHBI", count, tau, flags, rng.getrandbits(32))
        payload += token.to_bytes(codec.token_bytes, "little") + bytes(rng.choice((0, 0, 0, 1)))
        self.turn(Command.GENERATE, payload[: len(payload) - (rng.random() < 0.1)])

    def read(self) -> None:
        rng, cells = self.rng, self.codec.info.cells
        first = rng.choice((0, 0, cells - 1, cells, 65535))
        count = rng.choice((cells, 1, 0, 58, cells + 1, 65535))
        payload = struct.pack("<HH", first, count) + bytes(rng.choice((0, 0, 0, 1)))
        self.turn(Command.READ, payload[: len(payload) - (rng.random() < 0.1)])

    def cell(self) -> bytes:
        """Mostly one that there can be."""
        rng, config = self.rng, self.config
        c = rng.choice((0, 1, -1, config.cell_max, -config.cell_max, config.cell_max + 1, -128))
        seen = (c > 0) - (c < 0) if abs(c) >> config.output_shift else 0
        h = rng.choice((seen, seen, seen, seen, 0, -seen, 1, 2, -128))
        return struct.pack("<bb", c, h)

    def write(self) -> None:
        rng, cells = self.rng, self.codec.info.cells
        first = rng.choice((0, 0, 0, 1, cells - 1, 65535))
        count = rng.choice((cells, cells - first, 1, 0, cells + 1)) if first < cells else 1
        payload = struct.pack("<H", first) + b"".join(self.cell() for _ in range(max(count, 0)))
        self.turn(Command.WRITE, payload + bytes(rng.random() < 0.1))

    def whole_state(self) -> None:
        """A state of zeros in parts of which each follows the one before, and what becomes of it."""
        cells = self.codec.info.cells
        for first in range(cells):
            self.turn(Command.WRITE, struct.pack("<H", first) + bytes(2))
            if self.rng.random() < 0.2:
                self.rng.choice((self.step, self.read, self.bare))()
        self.turn(Command.READ, struct.pack("<HH", 0, cells))

    def bare(self) -> None:
        command = self.rng.choice((Command.RESET, Command.COUNTERS, Command.RESUME, Command.INFO, 9, 64, 255))
        self.turn(command, bytes(self.rng.choice((0, 0, 0, 1))))

    def out_of_turn(self) -> None:
        rng = self.rng
        age = rng.choice((1, 2, 3, -1, -2, 32768, 32767))
        number = (self.expected - age) % 65536
        session = rng.choice((self.session, self.session, self.session ^ 1, 0, 0x0100))
        self.sent.append(encode(Frame(session, number, Command.RESUME)))
        if len(self.sent) > 3:
            self.sent.append(rng.choice(self.sent[-3:]))

    def sessions(self) -> None:
        kind = self.rng.randrange(5)
        if kind == 0:
            self.open(self.session % 65535 + 1)
        elif kind == 1:
            self.open(self.session)
        elif kind == 2:
            self.open(self.session + 5, version=self.rng.choice((0, PROTOCOL_VERSION + 1, 255)))
        elif kind == 3:
            self.open(self.session + 5, rest=b"\0")
        else:
            self.sent.append(encode(Frame(0, 0, Command.OPEN, bytes([PROTOCOL_VERSION]))))

    def damaged(self) -> None:
        frame = bytearray(encode(Frame(self.session, self.expected, Command.RESUME)))
        frame[self.rng.randrange(len(frame) - 1)] ^= 1 << self.rng.randrange(8)
        self.sent.append(bytes(frame).replace(b"\0", b"\1")[:-1] + b"\0")


def requests(case: str, seed: int, count: int) -> list[bytes]:
    config, engine = CASES[case]
    rng = random.Random(f"{case} {seed}")
    host = Requests(config, engine, rng)
    host.sent.append(encode(Frame(0, 7, Command.INFO)))
    host.turn(Command.STEP, b"\1\0")  # before any session
    host.expected = 0
    host.session = 0
    host.open(1)
    kinds = [host.step, host.generate, host.read, host.write, host.bare, host.sessions, host.out_of_turn]
    kinds += [host.step, host.write, host.whole_state, host.full, host.damaged, host.read, host.sequences]
    for index in range(count):
        rng.choice(kinds)()
        if index % 4 == 3:
            host.turn(Command.RESUME)
            host.turn(Command.COUNTERS)
        elif rng.random() < 0.5:
            host.turn(Command.RESUME)
    host.turn(Command.RESUME)
    host.turn(Command.COUNTERS)
    host.turn(Command.READ, struct.pack("<HH", 0, host.codec.info.cells))
    return host.sent


BOTH = [pytest.param(case, "serial", id=case) for case in CASES]
BOTH += [
    pytest.param(case, "fast", id=f"{case}, fast", marks=() if case == "host" else pytest.mark.nightly)
    for case in CASES
]


@pytest.mark.parametrize(("case", "codec"), BOTH)
def test_every_reply_and_counter_is_the_board_model_s(case: str, codec: str) -> None:
    config, engine = CASES[case]
    sent = requests(case, 1, 30 if case == "lstm" else 12)
    frames = check(random_model(config, seed=5), engine, sent, replace(LINK, codec=codec))
    counters = [f for f in frames if f.code == DONE | Command.COUNTERS]
    assert len(counters) > 1 and len(counters[-1].payload) == 4 * len(COUNTERS)
    assert sum(f.reason is not None for f in frames) > 5
