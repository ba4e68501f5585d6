"""Description of a board: the resources of its chip, its clock, and the platform that defines its pins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol, cast

from trine_boards.transports.base import BoardTransport
from trine_sw.link.protocol import LinkConfig
from trine_sw.support.checks import integer, shown
from trine_sw.support.errors import TrineError

__all__ = ["MARGIN", "PRICES", "BoardPin", "BoardSpec", "ClockDomainMaker", "HeldPin"]

#: By which the routed clock must exceed the one that the engine runs at, where nothing else is asked for: for
#: the PLL's jitter, and for what static timing analysis of a chip may have wrong.
MARGIN = 0.05
#: Classes of what a board costs, by which a person may choose: up to some 60 USD, to 150, and above.
PRICES = ("low", "middle", "high")
#: Baud rates that a serial port may be asked for, the least and the most.
_BAUDS = (1200, 12_000_000)


class ClockDomainMaker(Protocol):
    """A component that drives ``sync`` at a clock in MHz and tells in ``lock_lost`` of its PLL."""

    def __call__(self, output_mhz: float, margin: float = 0, beside: Mapping[str, float] = ...) -> Any:
        """The component; nextpnr is asked for a clock faster by the fraction `margin`. `beside` has the MHz
        of other clocks that a transport needs, by their domains."""

    def clocks(self, input_mhz: float) -> Sequence[Fraction]:
        """All MHz that it can make of an oscillator's, in rising order."""
        ...


@dataclass(frozen=True)
class BoardPin:
    """A pin by its name among the platform's resources: of one pin, or the pin `subsignal` of several."""

    resource: str
    subsignal: str | None = None
    number: int = 0


@dataclass(frozen=True)
class HeldPin:
    """An output that is held at `level` (0 or 1), by its name among the platform's resources: of one pin, or
    the pin `subsignal` of several, of which the others are left alone."""

    resource: str
    level: int
    subsignal: str | None = None
    number: int = 0


@dataclass(frozen=True)
class BoardSpec:
    """A board that Trine runs on.

    Resource counts are the chip's, from its data sheet. A block RAM's read port yields `block_ram_bits` in a
    cycle where it holds `block_ram_depth` words; `block_ram_kind` is the form of memories that suits the
    chip, `spram` counts its large memories of one port, `lut_share` is the part of the LUTs that a design may
    be expected to take and still meet the clock. `platform` makes the Amaranth platform, `clock_domain` what
    drives ``sync``. `transports` are the wires to a host that the board has, the one that is built by default
    first. `held` has pins that nothing drives and that must not float. `link` sizes the link's buffers. `usb`
    is the vendor and product number of the chip between USB and the UART; `usb_interface` counts from 0 and
    says which of its ports is the UART's, where it has several. `sram_note` is what a board needs so that a
    bitstream can be loaded without its flash, for messages; `program_note` how to program one that has no
    `programmer`, a name for openFPGALoader. `led` is lit while a command is under way, if the board has one
    that is free. `price` is one of :data:`PRICES`. `notes` says what else a person must know, such as power,
    or what the host's end is plugged into.
    """

    name: str
    title: str
    chip: str
    family: str
    lut4: int
    ff: int
    block_ram: int
    block_ram_bits: int
    block_ram_depth: int
    dsp: int
    block_ram_kind: str
    clock_mhz: float
    transports: tuple[BoardTransport, ...]
    programmer: str
    platform: Callable[[], Any]
    clock_domain: ClockDomainMaker
    spram: int = 0
    lut_share: float = 0.75
    usb: tuple[int, int] | None = None
    usb_interface: int | None = None
    sram_note: str = ""
    program_note: str = ""
    held: tuple[HeldPin, ...] = ()
    led: BoardPin | None = BoardPin("led")
    price: str = "middle"
    notes: str = ""
    link: LinkConfig = field(default_factory=LinkConfig)

    @property
    def transport(self) -> BoardTransport:
        """The transport that is built: the first."""
        return self.transports[0]

    @property
    def baud(self) -> int:
        """Bits a second of the transport's line; 0 where it has no such number."""
        return self.transport.baud

    @property
    def address(self) -> str:
        """IPv4 address of the transport on its network; empty where it has none."""
        return getattr(self.transport, "address", "")

    @property
    def stores_replies(self) -> bool:
        """Whether the transport has a memory of a reply, which takes block RAM."""
        return self.transport.stores_replies

    @property
    def stores_datagrams(self) -> bool:
        """Whether the transport has memories of whole datagrams."""
        return getattr(self.transport, "stores_datagrams", False)

    @property
    def stores_packets(self) -> bool:
        """Whether the transport has memories of packets of USB at high speed."""
        return getattr(self.transport, "stores_packets", False)

    @property
    def transport_lut4(self) -> int:
        """LUT4 of the transport beyond those of a UART."""
        return getattr(self.transport, "lut4", 0)

    @property
    def transport_ff(self) -> int:
        """Flip-flops of the transport beyond those of a UART."""
        return getattr(self.transport, "ff", 0)

    @property
    def usb_numbers(self) -> list[tuple[int, int]]:
        """Vendor and product numbers of all that the board can be on the USB."""
        return [number for number in (self.usb, *(each.usb for each in self.transports)) if number]

    @property
    def memory_bytes(self) -> int:
        """Of the chip's block RAMs, and of its single-port RAMs of 32 KiB."""
        return self.block_ram * self.block_ram_bits * self.block_ram_depth // 8 + self.spram * 32_768

    def over(self, name: str | None) -> "BoardSpec":
        """This board with the transport `name` as the one that is built; as it is for None.

        Raises
        ------
        TrineError
            Where it has no transport of that name; the message has those that there are.
        """
        if name is None:
            return self
        named = {transport.name: transport for transport in self.transports}
        if not isinstance(name, str) or name not in named:
            raise TrineError(f"{self.title} has no link {shown(name)}; it has: {', '.join(named)}")
        others = (transport for transport in self.transports if transport.name != name)
        link = getattr(named[name], "link", self.link)
        return replace(self, transports=(named[name], *others), link=link)

    def at_baud(self, baud: int | None) -> "BoardSpec":
        """This board with another baud rate of the transport that is built; as it is for None.

        Raises
        ------
        TrineError
            Where that has no baud rate, or no serial port has such a one.
        """
        if baud is None:
            return self
        if not self.baud:
            raise TrineError(f"the link {self.transport.name} of {self.title} has no baud rate: give none")
        transport = cast(Any, self.transport)
        first = replace(transport, baud=integer(baud, "the baud rate", *_BAUDS))
        return replace(self, transports=(first, *self.transports[1:]))

    def at_address(self, address: str | None) -> "BoardSpec":
        """This board with another network address of the transport that is built; as it is for None.

        Raises
        ------
        TrineError
            Where that has no network address, or no board can have this one.
        """
        if address is None:
            return self
        if not self.address:
            having = [each.name for each in self.transports if getattr(each, "address", "")]
            remedy = f"take the link {having[0]}" if having else "give none"
            raise TrineError(
                f"the link {self.transport.name} of {self.title} has no network address: {remedy}"
            )
        first = replace(cast(Any, self.transport), address=address)
        return replace(self, transports=(first, *self.transports[1:]))

    @property
    def rom_ports(self) -> int:
        """Read ports of the chip's block RAMs that can serve column ROM in a cycle, one each."""
        return self.block_ram
