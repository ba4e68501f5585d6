"""A board on Ethernet in Verilator: the gateware with LiteEth's core, up to the pins of its PHY."""

from __future__ import annotations

import hashlib
import importlib.metadata
import struct
import subprocess
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trine_boards.pins.ethernet_frames import Datagram
from trine_boards.pins.ethernet_host import EthernetHost
from trine_hw.link.ethernet.streams import CORE, EthernetLink
from trine_hw.link.link import Link
from trine_hw.simulation.build import kept, sources_digest, to_verilog
from trine_sw.engine import EngineConfig
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model
from trine_sw.support import toolchain

__all__ = ["ADDRESS", "BOARD", "BOARD_MAC", "HOST", "PORT", "EthernetBoard", "Ran", "write_parts"]

HOST, ADDRESS, PORT = "10.77.0.1", "10.77.0.2", 7700
BOARD_MAC, BOARD = 0x0254_0A4D_0002, 0x0A4D_0002
#: Flags of a frame for the program: see there.
DAMAGED, SEEN, RESTED = 1 << 31, 1 << 30, 1 << 29
_MAIN = Path(__file__).with_name("board.cpp")


def write_parts(path: Path, parts: Iterable[bytes]) -> Path:
    """Bytes as they come over the wire, for a board on a TAP interface."""
    path.write_bytes(b"".join(struct.pack("<I", len(part)) + part for part in parts))
    return path


class Ran(NamedTuple):
    """What a board on a TAP interface has done.

    Members
    -------
    cycles : of the engine's clock
    received, sent : datagrams at the board's pins
    lost, doubled, late : datagrams with a fault, both directions together
    """

    cycles: int
    received: int
    sent: int
    lost: int
    doubled: int
    late: int


class EthernetBoard:
    """A compiled board.

    Parameters
    ----------
    model, engine : the board's
    least : its link's buffers, at least
    mhz : the engine's clock; the core's has 50, the wire's 125
    optimised : whether the C++ compiler optimises, which pays for large models and long runs
    """

    def __init__(
        self,
        model: Model,
        engine: EngineConfig,
        least: LinkConfig,
        *,
        mhz: float = 80,
        optimised: bool = True,
    ) -> None:
        self.design = design = BoardDesign(model, engine, least, clock_hz=mhz * 1e6)
        self.mhz, self.model = mhz, model
        tool = toolchain.require("verilator")
        versions = [importlib.metadata.version(package) for package in ("litex", "liteeth")]
        digest = hashlib.sha256(
            model.digest() + repr((engine, design.link, mhz, optimised, versions)).encode()
        )
        digest.update(sources_digest(tool) + _MAIN.read_bytes() + Path(__file__).read_bytes())

        def make(work: Path) -> list[list[str]]:
            board = EthernetLink(Link(**design.parts), BOARD_MAC, BOARD, PORT)
            (work / "top.v").write_text(to_verilog(board), encoding="utf-8")
            (work / f"{CORE}.v").write_text(board.core, encoding="utf-8")
            (work / "main.cpp").write_bytes(_MAIN.read_bytes())
            verilate = [
                *tool.command,
                "-cc",
                "--exe",
                "-Mdir",
                ".",
                "--top-module",
                "top",
                "--prefix",
                "Vtop",
            ]
            verilate += ["-o", "board", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal"]
            verilate += ["-Wno-lint", "-Wno-style", "-Wno-WIDTH", "--no-timing"]
            verilate += ["main.cpp", "top.v", f"{CORE}.v"]
            fast = "OPT_FAST=-O1" if optimised else "OPT_FAST=-O0"
            return [verilate, ["make", "-f", "Vtop.mk", fast, "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]]

        self._program = kept(f"ethernet-{digest.hexdigest()[:24]}", tool, make) / "board"

    @contextmanager
    def on(
        self,
        tap: int,
        faults: tuple[int, int, int] = (0, 0, 0),
        seed: int = 0,
        others: Path | None = None,
    ) -> Iterator[list[Ran]]:
        """Runs on a TAP interface until the block ends, and then puts what it did into the list.

        ``faults`` are the per mille of the datagrams that are lost, doubled and late; ``others`` is a file of
        what else comes, which :func:`write_parts` has written.
        """
        command = [self._program, "tap", tap, self.mhz, *faults, seed, *([others] if others else [])]
        process = subprocess.Popen(
            [str(word) for word in command],
            pass_fds=[tap],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ran: list[Ran] = []
        try:
            yield ran
        except BaseException:
            process.kill()
            process.communicate()
            raise
        told, _ = process.communicate(timeout=60)
        assert process.returncode == 0, process.returncode
        ran.append(Ran(*map(int, told.split())))

    def run(
        self,
        frames: list[bytes],
        damaged: Collection[int] = (),
        seen: Sequence[bytes] = (),
    ) -> tuple[list[bytes], NDArray[np.int64]]:
        """The reply to each frame, without COBS as it is in the datagram, and the cycle at which it has left;
        the window is kept full, and the host takes no time. Those frames with a number in `damaged` come with
        a wrong FCS first; before all come the bytes that are `seen` on the wire, with preamble and FCS or
        without, of other hosts than the one of `frames`."""
        host = EthernetHost(BOARD_MAC, BOARD, PORT)
        sent = [(part, SEEN) for part in seen]
        for number, frame in enumerate(frames):
            sent.append((host.frame(frame), DAMAGED * (number in damaged) | RESTED * (number == 0)))
        replies, cycles = [], []
        for frame, cycle in self.exchange(sent, self.design.link.window):
            said = host.understood(frame)
            assert isinstance(said, Datagram)
            replies.append(said.payload)
            cycles.append(cycle)
        return replies, np.array(cycles)

    def exchange(self, sent: Sequence[tuple[bytes, int]], window: int) -> list[tuple[bytes, int]]:
        """What comes back of UDP for frames of Ethernet with flags, and the cycle at which it has left."""
        data = b"".join(struct.pack("<I", len(frame) | flags) + frame for frame, flags in sent)
        command = [str(self._program), "frames", str(self.mhz), str(window)]
        output = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
        found = []
        while output:
            size, cycle = struct.unpack_from("<II", output)
            found.append((output[8 : 8 + size], cycle))
            output = output[8 + size :]
        return found
