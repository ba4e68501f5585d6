"""USB of high speed at its ULPI interface: chirps, enumeration, packets, NAK, lost handshakes, re-plug."""

import random

import numpy as np
import pytest
from amaranth.hdl import Fragment
from amaranth.hdl._mem import MemoryInstance

from tests.helpers.ulpi_host import SimulatedULPI, shorter_chirps
from tests.helpers.usb_host import ModelDevice
from trine_boards.pins.ulpi_wire import ULPIWire, high_speed_host
from trine_boards.pins.usb_host import ACK, NAK, USBPort
from trine_sw.driver import Board, BoardGone
from trine_sw.engine.default import default_engine
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.memories import stored_packets
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

MODEL = random_model(ModelConfig(hidden=5, embedding=4, vocab_size=9), seed=4)
_FUNCTION_CONTROL = 0x04


def plugged(monkeypatch, answer=lambda data: data, *, seed=1, **options):
    """A device that its PHY has started, and a host that has not yet looked at it."""
    times = shorter_chirps(monkeypatch)
    device = ModelDevice(answer, high_speed=True)
    wire = ULPIWire(SimulatedULPI(device, device.board), times=times, seed=seed, **options)
    wire.begin(5e-6)
    return device, wire, high_speed_host(wire, seed=seed)


def frame(size, seed=1):
    """A frame of so many bytes, its 0 among them."""
    rng = random.Random(seed)
    return bytes(rng.randrange(1, 256) for _ in range(size - 1)) + b"\0"


def sent(host, data):
    """Send a frame, by packets that the device has room for."""
    for at in range(0, len(data), 512):
        assert ACK in (host.out(data[at : at + 512]) for _ in range(20))


def received(host, size):
    """So many bytes of the device's, by packets."""
    packets = []
    for _ in range(400):
        if (packet := host.fetch()) is not None:
            packets.append(packet)
        if sum(map(len, packets)) >= size and len(packets[-1]) < 512:
            return packets
    raise AssertionError(f"after {packets} comes no end")


def test_a_frame_over_a_bus_of_high_speed(monkeypatch):
    """From the chirp to a frame that has a full packet and a short one."""
    _, wire, host = plugged(monkeypatch)
    assert not wire.high_speed
    descriptor = host.enumerate(17)
    assert wire.high_speed and len(wire.chirps) == 1 and wire.chirps[0] >= 50
    assert descriptor[8:12] == bytes((0x09, 0x12, 0x01, 0x00)) and descriptor[7] == 64
    whole = host.control(0x80, 6, 0x0200, 0, 255)
    assert b"\x07\x05\x84\x02\x00\x02" in whole and b"\x07\x05\x04\x02\x00\x02" in whole  # bulk, 512 bytes
    sent(host, data := frame(516))
    assert received(host, 516) == [data[:512], data[512:]]
    assert wire.errors == 0


@pytest.mark.nightly
@pytest.mark.parametrize("size", [1, 511, 512, 1024])
def test_a_frame_ends_its_packet(monkeypatch, size):
    """A short packet, or after a full one an empty one."""
    _, _, host = plugged(monkeypatch, seed=size)
    host.enumerate()
    sent(host, data := frame(size, size))
    packets = received(host, size)
    assert b"".join(packets) == data and [len(packet) for packet in packets] == [512] * (size // 512) + [
        size % 512
    ]


@pytest.mark.nightly
def test_a_link_that_is_busy_holds_the_host_back(monkeypatch):
    """NAK until there is room for a packet, and a host that asks for room; nothing is lost."""
    device, _, host = plugged(monkeypatch)
    host.enumerate()
    device.deaf = True
    taken, answers = b"", []
    for seed in range(1, 7):
        answers.append(host.out(packet := frame(512, seed)))
        taken += packet if answers[-1] == ACK else b""
    assert set(answers) == {ACK, NAK} and answers[-1] == NAK and not host.has_room()
    device.deaf = False
    back = b""
    for _ in range(400):
        back += host.fetch() or b""
        if len(back) == len(taken):
            break
    assert back == taken and host.has_room() and host.out(b"\0") == ACK


