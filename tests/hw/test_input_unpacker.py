"""The input unpacker against its model: every item of random payloads, cut anywhere, values out of range."""

import random
from dataclasses import replace
from typing import Any

import pytest

from trine_hw.link.fast.input_unpacker import FastInputUnpacker
from trine_hw.link.fast.item_checker import ItemChecker
from trine_hw.link.input_unpacker import InputUnpacker
from trine_hw.simulation.watchdog import run_watched
from trine_sw.engine import EngineConfig
from trine_sw.link.board_info import board_info
from trine_sw.link.items import Refusal, Segment, pack_segment, read_items
from trine_sw.link.protocol import Feature, LinkConfig, Reason
from trine_sw.link.records import Codec
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.arithmetic import ceil_div

LINK = LinkConfig(window=1, slot_bytes=64, receive_bytes=64)
BOARD, HOST = EngineConfig(100, 1), EngineConfig(100, 1, embedding="host")
#: Vocabularies that a byte, or two, do not fill; vectors with padding in their last byte, and without.
CASES = {
    "tokens": (ModelConfig(hidden=2, embedding=2, vocab_size=100), BOARD),
    "tokens of two bytes": (ModelConfig(hidden=2, embedding=2, vocab_size=260), EngineConfig(300, 1)),
    "a byte's whole range": (ModelConfig(hidden=2, embedding=2, vocab_size=256), EngineConfig(300, 1)),
    "vectors": (ModelConfig(hidden=2, embedding=7, vocab_size=3), HOST),
    "vectors without padding": (ModelConfig(hidden=2, embedding=10, vocab_size=3), HOST),
    "vectors of a byte": (ModelConfig(hidden=2, embedding=1, vocab_size=3), HOST),
}


def codec_of(case: str) -> Codec:
    config, engine = CASES[case]
    return Codec(board_info(random_model(config, seed=1), engine, LINK))


def payloads(codec: Codec, rng: random.Random, count: int) -> list[bytes]:
    """Most bytes right, so that items after the first are too; lengths that end within an item, too."""
    found = []
    for _ in range(count):
        data = bytearray()
        for _ in range(rng.randint(1, 3)):
            if codec.info.embedding_on_board:
                edge = rng.choice([codec.info.vocab_size - 1, codec.info.vocab_size, 0, rng.randrange(65536)])
                data += (edge % 256**codec.token_bytes).to_bytes(codec.token_bytes, "little")
            else:
                width = codec.info.embedding
                trits = [rng.choice((0, 1, 2)) if n < width else 1 for n in range(5 * codec.item_bytes)]
                if rng.random() < 0.2:
                    trits[rng.randrange(len(trits))] = rng.choice((0, 1, 2))
                bytes_of_trits = [trits[n : n + 5] for n in range(0, len(trits), 5)]
                data += bytes(sum(t * 3**k for k, t in enumerate(five)) for five in bytes_of_trits)
                if rng.random() < 0.2:
                    data[rng.randrange(len(data))] = rng.choice((242, 243, 255))
        found.append(bytes(data[: len(data) - rng.choice((0, 0, 0, 1))]) or b"\1")
    return found


FAST = {f"{case}, fast": case for case in CASES if CASES[case][1] is HOST}


def rtl(
    codec: Codec, sent: list[bytes], rng: random.Random, kind: Any = InputUnpacker
) -> list[list[dict[str, int]]]:
    """The items of each payload. Between payloads the reader is cleared, sometimes within an item."""
    dut = kind(codec)
    found: list[list[dict[str, int]]] = []
    cycle, taken = 0, []

    async def count(ctx):
        nonlocal cycle
        while True:
            *_, moves = await ctx.tick().sample(dut.i.valid & dut.i.ready)
            cycle += 1
            taken.extend([cycle] * moves)

    async def put(ctx, byte, last):
        ctx.set(dut.i.payload, {"byte": byte, "last": last})
        ctx.set(dut.i.valid, 1)
        await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def send(ctx):
        for payload in sent:
            if rng.random() < 0.3:  # something before it that is given up: its first bytes
                for byte in payload[: rng.randint(0, codec.item_bytes - 1)]:
                    await put(ctx, byte, 0)
                    await ctx.tick().repeat(1 + rng.randrange(InputUnpacker.most_cycles))
                ctx.set(dut.clear, 1)
                # A byte of trits that is being put away cannot be stopped, nor does the executor do so.
                await ctx.tick().repeat(4)
                ctx.set(dut.clear, 0)
            found.append([])
            for at, byte in enumerate(payload):
                await put(ctx, byte, at == len(payload) - 1)
            while len(found[-1]) < ceil_div(len(payload), codec.item_bytes):
                await ctx.tick()

    async def take(ctx):
        while True:
            while rng.random() < 0.3:
                await ctx.tick()
            ctx.set(dut.o.ready, 1)
            *_, valid, item = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid and not ctx.get(dut.clear):
                value = item.value.as_bits() if hasattr(item.value, "as_bits") else item.value
                found[-1].append(
                    {"value": value, "wrong": item.wrong, "partial": item.partial, "last": item.last}
                )
            ctx.set(dut.o.ready, 0)

    streams = {"bytes": dut.i, "items": dut.o}
    run_watched(dut, send, background=[count, take], progress=streams, patience=3 * InputUnpacker.most_cycles)
    return found


