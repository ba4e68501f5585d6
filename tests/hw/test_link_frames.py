"""Frames in gateware: what comes in is decoded as the protocol says, what goes out is what it writes."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from amaranth.hdl import Const

from trine_hw.link.fast.frame_receiver import FastFrameReceiver
from trine_hw.link.fast.payload_reader import FastPayloadReader
from trine_hw.link.fast.reply_cache import FastReplyCache
from trine_hw.link.frame_receiver import FrameReceiver
from trine_hw.link.payload_reader import PayloadReader
from trine_hw.link.reply_cache import ReplyCache
from trine_hw.simulation.watchdog import run_watched
from trine_sw.engine import EngineConfig
from trine_sw.link.board_info import board_info
from trine_sw.link.protocol import CRC_BYTES, HEADER_BYTES, Frame, LinkConfig, decode, encode
from trine_sw.link.records import Codec
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

LINK = LinkConfig(window=2, slot_bytes=64, receive_bytes=64)
LONG = LinkConfig(window=1, slot_bytes=1024, receive_bytes=1024)
FAST, FAST_LONG = replace(LINK, codec="fast"), replace(LONG, codec="fast")
LINKS = pytest.mark.parametrize(
    "link", [LINK, LONG, FAST, FAST_LONG], ids=["short", "long", "fast", "fast, long"]
)
#: Of the receiver of the fast codec, which looks at items.
MODEL, ENGINE = random_model(ModelConfig(hidden=2, embedding=7, vocab_size=3), seed=1), EngineConfig(9, 1)


#: Cycles: the longest frame through the encoder or decoder, four a byte, while nothing is taken or sent.
PATIENCE = 4 * 1024


def simulate(dut, *testbenches):
    """Run until all testbenches have ended; fail where the component hangs."""
    streams = {name: getattr(dut, name) for name in ("i", "o", "tx") if hasattr(dut, name)}
    run_watched(dut, *testbenches, progress=streams, patience=PATIENCE)


async def put(ctx, port, payload, rng=None):
    while rng and rng.random() < 0.3:
        await ctx.tick()
    ctx.set(port.payload, payload)
    ctx.set(port.valid, 1)
    await ctx.tick().until(port.ready)
    ctx.set(port.valid, 0)


async def get(ctx, port, rng=None):
    while rng and rng.random() < 0.3:
        await ctx.tick()
    ctx.set(port.ready, 1)
    (payload,) = await ctx.tick().sample(port.payload).until(port.valid)
    ctx.set(port.ready, 0)
    return payload


def receiver_of(link):
    """The frame receiver of the link's codec."""
    if not link.fast:
        return FrameReceiver(link)
    return FastFrameReceiver(link, Codec(board_info(MODEL, ENGINE, link)))


def received(link, line):
    """Frames that the gateware gets from these bytes, which end in a zero."""
    dut = receiver_of(link)
    expected = len(FrameReceiver.model(link, line))
    frames = []

    async def send(ctx):
        for byte in line:
            await put(ctx, dut.i, byte)

    async def take(ctx):
        if link.fast:
            ctx.set(dut.read_en, 1)
        for _ in range(expected):
            await ctx.tick().until(dut.o.valid)
            end = ctx.get(dut.o.payload)
            contents = bytearray()
            for address in range(5 + end.length if end.good else 0):
                ctx.set(dut.read_addr, address)
                await ctx.tick().repeat(dut.read_latency)
                contents.append(ctx.get(dut.read_data))
            frames.append(bytes(contents) if end.good else None)
            ctx.set(dut.o.ready, 1)
            await ctx.tick()
            ctx.set(dut.o.ready, 0)
        await ctx.tick().repeat(20)
        assert not ctx.get(dut.o.valid) and ctx.get(dut.idle)

    simulate(dut, send, take)
    return frames


def payloads(link, rng, count):
    """Lengths up to the most, with many zeros, with none, and with zeros at the ends of blocks."""
    for index in range(count):
        size = rng.choice([0, 1, link.max_payload, rng.randint(0, link.max_payload)])
        kind = index % 3
        yield bytes(
            rng.choice([0, rng.randint(0, 255)]) if kind == 0 else rng.randint(kind - 1, 255)
            for _ in range(size)
        )


@LINKS
def test_frames_are_decoded(link):
    rng = random.Random(1)
    frames = [Frame(rng.randrange(65536), rng.randrange(65536), 3, p) for p in payloads(link, rng, 12)]
    frames.append(Frame(0x0101, 0x0101, 1, b"\1" * min(link.max_payload, 254)))
    line = b"".join(rng.choice([b"", b"\0"]) + encode(frame) for frame in frames)
    found = received(link, line)
    assert found == FrameReceiver.model(link, line)
    assert [contents[5:] for contents in found] == [frame.payload for frame in frames]


