"""The link with the fast codec while frames follow each other without a pause.

The next frame is received, and its items are looked at, while the one before is applied.
"""

import random
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.helpers.link_run import CODECS
from tests.hw.test_link_gateware import CASES, GRU, OPENING, QUICK, SMALL, Host, items
from trine_hw.link.link import Link
from trine_hw.simulation.watchdog import link_patience, run_watched
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.link.board_model import BoardModel
from trine_sw.link.items import Segment, pack_segment
from trine_sw.link.protocol import COUNTED, MORE, PLAIN, Command, Feature, Form, Reason, Want, decode
from trine_sw.link.records import Codec
from trine_sw.link.step_records import Asking, pack_asking
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

LINK = CODECS["fast"]
#: Models whose outputs are made of the sums of their logits: of several logits a cycle, whose last beat is
#: not full; of one; of several groups of the head.
SUMMED = {
    "sums": (replace(SMALL, vocab_size=5), EngineConfig(100, 2, embedding="host", sampler_ways=2)),
    "sums, a logit a cycle": (GRU, EngineConfig(100, 2, embedding="host")),
    "sums, folded": (replace(SMALL, cell="gru"), EngineConfig(12, 3, embedding="host")),
    "sums of a regression": (replace(SMALL, hidden=4), EngineConfig(100, 2, embedding="host")),
}


def segments(codec, model, engine, rng: random.Random, asking: Asking) -> bytes:
    """Sequences, or parts of some, whose records fit a frame."""
    payload, answer, form = pack_asking(asking), 0, asking.form
    begun = len(payload)
    for _ in range(rng.randint(1, 5)):
        segment = Segment(rng.randint(1, 4), rng.random() < 0.6, rng.random() < 0.6)
        records = segment.ends if Form.LAST in form else segment.steps
        part = pack_segment(segment) + items(model, engine, rng, segment.steps)
        answer += records * codec.record_bytes(*asking)
        fits = answer <= LINK.max_payload and len(payload + part) <= LINK.max_payload
        if len(payload) == begun or fits:
            payload += part
    return payload


def more_wanted(codec: Codec, rng: random.Random, want: int, form: Form) -> Asking:
    """Largest logits beside what else is wanted, or counts of choices where sums can be had."""
    if Form.SUM in form and rng.random() < 0.6 and codec.info.has(Feature.COUNTS):
        form |= Form.COUNT
    top = rng.randint(1, codec.info.top) if codec.info.top and rng.random() < 0.4 else 0
    if Form.SUM in form or not top:
        return Asking(Want(want), form)
    return Asking(Want(want) & ~MORE, form, top)


def requests(config, engine, model, rng: random.Random, count: int) -> list[bytes]:
    """Steps that want anything, some of which are refused; generations; a state that is read and written."""
    host, codec = Host(), Codec(BoardModel(model, engine, LINK).info)
    sent = [b"\0" + host(Command.OPEN, OPENING)]
    wants = [0, 1, 2] + ([4, 5] if Geometry(config, engine).groups == 1 else [])
    wants += [8, 16, 17, 24] if engine.head == "board" else []
    sums = codec.info.has(Feature.SUMS)
    want = 0
    for _ in range(count):
        kind = rng.randrange(10)
        want = want if rng.random() < 0.6 else rng.choice(wants)  # the tokens of several frames follow
        room = LINK.max_payload // max(1, codec.record_bytes(want))
        some = items(model, engine, rng, rng.randint(1, max(1, min(8, room))))
        if kind == 0 and codec.info.embedding_on_board and codec.info.head_on_board:
            head = struct.pack("<HHBI", rng.randint(1, 9), 40, rng.randrange(4), rng.getrandbits(32))
            sent.append(host(Command.GENERATE, head + bytes([1])))
        elif kind == 1:
            sent.append(host(Command.READ, struct.pack("<HH", rng.randrange(config.cells), 1)))
        elif kind == 2:  # an item, or half of one, that is refused
            sent += [host(Command.STEP, bytes([want]) + some + b"\xff"), host(Command.RESUME)]
        elif kind in (4, 5, 6):
            form = Form(rng.choice((32, 96, 224 if sums and want & 24 else 96)))
            asking = more_wanted(codec, rng, want, form)
            sent.append(host(Command.STEP, segments(codec, model, engine, rng, asking)))
        elif kind == 7:
            asking = more_wanted(codec, rng, want, PLAIN)
            sent.append(host(Command.STEP, pack_asking(asking) + some))
        elif kind == 3:
            sent.append(host(Command.WRITE, struct.pack("<H", 0) + b"\0\0" * config.cells))
        else:
            sent.append(host(Command.STEP, bytes([want]) + some))
    sent.append(host(Command.READ, struct.pack("<HH", 0, config.cells)))
    return sent


def distinct(replies: bytearray) -> list[bytes]:
    """Each reply that is whole as it first came."""
    return list(dict.fromkeys(bytes(replies).split(b"\0")[:-1]))


