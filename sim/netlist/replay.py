"""Runs a netlist on Icarus or Verilator from a list of inputs and returns its outputs, cycle by cycle.

The bench is Verilog alone: it needs no more than ports, and no simulator waits for Python.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sim.netlist.synthesis import Netlist
from trine_boards.verify.cell_models import cell_models
from trine_sw.support.errors import TrineError
from trine_sw.support.toolchain import require

__all__ = ["Bench"]

BENCH = """\
`timescale 1ns / 1ps
module bench(input clk);
    reg [{steady_width}-1:0] steadies [0:{cycles}-1];
    reg [{item_width}-1:0] items [0:{items}];
    integer file, cycle = 0, at = 0;
    wire [{steady_width}-1:0] steady = steadies[cycle];
    wire [{item_width}-1:0] item = items[at];
    wire valid = at < {items};
    wire [{output_width}-1:0] outputs;
    {name} dut ({connections});
    initial begin
        $readmemh("steady.hex", steadies);
        $readmemh("items.hex", items);
        file = $fopen("outputs.txt", "w");
    end
    always @(posedge clk) begin
        $fdisplay(file, "%b", outputs);
        if (valid && {ready}) at <= at + 1;
        cycle <= cycle + 1;
        if (cycle == {cycles} - 1) begin
            $fclose(file);
            $finish;
        end
    end
endmodule
"""

CLOCK_ICARUS = """\
`timescale 1ns / 1ps
module clock;
    reg clk = 0;
    always #5 clk = !clk;
    bench bench (.clk(clk));
endmodule
"""

CLOCK_VERILATOR = """\
#include "Vbench.h"
int main() {
    VerilatedContext context;
    Vbench bench{&context};
    while (!context.gotFinish()) {
        bench.clk = !bench.clk;
        bench.eval();
        context.timeInc(5000);
    }
    bench.final();
}
"""


class Bench:
    """A netlist compiled for a simulator, from power-up and with its reset inactive.

    Parameters
    ----------
    netlist
        What runs.
    folder
        Where the simulation is built and run.
    simulator
        One of :data:`trine_hw.simulation.simulators.SIMULATORS`.
    """

    def __init__(self, netlist: Netlist, folder: Path, simulator: str) -> None:
        self.netlist = netlist
        self.folder = folder
        self.simulator = simulator
        folder.mkdir(parents=True, exist_ok=True)

    def run(
        self,
        cycles: int,
        steady: Mapping[str, int | Sequence[int]],
        stream: str | None = None,
        items: Sequence[int] = (),
    ) -> dict[str, list[int]]:
        """Outputs by port, a value a cycle.

        ``steady`` gives the inputs' values, one for all cycles or one a cycle. ``items`` are sent at the
        stream ``stream``, each as soon as the one before it was taken. Raises :exc:`TrineError` where an
        output is neither 0 nor 1, and where a simulator is missing or fails.
        """
        ports = self.netlist.module["ports"]
        width = {name: len(port["bits"]) for name, port in ports.items()}
        handshake = {f"{stream}__valid", f"{stream}__payload"} if stream else set()
        inputs = [name for name in ports if ports[name]["direction"] == "input"]
        inputs = [name for name in inputs if name not in handshake | {"clk", "rst"}]
        outputs = [name for name in ports if ports[name]["direction"] == "output"]
        if set(inputs) != set(steady):
            raise ValueError(f"inputs are {sorted(inputs)}, not {sorted(steady)}")

        of_input = slices("steady", {name: width[name] for name in inputs})
        of_output = slices("outputs", {name: width[name] for name in outputs})
        wires = {"clk": "clk", "rst": "1'b0", **of_input, **of_output}
        wires |= {f"{stream}__valid": "valid", f"{stream}__payload": "item"}
        bench = BENCH.format(
            name=self.netlist.name,
            cycles=cycles,
            steady_width=max(1, sum(width[name] for name in inputs)),
            item_width=width.get(f"{stream}__payload", 1),
            items=len(items),
            output_width=sum(width[name] for name in outputs),
            connections=", ".join(f".{name}({wires[name]})" for name in ports),
            ready=of_output.get(f"{stream}__ready", "1'b0"),
        )
        rows = []
        for cycle in range(cycles):
            row = at = 0
            for name in inputs:
                value = steady[name]
                row |= (value if isinstance(value, int) else value[cycle]) << at
                at += width[name]
            rows.append(row)
        (self.folder / "bench.v").write_text(bench, encoding="utf-8")
        (self.folder / "steady.hex").write_text("".join(f"{row:x}\n" for row in rows), encoding="utf-8")
        (self.folder / "items.hex").write_text(
            "".join(f"{item:x}\n" for item in [*items, 0]), encoding="utf-8"
        )
        self._simulate()
        lines = (self.folder / "outputs.txt").read_text(encoding="utf-8").split()
        return self._columns(lines, {name: width[name] for name in outputs})

    def _simulate(self) -> None:
        sources = [
            str(path) for path in [self.netlist.verilog, *cell_models("ecp5", self.folder, pads=False)]
        ]
        if self.simulator == "icarus":
            (self.folder / "clock.v").write_text(CLOCK_ICARUS, encoding="utf-8")
            self._call("iverilog", "-g2012", "-s", "clock", "-o", "bench.vvp", "clock.v", "bench.v", *sources)
            self._call("vvp", "-n", "bench.vvp")
        else:
            (self.folder / "clock.cpp").write_text(CLOCK_VERILATOR, encoding="utf-8")
            flags = [
                "--cc",
                "--exe",
                "--build",
                "-j",
                "1",
                "-Wno-fatal",
                "-Wno-lint",
                "--top-module",
                "bench",
            ]
            self._call("verilator", *flags, "--Mdir", "verilated", "clock.cpp", "bench.v", *sources)
            self._call("", "verilated/Vbench")

    def _call(self, tool: str, *arguments: str) -> None:
        found = require(tool) if tool else None
        command = [*(found.command if found else ()), *arguments]
        environ = found.environ() if found else None
        run = subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True)
        if run.returncode:
            tail = "\n".join((run.stdout + run.stderr).splitlines()[-10:])
            raise TrineError(f"{tool or arguments[0]} failed in {self.folder}:\n{tail}")

    @staticmethod
    def _columns(lines: list[str], widths: Mapping[str, int]) -> dict[str, list[int]]:
        values: dict[str, list[int]] = {name: [] for name in widths}
        for cycle, line in enumerate(lines):
            end = len(line)
            for name, width in widths.items():
                bits = line[end - width : end]
                end -= width
                if set(bits) - set("01"):
                    raise TrineError(f"{name} is {bits} in cycle {cycle}")
                values[name].append(int(bits, 2))
        return values


def slices(bus: str, widths: Mapping[str, int]) -> dict[str, str]:
    """Where each of some signals lies in ``bus``, from bit 0 on."""
    found, at = {}, 0
    for name, width in widths.items():
        found[name] = f"{bus}[{at + width - 1}:{at}]"
        at += width
    return found
