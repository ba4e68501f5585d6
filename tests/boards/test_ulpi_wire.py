"""What a host of high speed and its PHY count as errors of a board, and what they give up at."""

import pytest

from trine_boards.pins.ulpi_wire import CYCLE_SECONDS, ULPITimes, ULPIWire
from trine_boards.pins.usb_host import crc16
from trine_sw.support.errors import TrineError

PULL_UP = [(0x84, 0), (0x45, 0), (0, 1)]  # function control, full speed
CHIRP_MODE, HIGH_SPEED = [(0x84, 0), (0x54, 0), (0, 1)], [(0x84, 0), (0x40, 0), (0, 1)]
ACK = [(0x42, 0), (0, 1)]
TIMES = ULPITimes(*(cycles * CYCLE_SECONDS for cycles in (1000, 1600, 50, 20)))


class Scripted:
    """A board that puts out commands one after the other, each byte until the PHY takes it."""

    def __init__(self):
        self.cycle_seconds, self.errors, self.outputs = CYCLE_SECONDS, 0, []
        self.on_report = {}

    def step(self, dir, nxt, data, most=1):
        if dir:
            self.outputs += self.on_report.pop(data, [])
            return 1, 0, 0
        if not self.outputs:
            return most, 0, 0
        found, stop, *cycles = self.outputs[0]
        if nxt or stop:
            del self.outputs[0]
        return (cycles or [1])[0], found, stop


def plugged():
    """A board that shows its pull-up, and the host's wire to it."""
    bus = Scripted()
    wire = ULPIWire(bus, times=TIMES)
    bus.outputs += PULL_UP
    wire.begin(1e-6)
    return bus, wire


def asked(outputs, wire, bus):
    """What the host receives of a board that answers a packet in this way."""
    wire.send(b"\x69\0\0")
    bus.outputs += outputs
    return wire.receive()


def data_packet(data, crc=None):
    """A DATA0 packet as a board transmits it."""
    crc = crc16(data).to_bytes(2, "little") if crc is None else crc
    return [(0x43, 0), *((byte, 0) for byte in data + crc), (0, 1)]


def test_a_board_that_keeps_the_rules():
    """It chirps, goes to high speed, and sends handshakes and packets of all sizes."""
    bus, wire = plugged()
    bus.on_report = {0b1100: [*CHIRP_MODE, (0x40, 0), (0, 1, 100)], 0b1110: HIGH_SPEED}
    wire.reset()
    assert wire.high_speed and wire.chirps == [101]
    assert asked(ACK, wire, bus) == b"\xd2"
    for size in (0, 1, 512):
        data = bytes(n % 256 for n in range(size))
        assert asked(data_packet(data), wire, bus) == b"\xc3" + data + crc16(data).to_bytes(2, "little")
    wire.pause()
    assert wire.receive() is None and wire.errors == 0


@pytest.mark.parametrize(
    "outputs",
    [
        data_packet(b"abc", b"\0\0"),
        data_packet(b"", b"\0"),
        data_packet(bytes(513)),
        [*data_packet(b"abc")[:-1], (0xFF, 1)],
        [(0x42, 0), (0, 0), (0, 1)],
        [(0x45, 0), (0, 1)],
        [(0x4A, 0), (0x84, 0), (0x45, 0), (0, 1)],
        [(0x40, 0), (0, 1)],
        [(0, 1)],
        [(0x8A, 0), (0, 0), (0, 0)],
        [(0x8A, 0), (0, 1), (0, 1)],
        [(0x8A, 0), (0, 0), (1, 1)],
    ],
    ids=[
        "checksum",
        "packet without a checksum",
        "packet that is too long",
        "packet that ends in an error",
        "handshake with data",
        "packet of a host",
        "NAK with data",
        "chirp out of its mode",
        "stp without a command",
        "register without stp",
        "register with an early stp",
        "stp with data",
    ],
)
def test_what_breaks_the_rules_is_counted(outputs):
    bus, wire = plugged()
    asked(outputs, wire, bus)
    assert wire.errors == 1


def test_a_packet_that_nobody_asked_for():
    bus, wire = plugged()
    bus.outputs += ACK
    wire.pause()
    assert wire.errors == 1


def test_a_second_packet_for_one():
    bus, wire = plugged()
    asked(ACK, wire, bus)
    bus.outputs += ACK
    wire.pause()
    wire.send(b"\x69\0\0")
    assert wire.errors == 1 and wire.receive() is None


def test_a_packet_in_another_mode_than_the_normal():
    bus, wire = plugged()
    bus.outputs += CHIRP_MODE
    wire.pause()
    asked(ACK, wire, bus)
    assert wire.errors == 1


def test_a_chirp_that_is_too_short():
    bus, wire = plugged()
    bus.on_report = {0b1100: [*CHIRP_MODE, (0x40, 0), (0, 1, 20)], 0b1110: HIGH_SPEED}
    wire.reset()
    assert wire.high_speed and wire.errors == 1


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ([(0xC4, 0)], "the command 0xc4, which is not modelled"),
        ([(0xAF, 0)], "the command 0xaf, which is not modelled"),
        ([(0x84, 0), (0x65, 0), (0, 1)], "resets its PHY by a register"),
        ([(0x40, 0), *[(0, 0)] * 2000], "does not end its chirp"),
    ],
)
def test_a_board_that_is_given_up(outputs, said):
    bus, wire = plugged()
    bus.outputs += outputs
    with pytest.raises(TrineError, match=said):
        wire.pause()


def test_a_packet_without_an_end():
    """It is cut after the longest, and counted; what follows is a command to nobody."""
    bus, wire = plugged()
    asked(data_packet(bytes(600))[:-1], wire, bus)
    assert wire.errors >= 1


def test_a_board_without_a_pull_up():
    with pytest.raises(TrineError, match="has not switched its PHY's pull-up on"):
        ULPIWire(Scripted(), times=TIMES).begin(1e-6)


def test_a_board_that_does_not_answer_a_reset():
    bus, wire = plugged()
    with pytest.raises(TrineError, match="does not chirp"):
        wire.reset()
    bus.on_report = {0b1100: [*CHIRP_MODE, (0x40, 0), (0, 1, 100)]}
    with pytest.raises(TrineError, match="has not come to high speed"):
        wire.reset()
