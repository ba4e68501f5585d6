"""Short Ethernet frames, which are sent with the least length and received as damaged, for LiteEth's MAC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from liteeth.common import eth_min_frame_length, eth_phy_description
from liteeth.mac import padding, preamble
from liteeth.mac.preamble import LiteEthMACPreambleChecker as _PreambleChecker
from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import If, Mux, Signal

__all__ = ["PaddingChecker", "PaddingInserter", "PreambleChecker", "own_padding"]


class PaddingInserter(LiteXModule):
    """A stream of frames in words, of which those with too few bytes are filled up with zeros.

    LiteEth's own (2024.12) keeps its count of words after a frame that ends in the last word of the least
    length, without its last byte: of 57 to 59 bytes, where a word has four. The next frame is then sent as
    short as it is, and a network drops it.

    Contract: bytes of a frame pass unchanged; of what follows them in their last word, as many count as the
    least length asks for, and they are any.

    Parameters
    ----------
    dw : bits of a word
    least : bytes of a frame
    """

    def __init__(self, dw: int, least: int) -> None:
        size = dw // 8
        self.sink, self.source = (stream.Endpoint(eth_phy_description(dw)) for _ in range(2))
        sink, source = self.sink, self.source
        #: With the last word: bytes were added.
        self.short = Signal()
        last_word, last_be = (least - 1) // size, 1 << (least - 1) % size
        word, fills = Signal(max=last_word + 2), Signal()  # words of the frame so far, and behind it
        ends = Signal()
        self.comb += [
            source.valid.eq(sink.valid | fills),
            sink.ready.eq(source.ready & ~fills),
            source.data.eq(Mux(fills, 0, sink.data)),
            source.error.eq(Mux(fills, 0, sink.error)),
            source.first.eq(sink.first & ~fills),
            ends.eq(fills | sink.last),
            source.last.eq(ends & (word >= last_word)),
            If(source.last, source.last_be.eq(sink.last_be)),
            self.short.eq(source.last & (word == last_word) & (fills | (sink.last_be < last_be))),
            If(self.short, source.last_be.eq(last_be)),
        ]
        self.sync += If(
            source.valid & source.ready,
            fills.eq(ends & ~source.last),
            If(source.last, word.eq(0)).Elif(word <= last_word, word.eq(word + 1)),
        )


class PaddingChecker(PaddingInserter):
    """A stream of frames in words, of which those with too few bytes are filled up, and have an error."""

    def __init__(self, dw: int, least: int) -> None:
        super().__init__(dw, least)
        self.comb += If(self.short, self.source.error.eq(~0))


class PreambleChecker(LiteXModule):
    """Received frames in words, from behind their preamble on; those with fewer than 64 bytes are damaged.

    LiteEth's own (2024.12) lets them pass. One that ends within its FCS, or within a header of Ethernet, ARP,
    IPv4 or UDP, is then taken for the beginning of the frame behind it, and both are lost.

    Parameters
    ----------
    dw : bits of a word
    """

    def __init__(self, dw: int) -> None:
        self.checker = checker = _PreambleChecker(dw)
        self.padding = PaddingChecker(dw, eth_min_frame_length)
        self.sink, self.source, self.error = checker.sink, self.padding.source, checker.error
        self.comb += checker.source.connect(self.padding.sink)


@contextmanager
def own_padding() -> Iterator[None]:
    """LiteEth's MACs that are made in the block send and receive short frames so."""
    with (
        patch.object(padding, "LiteEthMACPaddingInserter", PaddingInserter),
        patch.object(preamble, "LiteEthMACPreambleChecker", PreambleChecker),
    ):
        yield
