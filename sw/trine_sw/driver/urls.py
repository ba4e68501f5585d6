"""Where boards are: from a URL to a function that connects."""

from __future__ import annotations

import re
from collections.abc import Callable
from os import PathLike

from trine_sw.backends import default_engine
from trine_sw.driver.transports import ModelTransport, SerialTransport, SocketTransport, Transport
from trine_sw.errors import TrineError
from trine_sw.integers import integer, shown
from trine_sw.link.board_design import BoardDesign
from trine_sw.link.board_model import BoardModel
from trine_sw.model import Model

__all__ = ["DEFAULT_BAUD", "Connect", "connector", "opening"]

#: Connects, and again after the other side has gone.
Connect = Callable[[], Transport]

DEFAULT_BAUD = 1_000_000
#: What the system's calls hold.
_MOST_BAUD = (1 << 31) - 1
_SIMULATORS = ("verilator", "icarus")
_FORMS = (
    "golden:M.trine, verilator:M.trine, icarus:M.trine, socket://host:port or a serial port (trine ports)"
)


def opening(
    url: str, model: Model | str | PathLike[str] | None, baud: int | None
) -> tuple[Connect, Model | None]:
    """What connects to a board, and the model that it must hold: the one given, or else the URL's.

    Raises
    ------
    TrineError
        Where one of them has no form that is known, or the model cannot be read.
    """
    if isinstance(model, (str, PathLike)):
        model = Model.load(model)
    if model is not None and not isinstance(model, Model):
        raise TrineError(f"the model must be a Model, or the path of its file, not {shown(model)}")
    connect, own_model = connector(url, baud)
    return connect, own_model if model is None else model


def connector(url: str, baud: int | None = None) -> tuple[Connect, Model | None]:
    """What connects to a board, and its model where the URL names it.

    Raises
    ------
    TrineError
        Where the URL has no form that is known.
    """
    if not isinstance(url, str) or "\0" in url:
        raise TrineError(f"{shown(url)} is no board: write {_FORMS}")
    baud = DEFAULT_BAUD if baud is None else integer(baud, "the baud rate", 1, _MOST_BAUD)
    scheme, _, rest = url.partition(":")
    if scheme == "socket":
        found = re.fullmatch(r"//\[?([^/]+?)\]?:(\d{1,5})/?", rest)
        if found is None or int(found[2]) > 65535:
            raise TrineError(f"{url} is no socket: write socket://host:port")
        return lambda: SocketTransport(found[1], int(found[2])), None
    if scheme in ("golden", *_SIMULATORS):
        if not rest:
            raise TrineError(f"{url} names no model: write {scheme}:M.trine")
        model = Model.load(rest)
        engine = default_engine(model)
        if scheme == "golden":
            design = BoardDesign(model, engine)
            return lambda: ModelTransport(BoardModel(**design.parts)), model
        return lambda: _simulated(scheme, model), model
    if url.startswith("/") or re.fullmatch(r"COM\d+", url):
        return lambda: SerialTransport(url, baud), None
    raise TrineError(f"{url!r} is no board: write {_FORMS}")


def _simulated(simulator: str, model: Model) -> Transport:
    from trine_hw.simulation.virtual_board import VirtualBoard

    return VirtualBoard(model, default_engine(model), simulator)
