"""The link in gateware: frame for frame what the board model answers, whatever it is sent."""

import random
import struct
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.link_run import CODECS, answers, check
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.golden import Golden
from trine_sw.link.protocol import DONE, PROTOCOL_VERSION, Command, Frame, Reason, decode, encode
from trine_sw.link.records import COUNTERS
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.model.trits import pack

OPENING = bytes([PROTOCOL_VERSION])
LEVELS = ModelConfig(
    hidden=11, embedding=6, vocab_size=9, cell_max=15, cell_shift=1, output_shift=1, head_levels=(0, 1, 2, 3)
)
#: Amaranth's simulator takes longer with each unit: one case has many, the others as many as they need.
SMALL = replace(LEVELS, hidden=6)
GRU = replace(SMALL, cell="gru")
TRITS = ModelConfig(hidden=6, embedding=12, vocab_size=300, cell_max=7)
CASES = {
    "levels": (LEVELS, EngineConfig(100, 2, sampler_ways=2)),
    "folded": (SMALL, EngineConfig(12, 3)),
    "in memories": (SMALL, EngineConfig(12, 1, block_ram="ice40")),
    "groups of the head alone": (replace(SMALL, vocab_size=18), EngineConfig(6, 1, block_ram="ice40")),
    "gru": (GRU, EngineConfig(100, 2, sampler_ways=2)),
    "gru, folded": (GRU, EngineConfig(12, 3)),
    "mgu": (replace(LEVELS, cell="mgu"), EngineConfig(100, 2, sampler_ways=2)),
    "mgu, in memories": (replace(LEVELS, cell="mgu"), EngineConfig(20, 1, block_ram="ice40")),
    "stack": (replace(LEVELS, layers=3, hidden=4), EngineConfig(100, 2, sampler_ways=2)),
    "stack, folded, trits": (replace(TRITS, cell="gru", layers=2), EngineConfig(24, 2, head="host")),
    "wide tokens": (ModelConfig(hidden=5, embedding=4, vocab_size=260), EngineConfig(300, 1, head="host")),
    "vectors": (TRITS, EngineConfig(24, 2, embedding="host", head="host")),
    "vectors, folded, head": (
        ModelConfig(hidden=7, embedding=10, vocab_size=6, cell_max=3),
        EngineConfig(12, 2, embedding="host"),
    ),
}


def cases(names, *, nightly=(), fast=()):
    """Names of cases with either codec; those that are not in ``fast``, nightly with that codec."""
    small = {name for name in names if CASES.get(name, QUICK)[1].block_ram == "ice40"}
    chosen = [(name, "serial", name not in nightly) for name in names]
    chosen += [(name, "fast", name in fast) for name in names if name not in small]
    marks = {True: (), False: pytest.mark.nightly}
    return pytest.mark.parametrize(
        ("case", "codec"),
        [
            pytest.param(name, codec, marks=marks[daily], id=name + ", fast" * (codec == "fast"))
            for name, codec, daily in chosen
        ],
    )


both_codecs = pytest.mark.parametrize("codec", CODECS)

#: For what takes many frames.
QUICK = (SMALL, EngineConfig(100, 2, sampler_ways=2))


def counted(reply: Frame) -> dict[str, int]:
    """The counters in a reply, by name."""
    return dict(zip(COUNTERS, struct.unpack(f"<{len(COUNTERS)}I", reply.payload), strict=True))


class Host:
    """Writes frames of one session, numbering them."""

    def __init__(self, session=77):
        self.session, self.sequence = session, 0

    def __call__(self, command, payload=b""):
        frame = Frame(self.session, self.sequence, command, payload)
        if command > Command.OPEN:
            self.sequence += 1
        return encode(frame)


def items(model, engine, rng, count):
    if engine.embedding == "board":
        size = 1 if model.config.vocab_size <= 256 else 2
        return b"".join(rng.randrange(model.config.vocab_size).to_bytes(size, "little") for _ in range(count))
    trits = [[rng.choice((-1, 0, 1)) for _ in range(model.config.embedding)] for _ in range(count)]
    return pack(np.array(trits)).tobytes()


def states(payload_state, hidden, c, h, each):
    """WRITE frames' payloads for a state, so many cells in each."""
    cells = np.stack([c, h], axis=1).astype(np.int8)
    return [struct.pack("<H", at) + cells[at : at + each].tobytes() for at in range(0, hidden, each)]


