"""Bytes of GMII as words, in the clocks of the wire, for LiteEth's MAC."""

from __future__ import annotations

from typing import Any

from liteeth.common import eth_interpacket_gap, eth_phy_description, eth_preamble
from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import Case, ClockDomainsRenamer, If, Signal

__all__ = ["WirePHY", "WordReceiver", "WordSender"]

_PREAMBLE, _START = 0x55, 0xD5


class WordReceiver(LiteXModule):
    """Frames of words, from bytes that a PHY gives.

    LiteEth's own path (2024.12) counts words from a frame's first byte, and so hears a frame alone whose
    preamble has a multiple of four bytes; a PHY or a switch may shorten it.

    Contract: a frame begins behind the first 0xD5 that follows a 0x55, with a word of preamble in front of
    it, and ends with ``rx_dv``. A PHY does not wait: what ``source`` does not take at once is lost.

    Throughput: a byte in every cycle.

    Parameters
    ----------
    pads : with ``rx_dv`` and ``rx_data``
    dw : bits of a word
    """

    def __init__(self, pads: Any, dw: int) -> None:
        size = dw // 8
        self.source = source = stream.Endpoint(eth_phy_description(dw))
        there, byte, follows = Signal(), Signal(8), Signal()
        inside, place = Signal(), Signal(max=size)
        starts, ends = Signal(), Signal()
        put = {n: source.data[8 * n : 8 * n + 8].eq(byte) for n in range(size)}
        last_be = {n: source.last_be.eq(1 << n) for n in range(size)}
        self.comb += [
            starts.eq(~inside & there & follows & (byte == _START)),
            ends.eq(~pads.rx_dv),
        ]
        self.sync += [
            there.eq(pads.rx_dv),
            byte.eq(pads.rx_data),
            follows.eq(there & (byte == _PREAMBLE)),
            If(ends, inside.eq(0)).Elif(starts, inside.eq(1)),
            If(inside, place.eq(place + 1), Case(place, put)).Else(
                place.eq(0), source.data.eq(eth_preamble >> (64 - dw))
            ),
            source.valid.eq(starts | (inside & (ends | (place == size - 1)))),
            source.last.eq(ends),
            source.last_be.eq(0),
            If(ends, If(inside, Case(place, last_be)).Else(source.last_be.eq(1 << (size - 1)))),
        ]


class WordSender(LiteXModule):
    """Bytes for a PHY, from frames of words, and the gap behind each.

    Contract: all bytes of a frame go in a row as long as its words come in time, and the gap to the next
    frame is 12 bytes at least.

    Throughput: a byte in every cycle.

    Parameters
    ----------
    pads : with ``tx_en`` and ``tx_data``
    dw : bits of a word
    """

    def __init__(self, pads: Any, dw: int) -> None:
        size = dw // 8
        self.sink = sink = stream.Endpoint(eth_phy_description(dw))
        word, left, last = Signal(dw), Signal(max=size + 1), Signal()
        waits, next_word, next_left, next_last = Signal(), Signal(dw), Signal(max=size + 1), Signal()
        gap = Signal(max=eth_interpacket_gap)
        counts = {1 << n: next_left.eq(n + 1) for n in range(size)}
        # A word waits, so that what is read in front of this depends on a flip-flop alone.
        self.comb += sink.ready.eq(~waits)
        self.sync += [
            pads.tx_en.eq(left != 0),
            pads.tx_data.eq(word[:8]),
            If(left != 0, left.eq(left - 1), word.eq(word[8:])),
            If(gap != 0, gap.eq(gap - 1)),
            If(last & (left == 1), last.eq(0), gap.eq(eth_interpacket_gap - 1)),
            If(
                sink.valid & ~waits,
                waits.eq(1),
                next_word.eq(sink.data),
                next_last.eq(sink.last),
                next_left.eq(size),
                If(sink.last, Case(sink.last_be, counts)),
            ),
            If(
                waits & (left <= 1) & ~last & (gap == 0),
                waits.eq(0),
                word.eq(next_word),
                last.eq(next_last),
                left.eq(next_left),
            ),
        ]


class WirePHY(LiteXModule):
    """GMII of `pads` as LiteEth's MAC takes a PHY, a word in a cycle of ``eth_rx`` and of ``eth_tx``.

    Parameters
    ----------
    pads : GMII
    dw : bits of a word
    """

    #: The MAC need not wait between frames.
    integrated_ifg_inserter = True

    def __init__(self, pads: Any, dw: int) -> None:
        self.dw = dw
        self.rx = ClockDomainsRenamer("eth_rx")(WordReceiver(pads, dw))
        self.tx = ClockDomainsRenamer("eth_tx")(WordSender(pads, dw))
        self.sink, self.source = self.tx.sink, self.rx.source