@pytest.mark.parametrize("link", [LINK, FAST], ids=["serial", "fast"])
def test_damaged_frames_are_found_and_the_next_one_is_good(link):
    """Fuzz: random bytes and mutated frames; never a hang, never a frame that is not one."""
    rng = random.Random(2)
    line = bytearray()
    for payload in payloads(LINK, rng, 120):
        frame = bytearray(encode(Frame(1, 2, 3, payload)))
        kind = rng.randrange(6)
        at = rng.randrange(len(frame))
        if kind == 0:
            frame[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del frame[at]
        elif kind == 2:
            frame.insert(at, rng.randrange(256))
        elif kind == 3:
            frame = bytearray(rng.randbytes(rng.randint(1, 90)))
        elif kind == 4:
            frame[at:at] = rng.randbytes(200)
        line += frame
    line += b"\0" + encode(Frame(1, 2, 3, b"last"))
    found = received(link, bytes(line))
    assert found == FrameReceiver.model(link, bytes(line))
    assert found[-1] is not None and found.count(None) > 40


@LINKS
def test_replies_are_encoded_kept_and_sent_again(link):
    rng = random.Random(3)
    bodies = [b"\0\0\0\0\0" + p for p in payloads(link, rng, 10)]
    bodies += [b"\1" * min(254 - CRC_BYTES, link.max_frame - CRC_BYTES), b"\1" * (link.max_frame - CRC_BYTES)]
    dut = (FastReplyCache if link.fast else ReplyCache)(link)
    sent = bytearray()
    expected = []

    async def build(ctx):
        for number, body in enumerate(bodies):
            slot = number % (link.window + 1)
            ctx.set(dut.slot, slot)
            await ctx.tick().until(dut.free)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for byte in body:
                await put(ctx, dut.i, byte, rng)
            ctx.set(dut.finish, 1)
            await ctx.tick().until(dut.done)
            ctx.set(dut.finish, 0)
            expected.append(body)
            if number % 4 == 3:
                await ctx.tick().until(dut.free)
                ctx.set(dut.send, 1)
                await ctx.tick()
                ctx.set(dut.send, 0)
                expected.append(body)

    async def take(ctx):
        while sent.count(0) < len(bodies) + len(bodies) // 4:
            sent.append(await get(ctx, dut.tx, rng))

    simulate(dut, build, take)
    found = sent.split(b"\0")[:-1]
    assert all(decode(bytes(part)) is not None for part in found)
    by_protocol = [encode(decode(bytes(part)))[:-1] for part in found]
    assert by_protocol == [bytes(part) for part in found]
    assert [body_of(part) for part in found] == expected


def test_payload_bytes_come_at_their_interval():
    """A reader that never waits has a byte every ``interval`` cycles: the executor's checks rely on it."""
    dut = PayloadReader(LINK)
    taken = []

    async def read(ctx):
        ctx.set(dut.length, 6)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.o.ready, 1)
        cycle, last = 0, 0
        while not last:
            *_, valid, last = await ctx.tick().sample(dut.o.valid, dut.o.valid & dut.o.payload.last)
            taken.extend([cycle] * valid)
            cycle += 1

    simulate(dut, read)
    assert len(taken) == HEADER_BYTES + 6
    assert {after - before for before, after in pairwise(taken)} == {PayloadReader.interval}


@pytest.mark.parametrize("kind", [PayloadReader, FastPayloadReader])
@pytest.mark.parametrize("length", [0, 1, 2, LINK.max_payload])
def test_payload_bytes_are_those_from_there_to_the_frame_s_end(kind, length):
    """From its start, from the payload's, from the last byte on; of an empty payload there are none."""
    dut, rng = kind(LINK), random.Random(length)
    frame = [rng.randrange(256) for _ in range(HEADER_BYTES + length)]
    memory = frame + [0xEE] * (LINK.slot_bytes - len(frame))
    starts = [0, HEADER_BYTES, len(frame) - 1, HEADER_BYTES]
    found, steady = [], 0.7

    async def remember(ctx):  # FrameReceiver.read_latency is two cycles, FastFrameReceiver's two enabled ones
        byte, enabled = 0, getattr(dut, "read_en", Const(1))
        while True:
            _, _, address, enable = await ctx.tick().sample(dut.read_addr, enabled)
            if enable:
                ctx.set(dut.read_data, byte if kind is FastPayloadReader else memory[address])
                byte = memory[address]

    async def read(ctx):
        ctx.set(dut.length, length)
        for at in starts:
            ctx.set(dut.at, at)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            found.append([])
            for _ in range(2 * PayloadReader.interval * (len(frame) + 3)):
                ctx.set(dut.o.ready, rng.random() < steady)
                *_, valid, byte = await ctx.tick().sample(dut.o.valid & dut.o.ready, dut.o.payload)
                if valid:
                    found[-1].append((byte.byte, byte.last))

    run_watched(dut, read, background=[remember], progress={"o": dut.o}, patience=PATIENCE)
    last = len(frame) - 1
    assert found == [[(frame[n], int(n == last)) for n in range(at, len(frame))] for at in starts]


def body_of(part):
    from cobs import cobs

    return cobs.decode(bytes(part))[:-CRC_BYTES]
