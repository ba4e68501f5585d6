"""Applies each command once: sessions, sequence numbers, checks, and what the core is asked to do."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from trine_hw.core import Core
from trine_hw.link.frame_receiver import FrameEnd
from trine_hw.link.item_reader import Item
from trine_hw.link.payload_reader import FrameByte
from trine_hw.link.record_writer import KeptCell, WantFlags
from trine_sw.link.protocol import (
    DONE,
    HEADER_BYTES,
    PROTOCOL_VERSION,
    REFUSED,
    Command,
    LinkConfig,
    Reason,
    Want,
)
from trine_sw.link.records import CELL_BYTES, COUNTERS, GENERATE_BYTES, Codec
from trine_sw.sampler import TAU_BITS

__all__ = ["Executor"]

#: Cycles for which a group that was put in place is left alone: the cells' latency and one.
_SETTLE = 6


class Executor(wiring.Component):
    """Takes frames one after the other and makes the replies.

    Contract: as :class:`trine_sw.link.board_model.BoardModel`, frame for frame. A frame is looked through
    to its end before anything is done, and a reply is complete before the next frame is looked at, so that
    what is applied, answered and counted never differs.

    Area: about 900 LUT4 and 450 FF.

    Parameters
    ----------
    core : :class:`trine_hw.core.Core`, ``loadable``
    codec : :class:`trine_sw.link.records.Codec`
    link : :class:`trine_sw.link.protocol.LinkConfig`

    Members
    -------
    frames : from :class:`trine_hw.link.frame_receiver.FrameReceiver`
    read_start, read_stop, read_at, read_length, bytes : :class:`trine_hw.link.payload_reader.PayloadReader`
    item_bytes, items, items_clear : to and from :class:`trine_hw.link.item_reader.ItemReader`
    slot, slot_start, slot_finish, slot_send, slot_free, slot_done, reply : to and from
        :class:`trine_hw.link.reply_slots.ReplySlots`
    record_start, record_head, record_keep, record_want, record_done, record : to and from
        :class:`trine_hw.link.record_writer.RecordWriter`, with store_addr, store_data, store_en, last_choice
    core_i, core_counts, tau, seed, generator, load : to and from the core
    lost, framing_error : In(1)
        For the counters: a byte was lost for want of room; a byte came without its stop bit.
    busy : Out(1)
        A command is under way.
    """

    def __init__(self, core: Core, codec: Codec, link: LinkConfig) -> None:
        self.core, self.codec, self.link = core, codec, link
        slots, kept = range(link.window + 1), KeptCell(core)
        cells = range(core.model.config.hidden)
        members: dict[str, object] = {
            "frames": In(stream.Signature(FrameEnd(link))),
            "read_start": Out(1),
            "read_stop": Out(1),
            "read_at": Out(range(link.slot_bytes)),
            "read_length": Out(range(link.max_payload + 1)),
            "bytes": In(stream.Signature(FrameByte())),
            "item_bytes": Out(stream.Signature(FrameByte())),
            "items": In(stream.Signature(Item(codec))),
            "items_clear": Out(1),
            "slot": Out(slots),
            "slot_start": Out(1),
            "slot_finish": Out(1),
            "slot_send": Out(1),
            "slot_free": In(1),
            "slot_done": In(1),
            "reply": Out(stream.Signature(8)),
            "record_start": Out(1),
            "record_head": Out(1),
            "record_keep": Out(1),
            "record_want": Out(WantFlags()),
            "record_done": In(1),
            "record": In(stream.Signature(8)),
            "store_addr": In(cells),
            "store_data": In(kept),
            "store_en": In(1),
            "last_choice": In(8 * codec.token_bytes),
            "core_i": Out(stream.Signature(core.i.payload.shape())),
            "counts": In(32 * 3),
            "tau": Out(TAU_BITS),
            "seed": Out(32),
            "generator": In(32),
            "load": Out(core.load.shape()),
            "lost": In(1),
            "framing_error": In(1),
            "busy": Out(1),
        }
        super().__init__(members)  # pyright: ignore[reportArgumentType]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._declare()
        self._store(m)
        self._counters(m)
        m.d.comb += [
            self.read_length.eq(self.length),
            self.record_want.eq(self.want),
            self.busy.eq(self.frames.valid),
            self.tau.eq(Mux(self.code == Command.GENERATE, self.tau_argument, 0)),
            self.seed.eq(self.seed_argument),
        ]
        with m.FSM():
            self._take_frame(m)
            self._arguments(m)
            self._check(m)
            self._check_items(m)
            self._check_cells(m)
            self._open_reply(m)
            self._short_bodies(m)
            self._tokens(m)
            self._read(m)
            self._write(m)
            self._load(m)
            self._close(m)
        return m

    def _declare(self) -> None:
        link, codec = self.link, self.codec
        hidden = codec.info.hidden
        # What lives from frame to frame.
        self.session, self.expected = Signal(16), Signal(16)
        self.ended = Signal(16)  # the session that the open one has replaced: a late OPEN of it opens nothing
        self.cached = Signal(range(link.window + 1))  # replies that are kept
        self.halted = Signal()
        self.fresh = Signal(init=1)  # the next token starts from the zero state
        self.written = Signal(range(hidden + 1))  # cells of a new state that have come
        # The frame at hand.
        self.header = Signal(8 * HEADER_BYTES)
        self.frame_session, self.sequence, self.code = self.header[:16], self.header[16:32], self.header[32:]
        self.count = Signal(range(max(16, 2 * codec.token_bytes)))  # of bytes that are taken or given
        self.arguments = Signal(8 * GENERATE_BYTES)  # the last byte taken on top
        self.want = Signal(WantFlags())
        # As GENERATE has them.
        self.choices = self.arguments[0:16]
        self.tau_argument = self.arguments[16:32]
        self.flags = self.arguments[32:40]
        self.seed_argument = self.arguments[40:72]
        self.token = Signal(8 * codec.token_bytes)
        self.reason = Signal(Reason.HALTED.bit_length())
        self.refused = Signal()
        self.kept = Signal()  # the reply goes to the slot of its sequence number
        self.used = Signal(range(2 * link.slot_bytes))  # bytes of the reply's payload
        self.record_bytes = Signal(range(max(1, codec.record_bytes(Want(31))) + 1))
        self.left = Signal(16)  # choices, or cells, that are still to come
        geometry = self.core.geometry
        self.cell = Signal(range(max(hidden, geometry.units * geometry.groups) + 1))
        self.length = Signal(range(link.max_payload + 1))

    # -- memory and counters ---------------------------------------------------------------------------

    def _store(self, m: Module) -> None:
        """The state after the last frame; written by the record writer and by WRITE."""
        hidden = self.codec.info.hidden
        m.submodules.store = store = Memory(shape=KeptCell(self.core), depth=max(2, hidden), init=[])
        self.store_write, read = store.write_port(), store.read_port()
        m.d.comb += [
            self.store_write.addr.eq(self.store_addr),
            self.store_write.data.eq(self.store_data),
            self.store_write.en.eq(self.store_en),
            read.addr.eq(self.cell),
        ]
        self.stored = Signal(KeptCell(self.core))  # the cell at ``cell``, two cycles after it is chosen
        m.d.sync += self.stored.eq(read.data)

    def _counters(self, m: Module) -> None:
        self.events = {name: Signal(name=f"event_{name}") for name in COUNTERS[3:]}
        m.d.comb += [
            self.events["overflows"].eq(self.lost),
            self.events["framing_errors"].eq(self.framing_error),
        ]
        counts = []
        for name, event in self.events.items():
            count = Signal(32, name=f"count_{name}")
            m.d.sync += count.eq(count + event)
            counts.append(count)
        self.counter_words = [self.counts.word_select(n, 32) for n in range(3)] + counts

    # -- small actions -----------------------------------------------------------------------------------

    def _refuse(self, m: Module, reason: Reason) -> None:
        """The reply to this frame says no."""
        m.d.sync += [self.reason.eq(reason), self.refused.eq(1)]
        m.next = "Reply"

    def _restart(self, m: Module, at: int) -> None:
        """Read the frame from byte ``at`` on."""
        m.d.comb += [self.read_start.eq(1), self.read_at.eq(at)]

    def _give(self, m: Module, value: Value) -> Value:
        """Offer a byte of the reply; 1 in the cycle in which it is taken."""
        m.d.comb += [self.reply.valid.eq(1), self.reply.payload.eq(value)]
        return self.reply.ready

    # -- states ----------------------------------------------------------------------------------------

    def _take_frame(self, m: Module) -> None:
        window = self.link.window
        with m.State("Frame"):
            m.d.sync += [
                *(signal.eq(0) for signal in (self.count, self.refused, self.kept, self.used)),
                self.length.eq(self.frames.payload.length),
            ]
            m.d.comb += [self.items_clear.eq(1), self.slot.eq(window)]
            with m.If(self.frames.valid):
                with m.If(self.frames.payload.good):
                    m.d.comb += self.events["frames"].eq(1)
                    self._restart(m, 0)
                    m.next = "Header"
                with m.Else():
                    m.d.comb += self.events["damaged"].eq(1)
                    m.d.sync += [
                        self.header.eq(Cat(Const(0, 16), self.expected)),
                        self.reason.eq(Reason.CORRUPT),
                        self.refused.eq(1),
                    ]
                    # If the slot still waits, so does an answer that tells the host as much.
                    m.next = "Drop"
                    with m.If(self.slot_free):
                        m.next = "Reply"
        with m.State("Header"):
            m.d.comb += self.bytes.ready.eq(1)
            with m.If(self.bytes.valid):
                m.d.sync += [
                    self.header.eq(Cat(self.header[8:], self.bytes.payload.byte)),
                    self.count.eq(self.count + 1),
                ]
                with m.If(self.count == HEADER_BYTES - 1):
                    m.d.sync += self.count.eq(0)
                    m.next = "Sequence"
        with m.State("Sequence"):
            age = Signal(16)
            m.d.comb += [
                age.eq(self.expected - self.sequence - 1),
                self.slot.eq(self.sequence[: (window - 1).bit_length()]),
            ]
            with m.If((self.code == Command.INFO) | (self.code == Command.OPEN)):
                m.next = "Length"
            with m.Elif((self.session == 0) | (self.frame_session != self.session)):
                self._refuse(m, Reason.SESSION)
            with m.Elif(self.sequence == self.expected):
                m.d.sync += self.kept.eq(1)
                m.next = "Length"
                with m.If(self.halted & (self.code != Command.RESUME)):
                    self._refuse(m, Reason.HALTED)
            with m.Elif(age < self.cached):
                m.d.comb += [self.events["repeats"].eq(1), self.slot_send.eq(1)]
                m.next = "Drop"
            with m.Else():
                m.d.comb += self.events["gaps"].eq(1)
                self._refuse(m, Reason.SEQUENCE)

    def _arguments(self, m: Module) -> None:
        length, items = self.length, self.codec.token_bytes
        wanted = Signal(range(GENERATE_BYTES + 1))  # argument bytes before items
        fits = Signal()
        with m.State("Length"):
            m.next = "Arguments"
            with m.Switch(self.code):
                with m.Case(Command.OPEN):
                    m.d.comb += fits.eq(length == 1)
                with m.Case(Command.STEP):
                    m.d.comb += fits.eq(length != 0)
                with m.Case(Command.GENERATE):
                    m.d.comb += fits.eq(length == GENERATE_BYTES + items)
                with m.Case(Command.READ):
                    m.d.comb += fits.eq(length == 4)
                with m.Case(Command.WRITE):
                    m.d.comb += fits.eq((length >= 2 + CELL_BYTES) & ~length[0])
                with m.Default():
                    m.d.comb += fits.eq(length == 0)
            with m.If(~fits):
                self._refuse(m, Reason.LENGTH)
            with m.If(self.code > max(Command)):
                self._refuse(m, Reason.COMMAND)
        with m.State("Arguments"):
            with m.Switch(self.code):
                for command, size in (
                    (Command.OPEN, 1),
                    (Command.STEP, 1),
                    (Command.GENERATE, GENERATE_BYTES),
                    (Command.READ, 4),
                    (Command.WRITE, 2),
                ):
                    with m.Case(command):
                        m.d.comb += wanted.eq(size)
            with m.If(self.count == wanted):
                m.d.sync += self.count.eq(0)
                m.next = "Check"
            with m.Else():
                m.d.comb += self.bytes.ready.eq(1)
                with m.If(self.bytes.valid):
                    m.d.sync += [
                        self.arguments.eq(Cat(self.arguments[8:], self.bytes.payload.byte)),
                        self.count.eq(self.count + 1),
                    ]

    def _check(self, m: Module) -> None:
        info = self.codec.info
        first16, second16 = self.arguments[-32:-16], self.arguments[-16:]
        able = info.embedding_on_board and info.head_on_board
        end = Signal(17)
        cells = Signal(16)
        flags = self.arguments[-8:]
        with m.State("Check"):
            m.next = "Reply"
            with m.Switch(self.code):
                with m.Case(Command.OPEN):
                    with m.If(self.arguments[-8:] != PROTOCOL_VERSION):
                        self._refuse(m, Reason.VERSION)
                    with m.Elif((self.frame_session == 0) | (self.frame_session == self.ended)):
                        self._refuse(m, Reason.SESSION)
                    with m.Elif(self.frame_session != self.session):
                        m.d.sync += [
                            self.ended.eq(self.session),
                            self.session.eq(self.frame_session),
                            self.fresh.eq(1),
                            *(s.eq(0) for s in (self.expected, self.cached, self.written, self.halted)),
                        ]
                with m.Case(Command.RESET):
                    m.d.sync += [self.fresh.eq(1), self.written.eq(0)]
                with m.Case(Command.RESUME):
                    m.d.sync += self.halted.eq(0)
                with m.Case(Command.STEP):
                    head = flags[3:5].any() if info.head_on_board else 0
                    unable = 0 if info.head_on_board else flags[3:5].any()
                    m.d.sync += [self.want.as_value().eq(flags), self.record_head.eq(head)]
                    m.next = "Check items"
                    with m.If(flags[5:].any() | (flags[0] & flags[1]) | unable):
                        self._refuse(m, Reason.VALUE)
                    with m.Elif(self.length == 1):
                        self._refuse(m, Reason.LENGTH)
                with m.Case(Command.GENERATE):
                    m.d.sync += [
                        self.want.as_value().eq(int(Want.CHOICE)),
                        self.record_head.eq(1),
                        self.left.eq(self.choices),
                    ]
                    m.next = "Check items"
                    wrong = self.flags[2:].any() | (self.choices == 0) | self.tau_argument[TAU_BITS:].any()
                    with m.If(wrong if able else 1):
                        self._refuse(m, Reason.VALUE)
                with m.Case(Command.READ):
                    m.d.comb += [cells.eq(second16), end.eq(first16 + second16)]
                    m.d.sync += [self.cell.eq(first16), self.left.eq(second16)]
                    room = (self.link.max_payload - 4) // CELL_BYTES
                    with m.If(self.written != 0):
                        self._refuse(m, Reason.STATE)
                    with m.Elif((second16 == 0) | (end > info.hidden)):
                        self._refuse(m, Reason.VALUE)
                    with m.Elif(second16 > room):
                        self._refuse(m, Reason.ROOM)
                with m.Case(Command.WRITE):
                    m.d.comb += [cells.eq((self.length - 2) >> 1), end.eq(second16 + cells)]
                    m.next = "Check cells"
                    with m.If((second16 != 0) & (second16 != self.written)):
                        self._refuse(m, Reason.STATE)
                    with m.Elif(end > info.hidden):
                        self._refuse(m, Reason.VALUE)

    def _check_items(self, m: Module) -> None:
        """All items are looked at before the first is applied."""
        codec, item = self.codec, self.items.payload
        sizes = [(self.want[str(flag.name).lower()], codec.sizes[flag]) for flag in Want]
        m.d.sync += self.record_bytes.eq(sum(Mux(wanted, size, 0) for wanted, size in sizes))
        wrong = Reason.TOKEN if codec.info.embedding_on_board else Reason.VALUE
        with m.State("Check items"):
            self._items_from_bytes(m)
            # The record's size is known a cycle after ``want``: long before the first item.
            with m.If(self.items.valid):
                m.d.comb += self.items.ready.eq(1)
                m.d.sync += [self.used.eq(self.used + self.record_bytes), self.token.eq(item.value)]
                with m.If(item.wrong):
                    self._refuse(m, wrong)
                with m.Elif(item.partial):
                    self._refuse(m, Reason.LENGTH)
                with m.Elif(self.code == Command.GENERATE):
                    m.next = "Reply"
                    with m.If(self.choices > self.link.max_payload // codec.token_bytes):
                        self._refuse(m, Reason.ROOM)
                with m.Elif(self.used + self.record_bytes > self.link.max_payload):
                    self._refuse(m, Reason.ROOM)
                with m.Elif(item.last):
                    m.next = "Reply"

    def _items_from_bytes(self, m: Module) -> None:
        m.d.comb += [
            self.item_bytes.valid.eq(self.bytes.valid),
            self.item_bytes.payload.eq(self.bytes.payload),
            self.bytes.ready.eq(self.item_bytes.ready),
        ]

    def _check_cells(self, m: Module) -> None:
        """Each cell's c, then its h: in the range, and h what c and an output gate can give."""
        info, byte = self.codec.info, self.bytes.payload
        c, magnitude = Signal(signed(8)), Signal(8)
        h = byte.byte.as_signed()
        active = (magnitude >> info.output_shift) != 0
        second = Signal()
        m.d.comb += magnitude.eq(Mux(c < 0, -c, c))
        bad_h = (h != 0) & ~(active & (h == Mux(c < 0, -1, 1)))
        with m.State("Check cells"):
            m.d.comb += self.bytes.ready.eq(1)
            with m.If(self.bytes.valid):
                m.d.sync += [second.eq(~second), c.eq(byte.byte)]
                with m.If(second & ((magnitude > info.cell_max) | bad_h)):
                    m.d.sync += second.eq(0)
                    self._refuse(m, Reason.VALUE)
                with m.Elif(byte.last):
                    m.next = "Reply"
        self.cell_c, self.cell_second = c, second

    def _open_reply(self, m: Module) -> None:
        window = self.link.window
        code = Mux(self.refused, REFUSED | self.reason, DONE | self.code)
        header = Array(
            [
                *(self.session[:8], self.session[8:], self.sequence[:8], self.sequence[8:]),
                code[:8],
            ]
        )
        with m.State("Reply"):
            m.d.comb += [self.read_stop.eq(1), self.items_clear.eq(1)]
            m.d.sync += self.count.eq(0)
            self._choose_slot(m)
            with m.If(self.slot_free):
                m.d.comb += self.slot_start.eq(1)
                m.next = "Reply header"
        with m.State("Reply header"):
            self._choose_slot(m)
            with m.If(self._give(m, header[self.count])):
                m.d.sync += self.count.eq(self.count + 1)
                with m.If(self.count == HEADER_BYTES - 1):
                    m.d.sync += self.count.eq(0)
                    m.next = "Body"
        assert window & (window - 1) == 0

    def _choose_slot(self, m: Module) -> None:
        window = self.link.window
        m.d.comb += self.slot.eq(
            Mux(self.kept, self.sequence[: (window - 1).bit_length()] if window > 1 else 0, window)
        )

    def _short_bodies(self, m: Module) -> None:
        addressed = self.frame_session
        refusal = Array([self.expected[:8], self.expected[8:], addressed[:8], addressed[8:]])
        text = self.codec.info.pack()
        index = Signal(range(len(text) + 1))
        m.submodules.info = info = Memory(shape=8, depth=len(text), init=list(text))
        read = info.read_port()
        m.d.comb += read.addr.eq(index)
        delay = Signal()
        word, word_index = Signal(32), Signal(range(len(COUNTERS) + 1))
        with m.State("Body"):
            m.d.comb += self.read_stop.eq(1)
            m.d.sync += [index.eq(0), delay.eq(1), word_index.eq(0)]
            with m.If(self.refused):
                m.next = "Refusal"
            with m.Else():
                with m.Switch(self.code):
                    with m.Case(Command.INFO, Command.OPEN):
                        m.next = "Info"
                    with m.Case(Command.COUNTERS):
                        m.next = "Counter"
                    with m.Case(Command.STEP):
                        self._restart(m, HEADER_BYTES + 1)
                        m.next = "Item"
                    with m.Case(Command.GENERATE):
                        m.next = "Generate"
                    with m.Case(Command.READ):
                        m.next = "Generator"
                    with m.Case(Command.WRITE):
                        self._restart(m, HEADER_BYTES + 2)
                        m.d.sync += self.cell.eq(self.arguments[-16:])
                        m.d.sync += self.cell_second.eq(0)
                        m.next = "Write"
                    with m.Default():
                        m.next = "Finish"
        with m.State("Refusal"):
            with m.If(self._give(m, refusal[self.count])):
                m.d.sync += self.count.eq(self.count + 1)
                with m.If(self.count == 3):
                    m.next = "Finish"
        with m.State("Info"):
            m.d.sync += delay.eq(0)
            with m.If(~delay):
                with m.If(self._give(m, read.data)):
                    m.d.sync += [index.eq(index + 1), delay.eq(1)]
                    with m.If(index == len(text) - 1):
                        m.next = "Finish"
        with m.State("Counter"):
            m.d.sync += [word.eq(Array(self.counter_words)[word_index]), self.count.eq(0)]
            m.d.sync += word_index.eq(word_index + 1)
            m.next = "Counter byte"
        with m.State("Counter byte"):
            with m.If(self._give(m, word[:8])):
                m.d.sync += [word.eq(word >> 8), self.count.eq(self.count + 1)]
                with m.If(self.count == 3):
                    m.next = "Counter"
                    with m.If(word_index == len(COUNTERS)):
                        m.next = "Finish"
        with m.State("Generator"):
            with m.If(self._give(m, self.generator.word_select(self.count[:2], 8))):
                m.d.sync += self.count.eq(self.count + 1)
                with m.If(self.count == 3):
                    m.next = "Read cell"

    def _tokens(self, m: Module) -> None:
        """One token at a time: it goes in when the one before has given everything."""
        request, item = self.core_i.payload, self.items.payload
        first = "token" if self.codec.info.embedding_on_board else "x"

        def records() -> None:
            m.d.comb += [
                self.reply.valid.eq(self.record.valid),
                self.reply.payload.eq(self.record.payload),
                self.record.ready.eq(self.reply.ready),
            ]

        def accepted() -> None:
            m.d.comb += [self.record_start.eq(1)]
            m.d.sync += [self.fresh.eq(0), self.written.eq(0)]

        m.d.comb += request.reset.eq(self.fresh)
        if first == "x":
            m.d.comb += request.x.as_value().eq(item.value)
        with m.State("Item"):
            self._items_from_bytes(m)
            if first == "token":
                m.d.comb += request.token.eq(item.value)
            m.d.comb += [
                request.head.eq(self.record_head),
                request.last.eq(self.record_head),
                self.core_i.valid.eq(self.items.valid),
                self.items.ready.eq(self.core_i.ready),
                self.record_keep.eq(item.last),
            ]
            with m.If(self.items.valid & self.core_i.ready):
                accepted()
                m.d.sync += self.left.eq(item.last)
                m.next = "Record"
        with m.State("Record"):
            records()
            with m.If(self.record_done):
                m.next = "Item"
                with m.If(self.left[0]):
                    m.next = "Finish"
        with m.State("Generate"):
            if first == "token":
                m.d.comb += request.token.eq(Mux(self.flags[1], self.last_choice, self.token))
            m.d.comb += [
                request.head.eq(1),
                request.last.eq(1),
                request.count.eq(self.choices),
                request.reseed.eq(self.flags[0]),
                self.core_i.valid.eq(1),
                self.record_keep.eq(self.left == 1),
            ]
            with m.If(self.core_i.ready):
                accepted()
                m.next = "Choice"
        with m.State("Choice"):
            records()
            with m.If(self.record_done):
                m.d.sync += self.left.eq(self.left - 1)
                m.next = "Next choice"
                with m.If(self.left == 1):
                    m.next = "Finish"
        with m.State("Next choice"):
            m.d.comb += [self.record_start.eq(1), self.record_keep.eq(self.left == 1)]
            m.next = "Choice"

    def _read(self, m: Module) -> None:
        wait = Signal(2)
        byte = Signal(8)
        c, h = Signal(signed(8)), Signal(signed(8))
        m.d.comb += [
            c.eq(self.stored.c),
            h.eq(self.stored.h),
            byte.eq(Mux(self.fresh, 0, Mux(self.count[0], h, c))),
        ]
        with m.State("Read cell"):
            m.d.sync += [self.count.eq(0), wait.eq(wait + 1)]
            with m.If(wait == 2):
                m.d.sync += wait.eq(0)
                m.next = "Read byte"
        with m.State("Read byte"):
            with m.If(self._give(m, byte)):
                m.d.sync += self.count.eq(1)
                with m.If(self.count[0]):
                    m.d.sync += [self.cell.eq(self.cell + 1), self.left.eq(self.left - 1)]
                    m.next = "Read cell"
                    with m.If(self.left == 1):
                        m.next = "Finish"

    def _write(self, m: Module) -> None:
        hidden, port, byte = self.codec.info.hidden, self.store_write, self.bytes.payload
        with m.State("Write"):
            m.d.comb += self.bytes.ready.eq(1)
            with m.If(self.bytes.valid):
                m.d.sync += [self.cell_second.eq(~self.cell_second), self.cell_c.eq(byte.byte)]
                with m.If(self.cell_second):
                    m.d.comb += [
                        port.addr.eq(self.cell),
                        port.data.c.eq(self.cell_c),
                        port.data.h.eq(byte.byte[:2].as_signed()),
                        port.en.eq(1),
                    ]
                    m.d.sync += self.cell.eq(self.cell + 1)
                with m.If(byte.last):
                    m.d.sync += self.written.eq(self.cell + 1)
                    m.next = "Finish"
                    with m.If(self.cell == hidden - 1):
                        m.d.sync += [self.written.eq(0), self.fresh.eq(0)]
                        m.next = "Load"

    def _load(self, m: Module) -> None:
        """The whole store goes to the core's cells, a group at a time, the last unit first."""
        geometry, load = self.core.geometry, self.load
        group = Signal(range(max(2, geometry.groups)))
        unit = Signal(range(max(2, geometry.units)))
        wait = Signal(range(_SETTLE + 1))
        last = Signal.like(self.cell)  # the group's last cell
        there = Signal()  # not padding
        m.d.comb += [
            load.group.eq(group),
            load.cells.c.eq(Mux(there, self.stored.c, 0)),
            load.cells.open.eq(there & (self.stored.h != 0)),
        ]
        m.d.sync += there.eq(self.cell < geometry.model.hidden)
        with m.State("Load"):
            m.d.sync += [group.eq(0), unit.eq(geometry.units - 1), wait.eq(0)]
            m.d.sync += [self.cell.eq(geometry.units - 1), last.eq(geometry.units - 1)]
            m.next = "Load cell"
        with m.State("Load cell"):
            m.d.comb += load.cells.active.eq(1)
            m.d.sync += wait.eq(wait + 1)
            with m.If(wait == 3):
                m.d.comb += load.cells.shift.eq(1)
                m.d.sync += [unit.eq(unit - 1), self.cell.eq(self.cell - 1), wait.eq(0)]
                with m.If(unit == 0):
                    m.next = "Load group"
        with m.State("Load group"):
            m.d.comb += [load.cells.active.eq(1), load.commit.eq(wait == 0)]
            m.d.sync += wait.eq(wait + 1)
            with m.If(wait == _SETTLE):
                m.d.sync += [
                    group.eq(group + 1),
                    unit.eq(geometry.units - 1),
                    self.cell.eq(last + geometry.units),
                    last.eq(last + geometry.units),
                    wait.eq(0),
                ]
                m.next = "Load cell"
                with m.If(group == geometry.groups - 1):
                    m.next = "Finish"

    def _close(self, m: Module) -> None:
        with m.State("Finish"):
            m.d.comb += self.slot_finish.eq(1)
            with m.If(self.slot_done):
                m.next = "Drop"
                with m.If(self.kept):
                    m.d.sync += self.expected.eq(self.expected + 1)
                    with m.If(self.cached != self.link.window):
                        m.d.sync += self.cached.eq(self.cached + 1)
                    with m.If(self.refused):
                        m.d.sync += self.halted.eq(1)
        with m.State("Drop"):
            m.d.comb += [self.read_stop.eq(1), self.frames.ready.eq(1)]
            m.next = "Frame"
