"""Tokens/s over Gigabit Ethernet: ``python -m sim.measure.ethernet_rate``.

The gateware with LiteEth's core runs in Verilator up to its GMII pins, its clocks and the wire's at their
nominal rates: preamble, headers, sums and gaps take their time. A host keeps the window full of full frames
and takes no time itself. Every reply is compared with the board model's. Engine and clock are those of
a routed board, whatever link that board has.

Names of reports in ``docs/results`` choose rows.
"""

from __future__ import annotations

import argparse

from cobs import cobs

from sim.ethernet.board import EthernetBoard
from sim.measure.link_cycles import Traffic
from sim.measure.routed import ASKED, routed_design, simulated_engine
from trine_boards.transports.ethernet import EthernetTransport
from trine_sw.link.board_model import BoardModel

__all__ = ["LINK", "ethernet_cycles"]

#: What a board with Ethernet has.
LINK = EthernetTransport().link


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
    parser.add_argument("reports", nargs="*", default=list(ASKED), metavar="REPORT", help=", ".join(ASKED))
    parser.add_argument("--count", type=int, default=40, help="frames of each row")
    arguments = parser.parse_args()
    for name in arguments.reports:
        design = routed_design(name)
        model, engine, mhz = design.model, simulated_engine(name), design.clock_mhz
        board = EthernetBoard(model, engine, LINK, mhz=mhz)
        traffic = Traffic.of(model, engine, board.design.link, ASKED[name], arguments.count)
        cycles = ethernet_cycles(board, traffic)
        print(
            f"{name:24} {ASKED[name]:7} {cycles:7.1f} cycles a token at {mhz:g} MHz, "
            f"{1e6 * mhz / cycles:,.0f} tokens/s; the engine alone {traffic.engine:.1f} cycles, "
            f"{1e6 * mhz / traffic.engine:,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
