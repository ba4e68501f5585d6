"""Transports of a board: which one is built, and what is told of it."""

import json
import re
import sys
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import numpy as np
import pytest
from amaranth.hdl import Fragment

import trine_hw.link.ethernet
from sim.netlist.memories import built_memories
from tests.helpers.one_of_each import ONE_OF_EACH
from trine_boards import BOARDS
from trine_boards.build.bitstream import read_report
from trine_boards.build.elaboration import elaborate
from trine_boards.build.record import BuildRecord
from trine_boards.clock.choice import board_clock, board_clocks
from trine_boards.pins.uart import UARTHost
from trine_boards.top import BoardTop
from trine_boards.transports.ethernet import EthernetTransport, network_address
from trine_boards.transports.uart import UARTTransport
from trine_boards.transports.usb import USBTransport
from trine_boards.verify.loaded import recorded_board
from trine_boards.verify.verification import verify_build
from trine_hw.link.ethernet.cobs import COBSEncoder
from trine_hw.link.ethernet.datagram_store import DatagramStore
from trine_hw.link.link import Link
from trine_hw.link.uart import UARTLink
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.fit.cost import memory_cost
from trine_sw.link.memories import datagram_words
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import ClockError, TrineError

MODEL = random_model(ModelConfig(hidden=4, embedding=4, vocab_size=8), seed=1)
ENGINE = EngineConfig(lanes=40, banks=2, block_ram="ecp5")


@dataclass(frozen=True)
class Slow:
    """A transport without a baud rate, which needs a slow clock."""

    name: str = "slow"
    baud: int = 0
    usb: tuple[int, int] | None = None

    @property
    def clocks(self) -> dict[str, float]:
        return {}

    @property
    def stores_replies(self) -> bool:
        return False

    def check_clock(self, clock_mhz: float) -> None:
        if clock_mhz > 30:
            raise ClockError("too fast")

    def pinned(self, link: Link, clock_mhz: float) -> UARTLink:
        return UARTLink(link, 8)

    def pin_host(self, clock_mhz: float) -> UARTHost:
        return UARTHost("rx", "tx", 1e6)

    def join(self, m, pinned, platform) -> None:
        pass


BOARD = replace(BOARDS["ulx3s"], transports=(UARTTransport(baud=1_000_000), Slow()))


def test_each_board_has_transports_of_different_names():
    for board in BOARDS.values():
        names = [transport.name for transport in board.transports]
        assert len(set(names)) == len(names) >= 1 and board.transport is board.transports[0]
        assert board.over(None) is board and board.baud == board.transport.baud
        for name in names:
            chosen = board.over(name)
            assert chosen.transport.name == name
            assert {each.name for each in chosen.transports} == set(names)


@pytest.mark.parametrize("name", ["", "serial", 3, "UART"])
def test_a_transport_that_a_board_has_not(name):
    with pytest.raises(TrineError, match="Radiona ULX3S-85F has no link .*; it has: uart, slow"):
        BOARD.over(name)


def test_the_transport_decides_the_clocks():
    slow = BOARD.over("slow")
    assert max(board_clocks(slow)) <= 30 < max(board_clocks(BOARD))
    assert any(mhz % 1 for mhz in board_clocks(slow))
    with pytest.raises(ClockError, match="does not serve the link slow; the nearest"):
        board_clock(slow, 75)


def test_a_board_without_a_baud_rate_says_so(tmp_path):
    top = BoardTop(MODEL, ENGINE, BOARD.over("slow"), 25)
    assert top.pinned.link.info.baud == top.design.info.baud == 0
    assert top.identity != BoardTop(MODEL, ENGINE, BOARD, 25).identity
    bitstream = tmp_path / "top.bit"
    bitstream.write_bytes(b"bits")
    record = BuildRecord.of(top, bitstream, 1)
    record.save(tmp_path, MODEL)
    assert BuildRecord.load(tmp_path) == record
    assert (record.transport, record.baud) == ("slow", 0)
    with pytest.raises(TrineError, match="has no link 'slow'"):
        verify_build(tmp_path, tokens=20, seed=0, command="")


