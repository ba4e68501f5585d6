"""The ULPI interface of a simulated USB device, as a bus to :class:`trine_boards.pins.ulpi_wire.ULPIWire`."""

from __future__ import annotations

from typing import Any

from amaranth.sim import Simulator

from trine_boards.pins.ulpi_wire import CYCLE_SECONDS, ULPIBus, ULPITimes

__all__ = ["SimulatedULPI", "shorter_chirps"]

SYNC_PERIOD = 1 / 75e6


class SimulatedULPI(ULPIBus):
    """The PHY's side of ``dut.bus``; `testbenches` run beside it in ``sync``."""

    cycle_seconds = CYCLE_SECONDS

    def __init__(self, dut: Any, *testbenches: Any) -> None:
        self.pins = dut.bus
        self.errors = 0
        self._asked: tuple[int, int, int, int] | None = None
        self._answer: tuple[int, int, int] | None = None
        self._simulator = Simulator(dut)
        self._simulator.add_clock(CYCLE_SECONDS, domain="usb")
        self._simulator.add_clock(SYNC_PERIOD, domain="sync")
        for testbench in testbenches:
            self._simulator.add_testbench(testbench, background=True)
        self._simulator.add_testbench(self._phy)

    async def _phy(self, ctx: Any) -> None:
        pins = self.pins
        before = (0, 0)
        while True:
            while self._asked is None:  # no time passes while nobody asks
                await ctx.delay(0)
            dir, nxt, data, most = self._asked
            ctx.set(pins.dir.i, dir)
            ctx.set(pins.nxt.i, nxt)
            ctx.set(pins.data.i, data)
            passed, changed = 0, False
            while passed < most and not changed:
                sample = ctx.tick("usb").sample(pins.data.o, pins.stp.o, pins.data.oe)
                _, _, found, stop, drives = await sample
                self.errors += drives == dir
                passed, changed, before = passed + 1, (found, stop) != before, (found, stop)
            self._asked, self._answer = None, (passed, *before)

    def step(self, dir: int, nxt: int, data: int, most: int = 1) -> tuple[int, int, int]:
        self._asked, self._answer = (dir, nxt, data, most), None
        while self._answer is None:
            self._simulator.advance()
        return self._answer


#: Cycles of the times that a device counts, much shorter than they are. A bus of high speed that is at rest
#: for 3 ms is one that is reset: it must be longer than a packet of 512 bytes.
_SHORTER = {
    "2P5_MICROSECONDS": 10,
    "5_MICROSECONDS": 20,
    "200_MICROSECONDS": 20,
    "2_MILLISECONDS": 60,
    "2P5_MILLISECONDS": 500,
    "3_MILLISECONDS": 1200,
}


def shorter_chirps(monkeypatch: Any) -> ULPITimes:
    """Make a device's waits and its chirp shorter; the times of :class:`ULPIWire` for it."""
    from luna.gateware.usb.usb2.reset import USBResetSequencer

    for name, cycles in _SHORTER.items():
        monkeypatch.setattr(USBResetSequencer, f"_CYCLES_{name}", cycles)
    return ULPITimes(*(cycles * CYCLE_SECONDS for cycles in (1000, 1600, 50, 20)))
