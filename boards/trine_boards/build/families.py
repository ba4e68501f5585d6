"""Families of chips: the tools from netlist to bitstream, and the names of the resources."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trine_boards.netlist_file import read_netlist
from trine_sw.support.errors import TrineError

__all__ = ["ECP5", "FAMILIES", "GOWIN", "ICE40", "Family", "Resources", "explained"]

#: Yosys' ``wreduce`` removes the copies of the sign from the input of these cells although they shift zeros
#: in: a synthesised selection from a signed value is then wrong where simulation is right
#: (docs/notes/yosys-signed-shift.md). ``$sshr``, which shifts the sign in, is reduced rightly.
_SIGNED_SHIFTS = "t:$shift t:$shr %u t:$shiftx %u r:A_SIGNED=1 %i"

#: ``synth_FAMILY`` in two halves. Between them, wires of several bits are split: otherwise Yosys may stop in
#: the second half, at an assertion about a name (YosysHQ/yosys issues 4349 and 4451), or give a net two
#: drivers.
_SYNTHESIS = f"""\
select -assert-none {_SIGNED_SHIFTS}
{{command}} -top {{{{name}}}} -run begin:map_luts
splitnets
{{command}} -top {{{{name}}}} -run map_luts:
check -assert
"""
#: The same for Gowin chips, with the project's own list of memories, which says what is wrong with Yosys'.
_GOWIN_BLOCK_RAM = "gowin_block_ram.txt"
_GOWIN_SYNTHESIS = _SYNTHESIS.replace(
    "-run begin:map_luts\n",
    f"""\
-run begin:map_ram
memory_libmap -lib {_GOWIN_BLOCK_RAM}
techmap -map +/gowin/brams_map.v
{{command}} -top {{{{name}}}} -run map_ffram:map_luts
""",
)


def explained(error: TrineError) -> TrineError:
    """A failure of Yosys, in the design's words where a guard of :attr:`Family.synthesis` raised it."""
    if _SIGNED_SHIFTS not in str(error):
        return error
    return TrineError(
        "the design selects bits of a signed value with a variable index, and Yosys would synthesise that "
        "wrongly, without a warning: in the gateware, select from value.as_unsigned() (docs/notes/"
        f"yosys-signed-shift.md); {error}"
    )


@dataclass(frozen=True)
class Resources:
    """What a design takes of its chip. `lut4` counts logic cells where a LUT4 shares one with a flip-flop;
    `spram` counts the large memories of one port that some chips have beside their block RAM."""

    lut4: int
    ff: int
    block_ram: int
    dsp: int
    spram: int = 0


class Family(ABC):
    """How a family is built for, by Yosys, nextpnr and a program that makes the bitstream.

    Members
    -------
    synthesis : Yosys' commands for the module ``{name}``
    libraries : files beside this one that those commands read
    router, packer : names in :data:`trine_sw.support.toolchain.TOOLS`
    logic : what nextpnr calls the cells that hold a LUT4
    constraints : suffixes of the files of pins and clocks
    routed, bitstream : suffixes of a routed design, and of its bitstream
    placer_options : nextpnr's options for how it places
    delays : suffix of the file of all delays of the routed design, where nextpnr's own analysis of them is
        not enough (:mod:`trine_boards.build.routed_delays`)
    keeps_placed : whether the netlist that nextpnr has placed is always kept, since ``trine verify`` needs it
    """

    synthesis: str
    router: str
    packer: str
    logic: str
    constraints: tuple[str, ...]
    routed: str
    bitstream: str
    placer_options: tuple[str, ...] = ()
    delays: str = ""
    keeps_placed: bool = False
    libraries: tuple[str, ...] = ()

    def memory_synthesis(self, name: str) -> str:
        """Yosys' commands for the module `name` until its memories are cells, all its modules apart."""
        script = self.synthesis.format(name=name)
        first = script[: script.index(" -run begin:")]
        if not self.libraries:
            return f"{first} -noflatten -run begin:map_ffram\n"
        between = script[len(first) : script.index("-run map_ffram:")].splitlines()[1:-1]
        return "\n".join([f"{first} -noflatten -run begin:map_ram", *between, ""])

    def library_files(self) -> dict[str, bytes]:
        """The contents of :attr:`libraries`, by their names."""
        return {name: Path(__file__).with_name(name).read_bytes() for name in self.libraries}

    @abstractmethod
    def chip_options(self, platform: Any) -> tuple[str, ...]:
        """nextpnr's options for the platform's chip."""

    @abstractmethod
    def file_options(self, routed: str) -> tuple[str, ...]:
        """nextpnr's options for the constraints ``top.*`` and its result."""

    @abstractmethod
    def pack_options(self, platform: Any, routed: str, bitstream: str) -> tuple[str, ...]:
        """The packer's arguments."""

    @abstractmethod
    def resources(self, used: dict[str, int], netlist: Path) -> Resources:
        """From nextpnr's counts, and Yosys' netlist for what they lack."""


