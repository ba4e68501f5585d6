"""Streams of bytes over UDP: between the link's frames in the engine's clock and LiteEth's core."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockSignal, Const, DomainRenamer, Instance, Module, Mux, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import PulseSynchronizer
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out

from trine_hw.link.ethernet.cobs import COBSDecoder, COBSEncoder
from trine_hw.link.ethernet.datagram_store import DatagramStore
from trine_hw.link.ethernet.words import CORE, PHY, WORD, WORD_BYTES
from trine_hw.link.link import Link
from trine_sw.link.memories import datagram_words
from trine_sw.link.protocol import LinkConfig
from trine_sw.support.errors import TrineError

__all__ = ["CORE", "GMII", "MOST_SLOT_BYTES", "PHY", "DatagramStreams", "EthernetLink", "liteeth"]

#: Of a frame, so that a packet of 1,500 bytes holds it: LiteEth makes and takes no fragments.
MOST_SLOT_BYTES = 1024
#: Words on their way between the clocks.
_DEPTH = 16

#: Between MAC and PHY, as the MAC has it: a byte in a cycle, of ``eth_rx`` and of ``eth_tx``.
GMII = {"rx_dv": In(1), "rx_data": In(8), "tx_en": Out(1), "tx_data": Out(8)}


class DatagramStreams(wiring.Component):
    """Streams of bytes in ``sync``, and datagrams in ``eth``.

    Contract: each datagram of ``received`` comes out of ``o`` as an encoded frame, and each frame of ``i``
    goes as a datagram to ``sent``, in their order. A datagram that comes damaged, or for which there is no
    room, is left out as a whole. Replies go where the latest datagram came from.

    Parameters
    ----------
    link : :class:`trine_sw.link.protocol.LinkConfig`
        As many bytes as it buffers are stored here too, since they come faster than the engine's clock takes
        them, and two of its replies.

    Members
    -------
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
    lost, damaged : :py:`Out(1)`
        In ``sync``, 1 for a cycle: a datagram found no room, or came damaged.
    received : :py:`In(stream.Signature(WORD))`
    error : :py:`In(1)`
        With the last word: the datagram is damaged.
    address, port : In
        Of its sender.
    sent : :py:`Out(stream.Signature(WORD))`
    to_address, to_port, length : Out
        Where it is to go, and its bytes.
    """

    def __init__(self, link: LinkConfig) -> None:
        self.link = link
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "lost": Out(1),
                "damaged": Out(1),
                "received": In(stream.Signature(WORD)),
                "error": In(1),
                "address": In(32),
                "port": In(16),
                "sent": Out(stream.Signature(WORD)),
                "to_address": Out(32),
                "to_port": Out(16),
                "length": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        stored, kept = datagram_words(self.link)
        in_eth = DomainRenamer("eth")
        coming, going = DatagramStore(stored, counts=False), DatagramStore(kept, counts=True)
        m.submodules.coming, m.submodules.going = in_eth(coming), in_eth(going)
        m.submodules.encoder = encoder = COBSEncoder()
        m.submodules.decoder = decoder = COBSDecoder()
        wiring.connect(m, wiring.flipped(self.received), coming.i)
        _cross(m, "coming", coming.o, encoder.i, "eth", "sync")
        wiring.connect(m, encoder.o, wiring.flipped(self.o))
        wiring.connect(m, wiring.flipped(self.i), decoder.i)
        _cross(m, "going", decoder.o, going.i, "sync", "eth")
        for name, pulse, told in (
            ("lost", coming.lost, self.lost),
            ("damaged", coming.dropped, self.damaged),
        ):
            m.submodules[f"{name}_crossing"] = crossing = PulseSynchronizer("eth", "sync")
            m.d.comb += [crossing.i.eq(pulse), told.eq(crossing.o)]
        m.d.comb += coming.damaged.eq(self.error)

        address, port = Signal(32), Signal(16)
        with m.If(coming.taken):
            m.d.eth += [address.eq(self.address), port.eq(self.port)]
        with m.FSM(domain="eth"):
            with m.State("Length"):
                m.d.comb += going.o.ready.eq(1)
                with m.If(going.o.valid):
                    m.d.eth += [
                        self.length.eq(going.o.payload.data),
                        self.to_address.eq(address),
                        self.to_port.eq(port),
                    ]
                    m.next = "Words"
            with m.State("Words"):
                m.d.comb += [
                    self.sent.valid.eq(going.o.valid),
                    self.sent.payload.eq(going.o.payload),
                    going.o.ready.eq(self.sent.ready),
                ]
                with m.If(going.o.valid & self.sent.ready & going.o.payload.last):
                    m.next = "Length"
        return m


def _cross(m: Module, name: str, of: Any, to: Any, of_domain: str, to_domain: str) -> None:
    """Words of `of` to `to`, from one clock into another."""
    queue = AsyncFIFO(width=WORD.size, depth=_DEPTH, w_domain=of_domain, r_domain=to_domain)
    m.submodules[f"{name}_crossing"] = queue
    m.d.comb += [
        queue.w_data.eq(of.payload),
        queue.w_en.eq(of.valid & queue.w_rdy),
        of.ready.eq(queue.w_rdy),
        to.payload.eq(queue.r_data),
        to.valid.eq(queue.r_rdy),
        queue.r_en.eq(to.ready & queue.r_rdy),
    ]


class EthernetLink(wiring.Component):
    """A :class:`trine_hw.link.link.Link` on Ethernet: a board without its clocks and its PHY.

    ``eth``, of some 50 MHz, carries words of four bytes; ``eth_rx`` and ``eth_tx`` are GMII's, 125 MHz. All
    three are reset until they are steady; ``sync`` needs no reset.

    Parameters
    ----------
    link : :class:`trine_hw.link.link.Link`
    mac, address, port : of the board, numbers of 48, 32 and 16 bits

    Members
    -------
    rx_dv, rx_data, tx_en, tx_data : GMII, as the MAC has it
    busy : :py:`Out(1)`
        A command is under way.
    lock_lost : :py:`In(1)`
        Counted: the clock has been stopped, since its PLL had lost its lock.

    Raises
    ------
    TrineError
        Where LiteEth is not installed, or a frame of the link is longer than a datagram may be.
    """

    def __init__(self, link: Link, mac: int, address: int, port: int) -> None:
        if link.link.slot_bytes > MOST_SLOT_BYTES:
            raise TrineError(
                f"a frame of {link.link.slot_bytes} bytes fits no datagram of Ethernet: take slot_bytes of "
                f"{MOST_SLOT_BYTES} at most"
            )
        self.link = link
        #: Verilog of LiteEth's core, to be compiled with this.
        self.core = liteeth().core_verilog(mac, address, port)
        super().__init__({**GMII, "busy": Out(1), "lock_lost": In(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if platform is not None:
            platform.add_file(f"{CORE}.v", self.core)
        m.submodules.link = link = self.link
        m.submodules.streams = streams = DatagramStreams(link.link)
        wiring.connect(m, streams.o, link.rx)
        wiring.connect(m, link.tx, streams.i)
        more, sent = streams.received.payload.more, streams.sent.payload
        last_be = Signal(WORD_BYTES)
        m.submodules.core = Instance(
            CORE,
            *(
                (kind, f"{named}_{signal}", of(domain))
                for named, domain in (("sys", "eth"), ("eth_rx", "eth_rx"), ("eth_tx", "eth_tx"))
                for kind, signal, of in (("i", "clk", ClockSignal), ("i", "rst", ResetSignal))
            ),
            ("i", "pads_rx_dv", self.rx_dv),
            ("i", "pads_rx_data", self.rx_data),
            ("o", "pads_tx_en", self.tx_en),
            ("o", "pads_tx_data", self.tx_data),
            ("o", "rx_valid", streams.received.valid),
            ("i", "rx_ready", streams.received.ready),
            ("o", "rx_data", streams.received.payload.data),
            ("o", "rx_last", streams.received.payload.last),
            ("o", "rx_last_be", last_be),
            ("o", "rx_error", error := Signal(WORD_BYTES)),
            ("o", "rx_ip_address", streams.address),
            ("o", "rx_src_port", streams.port),
            ("i", "tx_valid", streams.sent.valid),
            ("o", "tx_ready", streams.sent.ready),
            ("i", "tx_data", sent.data),
            ("i", "tx_last", sent.last),
            ("i", "tx_last_be", Mux(sent.last, Const(1, WORD_BYTES) << sent.more, 0)[:WORD_BYTES]),
            ("i", "tx_length", streams.length),
            ("i", "tx_ip_address", streams.to_address),
            ("i", "tx_dst_port", streams.to_port),
        )
        with m.Switch(last_be):  # one bit, of the last byte
            for at in range(1, WORD_BYTES):
                with m.Case(1 << at):
                    m.d.comb += more.eq(at)
        m.d.comb += [
            streams.error.eq(error.any()),
            link.lost.eq(streams.lost),
            link.framing_error.eq(streams.damaged),
            link.lock_lost.eq(self.lock_lost),
            self.busy.eq(link.busy),
        ]
        return m


def liteeth() -> Any:
    """What makes Verilog of LiteEth's parts. Raises :exc:`TrineError` where a package is missing."""
    try:
        from trine_hw.link.ethernet import core
    except ModuleNotFoundError as error:
        raise TrineError(
            f"the link ethernet needs LiteEth, and there is no package {error.name}: pip install "
            "'trine[ethernet]'"
        ) from None
    return core
