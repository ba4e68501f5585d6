"""Gigabit Ethernet at an RGMII PHY of the board: frames of the protocol are UDP datagrams."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import ClockDomain, Instance, Module, ResetSignal, Signal
from amaranth.lib import io

from trine_boards.pins.rgmii import RGMIIHost
from trine_hw.link.ethernet.streams import PHY, EthernetLink, liteeth
from trine_hw.link.link import Link
from trine_sw.link.protocol import LinkConfig
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

__all__ = ["EthernetTransport", "network_address"]

#: Of LiteEth's core, which carries four bytes in a cycle; and of RGMII at 1 Gbit/s.
_ETH_MHZ, _WIRE_MHZ = 50.0, 125.0
#: A MAC address is of those that anybody may give, with the network address behind it.
_LOCAL_MAC = 0x0254 << 32


@dataclass(frozen=True)
class EthernetTransport:
    """A UDP port at an RGMII PHY, of 1 Gbit/s alone.

    Parameters
    ----------
    rx_control, tx_control : names of the PHY's pins in the platform, which has two names for them
    tx_delay_ns, rx_delay_ns : of the clock that is sent and of the data that comes, beyond those of the PHY
    phy_tx_delay_ns, phy_rx_delay_ns : of the PHY: of the clock that it receives, and of the one that it sends
    resource, number : its pins in the platform
    address : IPv4 address; the MAC address is 02:54 and it
    port : of UDP
    link : sizes of the link's buffers, where a board is built with this transport

    Raises
    ------
    TrineError
        For an address that no board can have.
    """

    rx_control: str = "rx_ctl"
    tx_control: str = "tx_ctl"
    tx_delay_ns: float = 2.0
    rx_delay_ns: float = 2.0
    phy_tx_delay_ns: float = 0.0
    phy_rx_delay_ns: float = 2.0
    resource: str = "eth_rgmii"
    number: int = 0
    address: str = "192.168.1.50"
    port: int = 7700
    link: LinkConfig = LinkConfig(window=8, slot_bytes=1024, receive_bytes=8192, codec="fast")
    name: str = "ethernet"

    def __post_init__(self) -> None:
        network_address(self.address)

    @property
    def baud(self) -> int:
        """0: the wire has one rate."""
        return 0

    @property
    def usb(self) -> tuple[int, int] | None:
        """None."""
        return None

    @property
    def clocks(self) -> dict[str, float]:
        """LiteEth's core; those of the wire come from the PHY."""
        return {"eth": _ETH_MHZ}

    @property
    def lut4(self) -> int:
        """Beyond a UART's: LiteEth's core, and the conversion of datagrams."""
        return 4439

    @property
    def ff(self) -> int:
        """Flip-flops beyond a UART's."""
        return 2837

    @property
    def stores_replies(self) -> bool:
        """Not as SPI does, by one more memory of a reply: :attr:`stores_datagrams` has them all."""
        return False

    @property
    def stores_datagrams(self) -> bool:
        """Whole datagrams of either direction wait in memories."""
        return True

    def check_clock(self, clock_mhz: float) -> None:
        """Any clock serves it: Ethernet has clocks of its own."""

    def bytes_per_s(self, clock_mhz: float) -> int:
        """Of the wire, frames' own bytes included."""
        return 125_000_000

    def pinned(self, link: Link, clock_mhz: float) -> EthernetLink:
        """`link` on Ethernet. Raises :exc:`TrineError` where LiteEth is missing."""
        address = network_address(self.address)
        return EthernetLink(link, _LOCAL_MAC | address, address, self.port)

    def pin_host(self, clock_mhz: float) -> RGMIIHost:
        """The PHY, and a host behind it."""
        address = network_address(self.address)
        names = ("rx_clk", self.rx_control, "rx_data", "tx_clk", self.tx_control, "tx_data", "rst")
        return RGMIIHost(
            *(f"{self.resource}_{self.number}__{name}__io" for name in names),
            address=address,
            port=self.port,
            mac=_LOCAL_MAC | address,
            rx_delay_ns=self.phy_rx_delay_ns,
            tx_delay_ns=self.phy_tx_delay_ns,
            bit_seconds=1e-6 * max(1e-3, 4 / clock_mhz),
        )

    def join(self, m: Module, pinned: EthernetLink, platform: Any) -> None:
        """Join `pinned` to the pins, by LiteEth's PHY for an ECP5."""
        platform.add_file(f"{PHY}.v", liteeth().phy_verilog(self.tx_delay_ns, self.rx_delay_ns))
        parts = [part.name for part in platform.lookup(self.resource, self.number).ios]
        pins = platform.request(self.resource, self.number, dir=dict.fromkeys(parts, "-"))
        # The clock that the PHY sends with what it receives serves what is sent too.
        # Its name outlives synthesis, so that nextpnr finds its constraint.
        clock, reset = Signal(name="eth_wire_clk", attrs={"keep": 1}), Signal()
        platform.add_clock_constraint(clock, _WIRE_MHZ * 1e6)
        for name in ("eth_rx", "eth_tx"):
            m.domains += (domain := ClockDomain(name))
            m.d.comb += [domain.clk.eq(clock), ResetSignal(name).eq(reset)]
        m.submodules.ethernet_phy = Instance(
            PHY,
            i_rst=ResetSignal("eth"),
            o_eth_clk=clock,
            o_eth_rst=reset,
            o_gmii_rx_dv=pinned.rx_dv,
            o_gmii_rx_data=pinned.rx_data,
            i_gmii_tx_en=pinned.tx_en,
            i_gmii_tx_data=pinned.tx_data,
            i_rgmii_rx=pins.rx_clk.io,
            i_rgmii_rx_ctl=getattr(pins, self.rx_control).io,
            i_rgmii_rx_data=pins.rx_data.io,
            o_rgmii_tx=pins.tx_clk.io,
            o_rgmii_tx_ctl=getattr(pins, self.tx_control).io,
            o_rgmii_tx_data=pins.tx_data.io,
        )
        m.submodules.ethernet_reset = held = io.Buffer("o", pins.rst)
        m.d.comb += held.o.eq(ResetSignal("eth"))


def network_address(text: str) -> int:
    """The number of an IPv4 address that a board can have.

    None that ends in 0, or in 255: LiteEth takes that for a broadcast.

    >>> hex(network_address("192.168.1.50"))
    '0xc0a80132'

    Raises
    ------
    TrineError
        Where it is none.
    """
    try:
        address = ipaddress.IPv4Address(text) if isinstance(text, str) else None
    except ValueError:
        address = None
    if (
        address is None
        or any((address.is_multicast, address.is_unspecified, address.is_loopback, address.is_reserved))
        or address.packed[3] in (0, 255)
    ):
        raise TrineError(f"{shown(text)} is no address of a board: give one of its network, as 192.168.1.50")
    return int(address)
