"""Whatever comes over the wire, a board on Ethernet goes on, over LiteEth's core in Verilator."""

import random
from dataclasses import replace
from itertools import islice

import pytest
from cobs import cobs

from sim.ethernet.board import BOARD, BOARD_MAC, PORT, RESTED, SEEN, EthernetBoard
from sim.ethernet.hostile import Hostile
from trine_boards.pins.ethernet_frames import (
    IPV4,
    Datagram,
    datagram_of,
    datagram_packet,
    ethernet_frame,
    packet_of,
)
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
    """None is taken for a part of what was in front of it: too short for a header, cut off, or too long.

    Others' damaged datagrams are answered to the latest sender too, so that the last frames are not waited
    for; of those before them none is left out."""
    opening = encode(Frame(0x1234, 0, Command.OPEN, bytes([PROTOCOL_VERSION])))
    opened = cobs.decode(BoardModel(**board.design.parts).exchange(opening)[:-1])
    sent = []
    for number, part in enumerate(islice(Hostile(100 + seed), 300)):
        datagram = Datagram(BOARD ^ 1, 10_000 + number, BOARD, PORT, cobs.decode(opening[:-1]))
        sent += [(part, SEEN | RESTED)]
        sent += [(ethernet_frame(BOARD_MAC, 0x0200_0000_0001, IPV4, datagram_packet(datagram)), 0)]
    answers = [datagram_of(packet_of(frame)[3]) for frame, _ in board.exchange(sent, window=1)]
    answered = [answer.to_port for answer in answers if answer.payload == opened]
    assert answered == list(range(10_000, 10_000 + len(answered))) and len(answered) > 280
