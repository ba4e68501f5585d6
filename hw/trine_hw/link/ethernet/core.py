"""UDP/IP core and RGMII PHY of LiteEth, as Verilog."""

from __future__ import annotations

import re
from typing import Any

from liteeth.core import LiteEthUDPIPCore
from liteeth.phy.ecp5rgmii import LiteEthPHYRGMII
from litex.build.lattice.common import lattice_ecp5_special_overrides
from litex.gen import LiteXModule
from litex.gen.fhdl.verilog import convert
from migen import ClockDomain, Record, Signal

from trine_hw.link.ethernet.neighbour import own_neighbour
from trine_hw.link.ethernet.padding import own_padding
from trine_hw.link.ethernet.udp_receiver import own_receiver
from trine_hw.link.ethernet.wire import WirePHY
from trine_hw.link.ethernet.words import CORE, PHY, WORD_BYTES

__all__ = ["core_verilog", "phy_verilog"]

#: Bits of a word of the core.
_WIDTH = 8 * WORD_BYTES
_GMII = [("rx_dv", 1), ("rx_data", 8), ("tx_en", 1), ("tx_data", 8)]
_RGMII = [("rx_ctl", 1), ("rx_data", 4), ("tx_ctl", 1), ("tx_data", 4)]
#: Of a UDP port, what comes and what goes, without ``valid`` and ``ready``.
_RECEIVED = ("last", "last_be", "data", "error", "ip_address", "src_port")
_SENT = ("last", "last_be", "data", "ip_address", "dst_port", "length")


class _Core(LiteXModule):
    """Ethernet, ARP, IPv4 and UDP at one port.

    Without LiteEth's echo of ICMP (2024.12): a request whose packet says another length than it has fills its
    memory, and nothing is received any more.
    """

    def __init__(self, mac: int, address: int, port: int) -> None:
        self.pads = Record(_GMII)
        self.cd_sys, self.cd_eth_rx, self.cd_eth_tx = (
            ClockDomain("sys"),
            ClockDomain("eth_rx"),
            ClockDomain("eth_tx"),
        )
        self.phy = WirePHY(self.pads, _WIDTH)
        with own_padding(), own_receiver(), own_neighbour():
            self.core = LiteEthUDPIPCore(
                self.phy,
                mac_address=mac,
                ip_address=address,
                clk_freq=0,  # for timers of its ARP, in whose place another is
                dw=_WIDTH,
                with_sys_datapath=True,
                with_icmp=False,
                with_ip_broadcast=False,
            )
        # The crossbar gives each datagram to the user of the port that it was sent to.
        user = self.core.udp.crossbar.get_port(port, dw=_WIDTH)
        self.comb += user.sink.src_port.eq(port)
        self.comb += self.core.arp.table.hears(user.source, self.core.ip.rx.sink)
        self.ios = {
            *(getattr(self.pads, name) for name, _ in _GMII),
            *(getattr(domain, part) for domain in self._domains() for part in ("clk", "rst")),
        }
        for side, stream, names in (("rx", user.source, _RECEIVED), ("tx", user.sink, _SENT)):
            for name in ("valid", "ready", *names):
                signal = getattr(stream, name)
                port_signal = Signal(len(signal), name=f"{side}_{name}")
                inward = (side == "tx") != (name == "ready")
                self.comb += signal.eq(port_signal) if inward else port_signal.eq(signal)
                self.ios.add(port_signal)

    def _domains(self) -> tuple[ClockDomain, ...]:
        return self.cd_sys, self.cd_eth_rx, self.cd_eth_tx


class _RGMIIPHY(LiteXModule):
    """GMII on one side, RGMII's pins of an ECP5 on the other; the received clock is the sent one too."""

    def __init__(self, tx_delay_ns: float, rx_delay_ns: float) -> None:
        clocks, pads, gmii = Record([("rx", 1), ("tx", 1)], "rgmii"), Record(_RGMII, "rgmii"), Record(_GMII)
        self.rst, clock, reset = Signal(name="rst"), Signal(name="eth_clk"), Signal(name="eth_rst")
        self.phy = phy = LiteEthPHYRGMII(
            clocks,
            pads,
            with_hw_init_reset=False,
            tx_delay=tx_delay_ns * 1e-9,
            rx_delay=rx_delay_ns * 1e-9,
            with_inband_status=False,
        )
        self.comb += [
            phy.crg._reset.storage.eq(self.rst),
            clock.eq(phy.crg.cd_eth_rx.clk),
            reset.eq(phy.crg.cd_eth_rx.rst),
            gmii.rx_dv.eq(phy.source.valid),
            gmii.rx_data.eq(phy.source.data),
            phy.sink.valid.eq(gmii.tx_en),
            phy.sink.data.eq(gmii.tx_data),
        ]
        self.ios = {self.rst, clock, reset, *clocks.flatten(), *pads.flatten(), *gmii.flatten()}


def _text(module: Any, name: str) -> str:
    """Verilog without its comments, which have the time in them."""
    text = convert(
        module, module.ios, name=name, special_overrides=lattice_ecp5_special_overrides
    ).main_source
    return re.sub(r"\n{2,}", "\n", re.sub(r"//[^\n]*", "", text)).lstrip()


def core_verilog(mac: int, address: int, port: int) -> str:
    """The module :data:`CORE`.

    ``sys`` carries words of four bytes; ``eth_rx`` and ``eth_tx`` are GMII's.

    Parameters
    ----------
    mac, address, port : of the board, numbers of 48, 32 and 16 bits
    """
    return _text(_Core(mac, address, port), CORE)


def phy_verilog(tx_delay_ns: float, rx_delay_ns: float) -> str:
    """The module :data:`PHY`: pins of an ECP5, with delays of the clock that is sent and of the data that
    comes, for the chip beside it."""
    return _text(_RGMIIPHY(tx_delay_ns, rx_delay_ns), PHY)
