"""Tokens/s over Gigabit Ethernet: ``python -m sim.measure.ethernet_rate``.

The gateware with LiteEth's core runs in Verilator up to its GMII pins, its clocks and the wire's at their
nominal rates: preamble, headers, sums and gaps take their time. A host keeps the window full of full frames
and takes no time itself. Every reply is compared with the board model's. The engine is
that of ``sim.measure.link_cycles``, and its clock the one in the report of the model's ULX3S build.

``--slot BYTES`` sets the link's frames; names of models choose rows.
"""

from __future__ import annotations

import argparse
import json

from cobs import cobs

from sim.ethernet.board import EthernetBoard
from sim.measure.link_cycles import ROOT, Traffic, full_engine
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model

__all__ = ["ROWS", "ethernet_cycles", "routed_mhz"]

#: What is asked of each token, by model.
ROWS = {"shakespeare": "choice", "ptb-lstm-300": "h"}
_WINDOW = 8


def routed_mhz(name: str) -> float:
    """The engine's clock of the routed ULX3S build of a model."""
    return json.loads((ROOT / f"docs/results/ulx3s-{name}.json").read_text(encoding="utf-8"))["clock_mhz"]


def ethernet_cycles(board: EthernetBoard, traffic: Traffic) -> float:
    """Mean cycles of a token, from reply to reply in the middle of the traffic.

    Raises
    ------
    ValueError
        If a reply is not the board model's.
    """
    model = BoardModel(**board.design.parts)
    frames = [cobs.decode(frame.strip(b"\0")) for frame in traffic.frames]
    replies, cycles = board.run(frames)
    for number, (frame, reply) in enumerate(zip(traffic.frames, replies, strict=True)):
        if model.exchange(frame) != cobs.encode(reply) + b"\0":
            raise ValueError(f"reply {number} is not the board model's")
    begun = 1 + len(cycles) // 3  # the link is full from there on
    return float(cycles[-1] - cycles[begun]) / (len(cycles) - 1 - begun) / traffic.tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(ROWS), metavar="MODEL", help=", ".join(ROWS))
    parser.add_argument("--slot", type=int, default=1024, help="bytes of a frame")
    parser.add_argument("--count", type=int, default=40, help="frames of each row")
    arguments = parser.parse_args()
    for name in arguments.models:
        model, mhz = Model.load(ROOT / f"models/{name}.trine"), routed_mhz(name)
        engine = full_engine(model)
        link = LinkConfig(_WINDOW, arguments.slot, _WINDOW * arguments.slot, "fast")
        board = EthernetBoard(model, engine, link, mhz=mhz)
        traffic = Traffic.of(model, engine, board.design.link, ROWS[name], arguments.count)
        cycles = ethernet_cycles(board, traffic)
        print(
            f"{name:14} {ROWS[name]:7} {cycles:7.1f} cycles a token at {mhz:g} MHz, "
            f"{1e6 * mhz / cycles:,.0f} tokens/s; the engine alone {traffic.engine:.1f} cycles, "
            f"{1e6 * mhz / traffic.engine:,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
