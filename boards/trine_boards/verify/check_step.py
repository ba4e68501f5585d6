"""Build step that simulates the synthesised netlist before place and route."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import trine_boards.pins
import trine_sw.link
from trine_boards.build.cached_step import record_step, recorded
from trine_boards.netlist_file import read_netlist
from trine_boards.pins.host import START_SECONDS
from trine_boards.pins.simulation import started
from trine_boards.top import BoardTop
from trine_boards.verify.compared import Mismatch
from trine_boards.verify.frames import check_frames
from trine_boards.verify.netlist_pins import synthesised
from trine_boards.verify.request_plan import plan_requests
from trine_sw.link.board_model import BoardModel
from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interrupted
from trine_sw.support.json_text import json_text

__all__ = ["check_step"]


def _sources() -> bytes:
    """Changes with what the netlist is compared with, and by what."""
    state = hashlib.sha256()
    compared = (Path(__file__), Path(trine_boards.pins.__file__), Path(trine_sw.link.__file__))
    for folder in (path.parent for path in compared):
        for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".v")):
            state.update(path.read_bytes())
    return state.digest()


def check_step(
    top: BoardTop, folder: Path, tick: Callable[[float], None] = lambda seconds: None, *, seed: int = 1
) -> bool:
    """Compare the netlist ``top.json`` of a build's folder with the board model, at its pins, or do nothing
    where that has been done with the same netlist; returns whether it was done.

    `tick` is called with the seconds since the start, after each frame.

    Raises
    ------
    TrineError
        If the netlist answers otherwise than the model, or Verilator is missing or fails.
    """
    start = time.monotonic()
    netlist, record, work = folder / "top.json", folder / "check.step.json", folder / "check.partial"
    try:
        tool = toolchain.require("verilator")
    except TrineError as error:
        raise TrineError(f"{error}; or build without running the netlist: --no-check") from None
    made_of = json_text([top.identity, str(tool), seed]).encode() + netlist.read_bytes() + _sources()
    digest = hashlib.sha256(made_of).hexdigest()
    if recorded(record) == digest:
        return False
    record.unlink(missing_ok=True)
    shutil.rmtree(work, ignore_errors=True)
    cells = len(read_netlist(netlist).cells)
    host = top.board.transport.pin_host(top.clock_mhz)
    try:
        pins = synthesised(top.board, netlist, work / "models")
        with closing(host.attach(started(pins, host, cache=work))) as board:
            tick(time.monotonic() - start)
            board.begin(START_SECONDS)
            plan = plan_requests(
                lambda: BoardModel(**top.design.parts),
                cells=cells,
                cycles_a_bit=board.bit_seconds * top.clock_mhz * 1e6,
                seed=seed,
            )
            check_frames(
                board,
                BoardModel(**top.design.parts),
                count=plan.count,
                seed=seed,
                brief=plan.brief,
                bit_seconds=board.bit_seconds,
                tick=lambda: tick(time.monotonic() - start),
            )
            if board.line_errors:
                raise Mismatch(f"the board broke the rules of its link {board.line_errors} times")
    except Interrupted:
        raise
    except TrineError as error:
        raise TrineError(
            f"the synthesised netlist does not do what the model does, or cannot be run: {error}; nothing "
            "was placed"
        ) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    record_step(record, digest, str(tool))
    return True
