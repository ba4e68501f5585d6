"""Build of a simulator from cores, kept in the cache."""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

import trine_hw
import trine_sw
from trine_hw.core.core import Core
from trine_hw.simulation.compilation import kept
from trine_hw.simulation.launch import TOP, require_cocotb
from trine_hw.simulation.simulators import SIMULATORS
from trine_hw.simulation.waves import DUMP
from trine_sw.support import toolchain
from trine_sw.support.collection import collection_paused
from trine_sw.support.errors import TrineError
from trine_sw.support.plain_path import plain_path

__all__ = [
    "TOP",
    "Bench",
    "build",
    "commands",
    "kept",
    "sources_digest",
    "to_verilog",
]

#: Products (lanes times banks) of the largest core from which the C++ compiler's optimisation is worthwhile.
_LARGE = 600
#: Cocotb must see the ports, and nothing else: a public signal is one that Verilator cannot optimise away.
#: That is why Verilator is called here and not by cocotb's runner, which makes all signals public.
_PORTS = f'`verilator_config\npublic_flat_rw -module "{TOP}" -var "*"\n'


class Bench(wiring.Component):
    """Cores side by side in one simulation, so that small ones share the cost of a build.

    Members
    -------
    core{n} : the ports of each core
    """

    def __init__(self, cores: Sequence[Core]) -> None:
        self.cores = tuple(cores)
        super().__init__({f"core{n}": Out(core.signature) for n, core in enumerate(cores)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for n, core in enumerate(self.cores):
            m.submodules[f"core{n}"] = core
            connect(m, flipped(getattr(self, f"core{n}")), core)
        return m


def build(cores: Sequence[Core], simulator: str, *, cache: Path | None = None, waves: bool = False) -> Path:
    """The folder of a compiled simulator of ``cores``; made if ``cache`` (or the usual place) has none.

    With ``waves`` it can record waveforms, and is slower.

    A simulator is known by everything that decides what it does: models, engines, the gateware's sources and
    the versions of the tools. A build that fails or is interrupted leaves nothing behind that is taken for
    whole.

    Raises
    ------
    TrineError
        If a tool is missing, the build fails (with its last lines, and where its log is) or is interrupted.
    """
    if simulator not in SIMULATORS:
        raise TrineError(f"{simulator!r} is no simulator; there are {', '.join(SIMULATORS)}")
    require_cocotb()
    tool = toolchain.require("verilator" if simulator == "verilator" else "iverilog")
    if simulator == "icarus":
        toolchain.require("vvp")

    products = max(core.geometry.lanes * core.engine.banks for core in cores)

    def make(work: Path) -> list[list[str]]:
        shutil.copyfile(_verilog_file(cores, cache), work / "top.v")
        return commands(work, simulator, tool, waves=waves, optimised=products > _LARGE)

    kind = f"{simulator}-waves" if waves else simulator
    return kept(f"{kind}-{_digest(cores, tool)}", tool, make, cache=cache)


def _verilog_file(cores: Sequence[Core], cache: Path | None) -> Path:
    """The cores as Verilog, written once for all simulators: that takes longer than Icarus' compilation."""
    yosys = toolchain.require("yosys")

    def make(work: Path) -> list[list[str]]:
        (work / "top.v").write_text(to_verilog(Bench(cores)), encoding="utf-8")
        return []

    return kept(f"verilog-{_digest(cores, yosys)}", yosys, make, cache=cache) / "top.v"


def _digest(cores: Sequence[Core], tool: toolchain.Tool) -> str:
    digest = hashlib.sha256()
    for core in cores:
        digest.update(core.model.digest() + repr((core.engine, core.loadable)).encode())
    digest.update(sources_digest(tool) + importlib.metadata.version("cocotb").encode())
    return digest.hexdigest()[:24]


def sources_digest(tool: toolchain.Tool) -> bytes:
    """Changes with the gateware's sources, what they take from the software, and the tools."""
    digest = hashlib.sha256()
    hardware, software = Path(trine_hw.__file__).parent, Path(trine_sw.__file__).parent
    folders = [hardware / name for name in ("primitives", "core", "link")]
    folders += [software / name for name in ("model", "golden", "engine", "link")]
    for source in (*(path for folder in folders for path in sorted(folder.rglob("*.py"))), Path(__file__)):
        digest.update(source.read_bytes())
    version = importlib.metadata.version("amaranth")
    digest.update(repr((version, str(tool), sys.prefix, sys.version_info[:2])).encode())
    return digest.digest()


def to_verilog(component: wiring.Component, name: str = TOP) -> str:
    """A component as Verilog that every simulator reads, its module called ``name``.

    Raises
    ------
    TrineError
        Where Yosys is missing or fails.
    """
    yosys = toolchain.require("yosys")
    toolchain.activate()
    try:
        with collection_paused():
            text = verilog.convert(component, name=name, emit_src=False)
    except verilog.YosysError as error:
        said = " / ".join(str(error).splitlines()[-3:]) or "no output"
        raise TrineError(f"{yosys} could not write the Verilog: {said}") from None
    # Yosys gives each "always @*" a dummy that is to wake it at time 0. Icarus 11 initialises that before the
    # block waits for it; an assignment after time 0's active events comes late enough.
    dummy = re.compile(r"^  reg (\\\$auto\$verilog_backend\S+) +=.*;$", re.MULTILINE)
    text = dummy.sub(r"  reg \1 ; initial \1 <= 0;", text)
    # Blocks of a single assignment have none: they get one, and no always_comb, so that it stays Verilog.
    numbers = itertools.count(1)

    def woken(block: re.Match[str]) -> str:
        wake = f"\\$trine_wake${next(numbers)} "
        return (
            f"  reg {wake}; initial {wake}<= 0;\n  always @* begin\n    if ({wake}) begin end\n"
            f"    {block[1]}\n  end"
        )

    return re.sub(r"^  always @\*\n    (?!if\b)(.*;)$", woken, text, flags=re.MULTILINE)


def commands(
    work: Path, simulator: str, tool: toolchain.Tool, *, waves: bool = False, optimised: bool = False
) -> list[list[str]]:
    """What compiles ``top.v`` in the folder ``work`` for cocotb; writes there what else that takes."""
    if simulator == "verilator":
        return _verilator(work, tool, waves, optimised)
    return _icarus(work, tool, waves)


def _verilator(work: Path, tool: toolchain.Tool, waves: bool, optimised: bool) -> list[list[str]]:
    from cocotb_tools import config

    (work / "ports.vlt").write_text(_PORTS, encoding="utf-8")
    # The libraries are found by LD_LIBRARY_PATH when it runs: no quoting brings a path with blanks to ld.
    link = f"-L{plain_path(config.libs_dir)} -lcocotbvpi_verilator"
    main = plain_path(config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    verilate = [
        *tool.command,
        *("-cc", "--exe", "--vpi", "-Mdir", ".", "--top-module", TOP, "--prefix", "Vtop", "-o", TOP),
        *("-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint", "-Wno-style"),
        *("--timescale", "1ns/1ps", "-LDFLAGS", link, *(["--trace"] if waves else []), "ports.vlt"),
        *(str(main), "top.v"),
    ]
    flags = ["OPT_FAST=-O1" if optimised else "OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]
    jobs = str(len(os.sched_getaffinity(0)))
    return [verilate, ["make", "-j", jobs, "-f", "Vtop.mk", *flags]]


def _icarus(work: Path, tool: toolchain.Tool, waves: bool) -> list[list[str]]:
    (work / "icarus.f").write_text("+timescale+1ns/1ps\n", encoding="utf-8")
    (work / "dump.v").write_text(DUMP, encoding="utf-8")
    dump = ["-s", "trine_dump", "dump.v"] if waves else []
    return [[*tool.command, "-g2012", "-o", "sim.vvp", "-s", TOP, "-f", "icarus.f", "top.v", *dump]]