def streamed(model, engine, line: bytes, count: int, rng: random.Random) -> bytearray:
    """What a link sends for these bytes, up to so many distinct replies, on a wire that stalls at times."""
    dut, replies = Link(model, engine, LINK), bytearray()

    async def send(ctx):
        for byte in line:
            ctx.set(dut.rx.payload, byte)
            ctx.set(dut.rx.valid, 1)
            await ctx.tick().until(dut.rx.ready)
        ctx.set(dut.rx.valid, 0)
        while len(distinct(replies)) < count:
            await ctx.tick().repeat(20)

    async def receive(ctx):
        while True:
            ctx.set(dut.tx.ready, rng.random() < 0.9)
            *_, moves, byte = await ctx.tick().sample(dut.tx.valid & dut.tx.ready, dut.tx.payload)
            if moves:
                replies.append(byte)

    patience = link_patience(dut.core.geometry, Codec(dut.info))
    run_watched(dut, send, background=[receive], progress={"rx": dut.rx, "tx": dut.tx}, patience=patience)
    return replies


@pytest.mark.parametrize("repeated", [False, True], ids=["once", "repeated"])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(name, marks=() if name in ("vectors", "sums", "stack") else pytest.mark.nightly)
        for name in (*CASES, *SUMMED)
    ],
)
def test_replies_of_frames_that_follow_each_other(case, repeated):
    """Also where some come again while their reply is given, or waits to be."""
    config, engine = (CASES | SUMMED)[case]
    engine = replace(engine, block_ram="inferred")
    model, rng = random_model(config, seed=5), random.Random(case)
    if case in SUMMED:
        parts: dict[str, Any] = {"task": "classify", "reduction": "sum"}
        if "regression" in case:
            scales = dict.fromkeys(("output_scale", "output_offset"), np.ones(config.vocab_size))
            parts |= {"task": "regress", **scales}
        model = replace(model, embedding_weight=None, vocabulary=None, **parts)
    sent = requests(config, engine, model, rng, 24)
    device = BoardModel(model, engine, LINK)
    expected = b"".join(device.exchange(frame) for frame in sent)
    line = bytearray()
    for at, frame in enumerate(sent):
        line += frame
        if repeated and at and rng.random() < 0.3:
            line += rng.choice(sent[max(1, at - 2) : at + 1])
    replies = streamed(model, engine, line, len(sent), rng)
    assert distinct(replies) == expected.split(b"\0")[:-1]
    assert repeated or replies.count(0) == len(sent)


def test_a_step_takes_the_best_while_a_generation_arrives():
    """Its temperature is in the registers before the step's last choice is made."""
    config, engine = QUICK
    model, rng, host = random_model(config, seed=6), random.Random(3), Host()
    sent = [b"\0" + host(Command.OPEN, OPENING)]
    for _ in range(5):
        sent.append(host(Command.STEP, bytes([Want.CHOICE]) + items(model, engine, rng, 2)))
        sent.append(host(Command.GENERATE, struct.pack("<HHBIB", 1, 4095, 1, rng.getrandbits(32), 0)))
    device = BoardModel(model, engine, LINK)
    expected = [device.exchange(frame)[:-1] for frame in sent]
    assert distinct(streamed(model, engine, b"".join(sent), len(sent), rng)) == expected


@pytest.mark.parametrize("case", ["levels", "sums", "vectors"])
def test_more_that_is_not_there_is_refused(case):
    """As the board model does: too many logits, none, counts without sums, a byte that does not come."""
    config, engine = (CASES | SUMMED)[case]
    model, rng = random_model(replace(config, hidden=4), seed=5), random.Random(case)
    if case in SUMMED:
        model = replace(model, task="classify", reduction="sum", embedding_weight=None, vocabulary=None)
    device, host = BoardModel(model, engine, LINK), Host()
    most, sums = device.info.top, device.info.has(Feature.SUMS)
    assert most == (0 if case == "vectors" else min(16, config.vocab_size))
    item = items(model, engine, rng, 1)
    segment = pack_segment(Segment(1, True, True)) + item
    wrong = [bytes([3, k]) + item for k in (0, most + 1, 15, 127, COUNTED, 255)]
    wrong += [bytes([227 + flags, k]) + segment for flags in (0, 8, 16) for k in (0, 1, 127, 129)]
    wrong += [b"\x03", b"\x13", b"\x03\x01", bytes([235, COUNTED]), bytes([67, 1]) + segment]
    sent = [b"\0" + host(Command.OPEN, OPENING)]
    for payload in wrong:
        sent += [host(Command.STEP, payload), host(Command.RESUME)]
    expected = [device.exchange(frame)[:-1] for frame in sent]
    reasons = [frame.reason for frame in map(decode, expected[1::2]) if frame is not None]
    assert set(reasons) == {Reason.VALUE} | ({Reason.LENGTH} if most or sums else set())
    assert len(reasons) == len(wrong)
    assert distinct(streamed(model, engine, b"".join(sent), len(sent), rng)) == expected


def test_an_ice40_has_no_fast_codec():
    config, engine = CASES["in memories"]
    with pytest.raises(TrineError, match="use codec serial"):
        Link(random_model(config, seed=5), engine, LINK)
    assert Link(random_model(QUICK[0], seed=5), QUICK[1], LINK).link.fast


def test_a_codec_has_a_name():
    with pytest.raises(TrineError, match="codec must be one of serial, fast, not 'quick'"):
        type(LINK)(codec="quick")
