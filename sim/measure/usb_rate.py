"""Tokens/s over USB of high speed: ``python -m sim.measure.usb_rate``.

The gateware of USB runs in Verilator up to its ULPI pins, behind a model of the PHY and a host that polls
without a pause, one packet to the board and one from it in turn; the bus takes its time
(``sim/usb/board.cpp``). In the link's place is a memory that sends each frame back: requests and replies are
of one size, so that this is what USB leaves to a model, whatever its engine. The frames are those that keep
the model's link full, and each must come back as it was. Beside it stand the rate at the nominal 40 MB/s of
both directions together, and the engine's own.

With ``--board`` the link and the engine are in their place, and every reply is compared with the board
model's; that takes long for large models. Names of reports in ``docs/results`` choose rows.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

from sim.measure.link_cycles import Traffic
from sim.measure.routed import ASKED, routed_design, simulated_engine
from sim.usb.board import USBBoard, echo_board, usb_board
from trine_boards.transports.ulpi import ULPITransport
from trine_sw.fit.link_rate import line_of
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_model import BoardModel

__all__ = ["LINK", "USBRate", "usb_rate"]

#: What a board with USB of high speed has.
LINK = ULPITransport.link
_BUS_HZ = 60e6


class USBRate(NamedTuple):
    """What a token takes of the bus.

    Members
    -------
    cycles : of 60 MHz, from reply to reply in the middle of the traffic
    payload : bytes of both directions together, framing included
    refused : part of the host's polls for which there was no room or no data
    """

    cycles: float
    payload: float
    refused: float

    @property
    def tokens_per_s(self) -> float:
        """On a bus that is never idle."""
        return _BUS_HZ / self.cycles

    @property
    def bytes_per_s(self) -> float:
        """Of both directions together."""
        return self.tokens_per_s * self.payload


def usb_rate(board: USBBoard, traffic: Traffic, model: BoardModel | None = None) -> USBRate:
    """What a board with this traffic takes; without a board model it is an echo.

    Raises
    ------
    ValueError
        If a reply is not the board model's, or not the request of an echo.
    """
    frames = [frame.lstrip(b"\0") for frame in traffic.frames]
    replies, cycles, packets = board.run(frames)
    expected = frames if model is None else [model.exchange(frame) for frame in frames]
    for number, (found, right) in enumerate(zip(replies, expected, strict=True)):
        if found != right:
            raise ValueError(f"reply {number} is not the one that is expected")
    begun = 1 + len(cycles) // 3  # the link is full from there on
    each = float(cycles[-1] - cycles[begun]) / (len(cycles) - 1 - begun) / traffic.tokens
    payload = (len(frames[-1]) + len(replies[-1])) / traffic.tokens
    return USBRate(each, payload, packets.refused / sum(packets))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="*", default=list(ASKED), metavar="REPORT", help=", ".join(ASKED))
    parser.add_argument("--count", type=int, default=40, help="frames of each row")
    parser.add_argument("--board", action="store_true", help="with the model's link and engine")
    arguments = parser.parse_args()
    nominal = line_of("ulpi", 0, 100e6)
    assert nominal is not None
    for name in arguments.reports:
        routed = routed_design(name)
        model, engine, mhz = routed.model, simulated_engine(name), routed.clock_mhz
        design = BoardDesign(model, engine, LINK, clock_hz=mhz * 1e6)
        traffic = Traffic.of(model, engine, design.link, ASKED[name], arguments.count)
        if arguments.board:
            rate = usb_rate(usb_board(design, mhz=mhz), traffic, BoardModel(**design.parts))
        else:
            rate = usb_rate(echo_board(design.link, mhz=mhz), traffic)
        what = "board" if arguments.board else "echo"
        print(
            f"{name:24} {ASKED[name]:7} {what}: {rate.cycles:.1f} cycles of 60 MHz a token, "
            f"{rate.tokens_per_s:,.0f} tokens/s, {rate.bytes_per_s / 1e6:.1f} MB/s of both directions, "
            f"{100 * rate.refused:.1f} % of the polls refused; at {nominal.bytes_per_s / 1e6:g} MB/s "
            f"{nominal.bytes_per_s / rate.payload:,.0f} tokens/s; the engine alone {traffic.engine:.1f} "
            f"cycles at {mhz:g} MHz, {1e6 * mhz / traffic.engine:,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
