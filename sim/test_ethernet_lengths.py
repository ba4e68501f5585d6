"""Datagrams of every short length, there and back, over LiteEth's core in Verilator."""

import random
import struct
from dataclasses import replace

import pytest
from cobs import cobs

from sim.ethernet.board import BOARD, BOARD_MAC, PORT, EthernetBoard
from trine_boards.pins.ethernet_frames import (
    IPV4,
    Datagram,
    checksum,
    datagram_of,
    datagram_packet,
    ethernet_frame,
    on_wire,
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


def echo_requests() -> list[bytes]:
    """Pings of several hosts as they are on the wire, some with more bytes than they say."""
    frames = []
    for host, said, count in ((0x0A4D0014, 56, 56), (0x0A4D0015, 68, 68), (0x0A4D0001, 0, 136)):
        head = struct.pack(">BBHHHBBHII", 0x45, 0, 28 + said, 0, 0x4000, 64, 1, 0, host, 0x0A4D0002)
        head = head[:10] + checksum(head).to_bytes(2, "big") + head[12:]
        echo = struct.pack(">BBHHH", 8, 0, 0, 1, 1) + bytes(count)
        echo = echo[:2] + checksum(echo).to_bytes(2, "big") + echo[4:]
        frames += 5 * [on_wire(ethernet_frame(BOARD_MAC, 0x0200_0000_0002, IPV4, head + echo))]
    return frames


def test_lengths_around_that_of_the_shortest_frame():
    """A frame of Ethernet with 18 bytes in a datagram needs no filling; those of a reply follow each other in
    any order. All are answered as the board model does, and those that come damaged are counted alone. Pings
    are not answered, and stop nothing."""
    link = LinkConfig(8, 256, 2048, "fast")
    board = EthernetBoard(MODEL, EngineConfig(lanes=40, banks=2), link, optimised=False)
    rng = random.Random(2)
    counts = [n for _ in range(6) for n in rng.sample(range(1, 13), 12)]
    frames = [Frame(0x1234, 0, Command.OPEN, bytes([PROTOCOL_VERSION]))]
    for number, count in enumerate(counts):
        tokens = bytes(rng.randrange(8) for _ in range(count))
        frames.append(Frame(0x1234, number, Command.STEP, bytes([Want.CHOICE]) + tokens))
    frames.append(Frame(0x1234, len(counts), Command.COUNTERS))
    model = BoardModel(**board.design.parts)
    sent = [encode(frame) for frame in frames]
    damaged = range(1, len(counts) + 1)
    model.counts["framing_errors"] += len(damaged)
    replies, _ = board.run([cobs.decode(frame[:-1]) for frame in sent], damaged, seen=echo_requests())
    answers = [cobs.encode(reply) + b"\0" for reply in replies]
    wanted = [model.exchange(frame) for frame in sent]
    assert answers[:-1] == wanted[:-1]
    last = [decode(each[-1][:-1]) for each in (answers, wanted)]
    found, counters = (Requests.decode_counters(reply.payload) for reply in last if reply)
    assert found == replace(counters, cycles=found.cycles)  # the engine's, since frames follow each other
    for those in (sent, answers):
        assert {15, 16, 17, 18, 19} <= {len(cobs.decode(frame[:-1])) for frame in those}


def test_replies_go_to_the_mac_that_the_datagram_came_from():
    """Hosts of any network, some behind the same router, ask one after the other; nobody is asked by ARP."""
    link = LinkConfig(8, 256, 2048, "fast")
    board = EthernetBoard(MODEL, EngineConfig(lanes=40, banks=2), link, optimised=False)
    rng = random.Random(3)
    hosts = [(0x0200_0000_0000 | number // 2, rng.getrandbits(31)) for number in range(6)]
    opening = cobs.decode(encode(Frame(0x1234, 0, Command.OPEN, bytes([PROTOCOL_VERSION])))[:-1])
    frames = []
    for _ in range(40):
        mac, address = rng.choice(hosts)
        datagram = Datagram(address, rng.randrange(1, 65536), BOARD, PORT, opening)
        frames.append((mac, datagram, ethernet_frame(BOARD_MAC, mac, IPV4, datagram_packet(datagram))))
    answers = board.exchange([(frame, 0) for _, _, frame in frames], window=1)
    for (mac, asked, _), (answer, _) in zip(frames, answers, strict=True):
        to, sender, kind, packet = packet_of(answer)
        said = datagram_of(packet)
        assert (to, sender, kind) == (mac, BOARD_MAC, IPV4)
        assert said[:4] == (BOARD, PORT, asked.sender, asked.from_port)