def test_handshakes_that_are_lost(monkeypatch):
    """A packet that either side has already is acknowledged once more, and is not taken twice."""
    _, wire, host = plugged(monkeypatch)
    host.enumerate()
    for n in (1, 2):
        data = frame(5 * n, n)
        host.lose = n
        assert [host.out(data) for _ in range(n + 1)] == [None] * n + [ACK]
        before, packets, host.lose = host.repeats, [], n
        for _ in range(20):
            packets.append(host.fetch())
        assert b"".join(filter(None, packets)) == data and host.repeats == before + n
    assert wire.errors == 0


@pytest.mark.nightly
def test_data_toggles_begin_anew_with_the_bus(monkeypatch):
    """After an odd number of packets, and with one that the host never fetched."""
    _, wire, host = plugged(monkeypatch)
    host.enumerate()
    sent(host, b"a\0")
    assert received(host, 2) == [b"a\0"]
    sent(host, b"b\0")
    host.enumerate(9)
    assert wire.high_speed and len(wire.chirps) == 2
    sent(host, b"d\0")
    assert b"d\0" in [host.fetch() for _ in range(20)]


@pytest.mark.nightly
@pytest.mark.parametrize(("faults", "seed"), [(0.05, 2), (0.1, 3), (0.1, 4)])
def test_the_driver_s_session(monkeypatch, faults, seed):
    """Packets and handshakes that are lost or damaged are repeated by USB: the session sees none of it. After
    the board was plugged in again it goes on after reset."""
    model = BoardModel(MODEL, default_engine(MODEL), LinkConfig(window=4))
    _, wire, host = plugged(monkeypatch, model.exchange, seed=seed)
    host.enumerate()
    host.faults = faults
    tokens = np.random.default_rng(seed).integers(0, 9, 6)
    trace = Golden(MODEL).run(tokens)
    with Board.connected(lambda: USBPort(host), MODEL, "the board") as driver:
        steps = [*driver.stream(tokens[:4], ("h",)), *(driver.step(token, ("h",)) for token in tokens[4:])]
        assert not driver.counters.damaged and not driver.host_counters.damaged
        assert host.injected
        host.faults = 0
        host.out(b"\x05\x01\x02")
        host.plug()
        with pytest.raises(BoardGone):
            driver.step(2)
        host.enumerate()
        driver.reset()
        steps += [driver.step(token, ("h",)) for token in tokens]
    for t, step in enumerate(steps):
        assert np.array_equal(step.h, trace.h[t % len(tokens)])
    assert wire.errors == 0


@pytest.mark.nightly
def test_a_host_of_full_speed_does_not_answer_the_chirp(monkeypatch):
    """The device comes to be of full speed, and still answers."""
    _, wire, host = plugged(monkeypatch, answers=False)
    host.plug()
    assert wire.chirps and wire.registers[_FUNCTION_CONTROL] & 0b11111 == 0b00101  # full speed, pulled up
    assert len(host.control(0x80, 6, 0x0100, 0, 18)) == 18 and wire.errors == 0


def test_packets_wait_in_the_memories_that_are_counted():
    """Memories of the device of more than 64 words, against those that ``trine fit`` counts."""
    streams = Fragment.get(ModelDevice(lambda data: data, high_speed=True).streams, None)
    found, parts = [], [streams]
    while parts:
        part = parts.pop()
        parts += [each for each, *_ in part.subfragments]
        if isinstance(part, MemoryInstance) and part._write_ports and part._data.depth > 64:
            found.append((len(part._write_ports[0]._data), part._data.depth))
    assert sorted(found) == sorted((memory.width, memory.depth) for memory in stored_packets())
