"""The chips that boards have: what there is of each resource, by the names of Amaranth's platforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trine_boards.board_spec import BoardSpec, ClockDomainMaker
from trine_boards.clock.ecp5 import ECP5ClockDomain
from trine_boards.clock.gowin import GW1NClockDomain, GW2AClockDomain
from trine_boards.clock.ice40 import ICE40ClockDomain
from trine_sw.link.protocol import LinkConfig

__all__ = ["CHIPS", "Chip", "board_on_chip"]


@dataclass(frozen=True)
class Chip:
    """What a chip's data sheet promises, under the names of the fields of :class:`BoardSpec`.

    `clock_mhz` is a clock that small engines reach on its slowest speed grade, with a margin: what a board
    runs at by default.
    """

    family: str
    lut4: int
    ff: int
    block_ram: int
    dsp: int
    block_ram_bits: int
    block_ram_depth: int
    block_ram_kind: str
    clock_mhz: float
    clock_domain: ClockDomainMaker
    spram: int = 0
    lut_share: float = 0.75
    link: LinkConfig = field(default_factory=LinkConfig)


def _ecp5(lut4: int, block_ram: int, dsp: int) -> Chip:
    """Lattice FPGA-DS-02012, "ECP5 and ECP5-5G Family Selection Guide"."""
    common = ("ecp5", lut4, lut4, block_ram, dsp, 36, 512, "ecp5", 75, ECP5ClockDomain)
    return Chip(*common, lut_share=0.75 if lut4 > 25_000 else 0.8)  # a large one has longer wires


def _ice40(lut4: int, block_ram: int, clock_mhz: float, **more) -> Chip:
    """Lattice FPGA-DS-02008 (iCE40 UltraPlus) and FPGA-DS-02029 (iCE40 LP/HX)."""
    common = {
        "dsp": 0,
        "block_ram_bits": 16,
        "block_ram_depth": 256,
        "block_ram_kind": "ice40",
        "clock_domain": ICE40ClockDomain,
        "lut_share": 0.97,  # on chips this small nearly all
        "link": LinkConfig(window=1, receive_bytes=512),
    }
    return Chip("ice40", lut4, lut4, block_ram, clock_mhz=clock_mhz, **common | more)


def _gowin(lut4: int, ff: int, block_ram: int, dsp: int, clock_mhz: float, domain: ClockDomainMaker) -> Chip:
    """Gowin DS117 (GW1NR) and DS226 (GW2AR)."""
    common = ("gowin", lut4, ff, block_ram, dsp, 36, 512, "gowin", clock_mhz, domain)
    return Chip(*common, lut_share=0.7)


_SERIES = ("LFE5U", "LFE5UM", "LFE5UM5G")

#: By the platform's ``device``. A 12F is promised what its data sheet has: 12,000 LUTs, and half the block
#: RAMs of a 25F. Its die is a 25F's and the open tools use all of that, but nobody has tested the other half.
CHIPS: dict[str, Chip] = {
    "LFE5U-12F": _ecp5(12_000, 32, 28),
    **{f"{series}-25F": _ecp5(24_288, 56, 28) for series in _SERIES},
    **{f"{series}-45F": _ecp5(43_848, 108, 72) for series in _SERIES},
    **{f"{series}-85F": _ecp5(83_640, 208, 156) for series in _SERIES},
    "GW1NR-9C": _gowin(8_640, 6_480, 26, 20, 27, GW1NClockDomain),
    "GW2AR-18C": _gowin(20_736, 15_552, 46, 48, 54, GW2AClockDomain),
    "iCE40UP5K": _ice40(5_280, 30, 21, spram=4, dsp=8),
    # With the state in flip-flops more cells are needed than are expected.
    "iCE40HX8K": _ice40(7_680, 32, 36, block_ram_kind="ice40hx", lut_share=0.9),
}


def board_on_chip(platform: Callable[[], Any], **fields) -> BoardSpec:
    """A board with the resources of the chip that the Amaranth platform names which `platform` makes.

    `fields` are those of :class:`BoardSpec` that the chip does not say, or that differ from what it says.

    Raises
    ------
    KeyError
        Where :data:`CHIPS` lacks the platform's chip.

    Examples
    --------
    >>> from amaranth_boards.ecpix5 import ECPIX585Platform
    >>> from trine_boards.transports.uart import UARTTransport
    >>> links = (UARTTransport(baud=3_000_000),)
    >>> board = board_on_chip(ECPIX585Platform, name="x", title="X", transports=links, programmer="ecpix5")
    >>> board.chip, board.block_ram
    ('LFE5UM5G-85F-8BG554', 208)
    """
    made = platform()
    chip = CHIPS[made.device]
    named = f"{made.device}-{getattr(made, 'speed', '')}{made.package}"
    return BoardSpec(**{"platform": platform, "chip": named} | vars(chip) | fields)
