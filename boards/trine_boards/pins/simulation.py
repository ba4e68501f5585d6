"""A board's netlist in Verilator, reached through its pins alone, by the host of its link."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from trine_boards.pins.host import PinHost
from trine_boards.pins.process import PinProcess
from trine_hw.simulation.build import kept
from trine_sw.support import toolchain

__all__ = ["PinNetlist", "compiled", "started"]

_BENCH = Path(__file__).with_name("bench.v")

_MAIN = """\
#include "Vpin_bench.h"
int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vpin_bench bench{&context};
    while (!context.gotFinish()) {
        bench.eval();
        if (!bench.eventsPending()) break;
        context.time(bench.nextTimeSlot());
    }
    bench.final();
}
"""


@dataclass(frozen=True)
class PinNetlist:
    """A Verilog netlist of a board's top, at its pins.

    Members
    -------
    sources : Verilog files with the netlist and models of all its cells
    top : name of its module
    clock : name of its port for the board's oscillator
    input_mhz : of the oscillator
    """

    sources: tuple[Path, ...]
    top: str
    clock: str
    input_mhz: float


def _bench(netlist: PinNetlist, host: PinHost) -> str:
    """The Verilog of the bench, with the board and the host in it."""
    board = [f".\\{netlist.clock} (clk)", *(f".\\{port} (pin_{pin})" for pin, port in host.ports.items())]
    wide = {pin: f"[{bits - 1}:0] " for pin, bits in host.widths.items()}
    wires = [f"wire {wide.get(pin, '')}pin_{pin};" for pin in host.ports]
    wires += [f"pullup (pin_{pin});" for pin in host.pulled_up]
    parts = {
        "`PIN_WIRES": "\n    ".join(wires),
        "`PIN_BOARD": f"{netlist.top} board ({', '.join(board)});",
        "`PIN_HOST": f"pin_host host ({', '.join(f'.{pin} (pin_{pin})' for pin in host.ports)});",
    }
    text = _BENCH.read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(name, part)
    return text


def compiled(netlist: PinNetlist, host: PinHost, *, optimise: bool = True, cache: Path | None = None) -> Path:
    """The program that simulates a netlist at its pins, compiled if the cache does not have it.

    Without `optimise` the compiler is much faster and the program slower.

    Raises
    ------
    TrineError
        If Verilator is missing or fails, as for a cell without a model.
    """
    tool = toolchain.require("verilator")
    bench = _bench(netlist, host)
    sources = (host.verilog, *netlist.sources)
    names = [f"source_{index}.v" for index in range(len(sources))]
    level = "-O1" if optimise else "-O0"
    verilate = [
        *tool.command,
        *("-cc", "--exe", "--timing", "-Mdir", ".", "--top-module", "pin_bench", "-o", "pins"),
        *("-O3", "--x-assign", "unique", "--x-initial", "unique", "--output-split-cfuncs", "400"),
        *("-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-MULTITOP", "--timescale", "1ns/1ps"),
        # The wheel was configured with clang, which needs no flag for coroutines.
        *("-CFLAGS", "-fcoroutines", "main.cpp", "pin_bench.v", *names),
    ]
    flags = [f"OPT_FAST={level}", "OPT_SLOW=-O0", f"OPT_GLOBAL={level}"]
    jobs = str(len(os.sched_getaffinity(0)))
    digest = hashlib.sha256(repr((str(tool), bench, verilate, flags, _MAIN)).encode())
    for source in sources:
        digest.update(hashlib.sha256(source.read_bytes()).digest())

    def make(work: Path) -> list[list[str]]:
        (work / "pin_bench.v").write_text(bench, encoding="utf-8")
        (work / "main.cpp").write_text(_MAIN, encoding="utf-8")
        for name, source in zip(names, sources, strict=True):
            (work / name).write_bytes(source.read_bytes())
        return [verilate, ["make", "-j", jobs, "-f", "Vpin_bench.mk", *flags]]

    return kept(f"pins-{digest.hexdigest()[:24]}", tool, make, cache=cache) / "pins"


def started(
    netlist: PinNetlist,
    host: PinHost,
    *,
    lock_ns: float = 1000.0,
    noise_seed: int = 1,
    optimise: bool = True,
    cache: Path | None = None,
) -> PinProcess:
    """The simulation of a netlist with its host, at its begin; :meth:`PinHost.attach` talks to it.

    Registers and memories without an initial value start with noise.

    Parameters
    ----------
    lock_ns : when PLLs report that they have locked, in nanoseconds from the start
    noise_seed : decides the noise
    optimise, cache : see :func:`compiled`

    Raises
    ------
    TrineError
        Where the netlist cannot be compiled.
    """
    program = compiled(netlist, host, optimise=optimise, cache=cache)
    arguments = [
        f"+clk_ns={1e3 / netlist.input_mhz:.6f}",
        f"+lock_ns={lock_ns:.3f}",
        *host.arguments,
        *("+verilator+rand+reset+2", f"+verilator+seed+{noise_seed}"),
    ]
    return PinProcess(program, arguments)