@cases(
    CASES, nightly=["levels", "gru", "mgu", "stack", "wide tokens"], fast=["levels", "vectors, folded, head"]
)
def test_every_command(case, codec):
    config, engine = CASES[case]
    model = random_model(config, seed=5)
    if engine.embedding == "host":
        model = Model(**{**vars(model), "embedding_weight": None})
    rng, host = random.Random(case), Host()
    wants = [0, 1, 2, 4, 5, 6] + ([8, 16, 24, 29, 30] if engine.head == "board" else [])
    if Geometry(config, engine).groups > 1:
        wants = [want for want in wants if not want & 4]
    sent = [b"\0\0" + host(Command.INFO), host(Command.OPEN, OPENING), host(Command.COUNTERS)]
    for want in wants:
        sent.append(host(Command.STEP, bytes([want]) + items(model, engine, rng, 1 + want % 3)))
    read = host(Command.READ, struct.pack("<HH", 0, config.cells))
    sent += [read, host(Command.READ, struct.pack("<HH", config.cells - 1, 1))]
    if engine.head == "board" and engine.embedding == "board":
        for count, tau, flags in ((1, 0, 0), (5, 40, 1), (4, 40, 2), (2, 4095, 3)):
            head = struct.pack("<HHBI", count, tau, flags, rng.getrandbits(32))
            sent.append(host(Command.GENERATE, head + bytes([1])))
        sent.append(host(Command.STEP, b"\x11" + items(model, engine, rng, 2)))
    x = np.array([[rng.choice((-1, 0, 1)) for _ in range(config.embedding)] for _ in range(9)])
    trace = Golden(model).run_vectors(x)
    for at, each in ((3, config.cells), (8, 2), (5, 3)):
        for payload in states(None, config.cells, trace.c[at], trace.h[at], each):
            sent.append(host(Command.WRITE, payload))
        sent += [host(Command.READ, struct.pack("<HH", 0, config.cells))]
        sent += [host(Command.STEP, b"\1" + items(model, engine, rng, 2))]
    sent += [host(Command.RESET), host(Command.READ, struct.pack("<HH", 0, config.cells))]
    sent += [host(Command.STEP, b"\1" + items(model, engine, rng, 2)), host(Command.COUNTERS)]
    frames = check(model, engine, sent, CODECS[codec])
    assert len(frames) == len(sent) and not any(frame.reason for frame in frames)


REFUSED = {
    "quick": [
        (Command.STEP, b""),
        (Command.STEP, b"\1"),
        (Command.STEP, b"\x20\1"),
        (Command.STEP, b"\3\1"),
        (Command.STEP, b"\1\1\1\1\x09\1"),
        (Command.STEP, b"\1\1\1\1\xff"),
        (Command.STEP, b"\2" + bytes(100)),
        (Command.GENERATE, bytes(9)),
        (Command.GENERATE, struct.pack("<HHBIB", 0, 0, 0, 0, 0)),
        (Command.GENERATE, struct.pack("<HHBIB", 1, 4096, 0, 0, 0)),
        (Command.GENERATE, struct.pack("<HHBIB", 1, 0, 4, 0, 0)),
        (Command.GENERATE, struct.pack("<HHBIB", 1, 0, 0, 0, 9)),
        (Command.GENERATE, struct.pack("<HHBIB", 500, 0, 0, 0, 0)),
        (Command.READ, struct.pack("<HH", 0, SMALL.hidden + 1)),
        (Command.READ, struct.pack("<HH", 0xFFFF, 0xFFFF)),
        (Command.READ, struct.pack("<HH", 3, 0)),
        (Command.READ, b"abc"),
        (Command.WRITE, b"\0\0"),
        (Command.WRITE, b"\0\0\1\1\1"),
        (Command.WRITE, b"\1\0\2\1"),
        (Command.WRITE, b"\0\0\x10\1"),
        (Command.WRITE, b"\0\0\2\xff"),
        (Command.WRITE, b"\0\0\1\1"),
        (Command.WRITE, b"\0\0\x80\0"),
        (Command.WRITE, b"\0\0" + bytes(2 * SMALL.hidden + 2)),
        (Command.RESET, b"x"),
        (Command.COUNTERS, b"x"),
        (Command.INFO, b"x"),
        (Command.OPEN, b""),
        (Command.OPEN, b"\1"),
        (9, b""),
        (0x7F, b"xyz"),
        (0xFF, b""),
    ],
    "gru": [
        (Command.WRITE, b"\0\0\x10\1"),
        (Command.WRITE, b"\0\0\2\xff"),
        (Command.WRITE, b"\0\0\2\0"),  # no output gate makes this h 0
        (Command.WRITE, b"\0\0\0\0\xfe\0"),
        (Command.WRITE, b"\0\0\1\1"),
    ],
    "mgu": [
        (Command.WRITE, b"\0\0\x10\1"),
        (Command.WRITE, b"\0\0\2\0"),  # no output gate makes this h 0
        (Command.WRITE, b"\0\0\1\1"),
    ],
    "vectors": [
        (Command.STEP, b"\1" + bytes([121, 121])),
        (Command.STEP, b"\1" + bytes([121, 121, 121 + 27])),
        (Command.STEP, b"\1" + bytes([121, 243, 121])),
        (Command.STEP, b"\1" + bytes([121, 121, 121, 255])),
        (Command.STEP, b"\x08" + bytes([121, 121, 121])),
        (Command.GENERATE, struct.pack("<HHBIH", 1, 0, 0, 0, 0)),
    ],
}


