"""Who asks for a board's MAC address, and whom it answers, for LiteEth's UDP/IP core."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from liteeth.core import arp
from litex.gen import LiteXModule
from litex.soc.interconnect import stream
from migen import If, Signal

__all__ = ["Neighbour", "own_neighbour"]

_PACKET = [("reply", 1), ("request", 1), ("ip_address", 32), ("mac_address", 48)]


class Neighbour(LiteXModule):
    """Answers ARP, and gives for every packet the MAC address that the latest datagram came from.

    LiteEth's own table (2024.12) asks for each address. It waits up to 0.7 s for a host that does not answer,
    while nothing else leaves, and the next packet has the checksum of the one that was given up; of two hosts
    in its memory, it gives the first one's MAC address for both. Answered so, hosts behind a router have the
    router's MAC address.

    Contract: a request is answered when the answer to the one before has left; those that come meanwhile are
    dropped. A reply is dropped.

    Parameters
    ----------
    clk_freq, entries : of LiteEth's own, and of no effect

    Members
    -------
    heard, mac_address : a datagram has come, and from where
    """

    def __init__(self, clk_freq: float, entries: int = 1) -> None:
        self.sink, self.source = sink, source = stream.Endpoint(_PACKET), stream.Endpoint(_PACKET)
        self.request = stream.Endpoint([("ip_address", 32)])
        self.response = stream.Endpoint([("failed", 1), ("mac_address", 48)])
        self.heard, self.mac_address = Signal(), Signal(48)
        latest, answers = Signal(48), Signal()
        self.comb += [
            self.request.ready.eq(1),
            self.response.valid.eq(1),
            self.response.mac_address.eq(latest),
            sink.ready.eq(1),
            source.valid.eq(answers),
            source.reply.eq(1),
        ]
        self.sync += [
            If(self.heard, latest.eq(self.mac_address)),
            If(source.ready, answers.eq(0)),
            If(
                sink.valid & sink.request & ~answers,
                answers.eq(1),
                source.ip_address.eq(sink.ip_address),
                source.mac_address.eq(sink.mac_address),
            ),
        ]

    def hears(self, datagrams: Any, packets: Any) -> list[Any]:
        """Statements by which it learns of a port's `datagrams`, in the MAC's `packets`."""
        ends = datagrams.valid & datagrams.ready & datagrams.last & (datagrams.error == 0)
        return [self.heard.eq(ends), self.mac_address.eq(packets.sender_mac)]


@contextmanager
def own_neighbour() -> Iterator[None]:
    """LiteEth's cores that are made in the block have a :class:`Neighbour`."""
    with patch.object(arp, "LiteEthARPTable", Neighbour):
        yield
