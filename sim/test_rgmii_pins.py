"""LiteEth's PHY at RGMII's pins, with the delays of each board: in nanoseconds, and wrong ones."""

import random
from contextlib import closing
from dataclasses import replace

import pytest

from sim.netlist.rgmii_phy import PORTS, routed_phy, source_phy
from trine_boards import BOARDS
from trine_boards.pins.ethernet_frames import on_wire
from trine_boards.pins.rgmii import RGMIIHost
from trine_boards.pins.simulation import started
from trine_boards.transports.ethernet import EthernetTransport

pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")

COLORLIGHT = "colorlight-5a75b"
#: Of each, delays of the PHY with which the board cannot work, as it delays the other clock or data itself.
WRONG = {
    "ecpix5-85f": ({"tx_delay_ns": 2.0}, {"rx_delay_ns": 3.0}, {"rx_delay_ns": 3.2}),
    COLORLIGHT: ({"tx_delay_ns": 0.0}, {"rx_delay_ns": 1.0}, {"rx_delay_ns": 0.0}),
}


def transport_of(name: str) -> EthernetTransport:
    transport = BOARDS[name].over("ethernet").transport
    assert isinstance(transport, EthernetTransport)
    return transport


def host_of(transport: EthernetTransport) -> RGMIIHost:
    return replace(transport.pin_host(75.0), **{name: name for name in PORTS})


def returned(netlist, host: RGMIIHost, count: int = 20) -> tuple[int, int]:
    """How many frames have come back, and the errors on the wire."""
    rng, right = random.Random(3), 0
    with closing(host.attach(started(netlist, host, optimise=False))) as pins:
        pins.wire.receive(20e-6)
        assert not pins.wire.reset and pins.wire.errors == 0
        for _ in range(count):
            frame = rng.randbytes(rng.randrange(60, 120))
            pins.wire.send(on_wire(frame))
            right += pins.wire.receive(3e-6) == frame
        return right, pins.wire.errors


@pytest.mark.parametrize("name", WRONG)
def test_delays_of_a_board_and_of_its_phy(name, tmp_path):
    """Frames come back with the board's delays; with others of the PHY none does, and the wire shows it."""
    transport = transport_of(name)
    netlist = source_phy(tmp_path, transport.tx_delay_ns, transport.rx_delay_ns)
    host = host_of(transport)
    assert returned(netlist, host) == (20, 0)
    for wrong in WRONG[name]:
        right, errors = returned(netlist, replace(host, **wrong))
        assert right == 0 and errors >= 20, wrong


@pytest.mark.parametrize("part", ["tx", "rx"])
def test_swapped_nibbles_are_seen(part, tmp_path, monkeypatch):
    """Of a PHY that exchanges the nibbles of one direction."""
    transport = transport_of(COLORLIGHT)
    netlist = source_phy(tmp_path, transport.tx_delay_ns, transport.rx_delay_ns)
    path = netlist.sources[0]
    text = path.read_text(encoding="utf-8")
    right, wrong = {
        "tx": (".gmii_tx_data(data)", ".gmii_tx_data({data[3:0], data[7:4]})"),
        "rx": (".gmii_rx_data(rx_byte)", ".gmii_rx_data({rx_byte[3:0], rx_byte[7:4]})"),
    }[part]
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    assert returned(netlist, host_of(transport)) == (0, 20)


def test_the_phy_placed_and_routed(tmp_path):
    """Registers and delays in the pads do what they do in the source."""
    transport = transport_of(COLORLIGHT)
    netlist = routed_phy(tmp_path, transport.tx_delay_ns, transport.rx_delay_ns)
    host = host_of(transport)
    assert returned(netlist, host) == (20, 0)
    for wrong in WRONG[COLORLIGHT][:2]:
        assert returned(netlist, replace(host, **wrong))[0] == 0
