"""The UART alone in a simulator, and its cocotb testbench, which moves the pins by the clock on the wall."""

from __future__ import annotations

import hashlib
from pathlib import Path

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from trine_hw.link.uart import UARTReceiver, UARTTransmitter
from trine_hw.simulation import build
from trine_hw.simulation.launch import run_cocotb
from trine_sw.support import toolchain

__all__ = ["DIVISOR", "UARTPins", "run_uart_tests"]

#: Clock cycles in one bit; the clock's period is 10 ns.
DIVISOR = 20


class UARTPins(wiring.Component):
    """Receiver and transmitter, each between its pin and its stream."""

    def __init__(self) -> None:
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "o": Out(stream.Signature(8)),
                "i": In(stream.Signature(8)),
                "lost": Out(1),
                "framing_error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UARTReceiver(DIVISOR)
        m.submodules.transmitter = transmitter = UARTTransmitter(DIVISOR)
        connect(m, receiver.o, flipped(self.o))
        connect(m, flipped(self.i), transmitter.i)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            self.lost.eq(receiver.lost),
            self.framing_error.eq(receiver.framing_error),
        ]
        return m


def run_uart_tests(simulator: str, work: Path) -> tuple[int, int]:
    """Run every test of ``sim.uart.testbench`` in ``simulator``; return how many ran and how many failed."""
    tool = toolchain.require("verilator" if simulator == "verilator" else "iverilog")
    text = build.to_verilog(UARTPins())

    def make(folder: Path) -> list[list[str]]:
        (folder / "top.v").write_text(text, encoding="utf-8")
        return build.commands(folder, simulator, tool)

    digest = hashlib.sha256(text.encode() + build.sources_digest(tool)).hexdigest()[:24]
    folder = build.kept(f"uart-{simulator}-{digest}", tool, make)
    return run_cocotb(folder, simulator, work, "sim.uart.testbench")
