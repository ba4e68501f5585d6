"""Published engines for recurrent layers or ternary matrices, at batch 1."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ANCHORS", "Anchor"]


@dataclass(frozen=True)
class Anchor:
    """A published figure; what its authors do not give is None.

    Members
    -------
    name, chip, what : the engine, what it runs on, and the layer
    seconds : of a step
    gops : operations a second, in thousands of millions, as its authors count: those of the dense layer where
        an engine skips some
    gops_per_klut : the same over thousands of LUTs
    source : where it is published
    """

    name: str
    chip: str
    what: str
    seconds: float | None
    gops: float | None
    gops_per_klut: float | None
    source: str


ANCHORS = (
    Anchor(
        "Spartus",
        "Zynq-7100",
        "LSTM of 1,024 units, 8.5 W",
        1e-6,
        9400.0,
        None,
        "Gao, Delbruck, Liu: Spartus, a 9.4 TOp/s FPGA-based LSTM accelerator, IEEE TNNLS 2022",
    ),
    Anchor(
        "EdgeDRNN",
        "MiniZed",
        "GRU, 2.4 W at the wall",
        None,
        20.2,
        None,
        "Gao et al.: EdgeDRNN, recurrent neural network accelerator for edge inference, IEEE JETCAS 2020",
    ),
    Anchor(
        "ternfpga",
        "Artix-7 35T",
        "ternary matrix, no DSP",
        None,
        1.6,
        4.0,
        "github.com/Neumann-Labs/ternfpga",
    ),
    Anchor(
        "es-ude",
        "Spartan-7",
        "LSTM, 11.9 GOp/s/W",
        1 / 32_873,
        None,
        None,
        "Qian, Ling, Schiele: Energy efficient LSTM accelerators for embedded FPGAs, ARCS 2023",
    ),
)
