"""Simulated board, including the pins of its UART, as a transport of the driver."""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
from pathlib import Path

from trine_hw.link.link import Link
from trine_hw.link.uart import UARTLink
from trine_hw.simulation.build import kept, sources_digest, to_verilog
from trine_hw.simulation.simulators import SIMULATORS
from trine_sw.driver.waiting import readable
from trine_sw.engine import EngineConfig
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model
from trine_sw.support import toolchain
from trine_sw.support.environment import child_environment
from trine_sw.support.errors import TrineError

__all__ = ["DIVISOR", "VirtualBoard", "build_board"]

#: Clock cycles in a bit: the fewer, the more of the simulator's time goes into the engine.
DIVISOR = 8
#: Bit times that the simulation runs on at once while something is awaited.
_RUN = 40
_CLOCK_HZ = 80e6
#: Bit times after which a board that is not busy and sends nothing has nothing to send.
_QUIET = 8 * _RUN
#: Simulated seconds are so much longer, so that a board that hangs is given up within a minute.
_SLOWER = 4
#: Seconds in which a simulator must do two runs.
_PATIENCE = 60
_BENCH = Path(__file__).with_name("wire.v")

_CLOCK_ICARUS = """\
`timescale 1ns / 1ps
module clock;
    reg clk = 0;
    always #5 clk = !clk;
    wire_bench #(.DIVISOR({divisor})) bench (.clk(clk));
endmodule
"""
_CLOCK_VERILATOR = """\
#include "Vwire_bench.h"
int main() {
    VerilatedContext context;
    Vwire_bench bench{&context};
    while (!context.gotFinish()) {
        bench.clk = !bench.clk;
        bench.eval();
    }
    bench.final();
}
"""


def build_board(
    model: Model, engine: EngineConfig, simulator: str, least: LinkConfig, divisor: int = DIVISOR
) -> list[str]:
    """The command that runs a board in a simulator, compiled if the cache does not have it.

    Raises
    ------
    TrineError
        If a tool is missing or the build fails.
    """
    if simulator not in SIMULATORS:
        raise TrineError(f"{simulator!r} is no simulator; there are {', '.join(SIMULATORS)}")
    tool = toolchain.require("verilator" if simulator == "verilator" else "iverilog")
    design = BoardDesign(model, engine, least, clock_hz=_CLOCK_HZ, baud=_CLOCK_HZ / divisor)
    made_of = repr((engine, design.link, divisor))
    digest = hashlib.sha256(model.digest() + made_of.encode() + sources_digest(tool))
    digest.update(_BENCH.read_bytes() + Path(__file__).read_bytes())

    def make(work: Path) -> list[list[str]]:
        board = UARTLink(Link(**design.parts), divisor)
        (work / "top.v").write_text(to_verilog(board), encoding="utf-8")
        (work / "wire.v").write_text(_BENCH.read_text(encoding="utf-8"), encoding="utf-8")
        if simulator == "icarus":
            (work / "clock.v").write_text(_CLOCK_ICARUS.format(divisor=divisor), encoding="utf-8")
            sources = ("top.v", "wire.v", "clock.v")
            return [[*tool.command, "-g2012", "-o", "board.vvp", "-s", "clock", *sources]]
        (work / "clock.cpp").write_text(_CLOCK_VERILATOR, encoding="utf-8")
        verilate = [*tool.command, "-cc", "--exe", "-Mdir", ".", "--top-module", "wire_bench", "-o", "board"]
        verilate += [f"-GDIVISOR={divisor}", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal"]
        verilate += ["-Wno-lint", "-Wno-style", "--no-timing", "clock.cpp", "top.v", "wire.v"]
        flags = ["OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]
        jobs = str(len(os.sched_getaffinity(0)))
        return [verilate, ["make", "-j", jobs, "-f", "Vwire_bench.mk", *flags]]

    folder = kept(f"board-{simulator}-{digest.hexdigest()[:24]}", tool, make)
    if simulator == "icarus":
        return [*toolchain.require("vvp").command, "-n", str(folder / "board.vvp")]
    return [str(folder / "board")]


class VirtualBoard:
    """A :class:`trine_sw.driver.transports.Transport` to a simulated board, which runs while it is read from.

    The simulator's clock stands still while nobody reads or writes: a stream's cycles do not depend on the
    host's speed.

    Parameters
    ----------
    model, engine : the board's
    simulator : ``"verilator"`` or ``"icarus"``
    link : its buffers, at least; frames are made as long as the model needs
    """

    def __init__(
        self, model: Model, engine: EngineConfig, simulator: str, link: LinkConfig | None = None
    ) -> None:
        command = build_board(model, engine, simulator, link or LinkConfig())
        self._process = subprocess.Popen(
            command,
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._rest = b""
        self._running = 0  # runs that have not ended
        self._bits = 0  # bit times that have passed in runs
        self._quiet = 0  # bit times since the board was last busy or sent a byte

    def write(self, data: bytes) -> None:
        """Send bytes to the board's pin."""
        self._quiet = 0
        self._put(b"".join(b"\1" + data[n : n + 1] for n in range(len(data))))

    def reset(self) -> None:
        """Pull the board's reset."""
        self._put(b"\2\4")

    def read(self, timeout: float) -> bytes:
        """Run the simulation until a byte comes from the board's pin, or for so many of its seconds."""
        end = self.clock() + timeout
        while True:
            if self._running < 2:
                self._put(bytes((0, _RUN)))
                self._running += 1
            if not readable([self._stdout], _PATIENCE):
                raise TimeoutError("the simulator does not go on")
            if (data := self._take()) or self.clock() >= end:
                return data

    @property
    def idle(self) -> bool:
        """Nothing will come any more, unless something is written."""
        return self._quiet > _QUIET

    def clock(self) -> float:
        """Seconds of the simulation, as if a bit took four microseconds."""
        return self._bits * 1e-6 * _SLOWER

    def _take(self) -> bytes:
        text = os.read(self._stdout.fileno(), 1 << 16)
        if not text:
            raise ConnectionResetError("the simulator has ended")
        *lines, rest = (self._rest + text).split(b"\n")
        data, runs, quiet = bytearray(), 0, self._quiet
        for line in lines:
            if line in (b"k", b"b"):
                quiet = 0 if line == b"b" else quiet + _RUN
                runs += 1
            else:
                data.append(int(line, 16))
                quiet = 0
        # Together, so that Ctrl-C finds all of it done, or nothing.
        running, bits = self._running - runs, self._bits + runs * _RUN
        self._rest, self._running, self._bits, self._quiet = rest, running, bits, quiet
        return bytes(data)

    def fileno(self) -> int | None:
        """Readable when the simulator has something to say; it must be running (:meth:`read`)."""
        return None

    def close(self) -> None:
        """End the simulator."""
        self._stdin.close()
        self._process.kill()
        self._process.wait()
        self._stdout.close()

    @property
    def process_id(self) -> int:
        """The simulator's."""
        return self._process.pid

    def _put(self, commands: bytes) -> None:
        # A pipe takes so much as a whole or, interrupted by Ctrl-C, nothing: commands stay pairs of bytes.
        for at in range(0, len(commands), select.PIPE_BUF):
            self._stdin.write(commands[at : at + select.PIPE_BUF])