@cases(REFUSED, nightly=["mgu"], fast=["vectors"])
def test_refusals(case, codec):
    """Each has its reason, leaves the state as it was, and halts until RESUME."""
    config, engine = QUICK if case == "quick" else CASES[case]
    model = random_model(config, seed=5)
    rng, host = random.Random(1), Host()
    sent = [host(Command.OPEN, OPENING), host(Command.STEP, b"\1" + items(model, engine, rng, 2))]
    for command, payload in REFUSED[case]:
        sent.append(host(command, payload))
        if command > Command.OPEN:
            sent += [host(Command.COUNTERS), host(Command.RESUME)]
        sent.append(host(Command.READ, struct.pack("<HH", 0, config.hidden)))
    frames = check(model, engine, sent, CODECS[codec])
    reads = [frame.payload for frame in frames if frame.code == DONE | Command.READ]
    assert len(reads) == len(REFUSED[case]) and len(set(reads)) == 1
    assert sum(frame.reason is not None for frame in frames) >= len(REFUSED[case])


@cases(["levels", "folded", "gru"], nightly=["levels", "folded"], fast=["gru"])
def test_generations_go_on_from_the_last_choice(case, codec):
    """Of a generation or of a step, whether its choice was sent or only its logits; steps without a head, a
    new state and a new session leave it."""
    config, engine = CASES[case]
    model, rng, host = random_model(config, seed=6), random.Random(case), Host()
    sent = [b"\0\0" + host(Command.OPEN, OPENING)]

    def go_on():
        payload = struct.pack("<HHBIB", 3, rng.randrange(99), 2, 0, rng.randrange(9))
        sent.append(host(Command.GENERATE, payload))

    go_on()
    for want in (8, 16, 1, 24, 0):
        sent.append(host(Command.STEP, bytes([want]) + items(model, engine, rng, 3)))
        go_on()
        sent.append(host(Command.STEP, bytes([want]) + items(model, engine, rng, 2)))
    sent.append(host(Command.RESET))
    go_on()
    sent.append(host(Command.STEP, b"\x10" + items(model, engine, rng, 1)))
    host = Host(session=78)
    sent.append(host(Command.OPEN, OPENING))
    go_on()
    frames = check(model, engine, sent, CODECS[codec])
    assert len(frames) == len(sent) and not any(frame.reason for frame in frames)


@both_codecs
def test_half_written_state(codec):
    config, engine = QUICK
    model = random_model(config, seed=5)
    host = Host()
    part = b"\0\0" + bytes([2, 1, 0, 0])
    read = (Command.READ, struct.pack("<HH", 0, config.hidden))
    steps = [(Command.WRITE, part), read, (Command.RESUME, b""), (Command.WRITE, part), (Command.RESET, b"")]
    steps += [read, (Command.WRITE, part), (Command.STEP, b"\1\3"), read, (Command.WRITE, part[:4])]
    steps += [(Command.WRITE, b"\2\0\0\0"), (Command.RESUME, b""), (Command.WRITE, b"\1\0\0\0")]
    check(model, engine, [host(Command.OPEN, OPENING), *(host(*step) for step in steps)], CODECS[codec])


