"""A board's netlist in Verilator, as a transport that reaches it through its pins alone."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
from pathlib import Path

from trine_boards.verify.netlist_pins import PinNetlist
from trine_hw.simulation.build import kept
from trine_sw.driver.waiting import readable
from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError

__all__ = ["PinBoard", "compiled"]

_BENCH = Path(__file__).with_name("pin_bench.v")
#: Bit times that the simulation runs on at once while something is awaited; runs that are asked for ahead.
_RUN, _AHEAD = 10, 2

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


def compiled(netlist: PinNetlist, *, optimise: bool = True, cache: Path | None = None) -> Path:
    """The program that simulates a netlist at its pins, compiled if the cache does not have it.

    Without `optimise` the compiler is much faster and the program slower.

    Raises
    ------
    TrineError
        If Verilator is missing or fails, as for a cell without a model.
    """
    tool = toolchain.require("verilator")
    board = f"{netlist.top} board (.\\{netlist.clock} (clk), .\\{netlist.rx} (rx), .\\{netlist.tx} (tx));"
    names = [f"source_{index}.v" for index in range(len(netlist.sources))]
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
    digest = hashlib.sha256(repr((str(tool), board, verilate, flags, _MAIN)).encode())
    for source in (_BENCH, *netlist.sources):
        digest.update(hashlib.sha256(source.read_bytes()).digest())

    def make(work: Path) -> list[list[str]]:
        bench = _BENCH.read_text(encoding="utf-8").replace("`PIN_BOARD", board)
        (work / "pin_bench.v").write_text(bench, encoding="utf-8")
        (work / "main.cpp").write_text(_MAIN, encoding="utf-8")
        for name, source in zip(names, netlist.sources, strict=True):
            (work / name).write_bytes(source.read_bytes())
        return [verilate, ["make", "-j", jobs, "-f", "Vpin_bench.mk", *flags]]

    return kept(f"pins-{digest.hexdigest()[:24]}", tool, make, cache=cache) / "pins"


class PinBoard:
    """A :class:`trine_sw.driver.transports.Transport` to a simulated netlist, through the pins of its UART.

    The simulation runs while it is read from. Registers and memories without an initial value start with
    noise, which `noise_seed` decides.

    Parameters
    ----------
    netlist : what is simulated
    baud : of the host, which may be a little off the board's
    lock_ns : when PLLs report that they have locked, in nanoseconds from the start
    idle_s : seconds for which the line is at rest before anything is sent, while the board starts
    inverted : the wire to the board's rx is inverted
    optimise, cache : see :func:`compiled`

    Raises
    ------
    TrineError
        Where the netlist cannot be compiled, or its simulation ends by itself.
    """

    def __init__(
        self,
        netlist: PinNetlist,
        baud: float,
        *,
        lock_ns: float = 1000.0,
        idle_s: float = 64e-6,
        inverted: bool = False,
        noise_seed: int = 1,
        optimise: bool = True,
        cache: Path | None = None,
    ) -> None:
        self.bit_seconds = 1 / baud
        command = [
            str(compiled(netlist, optimise=optimise, cache=cache)),
            f"+clk_ns={1e3 / netlist.input_mhz:.6f}",
            f"+bit_ns={1e9 / baud:.6f}",
            f"+lock_ns={lock_ns:.3f}",
            f"+inverted={int(inverted)}",
            *("+verilator+rand+reset+2", f"+verilator+seed+{noise_seed}"),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        assert self._process.stdin and self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._rest = b""
        self._running = 0  # runs that have not ended
        self._bits = 0  # bit times of all runs and writes so far
        #: Bytes from the board whose stop bit was low.
        self.framing_errors = 0
        idle_bits = math.ceil(idle_s * baud)
        for start in range(0, idle_bits, 8):
            self.hold(1, min(8, idle_bits - start))

    def write(self, data: bytes) -> None:
        """Send bytes to the board's pin."""
        self._bits += 10 * len(data)
        self._put(b"".join(b"\1" + data[n : n + 1] for n in range(len(data))))

    def hold(self, level: int, bits: float) -> None:
        """Hold the line to the board at a level for so many bit times, in eighths, up to 15."""
        eighths = round(8 * bits)
        if not 0 <= eighths < 128:
            raise ValueError(f"bits must be at least 0 and below 16, not {bits}")
        self._bits += bits
        self._put(bytes((2, eighths << 1 | level)))

    def read(self, timeout: float) -> bytes:
        """Run the simulation until bytes come from the board's pin, or for so many of its seconds."""
        end = self.clock() + timeout
        while True:
            while self._running < _AHEAD:
                self._put(bytes((0, _RUN)))
                self._running += 1
            if readable([self._stdout], 1.0) and (data := self._take()):
                return data
            if self.clock() >= end:
                return b""

    def clock(self) -> float:
        """Seconds of the simulation."""
        return self._bits * self.bit_seconds

    def _take(self) -> bytes:
        text = os.read(self._stdout.fileno(), 1 << 16)
        if not text:
            raise TrineError(f"the simulation of the netlist has ended with status {self._process.wait()}")
        *lines, self._rest = (self._rest + text).split(b"\n")
        data = bytearray()
        for line in lines:
            if line == b"k":
                self._running -= 1
                self._bits += _RUN
            elif line == b"f":
                self.framing_errors += 1
            elif line:
                data.append(int(line, 16))
        return bytes(data)

    def fileno(self) -> int | None:
        """None: it runs only while it is read from."""
        return None

    def close(self) -> None:
        """End the simulator; may be repeated."""
        if not self._stdin.closed:
            self._stdin.close()
            self._process.kill()
            self._process.wait()
            self._stdout.close()

    def __enter__(self) -> PinBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, commands: bytes) -> None:
        try:
            while commands:
                commands = commands[self._stdin.write(commands) or 0 :]
        except BrokenPipeError:
            raise TrineError(
                f"the simulation of the netlist has ended with status {self._process.wait()}"
            ) from None