class _ECP5(Family):
    synthesis = _SYNTHESIS.format(command="synth_ecp5 -nodsp")
    router, packer, logic = "nextpnr-ecp5", "ecppack", "TRELLIS_COMB"
    constraints, routed, bitstream = ("lpf",), "config", "bit"
    # Half the wire of the default placer for lanes that fill the chip (docs/engine.md).
    placer_options = ("--placer", "static")
    keeps_placed = True

    # By the platform's names.
    _DEVICES = {"LFE5U-12F": "--12k"} | {
        f"{series}-{size}F": f"--{option}{size}k"
        for series, option in (("LFE5U", ""), ("LFE5UM", "um-"), ("LFE5UM5G", "um5g-"))
        for size in (25, 45, 85)
    }
    _PACKAGES = {
        "BG256": "CABGA256",
        "MG285": "CSFBGA285",
        "BG381": "CABGA381",
        "BG554": "CABGA554",
        "BG756": "CABGA756",
    }

    def chip_options(self, platform: Any) -> tuple[str, ...]:
        package = self._PACKAGES[platform.package]
        return (self._DEVICES[platform.device], "--package", package, "--speed", platform.speed)

    def file_options(self, routed: str) -> tuple[str, ...]:
        return ("--json", "top.json", "--lpf", "top.lpf", "--textcfg", routed)

    def pack_options(self, platform: Any, routed: str, bitstream: str) -> tuple[str, ...]:
        return ("--compress", "--input", routed, "--bit", bitstream)

    def resources(self, used: dict[str, int], netlist: Path) -> Resources:
        names = ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D")
        return Resources(*(used[name] for name in names))


class _ICE40(Family):
    # A single-port RAM has no contents at first, and Yosys uses none for a memory that has some, zeros too:
    # they are taken from the memories that are read only where they were written, which are named for it.
    # No -dsp: synth_ice40 uses multipliers only where it is asked to.
    synthesis = "delete t:$meminit_v2 r:MEMID=*_spram %i\n" + _SYNTHESIS.format(command="synth_ice40 -spram")
    router, packer, logic = "nextpnr-ice40", "icepack", "ICESTORM_LC"
    constraints, routed, bitstream = ("pcf",), "asc", "bin"

    def chip_options(self, platform: Any) -> tuple[str, ...]:
        return (f"--{platform.device.lower().removeprefix('ice40')}", "--package", platform.package.lower())

    def file_options(self, routed: str) -> tuple[str, ...]:
        return ("--json", "top.json", "--pcf", "top.pcf", "--asc", routed)

    def pack_options(self, platform: Any, routed: str, bitstream: str) -> tuple[str, ...]:
        return (routed, bitstream)

    def resources(self, used: dict[str, int], netlist: Path) -> Resources:
        cells = read_netlist(netlist).cells.values()
        ff = sum(cell["type"].startswith("SB_DFF") for cell in cells)
        # Only the UltraPlus chips have the last two, and nextpnr names them for these alone.
        names = ("ICESTORM_RAM", "ICESTORM_DSP", "ICESTORM_SPRAM")
        return Resources(used["ICESTORM_LC"], ff, *(used.get(name, 0) for name in names))


class _Gowin(Family):
    synthesis = _GOWIN_SYNTHESIS.format(command="synth_gowin")
    libraries = (_GOWIN_BLOCK_RAM,)
    router, packer, logic = "nextpnr-himbaechel-gowin", "gowin_pack", "LUT4"
    # What nextpnr writes of the routed design is also what the packer reads.
    constraints, routed, bitstream, delays = ("cst", "sdc"), "routed.json", "fs", "sdf"

    #: The device of nextpnr's and the packer's data, by the platform's family.
    _DEVICES = {"GW1NR-9C": "GW1N-9C", "GW2AR-18C": "GW2A-18C"}

    def chip_options(self, platform: Any) -> tuple[str, ...]:
        return ("--device", platform.part, "--vopt", f"family={self._DEVICES[platform.family]}")

    def file_options(self, routed: str) -> tuple[str, ...]:
        return ("--json", "top.json", "--vopt", "cst=top.cst", "--sdc", "top.sdc", "--write", routed)

    def pack_options(self, platform: Any, routed: str, bitstream: str) -> tuple[str, ...]:
        return ("-d", self._DEVICES[platform.family], "-o", bitstream, routed)

    def resources(self, used: dict[str, int], netlist: Path) -> Resources:
        # A bit of an adder takes a LUT4's place.
        return Resources(used["LUT4"] + used["ALU"], used["DFF"], used["BSRAM"], 0)


ECP5, ICE40, GOWIN = _ECP5(), _ICE40(), _Gowin()

#: By ``Board.family``.
FAMILIES: dict[str, Family] = {"ecp5": ECP5, "ice40": ICE40, "gowin": GOWIN}