@pytest.mark.parametrize("hidden", [4, pytest.param(300, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("name", sorted(ONE_OF_EACH))
def test_fit_counts_the_memory_that_a_transport_has(name, hidden):
    """Block RAMs of what is elaborated for each of a board's transports, of short and of long replies."""
    model = random_model(ModelConfig(hidden=hidden, embedding=4, vocab_size=8), seed=1)
    counted = {}
    for transport in BOARDS[name].transports:
        board = BOARDS[name].over(transport.name)
        engine = replace(ENGINE, block_ram=board.block_ram_kind)
        top = BoardTop(model, engine, board, board.clock_mhz)
        built, _, _ = built_memories(Fragment.get(top.pinned.link, None), board)
        if transport.name == "spi":
            built = built_memories(Fragment.get(top.pinned, None), board)[0]
        counted[transport.name] = memory_cost(Geometry(model.config, engine), board, top.design.link)[0]
        assert built == counted[transport.name]
    assert counted["spi"] == counted["uart"] + 1


def test_usb_has_its_pins_and_its_clocks():
    """US2 of a ULX3S; the PHY at 48 MHz, the device at a quarter, both in reset until their PLL is steady."""
    board = BOARDS["ulx3s"].over("usb")
    top = BoardTop(MODEL, ENGINE, board, board.clock_mhz)
    files = elaborate(top, board.platform())
    text, netlist = files["top.lpf"].decode(), files["top.il"].decode()
    for port, pin in (("d_p", "D15"), ("d_n", "E15"), ("pullup", "B12")):
        assert f'LOCATE COMP "usb_0__{port}__io" SITE "{pin}"' in text
    for clock, mhz in (("usb_clk", 12), ("usb_io_clk", 48), ("engine_clk", 75 * 1.05)):
        assert re.search(rf'FREQUENCY NET "[\w.]*\b{clock}" {mhz * 1e6:.1f} HZ', text), clock
    (pll,) = re.findall(r"cell \\EHXPLLL \\pll_beside\n((?:.*\n)*?) *end\n", netlist)
    setting = {key: int(value) for key, value in re.findall(r"parameter (?:signed )?\\(\w+_DIV) (\d+)", pll)}
    vco = 25 * setting["CLKFB_DIV"] * setting["CLKOP_DIV"] / setting["CLKI_DIV"]
    assert (vco / setting["CLKOS_DIV"], vco / setting["CLKOS2_DIV"]) == (48, 12) and 400 <= vco <= 800
    assert top.design.info.baud == 0 and board.usb_numbers == [(0x0403, 0x6015), (0x1209, 0x0001)]


def test_ulpi_has_its_pins_and_its_clock():
    """The PHY of an ECPIX-5, which makes 60 MHz; packets wait in three block RAMs."""
    board = BOARDS["ecpix5-85f"].over("ulpi")
    assert board.link == board.transport.link and board.link.fast
    top = BoardTop(MODEL, ENGINE, board, board.clock_mhz)
    files = elaborate(top, board.platform())
    text, netlist = files["top.lpf"].decode(), files["top.il"].decode()
    pins = {f"data__io[{bit}]": pin for bit, pin in enumerate("M26 L25 L26 K25 K26 J23 P25 H25".split())}
    for port, pin in (pins | {"clk__io": "H24", "dir__io": "F22", "nxt__io": "F23"}).items():
        assert f'LOCATE COMP "ulpi_0__{port}" SITE "{pin}"' in text
    for clock, mhz in (("usb_clk", 60), ("engine_clk", board.clock_mhz * 1.05)):
        assert re.search(rf'FREQUENCY NET "[\w.]*\b{clock}" {mhz * 1e6:.1f} HZ', text), clock
    assert len(re.findall(r"cell \\EHXPLLL", netlist)) == 1
    assert top.design.info.baud == 0 and board.usb_numbers == [(0x0403, 0x6010), (0x1209, 0x0001)]
    parts = Geometry(MODEL.config, ENGINE), top.design.link
    without = memory_cost(parts[0], replace(board, transports=BOARDS["ulx3s"].transports), parts[1])
    assert memory_cost(parts[0], board, parts[1])[0] - without[0] == 3


@pytest.mark.parametrize(
    ("name", "pins", "delays"),
    [
        (
            "ecpix5-85f",
            {"rx_clk": "E11", "rx_ctrl": "A11", "tx_clk": "A12", "tx_ctrl": "C9", "rst": "C13"},
            (80, 0),
        ),
        (
            "colorlight-5a75b",
            {"rx_clk": "M1", "rx_ctl": "N6", "tx_clk": "M2", "tx_ctl": "M3", "rst": "P5"},
            (0, 80),
        ),
    ],
)
def test_ethernet_has_its_pins_and_its_clocks(name, pins, delays):
    """RGMII with the delays that the PHY leaves to the chip, in steps of 25 ps; 50 MHz of a second PLL."""
    pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")
    board = BOARDS[name].over("ethernet")
    assert board.link == board.transport.link and board.link.fast and BOARDS[name].link != board.link
    top = BoardTop(MODEL, ENGINE, board, board.clock_mhz)
    files = elaborate(top, board.platform())
    text = files["top.lpf"].decode()
    for port, pin in pins.items():
        assert f'LOCATE COMP "eth_rgmii_0__{port}__io" SITE "{pin}"' in text
    for clock, mhz in (("eth_clk", 50), ("eth_wire_clk", 125)):
        assert re.search(rf'FREQUENCY NET "[\w.]*\b{clock}" {mhz * 1e6:.1f} HZ', text), clock
    phy, core = (files[f"trine_ethernet_{part}.v"].decode() for part in ("phy", "core"))
    steps = [int(value) for value in re.findall(r"DEL_VALUE \(\d+'d(\d+)\)", phy)]
    assert steps == [delays[0], *[0] * 5, *[delays[1]] * 5]
    for number in (0xC0A80132, 0x0254C0A80132, 7700):
        assert re.search(rf"'d{number}\b", core)
    stores = [DatagramStore(words, counts=False) for words in datagram_words(board.link)]
    built = [built_memories(Fragment.get(part, None), board)[0] for part in (*stores, COBSEncoder())]
    parts = Geometry(MODEL.config, ENGINE), top.design.link
    without = memory_cost(parts[0], replace(board, transports=BOARDS["ulx3s"].transports), parts[1])
    assert sum(built) == memory_cost(parts[0], board, parts[1])[0] - without[0] == 6
    elsewhere = replace(board.transport, address="10.0.0.9")
    assert BoardTop(MODEL, ENGINE, replace(board, transports=(elsewhere,)), 75).identity != top.identity


@pytest.mark.parametrize(
    "address",
    ["", "192.168.1", "192.168.1.256", "224.0.0.1", "0.0.0.0", "127.0.0.1", "250.0.0.1", "10.0.0.0"]
    + ["10.0.0.255", "10.0.0.9/24", "10.0.0.9:7700", "board.local", "fe80::1", None, 5],
)
def test_addresses_that_no_board_has(address):
    for refused in (network_address, lambda address: EthernetTransport(address=address)):
        with pytest.raises(TrineError, match="is no address of a board"):
            refused(address)


def test_a_board_at_another_address(tmp_path):
    """It is in LiteEth's core, MAC address and all, in the record, and in what is made of that."""
    pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")
    board, rng = BOARDS["ecpix5-85f"].over("ethernet"), np.random.default_rng(6)
    assert board.at_address(None) is board and board.address == "192.168.1.50"
    for _ in range(3):
        number = int.from_bytes(bytes([10, *rng.integers(1, 255, 3).tolist()]), "big")
        address = str(IPv4Address(number))
        moved = board.at_address(address)
        top = BoardTop(MODEL, ENGINE, moved, moved.clock_mhz)
        for each in (number, 0x0254 << 32 | number):
            assert re.search(rf"'d{each}\b", top.pinned.core)
        assert not re.search(rf"'d{0xC0A80132}\b", top.pinned.core)
        (tmp_path / "top.bit").write_bytes(b"bits")
        record = BuildRecord.of(top, tmp_path / "top.bit", 1)
        record.save(tmp_path, MODEL)
        assert BuildRecord.load(tmp_path).address == recorded_board(record).address == address


def test_an_address_for_a_link_that_has_none():
    with pytest.raises(TrineError, match="uart of .* has no network address: take the link ethernet"):
        BOARDS["ecpix5-85f"].at_address("10.0.0.9")
    with pytest.raises(TrineError, match="uart of .* has no network address: give none"):
        BOARD.at_address("10.0.0.9")


def test_frames_that_fit_no_datagram():
    with pytest.raises(TrineError, match="fits no datagram of Ethernet: take slot_bytes of 1024 at most"):
        link = LinkConfig(2, 2048, 4096, "fast")
        EthernetTransport().pinned(Link(MODEL, ENGINE, link), 75)


def test_ethernet_without_liteeth(monkeypatch):
    monkeypatch.setitem(sys.modules, "liteeth.core", None)
    monkeypatch.delitem(sys.modules, "trine_hw.link.ethernet.core", raising=False)
    monkeypatch.delattr(trine_hw.link.ethernet, "core", raising=False)
    with pytest.raises(
        TrineError, match=r"needs LiteEth, and there is no package .*pip install 'trine\[ethernet\]'"
    ):
        EthernetTransport().pinned(Link(MODEL, ENGINE, LinkConfig(2, 256, 512, "fast")), 75)


def test_a_clock_beside_the_engine_s_on_a_chip_with_one_pll():
    board = replace(BOARDS["icebreaker"], transports=(USBTransport("Trine"),))
    top = BoardTop(MODEL, replace(ENGINE, block_ram="ice40"), board, board.clock_mhz)
    with pytest.raises(ClockError, match="one PLL of an iCE40 makes no clocks .*: usb_io, usb"):
        elaborate(top, board.platform())


def test_a_clock_of_the_link_that_is_not_met_fails(tmp_path):
    report, log = tmp_path / "report.json", tmp_path / "log"
    log.write_text("Routing complete.", encoding="utf-8")
    clocks = {
        "engine_clk": {"achieved": 80, "constraint": 79},
        "$glbnet$usb_clk": {"achieved": 40, "constraint": 12},
    }
    report.write_text(json.dumps({"fmax": clocks, "utilization": {}}), encoding="utf-8")
    assert read_report(report, log)[0] == 80
    clocks["$glbnet$eth_wire_clk"] = {"achieved": 126, "constraint": 125}
    report.write_text(json.dumps({"fmax": clocks, "utilization": {}}), encoding="utf-8")
    assert read_report(report, log)[0] == 80
    clocks["$glbnet$usb_io_clk"] = {"achieved": 47.5, "constraint": 48}
    report.write_text(json.dumps({"fmax": clocks, "utilization": {}}), encoding="utf-8")
    with pytest.raises(TrineError, match=r"link is not met: \$glbnet\$usb_io_clk, 47.50 of 48.00 MHz"):
        read_report(report, log)


@pytest.mark.parametrize(("name", "pins"), [("ulx3s", "B11 C11 A10 A11 A9"), ("icebreaker", "4 45 2 47 3")])
def test_spi_has_its_pins(name, pins):
    """Chip select, clock, data from the controller, data to it, ready: by the connector of the board."""
    board = BOARDS[name].over("spi")
    top = BoardTop(MODEL, replace(ENGINE, block_ram=board.block_ram_kind), board, board.clock_mhz)
    files = elaborate(top, board.platform())
    text = files["top.lpf" if board.family == "ecp5" else "top.pcf"].decode()
    ports = ("cs", "clk", "copi", "cipo", "ready")
    place = (
        'LOCATE COMP "trine_spi_0__{}__io" SITE "{}"'
        if board.family == "ecp5"
        else "set_io trine_spi_0__{}__io {}"
    )
    for port, pin in zip(ports, pins.split(), strict=True):
        assert place.format(port, pin) in text
    assert b"uart" not in files["top.il"].replace(b"\\uart.py", b"") and top.design.info.baud == 0
