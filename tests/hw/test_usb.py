"""USB at its UTMI interface: enumeration, packets, NAK, lost handshakes, re-plug, and the session over it."""

import random
import sys

import numpy as np
import pytest

from tests.helpers.usb_host import ModelDevice, utmi_host
from trine_boards.pins.usb_host import ACK, NAK, STALL, USBPort, crc5, crc16
from trine_hw.link.link import Link
from trine_hw.link.usb import USBLink
from trine_sw.driver import Board, BoardGone
from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

MODEL = random_model(ModelConfig(hidden=5, embedding=4, vocab_size=9), seed=4)
WANT = ("h", "choice")


def plugged(answer=lambda data: data, **options):
    device = ModelDevice(answer)
    host = utmi_host(device, device.board, **options)
    return device, host


def frame(size, seed=1):
    """A frame of so many bytes, its 0 among them."""
    rng = random.Random(seed)
    return bytes(rng.randrange(1, 256) for _ in range(size - 1)) + b"\0"


def test_the_checksums_are_those_of_the_standard():
    """Of the USB forum's white paper on CRCs: address 0x15, endpoint 0xE; the bytes 0, 1, 2, 3."""
    assert f"{crc5(0x15 | 0xE << 7):05b}"[::-1] == "10111"
    assert f"{crc16(bytes((0, 1, 2, 3))):016b}"[::-1] == "1111011101011110"


def test_a_host_enumerates_a_serial_port():
    """Its numbers, its strings, its classes; a request that it does not know is stalled."""
    device, host = plugged()
    descriptor = host.enumerate(17)
    host.address = 9
    assert host.out(b"x") is None  # another's
    host.address = 17
    assert descriptor[8:12] == bytes((0x09, 0x12, 0x01, 0x00)) and descriptor[7] == 64
    whole = host.control(0x80, 6, 0x0200, 0, 255)
    assert len(whole) == int.from_bytes(whole[2:4], "little") and whole[4] == 2
    assert b"\x07\x05\x84\x02\x40\x00" in whole and b"\x07\x05\x04\x02\x40\x00" in whole  # bulk, 64 bytes
    strings = [host.control(0x80, 6, 0x0300 + k, 0x0409, 255)[2:].decode("utf-16-le") for k in (1, 2, 3)]
    assert strings == ["Trine", "Trine test", "0123"]
    assert host.control(0xC0, 1, length=4) == STALL


def test_a_frame_ends_its_packet():
    """So that the host has it at once: a short packet, or after a full one an empty one."""
    _, host = plugged()
    host.enumerate()
    for size in (1, 2, 63, 64, 65, 128):
        sent = frame(size, size)
        for at in range(0, size, 64):
            while host.out(sent[at : at + 64]) != ACK:
                host.fetch()
        packets = [packet for packet in (host.fetch() for _ in range(20)) if packet is not None]
        full, rest = divmod(size, 64)
        assert [len(packet) for packet in packets] == [64] * full + [rest] and b"".join(packets) == sent


def test_a_link_that_is_busy_holds_the_host_back():
    """NAK until there is room for a packet; nothing is lost, and nothing of what the host does not fetch."""
    device, host = plugged(lambda data: data * 3)
    host.enumerate()
    device.deaf = True
    sent, packets = b"", [frame(64, seed) for seed in range(12)]
    answers = []
    for packet in packets:
        answers.append(host.out(packet))
        if answers[-1] == ACK:
            sent += packet
    assert set(answers) == {ACK, NAK}
    device.deaf = False
    received = b"".join(filter(None, (host.fetch() for _ in range(60))))
    assert received == bytes(byte for byte in sent for _ in range(3)) and len(sent) >= 64


def test_handshakes_that_are_lost():
    """A packet that either side has already is acknowledged once more, and is not taken twice."""
    _, host = plugged()
    host.enumerate()
    for n in range(1, 4):
        sent = frame(5 * n, n)
        host.lose = n
        assert [host.out(sent) for _ in range(n + 1)] == [None] * n + [ACK]
        while not (got := host.fetch()):
            pass
        host.lose, before = 1, host.repeats
        assert host.out(sent[::-1].lstrip(b"\0") + b"\0") is None
        host.out(sent[::-1].lstrip(b"\0") + b"\0")
        host.lose = n
        packets = [host.fetch() for _ in range(n + 5)]
        assert got == sent and b"".join(filter(None, packets)) == sent[::-1].lstrip(b"\0") + b"\0"
        assert host.repeats == before + n


