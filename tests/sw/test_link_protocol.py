"""Frames and codes of the link: what one side writes the other reads, and nothing else is read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.link.board_info import Info, board_info, level_values
from trine_sw.link.protocol import Frame, LinkConfig, Splitter, decode, encode, encoded_size
from trine_sw.link.records import Codec
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.arithmetic import ceil_div
from trine_sw.support.errors import TrineError

NUMBER = st.integers(0, 0xFFFF)


@given(NUMBER, NUMBER, st.integers(0, 255), st.binary(max_size=600))
def test_frame_survives_the_wire(session, sequence, code, payload):
    frame = Frame(session, sequence, code, payload)
    encoded = encode(frame)
    assert encoded.count(0) == 1 and encoded[-1] == 0 and len(encoded) <= encoded_size(len(payload))
    assert decode(encoded[:-1]) == frame


@given(st.binary(max_size=40), st.integers(0, 400), st.integers(1, 255))
def test_damaged_frame_is_not_read(payload, at, change):
    encoded = bytearray(encode(Frame(1, 2, 3, payload))[:-1])
    encoded[at % len(encoded)] ^= change
    assert decode(bytes(encoded)) is None


@given(st.binary(max_size=300))
def test_garbage_is_not_read(garbage):
    assert decode(garbage) is None


@given(st.lists(st.binary(min_size=1, max_size=9).filter(lambda part: 0 not in part)), st.data())
def test_splitter_does_not_care_how_bytes_arrive(parts, data):
    stream = b"".join(part + b"\0" for part in parts)
    splitter, found = Splitter(100), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += splitter.feed(stream[:cut])
        stream = stream[cut:]
    assert found == parts


def test_frame_without_end_takes_no_memory():
    splitter = Splitter(10)
    assert splitter.feed(b"a" * 1000) == [] and splitter.feed(b"\0ab\0") == [b"a" * 11, b"ab"]


@pytest.mark.parametrize("slot", [64, 128, 256, 512, 1024])
def test_longest_frame_fills_a_slot_and_no_more(slot):
    link = LinkConfig(slot_bytes=slot)
    longest = encode(Frame(0xFFFF, 0xFFFF, 0xFF, b"\xff" * link.max_payload))
    assert len(longest) <= slot


def test_link_sizes_are_checked():
    for wrong in (
        dict(window=3),
        dict(window=0),
        dict(slot_bytes=100),
        dict(receive_bytes=10),
        dict(receive_bytes=3000),
    ):
        with pytest.raises(TrineError, match=next(iter(wrong))):
            LinkConfig(**wrong)


@pytest.mark.parametrize(
    "levels", [(0, 1), (0, 5), (0, 1, 2, 3), (0, 1, 3, 3, 7), (0, *range(1, 17)), (0, 1, 2)]
)
def test_head_inputs_take_the_fewest_bits(levels):
    config = ModelConfig(hidden=13, embedding=4, vocab_size=7, cell_max=127, head_levels=levels)
    model = random_model(config, seed=1)
    codec = Codec(board_info(model, default_engine(model), LinkConfig()))
    distinct = level_values(config)
    rng = np.random.default_rng(2)
    u = rng.choice([0, *distinct, *(-v for v in distinct)], (9, 13)).astype(np.int8)
    packed = codec.pack_u(u, distinct)
    assert np.array_equal(codec.unpack_u(packed, distinct), u)
    bits = codec.info.u_bits
    if len(distinct) == 1:
        assert packed.shape[1] == 3  # 13 trits, 5 in 8
    else:
        assert 2 ** (bits - 1) < 2 * len(distinct) + 1 <= 2**bits and packed.shape[1] == ceil_div(
            13 * bits, 8
        )


@given(st.integers(2, 1 << 20), st.data())
def test_tokens_and_logits(vocab, data):
    info = Info(
        *(2, bytes(32), 4, 1, 4, vocab, 16, 1, 1, 1, True, True, 7, 0, 0),
        *(data.draw(st.integers(2, 32)), 8, 256, 2048, 80_000_000, 1_000_000, 0.5, 0),
    )
    codec = Codec(info)
    tokens = np.array(data.draw(st.lists(st.integers(0, vocab - 1), min_size=1, max_size=5)))
    assert len(codec.pack_tokens(tokens)) == len(tokens) * codec.token_bytes
    assert codec.unpack_tokens(codec.pack_tokens(tokens)).tolist() == tokens.tolist()
    reach = 1 << info.logit_bits - 1
    logits = np.array(data.draw(st.lists(st.integers(-reach, reach - 1), min_size=1, max_size=6)))[None]
    assert codec.unpack_logits(codec.pack_logits(logits)).tolist() == logits.tolist()


def test_info_names_the_model():
    model = random_model(ModelConfig(hidden=5, embedding=4, vocab_size=300), seed=3)
    info = board_info(model, EngineConfig(20, 2, head="host"), LinkConfig(), clock_hz=12e6, baud=1e6)
    assert Info.unpack(info.pack()) == info
    held = model.board_digest(embedding=True, head=False)
    assert (info.digest, info.head_on_board, info.logit_bits) == (held, False, 0)
