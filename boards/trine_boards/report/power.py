"""Estimate of the power of a routed engine's core supply. Nothing here was measured."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CORES", "Core", "Power", "estimate_power"]


@dataclass(frozen=True)
class Core:
    """What of a family's core decides its power. Only `volts` and `static_ma` are a vendor's figures.

    Members
    -------
    volts : of the core's supply
    static_ma : typical current of a chip that is configured and stands still, at 25 degrees
    net_pf : capacitance of a logic cell's output, with the wires and inputs behind it
    clock_pf : capacitance of the clock's tree for each flip-flop
    block_ram_pj : energy of a block RAM's read
    """

    volts: float
    static_ma: float
    net_pf: float
    clock_pf: float
    block_ram_pj: float


#: By ``Board.family``. Volts: recommended operating conditions of Lattice FPGA-DS-02012 and FPGA-DS-02008.
#: Currents: static supply currents of the same, LFE5U-85F and iCE40UP5K. The others are assumptions, usual
#: for chips of 40 nm: Lattice's are within its Power Calculator and not published.
CORES = {
    "ecp5": Core(volts=1.1, static_ma=212, net_pf=1.5, clock_pf=0.05, block_ram_pj=12),
    "ice40": Core(volts=1.2, static_ma=0.075, net_pf=1.0, clock_pf=0.05, block_ram_pj=3),
}
#: The estimate may be wrong by this factor either way.
UNCERTAINTY = 2


@dataclass(frozen=True)
class Power:
    """Watts of a chip's core, by what takes them, and its supply's volts."""

    static: float
    logic: float
    clock: float
    block_ram: float
    volts: float

    @property
    def total(self) -> float:
        """Watts of all parts."""
        return self.static + self.logic + self.clock + self.block_ram

    @property
    def amperes(self) -> float:
        """Current from the core's supply."""
        return self.total / self.volts

    def __str__(self) -> str:
        low, high = self.total / UNCERTAINTY, self.total * UNCERTAINTY
        return f"{self.total:.2g} W, {self.amperes:.2g} A at {self.volts} V ({low:.2g} to {high:.2g} W)"


def estimate_power(
    family: str, *, lut4: int, ff: int, block_ram: int, clock_mhz: float, toggle_rate: float
) -> Power:
    """The core's power in watts.

    Parameters
    ----------
    family : of the board, a key of :data:`CORES`
    lut4, ff, block_ram, clock_mhz : as a report has them
    toggle_rate : in how many cycles of one a cell's output changes, in the mean; 0.125 is what vendors' tools
        take where nothing is known

    All block RAMs are taken to be read in each cycle, and every flip-flop to be clocked.

    >>> print(estimate_power("ice40", lut4=5230, ff=2250, block_ram=30, clock_mhz=21, toggle_rate=0.125))
    0.02 W, 0.016 A at 1.2 V (0.0098 to 0.039 W)
    """
    core, hz = CORES[family], clock_mhz * 1e6
    swing = core.volts**2 * 1e-12  # energy of charging and discharging a picofarad
    return Power(
        static=core.volts * core.static_ma * 1e-3,
        # A change charges the net or discharges it: half of a swing.
        logic=(lut4 + ff) * toggle_rate * hz * core.net_pf * swing / 2,
        clock=ff * hz * core.clock_pf * swing,
        block_ram=block_ram * hz * core.block_ram_pj * 1e-12,
        volts=core.volts,
    )
