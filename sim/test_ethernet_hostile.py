"""Whatever comes over the wire, a board on Ethernet goes on, over LiteEth's core in Verilator."""

import random
from dataclasses import replace
from itertools import islice

import pytest
from cobs import cobs

from sim.ethernet.board import BOARD, BOARD_MAC, PORT, RESTED, SEEN, EthernetBoard
from sim.ethernet.hostile import Hostile
from trine_boards.pins.ethernet_frames import IPV4, Datagram, datagram_packet, ethernet_frame
from trine_sw.driver.requests import Requests
from trine_sw.engine import EngineConfig
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import PROTOCOL_VERSION, Command, Frame, LinkConfig, Want, decode, encode
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")

MODEL = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
LINK = LinkConfig(8, 256, 2048, "fast")


@pytest.fixture(scope="module")
def board():
    return EthernetBoard(MODEL, EngineConfig(lanes=40, banks=2), LINK, optimised=False)


@pytest.mark.parametrize("seed", range(4))
def test_a_board_goes_on_after_frames_of_any_kind(board, seed):
    """Then it answers a session as the board model does, and counts only what is wrong with the others."""
    rng = random.Random(seed)
    frames = [Frame(0x1234, 0, Command.OPEN, bytes([PROTOCOL_VERSION]))]
    for number in range(20):
        tokens = bytes(rng.randrange(8) for _ in range(rng.randrange(1, 13)))
        frames.append(Frame(0x1234, number, Command.STEP, bytes([Want.CHOICE]) + tokens))
    frames.append(Frame(0x1234, 20, Command.COUNTERS))
    model = BoardModel(**board.design.parts)
    sent = [encode(frame) for frame in frames]
    replies, _ = board.run([cobs.decode(frame[:-1]) for frame in sent], seen=list(islice(Hostile(seed), 400)))
    wanted = [model.exchange(frame) for frame in sent]
    assert [cobs.encode(reply) + b"\0" for reply in replies[:-1]] == wanted[:-1]
    answers = [decode(cobs.encode(replies[-1])), decode(wanted[-1][:-1])]
    found, counters = (Requests.decode_counters(reply.payload) for reply in answers if reply)
    errors = {"framing_errors", "overflows"}
    told = {name: getattr(found, name) for name in errors | {"cycles", "damaged"}}
    assert found == replace(counters, **told) and told["framing_errors"] > 0


@pytest.mark.parametrize("seed", range(2))
def test_a_frame_behind_any_bytes_is_answered(board, seed):
    """None is taken for a part of what was in front of it: too short for a header, cut off, or too long."""
    opening = cobs.decode(encode(Frame(0x1234, 0, Command.OPEN, bytes([PROTOCOL_VERSION])))[:-1])
    datagram = datagram_packet(Datagram(BOARD ^ 1, 4000, BOARD, PORT, opening))
    asked = ethernet_frame(BOARD_MAC, 0x0200_0000_0001, IPV4, datagram), 0
    sent = [(part, SEEN | RESTED) for part in islice(Hostile(100 + seed), 300)]
    assert len(board.exchange([each for part in sent for each in (part, asked)], 1)) >= len(sent)
