"""Receiver of UDP datagrams, for LiteEth's UDP/IP core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from liteeth.common import eth_ipv4_user_description, eth_udp_user_description, udp_header, udp_protocol
from liteeth.core import udp
from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import FSM, Case, If, NextState, NextValue, Replicate, Signal, bits_for

__all__ = ["UDPReceiver", "own_receiver"]


class UDPReceiver(LiteXModule):
    """Packets of IPv4 as datagrams of UDP, each with the verdict on all of its frame.

    LiteEth's own (2024.12) ends a datagram at its length, before what fills up a short frame; that the FCS is
    wrong is said at the frame's end, and lost. Where the last bytes have been moved to a word of their own,
    it is said a word before the last one. An empty datagram is given as one of a whole word.

    Contract: all bytes of a datagram are given, the last word when the frame has ended, with ``last_be`` by
    the datagram's length. Its ``error`` is 1 where any word of the packet had an error, or where the packet
    has fewer bytes than the datagram says. Empty datagrams, and other packets, give nothing.

    Throughput: a word in every cycle.

    Parameters
    ----------
    ip_address : of the board; LiteEth's own has it too, and neither looks at it
    dw : bits of a word, 16 at least
    """

    def __init__(self, ip_address: int, dw: int) -> None:
        size = dw // 8
        self.sink = sink = stream.Endpoint(eth_ipv4_user_description(dw))
        self.source = source = stream.Endpoint(eth_udp_user_description(dw))
        self.depacketizer = depacketizer = udp.LiteEthUDPDepacketizer(dw)
        packet = depacketizer.source
        end = Signal(17)  # bytes of the datagram up to and with the word at hand
        kept, bad, wrong, few = Signal(dw), Signal(), Signal(), Signal()
        last_be = Signal(size)
        lengths = {n: last_be.eq(1 << (n - 1) % size) for n in range(size)}
        self.comb += [
            sink.connect(depacketizer.sink),
            source.src_port.eq(packet.src_port),
            source.dst_port.eq(packet.dst_port),
            source.ip_address.eq(sink.ip_address),
            source.length.eq(packet.length - udp_header.length),
            Case(source.length[: bits_for(size - 1)], lengths),
            wrong.eq(bad | (packet.error != 0)),
            few.eq((end < source.length) | (packet.last_be < last_be)),
            source.data.eq(packet.data),
            source.last.eq(packet.last),
            If(source.last, source.last_be.eq(last_be)),
        ]
        self.sync += If(packet.valid & packet.ready, bad.eq(wrong & ~packet.last))

        self.fsm = fsm = FSM(reset_state="IDLE")
        fsm.act(
            "IDLE",
            NextValue(end, size),
            If(
                packet.valid,
                If((sink.protocol == udp_protocol) & (source.length != 0), NextState("RECEIVE")).Else(
                    NextState("DROP")
                ),
            ),
        )
        fsm.act(
            "RECEIVE",
            source.error.eq(Replicate(wrong | (packet.last & few), size)),
            If(
                packet.last | (end < source.length),
                packet.connect(source, keep={"valid", "ready"}),
            ).Else(
                packet.ready.eq(1),
                NextValue(kept, packet.data),
                If(packet.valid, NextState("FILLED")),
            ),
            If(
                packet.valid & packet.ready,
                NextValue(end, end + size),
                If(packet.last, NextState("IDLE")),
            ),
        )
        fsm.act(
            "FILLED",
            source.data.eq(kept),
            source.error.eq(Replicate(wrong, size)),
            source.valid.eq(packet.valid & packet.last),
            packet.ready.eq(source.ready | ~packet.last),
            If(source.valid & source.ready, NextState("IDLE")),
        )
        fsm.act(
            "DROP",
            packet.ready.eq(1),
            If(packet.valid & packet.last, NextState("IDLE")),
        )


@contextmanager
def own_receiver() -> Iterator[None]:
    """LiteEth's UDP/IP cores that are made in the block have a :class:`UDPReceiver`."""
    with patch.object(udp, "LiteEthUDPRX", UDPReceiver):
        yield
