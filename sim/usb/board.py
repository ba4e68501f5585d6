"""A board on USB of high speed in Verilator: the gateware with LUNA's device, up to its ULPI pins."""

from __future__ import annotations

import hashlib
import importlib.metadata
import struct
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from trine_hw.link.link import Link
from trine_hw.link.usb import USBLink, USBStreams
from trine_hw.simulation.build import kept, sources_digest, to_verilog
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.protocol import LinkConfig
from trine_sw.support import toolchain

__all__ = ["Packets", "USBBoard", "echo_board", "usb_board"]

_MAIN = Path(__file__).with_name("board.cpp")
_NUMBERS = (0x1209, 0x0001)


class Packets(NamedTuple):
    """Bulk packets of a run.

    Members
    -------
    to_board, from_board : that were acknowledged
    refused : polls for which the board had no room, or no data
    """

    to_board: int
    from_board: int
    refused: int


class _Echo(wiring.Component):
    """USB with a memory of bytes in the link's place, which sends back what comes."""

    def __init__(self, depth: int) -> None:
        self._streams = USBStreams(*_NUMBERS, "Trine echo", "0", high_speed=True)
        self.bus, self._depth = self._streams.bus, depth
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.streams = streams = self._streams
        m.submodules.memory = memory = SyncFIFO(width=8, depth=self._depth)
        m.d.comb += [
            memory.w_data.eq(streams.o.payload),
            memory.w_en.eq(streams.o.valid & memory.w_rdy),
            streams.o.ready.eq(memory.w_rdy),
            streams.i.payload.eq(memory.r_data),
            streams.i.valid.eq(memory.r_rdy),
            memory.r_en.eq(streams.i.ready & memory.r_rdy),
        ]
        return m


class _Pins(wiring.Component):
    """A board's ULPI bus as ports."""

    def __init__(self, board: Any) -> None:
        self._board = board
        ports = {"data_i": In(8), "dir": In(1), "nxt": In(1), "data_o": Out(8), "stp": Out(1)}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.board = board = self._board
        bus = board.bus
        m.d.comb += [
            bus.data.i.eq(self.data_i),
            bus.dir.i.eq(self.dir),
            bus.nxt.i.eq(self.nxt),
            self.data_o.eq(bus.data.o),
            self.stp.eq(bus.stp.o),
        ]
        return m


class USBBoard:
    """A compiled board behind a PHY and a host, of :func:`usb_board` or :func:`echo_board`.

    Parameters
    ----------
    board : component with a ULPI ``bus``
    named : what it is made of besides the gateware's sources
    mhz : the engine's clock; the bus has 60
    window : frames that the host has in flight
    optimised : whether the C++ compiler optimises, which pays for large models and long runs
    """

    def __init__(self, board: Any, named: bytes, *, mhz: float, window: int, optimised: bool = True) -> None:
        self.mhz, self.window = mhz, window
        tool = toolchain.require("verilator")
        digest = hashlib.sha256(named + repr((optimised, importlib.metadata.version("luna-usb"))).encode())
        digest.update(sources_digest(tool) + _MAIN.read_bytes() + Path(__file__).read_bytes())

        def make(work: Path) -> list[list[str]]:
            (work / "top.v").write_text(to_verilog(_Pins(board)), encoding="utf-8")
            (work / "main.cpp").write_bytes(_MAIN.read_bytes())
            verilate = [*tool.command, "-cc", "--exe", "-Mdir", ".", "--top-module", "top"]
            verilate += [
                "--prefix",
                "Vtop",
                "-o",
                "board",
                "-O3",
                "--x-assign",
                "fast",
                "--x-initial",
                "fast",
            ]
            verilate += ["-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-WIDTH", "--no-timing"]
            verilate += ["main.cpp", "top.v"]
            fast = "OPT_FAST=-O1" if optimised else "OPT_FAST=-O0"
            return [verilate, ["make", "-f", "Vtop.mk", fast, "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]]

        self._program = kept(f"usb-{digest.hexdigest()[:24]}", tool, make) / "board"

    def run(self, frames: list[bytes]) -> tuple[list[bytes], NDArray[np.int64], Packets]:
        """The encoded reply to each encoded frame, and the cycle of 60 MHz at which all of it is at the host,
        which polls without a pause; and the packets."""
        data = b"".join(struct.pack("<I", len(frame)) + frame for frame in frames)
        command = [str(self._program), str(self.mhz), str(self.window)]
        output = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
        replies, cycles = [], []
        while (size := int.from_bytes(output[:4], "little")) > 0:
            cycles.append(int.from_bytes(output[4:8], "little"))
            replies.append(output[8 : 8 + size])
            output = output[8 + size :]
        return replies, np.array(cycles), Packets(*struct.unpack("<III", output[4:]))


def usb_board(design: BoardDesign, *, mhz: float, optimised: bool = True) -> USBBoard:
    """A board of this design. Raises :exc:`trine_sw.support.errors.TrineError` where LUNA is missing."""
    board = USBLink(Link(**design.parts), *_NUMBERS, "Trine", high_speed=True)
    named = design.model.digest() + repr((design.engine, design.link, mhz)).encode()
    return USBBoard(board, named, mhz=mhz, window=design.link.window, optimised=optimised)


def echo_board(link: LinkConfig, *, mhz: float, optimised: bool = True) -> USBBoard:
    """USB alone: each frame comes back as it is, out of a memory of as many bytes as the link buffers."""
    board = _Echo(link.receive_bytes)
    return USBBoard(board, repr(("echo", link)).encode(), mhz=mhz, window=link.window, optimised=optimised)
