"""Top module of a board: clock, pins, transport, link and core."""

from dataclasses import asdict

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

from trine_boards.board_spec import MARGIN, BoardSpec, HeldPin
from trine_hw.link.link import Link
from trine_sw.engine import EngineConfig
from trine_sw.link.board_design import BoardDesign
from trine_sw.model import Model
from trine_sw.support.json_text import json_text

__all__ = ["BoardTop"]


class BoardTop(Elaboratable):
    """`model` on `board`, driven through the board's transport by the protocol of docs/driver.md.

    The board's LED is lit while a command is under way, if it has one.

    Parameters
    ----------
    model : :class:`trine_sw.model.Model`
    engine : :class:`trine_sw.engine.EngineConfig`
    board : :class:`BoardSpec`
    clock_mhz : :class:`float`
        Clock of the core.
    margin : :class:`float`
        Nextpnr is asked for a clock faster by this fraction.

    Raises
    ------
    ClockError
        Where the clock does not serve the board's transport, such as its baud rate.
    """

    def __init__(
        self, model: Model, engine: EngineConfig, board: BoardSpec, clock_mhz: float, margin: float = MARGIN
    ):
        self.board = board
        self.clock_mhz = clock_mhz
        self.margin = margin
        board.transport.check_clock(clock_mhz)
        #: What it says of itself, and what its board model is made of.
        self.design = design = BoardDesign(
            model, engine, board.link, clock_hz=clock_mhz * 1e6, baud=board.baud
        )
        held, sizes = design.info.digest.hex(), design.link
        #: Of what it is made, for a build that asks whether anything has changed.
        self.identity = json_text(
            [
                held,
                asdict(engine),
                board.name,
                asdict(sizes),
                clock_mhz,
                margin,
                repr(board.transport),
            ]
        )
        #: The link behind the transport.
        self.pinned = board.transport.pinned(Link(**design.parts), clock_mhz)

    def elaborate(self, platform):
        m = Module()
        m.submodules.clock = clock = self.board.clock_domain(
            self.clock_mhz, self.margin, self.board.transport.clocks
        )
        m.submodules[self.board.transport.name] = self.pinned
        self.board.transport.join(m, self.pinned, platform)
        m.d.comb += self.pinned.lock_lost.eq(clock.lock_lost)
        for pin in self.board.held:
            held = io.Buffer("o", _port(platform, pin))
            m.submodules[f"held_{pin.subsignal or pin.resource}"] = held
            m.d.comb += held.o.eq(pin.level)
        led = self.board.led
        if led is not None:
            pins = platform.request(led.resource, led.number)
            m.d.comb += (getattr(pins, led.subsignal) if led.subsignal else pins).o.eq(self.pinned.busy)
        return m


def _port(platform, pin: HeldPin) -> io.PortLike:
    """The port of `pin`."""
    if pin.subsignal is None:
        return platform.request(pin.resource, pin.number, dir="-")
    names = [part.name for part in platform.lookup(pin.resource, pin.number).ios]
    return getattr(platform.request(pin.resource, pin.number, dir=dict.fromkeys(names, "-")), pin.subsignal)