@pytest.mark.parametrize("case", [*CASES, *FAST])
def test_items_equal_model(case):
    kind = FastInputUnpacker if case in FAST else InputUnpacker
    case = FAST.get(case, case)
    codec, rng = codec_of(case), random.Random(case)
    sent = payloads(codec, rng, 24)
    expected = [InputUnpacker.model(codec, payload) for payload in sent]
    found = rtl(codec, sent, rng, kind)
    found = [
        [{name: item[name] for name in known} for item, known in zip(*pair, strict=True)]
        for pair in zip(found, expected, strict=True)
    ]
    assert found == expected
    assert any(item["wrong"] for items in expected for item in items) or "whole range" in case
    assert any(item["partial"] for items in expected for item in items) or codec.item_bytes == 1


@pytest.mark.parametrize("case", CASES)
def test_model_is_what_the_board_model_reads(case):
    """The first item that is wrong or partial has the board model's reason."""
    codec, rng = codec_of(case), random.Random(case)
    wrong = Reason.TOKEN if codec.info.embedding_on_board else Reason.VALUE
    for payload in payloads(codec, rng, 100):
        bad = [item for item in InputUnpacker.model(codec, payload) if item["wrong"] or item["partial"]]
        if not bad:
            tokens, vectors, _ = read_items(payload, codec, 0)
            values = [item["value"] for item in InputUnpacker.model(codec, payload)]
            if tokens is not None:
                assert values == tokens.tolist()
            else:
                assert vectors is not None
                assert values == [sum((int(t) & 3) << 2 * n for n, t in enumerate(x)) for x in vectors]
            continue
        with pytest.raises(Refusal) as refusal:
            read_items(payload, codec, 0)
        assert refusal.value.reason == (wrong if bad[0]["wrong"] else Reason.LENGTH)


def test_a_byte_of_trits_takes_the_cycles_that_are_promised():
    codec = codec_of("vectors of a byte")
    dut, taken = InputUnpacker(codec), []

    async def send(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.payload.byte, 242)  # five trits that are +1: three trials each
        ctx.set(dut.i.valid, 1)
        for cycle in range(3 * InputUnpacker.most_cycles):
            *_, moves = await ctx.tick().sample(dut.i.valid & dut.i.ready)
            taken.extend([cycle] * moves)

    run_watched(dut, send, progress={"bytes": dut.i}, patience=2 * InputUnpacker.most_cycles)
    assert taken[1] - taken[0] == InputUnpacker.most_cycles + 1  # and one that the item takes to leave


@pytest.mark.parametrize("case", CASES)
def test_items_checked_as_they_come_have_the_board_model_s_reason(case):
    """Right and wrong items, in segments too, whole or not; records that fit and that do not, bytes behind
    each other and with gaps."""
    config, engine = CASES[case]
    model = random_model(config, seed=1)
    if engine is HOST:
        model = replace(model, task="classify", reduction="sum", embedding_weight=None, vocabulary=None)
    codec, rng = Codec(board_info(model, engine, replace(LINK, codec="fast"))), random.Random(case)
    assert codec.info.has(Feature.SUMS) == (engine is HOST)
    dut, found = ItemChecker(codec), []
    sent = [bytes([rng.randrange(32)]) + rng.randint(1, 8) * payload for payload in payloads(codec, rng, 60)]
    for _ in range(120):
        payload = bytes([rng.randrange(32) | rng.choice((32, 96, 224))])
        for items in payloads(codec, rng, rng.randint(1, 4)):
            steps = ceil_div(len(items), codec.item_bytes) + rng.choice((0, 0, 0, 0, 0, 0, 1, -1))
            segment = pack_segment(Segment(max(0, steps), rng.random() < 0.5, rng.random() < 0.5))
            payload += rng.choice((1, 1, 8)) * (segment + items)
        sent.append(payload[: min(len(payload) - (rng.random() < 0.1), codec.info.link.max_payload)])
    sent = [payload[: codec.info.link.max_payload] for payload in sent]

    async def send(ctx):
        for payload in sent:
            gaps = rng.random() < 0.5
            for byte in payload:
                while gaps and rng.random() < 0.5:
                    await ctx.tick()
                ctx.set(dut.byte, byte)
                ctx.set(dut.valid, 1)
                await ctx.tick()
                ctx.set(dut.valid, 0)
                ctx.set(dut.byte, rng.randrange(256))
            await ctx.tick().repeat(ItemChecker.settle - 1)
            found.append(ctx.get(dut.reason))
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)

    run_watched(dut, send, progress={"bytes": dut.valid}, patience=100)
    expected = [ItemChecker.model(codec, payload) for payload in sent]
    assert found == expected
    assert {0, Reason.ROOM, Reason.LENGTH} < set(expected)
    assert 0 in expected[60:] and len(set(expected[60:])) > 3


def test_a_byte_of_trits_takes_a_cycle_with_the_fast_codec():
    codec = codec_of("vectors")
    dut, items = FastInputUnpacker(codec), []

    async def send(ctx):
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.payload.byte, 121)
        ctx.set(dut.i.valid, 1)
        for cycle in range(30):
            *_, moves, ready = await ctx.tick().sample(dut.o.valid, dut.i.ready)
            assert ready
            items.extend([cycle] * moves)

    run_watched(dut, send, progress={"bytes": dut.i}, patience=100)
    assert {after - before for before, after in zip(items, items[1:], strict=False)} == {codec.item_bytes}