def test_data_toggles_begin_anew_with_the_bus():
    """After an odd number of packets, and with one that the host never fetched."""
    _, host = plugged()
    host.enumerate()
    assert host.out(b"a\0") == ACK and b"a\0" in [host.fetch() for _ in range(5)]
    assert host.out(b"b\0") == ACK
    host.fetch()
    assert host.out(b"c\0") == ACK
    host.enumerate(9)
    assert host.out(b"d\0") == ACK and b"d\0" in [host.fetch() for _ in range(8)]


@pytest.mark.parametrize(
    ("faults", "seed"),
    [(0, 1), (0.08, 2), *(pytest.param(0.1, n, marks=pytest.mark.nightly) for n in range(3, 9))],
)
def test_the_driver_s_session_over_usb(faults, seed):
    """Packets and handshakes that are lost or damaged are repeated by USB: the session sees none of it."""
    model = BoardModel(MODEL, default_engine(MODEL), LinkConfig(window=4))
    _, host = plugged(model.exchange, seed=seed)
    host.enumerate()
    host.faults = faults
    tokens = np.random.default_rng(seed).integers(0, 9, 16)
    trace = Golden(MODEL).run(tokens)
    assert trace.logits is not None
    with Board.connected(lambda: USBPort(host), MODEL, "the board") as driver:
        steps = list(driver.stream(tokens[:12], WANT)) + [driver.step(token, WANT) for token in tokens[12:]]
        counters, host_counters = driver.counters, driver.host_counters
    for t, step in enumerate(steps):
        assert np.array_equal(step.h, trace.h[t]) and step.choice == trace.logits[t].argmax()
    assert not counters.damaged and not host_counters.damaged
    assert bool(faults) == bool(host.injected)


def test_a_board_that_was_plugged_in_again_goes_on_after_reset():
    """Whatever the data toggles were, and with half a frame on its way each way."""
    model = BoardModel(MODEL, default_engine(MODEL), LinkConfig(window=4))
    _, host = plugged(model.exchange)
    trace = Golden(MODEL).run(np.array([3, 1, 2]))
    host.enumerate()

    def reached():
        return USBPort(host)

    with Board.connected(reached, MODEL, "the board") as driver:
        for count in (1, 2):  # an odd and an even number of packets
            for _ in range(count):
                driver.step(1)
            host.out(b"\x05\x01\x02")
            host.plug()
            with pytest.raises(BoardGone):
                driver.step(2)
            host.enumerate()
            driver.reset()
            steps = [driver.step(token, ("h",)) for token in (3, 1, 2)]
            assert all(np.array_equal(step.h, h) for step, h in zip(steps, trace.h, strict=True))


@pytest.mark.nightly
def test_a_whole_link_answers_over_usb():
    model = random_model(ModelConfig(hidden=1, embedding=1, vocab_size=2, cell_max=1), seed=1)
    link = USBLink(Link(model, EngineConfig(8, 1), LinkConfig(window=1)), 0x1209, 1, "Trine")
    host = utmi_host(link)
    host.enumerate()
    trace = Golden(model).run(np.array([1, 0, 1]))
    with Board.connected(lambda: USBPort(host), model, "the board") as driver:
        steps = [driver.step(token, ("h",)) for token in (1, 0, 1)]
    assert all(np.array_equal(step.h, h) for step, h in zip(steps, trace.h, strict=True))


@pytest.mark.parametrize("missing", ["luna", "usb_protocol"])
def test_luna_that_is_missing(monkeypatch, missing):
    for name in [name for name in sys.modules if name.split(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "trine_hw.link.usb_device", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(TrineError, match=rf"needs LUNA, .* {missing}.*: pip install 'trine\[usb\]'"):
        ModelDevice(lambda data: data)
