"""URLs of boards, and the function that connects to each."""

from __future__ import annotations

import re
from collections.abc import Callable
from os import PathLike
from typing import NamedTuple

from trine_sw.driver.spi import spi_connector
from trine_sw.driver.transports import ModelTransport, SerialTransport, SocketTransport, Transport
from trine_sw.driver.udp import udp_connector
from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.link.board_design import DEFAULT_BAUD, BoardDesign
from trine_sw.link.board_model import BoardModel
from trine_sw.model import Model
from trine_sw.support.checks import integer, shown
from trine_sw.support.errors import TrineError

__all__ = ["Connect", "Opening", "connector", "opening", "register_scheme"]

#: Connects, and again after the other side has gone.
Connect = Callable[[], Transport]

#: What the system's calls hold.
_MOST_BAUD = (1 << 31) - 1
#: What connects to a board that is made of a model: by the scheme of a URL, ``SCHEME:M.trine``.
_SCHEMES: dict[str, Callable[[Model, EngineConfig], Transport]] = {}


def register_scheme(scheme: str, connect: Callable[[Model, EngineConfig], Transport]) -> None:
    """Make ``SCHEME:M.trine`` a URL: ``connect`` is called with model and engine for each connection.

    The packages above the driver register the simulators with it, so that the driver needs none of them.
    """
    _SCHEMES[scheme] = connect


def _golden(model: Model, engine: EngineConfig) -> Transport:
    return ModelTransport(BoardModel(**BoardDesign(model, engine).parts))


register_scheme("golden", _golden)


def _forms() -> str:
    models = ", ".join(f"{scheme}:M.trine" for scheme in _SCHEMES)
    wires = "socket://host:port, udp://host, spi:///dev/spidev0.0?ready=GPIO"
    return f"{models}, {wires} or a serial port (trine ports)"


class Opening(NamedTuple):
    """How a board is opened: what connects to it, the model that it must hold, and its name in messages."""

    connect: Connect
    model: Model | None
    where: str


def opening(
    url: str, model: Model | str | PathLike[str] | None, baud: int | None, placement: Placement = ANYWHERE
) -> Opening:
    """How the board at a URL is opened; the model that it must hold is the one given, or else the URL's.

    Raises
    ------
    TrineError
        Where one of them has no form that is known, or the model cannot be read.
    """
    if isinstance(model, (str, PathLike)):
        model = Model.load(model)
    if model is not None and not isinstance(model, Model):
        raise TrineError(f"the model must be a Model, or the path of its file, not {shown(model)}")
    found = connector(url, baud, placement)
    return found if model is None else found._replace(model=model)


def connector(url: str, baud: int | None = None, placement: Placement = ANYWHERE) -> Opening:
    """How the board at a URL is opened, with its model where the URL names it; that has embedding and head
    where ``placement`` wants them. ``PORT?baud=N`` is a serial port of that rate, if ``baud`` says no other.

    Raises
    ------
    TrineError
        Where the URL has no form that is known, or its model lacks what the board must hold.
    """
    if not isinstance(url, str) or "\0" in url:
        raise TrineError(f"{shown(url)} is no board: write {_forms()}")
    if baud is not None:
        baud = integer(baud, "the baud rate", 1, _MOST_BAUD)
    scheme, _, rest = url.partition(":")
    if scheme == "socket":
        found = re.fullmatch(r"//\[?([^/]+?)\]?:(\d{1,5})/?", rest)
        if found is None or int(found[2]) > 65535:
            raise TrineError(f"{url} is no socket: write socket://host:port")
        return Opening(lambda: SocketTransport(found[1], int(found[2])), None, url)
    if scheme == "spi":
        return Opening(spi_connector(url), None, url)
    if scheme == "udp":
        return Opening(udp_connector(url), None, url)
    if scheme in _SCHEMES:
        if not rest:
            raise TrineError(f"{url} names no model: write {scheme}:M.trine")
        model, connect = Model.load(rest), _SCHEMES[scheme]
        engine = default_engine(model, placement=placement)
        return Opening(lambda: connect(model, engine), model, url)
    port, asks, rate = url.partition("?baud=")
    if port.startswith("/") or re.fullmatch(r"COM\d+", port):
        if asks and not re.fullmatch(r"[1-9]\d{,9}", rate):
            raise TrineError(f"{url} has no baud rate: write {port}?baud=N, such as {port}?baud=1000000")
        bits = baud or (integer(int(rate), "the baud rate", 1, _MOST_BAUD) if asks else DEFAULT_BAUD)
        return Opening(lambda: SerialTransport(port, bits), None, f"{port} ({bits:,} baud)")
    raise TrineError(f"{url!r} is no board: write {_forms()}")
