"""A whole board in Verilator, from its configuration on: PLL, clock gate or reset, pins, and a host."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from trine_boards.board_spec import BoardSpec
from trine_boards.build.elaboration import elaborate
from trine_boards.top import BoardTop
from trine_hw.simulation.build import kept
from trine_sw.engine import EngineConfig
from trine_sw.model import Model
from trine_sw.support import toolchain

__all__ = ["Heard", "StartUp"]

_BENCH = Path(__file__).with_name("startup_bench.v")
#: As Amaranth turns its RTLIL into Verilog.
_SCRIPT = "read_rtlil top.il; proc -nomux -norom; memory_collect; write_verilog -noattr -norename top.v"
_MAIN = """\
#include "Vstartup_bench.h"
int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vstartup_bench bench{&context};
    while (!context.gotFinish()) {
        bench.clk = !bench.clk;
        bench.eval();
    }
    bench.final();
}
"""


@dataclass
class Heard:
    """What a run gave: bytes from the board, those without a stop bit, and the cycles in which the PLL's lock
    changed to 1 or 0, and in which the clock's gate let the first edge through, or the first after a stop."""

    data: bytearray = field(default_factory=bytearray)
    framing_errors: int = 0
    locks: list[tuple[int, int]] = field(default_factory=list)
    gates: list[int] = field(default_factory=list)


class StartUp:
    """The gateware of `board` with what is around it, compiled once; each run starts at its configuration.

    Stimuli are bytes that :meth:`idle`, :meth:`send`,
    :meth:`noise` and :meth:`lock` make, in the order in which they happen.
    """

    def __init__(self, model: Model, engine: EngineConfig, board: BoardSpec) -> None:
        self.board = board
        self.divisor = round(board.clock_mhz * 1e6 / board.baud)
        self._top = BoardTop(model, engine, board, board.clock_mhz)
        self._program = self._compiled()

    @staticmethod
    def idle(bits: int) -> bytes:
        """Nothing for so many bit times."""
        return bytes((0, *bits.to_bytes(2, "little")))

    @staticmethod
    def send(data: bytes) -> bytes:
        """These bytes on the line."""
        return b"".join(bytes((1, byte, 0)) for byte in data)

    @staticmethod
    def noise(bits: int) -> bytes:
        """A line that changes at random, many times in a bit time or seldom, for so many of them."""
        return bytes((2, *bits.to_bytes(2, "little")))

    @staticmethod
    def lock(locked: bool) -> bytes:
        """The PLL finds, or loses, its lock."""
        return bytes((3, locked, 0))

    def run(self, stimuli: Iterable[bytes], *, baud_error: float = 0, inverted: bool = False) -> Heard:
        """What the board sends meanwhile, to a host whose bits are longer by `baud_error` of theirs."""
        bit = self.divisor * (1 + baud_error)
        done = subprocess.run(
            [self._program, f"+bit={bit:.6f}", f"+inverted={int(inverted)}"],
            input=b"".join(stimuli),
            stdout=subprocess.PIPE,
            timeout=120,
            check=True,
        )
        heard = Heard()
        for line in done.stdout.decode().splitlines():
            match line.split():
                case ["l", locked, cycle]:
                    heard.locks.append((int(locked), int(cycle)))
                case ["g", cycle]:
                    heard.gates.append(int(cycle))
                case ["f"]:
                    heard.framing_errors += 1
                case [byte] if len(byte) == 2:
                    heard.data.append(int(byte, 16))
        return heard

    def _compiled(self) -> Path:
        """The simulator, taken from the cache where it is there."""
        platform = self.board.platform()
        rtlil = elaborate(self._top, platform)["top.il"]
        yosys, verilator = toolchain.require("yosys"), toolchain.require("verilator")
        clock = f"{platform.default_clk}_0__io"
        instance = f"top board (.{clock}(clk), .uart_0__rx__io(rx), .uart_0__tx__io(tx));"
        digest = hashlib.sha256(repr((str(yosys), str(verilator), instance)).encode())
        digest.update(rtlil + _BENCH.read_bytes() + Path(__file__).read_bytes())

        def make(work: Path) -> list[list[str]]:
            (work / "top.il").write_bytes(rtlil)
            bench = _BENCH.read_text(encoding="utf-8").replace("`STARTUP_BOARD\n", f"{instance}\n")
            (work / "bench.v").write_text(bench, encoding="utf-8")
            (work / "main.cpp").write_text(_MAIN, encoding="utf-8")
            verilate = [
                *(
                    *verilator.command,
                    "-cc",
                    "--exe",
                    "-Mdir",
                    ".",
                    "--top-module",
                    "startup_bench",
                    "-o",
                    "run",
                ),
                *(
                    "-O3",
                    "--x-assign",
                    "fast",
                    "--x-initial",
                    "fast",
                    "-Wno-fatal",
                    "-Wno-lint",
                    "-Wno-style",
                ),
                *("--no-timing", "-Wno-MULTITOP", "main.cpp", "top.v", "bench.v"),
            ]
            flags = ["OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0"]
            return [
                [*yosys.command, "-q", "-p", _SCRIPT],
                verilate,
                ["make", "-j", "2", "-f", "Vstartup_bench.mk", *flags],
            ]

        # The environments of both tools are the same but for what Verilator needs.
        return kept(f"startup-{digest.hexdigest()[:24]}", verilator, make) / "run"
