"""Tag queue: what is to be remembered of each token that is in the engine."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["TagQueue"]


class TagQueue(wiring.Component):
    """Tags in the order of their tokens.

    Contract: ``o`` is the tag that was put first of those that have not been taken, while ``some`` is 1. No
    more than :attr:`depth` are there at once: an engine takes far fewer tokens before it answers the first.

    Area: about 20 LUT4, and 2 for each bit of a tag.

    Parameters
    ----------
    width : :class:`int`
        Bits of a tag.

    Members
    -------
    i, put : In, :py:`In(1)`
    o, take : Out, :py:`In(1)`
    some : :py:`Out(1)`
    """

    depth = 16

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__({"i": In(width), "put": In(1), "o": Out(width), "take": In(1), "some": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.tags = tags = Memory(
            shape=self.width, depth=self.depth, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = tags.write_port(), tags.read_port(domain="comb")
        level = Signal(range(self.depth + 1))
        m.d.comb += [
            write.data.eq(self.i),
            write.en.eq(self.put),
            self.o.eq(read.data),
            self.some.eq(level != 0),
        ]
        m.d.sync += [
            write.addr.eq(write.addr + self.put),
            read.addr.eq(read.addr + self.take),
            level.eq(level + self.put - self.take),
        ]
        return m
