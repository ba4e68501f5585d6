"""What a board is: its chip's resources, its clock and the platform that knows its pins."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trine_sw.link.protocol import LinkConfig

__all__ = ["Board"]


@dataclass(frozen=True)
class Board:
    """A board that Trine runs on.

    Resource counts are the chip's, from its data sheet. A block RAM's read port yields `block_ram_bits` in a
    cycle where it holds `block_ram_depth` words; `block_ram_kind` is the form of memories that suits the
    chip, `spram` counts its large memories of one port, `lut_share` is the part of the LUTs that a design may
    be expected to take and still meet the clock. `platform` makes the Amaranth platform, `clock_domain` what
    drives ``sync`` at the given MHz. `link` sizes the link's buffers. `usb` is the vendor and product number
    of the board's serial port; `usb_interface` counts from 0 and says which, where a chip has several.
    `sram_note` is what a board needs so that a bitstream can be loaded without its flash, for messages.
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
    baud: int
    programmer: str
    platform: Callable[[], Any]
    clock_domain: Callable[[float], Any]
    spram: int = 0
    lut_share: float = 0.75
    usb: tuple[int, int] | None = None
    usb_interface: int | None = None
    sram_note: str = ""
    link: LinkConfig = field(default_factory=LinkConfig)

    @property
    def rom_ports(self) -> int:
        """Read ports of the chip's block RAMs that can serve column ROM in a cycle, one each."""
        return self.block_ram