@both_codecs
def test_sessions_repeats_and_gaps(codec):
    config, engine = QUICK
    model = random_model(config, seed=5)
    host, other = Host(0x0100), Host(0x00FF)
    early = host(Command.STEP, b"\1\1")
    host.sequence = 0
    nobody = encode(Frame(0, 0, Command.STEP, b"\1\1"))  # before any session
    sent = [early, nobody, host(Command.OPEN, OPENING), host(Command.OPEN, OPENING)]
    sent.append(encode(Frame(0, 0, Command.OPEN, OPENING)))
    frames = [host(Command.STEP, bytes([1, n])) for n in range(7)]
    sent += [frames[1], *frames[:3], frames[0], frames[2], host(Command.OPEN, OPENING), frames[5], frames[1]]
    sent += [
        *frames[3:],
        *frames,
        encode(Frame(host.session, 0xFFFF, 3, b"\1\1")),
        other(Command.STEP, b"\1\1"),
    ]
    other.sequence = 0
    late = encode(Frame(host.session, 0, Command.OPEN, OPENING))
    sent += [other(Command.OPEN, OPENING), late]
    sent += [frames[6], host(Command.COUNTERS), other(Command.STEP, b"\1\1")]
    sent += [
        other(Command.READ, struct.pack("<HH", 0, config.hidden)),
        b"\0\0\0",
        b"\1\2\3\0",
        early[:-2] + b"\0",
    ]
    found = check(model, engine, sent + [other(Command.COUNTERS)], CODECS[codec])
    counters = counted(found[-1])
    assert counters["damaged"] == 2 and counters["repeats"] == 3 + 4 and counters["gaps"] > 3


def test_number_of_the_session_still_open():
    """OPEN may come again until a request has been answered, done or refused; then the number is taken."""
    config, engine = QUICK
    model = random_model(config, seed=5)
    read = (Command.READ, struct.pack("<HH", 0, config.hidden))
    for request in ((Command.WRITE, b"\0\0\2\1"), (9, b"")):  # done, and half a state; refused
        host, other = Host(0x1234), Host(0x4321)
        opening = [encode(Frame(0x1234, tag, Command.OPEN, OPENING)) for tag in (7, 0xFFFF, 0)]
        sent = [*opening[:2], encode(Frame(0x1234, 3, Command.INFO)), opening[2]]
        sent += [host(*request), *opening, host(Command.RESUME), opening[0]]
        sent += [other(Command.OPEN, OPENING), opening[0], other(*read), opening[1]]
        sent.append(other(Command.OPEN, OPENING))
        found = check(model, engine, sent)
        assert [frame.sequence for frame in found[:4]] == [7, 0xFFFF, 3, 0]
        assert not any(frame.reason for frame in found[:4] + found[10:11] + found[12:13])
        for index in (5, 6, 7, 9, 11, 13, 14):
            assert found[index].reason is Reason.SESSION, index
        assert found[5].session == 0x1234 and found[5].payload[2:] == b"\x34\x12"


def test_what_wire_and_clock_tell_is_counted():
    config, engine = QUICK
    host = Host()
    sent = [b"\0\0" + host(Command.OPEN, OPENING), host(Command.COUNTERS)]
    pulses = {"lost": 3, "framing_error": 5, "lock_lost": 2}
    reply = answers(random_model(config, seed=5), engine, sent, pulses=pulses)[-1]
    counters = counted(decode(reply.strip(b"\0")))
    expected = {"frames": 2, "overflows": 3, "framing_errors": 5, "lock_losses": 2}
    assert counters == dict.fromkeys(COUNTERS, 0) | expected


FUZZED = ("levels", "folded", "vectors", "vectors, folded, head", "in memories")


@pytest.mark.parametrize("count", [32, pytest.param(150, marks=pytest.mark.nightly)])
@cases(FUZZED, nightly=["levels", "vectors"], fast=["folded", "vectors"])
def test_fuzz(case, codec, count):
    """Random, mutated and well-formed frames in any order: the same answers, no hang, the same state."""
    config, engine = CASES[case]
    model = random_model(config, seed=5)
    rng, host = random.Random(f"{case} {count}"), Host()
    sent = [host(Command.OPEN, OPENING)]
    for _ in range(count):
        kind = rng.randrange(8)
        payload = rng.randbytes(rng.choice([0, 1, 2, 4, 6, 10, rng.randrange(115)]))
        if kind < 3:
            want = rng.choice([0, 1, 2, 0 if Geometry(config, engine).groups > 1 else 4, 8, 16, 32])
            sent.append(host(Command.STEP, bytes([want]) + items(model, engine, rng, rng.randint(1, 3))))
        elif kind == 3:
            sent += [host(rng.randrange(11), payload), host(Command.RESUME)]
        elif kind == 4:
            frame = bytearray(host(Command.STEP, bytes([1]) + payload))
            frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
            host.sequence -= 1
            sent.append(bytes(frame) + b"\0")
        elif kind == 5:
            sent.append(rng.randbytes(rng.randint(1, 200)) + b"\0")
        elif kind == 6:
            sent.append(rng.choice(sent))
        else:
            sent += [host(Command.READ, struct.pack("<HH", 0, config.hidden)), host(Command.RESUME)]
    sent += [
        host(Command.RESUME),
        host(Command.COUNTERS),
        host(Command.READ, struct.pack("<HH", 0, config.hidden)),
    ]
    check(model, engine, sent, CODECS[codec])
