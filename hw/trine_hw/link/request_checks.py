"""A request is looked through to its end before anything is done."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal

from trine_hw.link.executor_state import ExecutorState
from trine_sw.link.protocol import PROTOCOL_VERSION, Command, Reason, Want
from trine_sw.link.records import CELL_BYTES, GENERATE_BYTES
from trine_sw.sampler import TAU_BITS

__all__ = ["argument_states", "cell_check_states", "item_check_states", "value_states"]


def argument_states(m: Module, s: ExecutorState) -> None:
    """The payload's length, and the bytes before items or cells."""
    ports = s.ports
    length, items = s.length, s.codec.token_bytes
    wanted = Signal(range(GENERATE_BYTES + 1))  # argument bytes before items
    fits = Signal()
    with m.State("Length"):
        m.next = "Arguments"
        with m.Switch(s.code):
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
            s.refuse(m, Reason.LENGTH)
        with m.If(s.code > max(Command)):
            s.refuse(m, Reason.COMMAND)
    with m.State("Arguments"):
        with m.Switch(s.code):
            for command, size in (
                (Command.OPEN, 1),
                (Command.STEP, 1),
                (Command.GENERATE, GENERATE_BYTES),
                (Command.READ, 4),
                (Command.WRITE, 2),
            ):
                with m.Case(command):
                    m.d.comb += wanted.eq(size)
        with m.If(s.count == wanted):
            m.d.sync += s.count.eq(0)
            m.next = "End"
        with m.Else():
            m.d.comb += ports.bytes.ready.eq(1)
            with m.If(ports.bytes.valid):
                m.d.sync += [
                    s.arguments.eq(Cat(s.arguments[8:], ports.bytes.payload.byte)),
                    s.count.eq(s.count + 1),
                ]


def value_states(m: Module, s: ExecutorState) -> None:
    """What arguments may be; commands that need no more are done here."""
    ports = s.ports
    info = s.codec.info
    first16, second16 = s.arguments[-32:-16], s.arguments[-16:]
    able = info.embedding_on_board and info.head_on_board
    end = Signal(17)  # the cell behind the last one that READ or WRITE names
    flags = s.arguments[-8:]
    with m.State("End"):  # a cycle of its own: its comparison follows in the next
        m.d.sync += end.eq(second16 + Mux(s.code == Command.READ, first16, (s.length - 2) >> 1))
        m.next = "Check"
    with m.State("Check"):
        m.next = "Reply"
        with m.Switch(s.code):
            with m.Case(Command.OPEN):
                with m.If(s.arguments[-8:] != PROTOCOL_VERSION):
                    s.refuse(m, Reason.VERSION)
                with m.Elif((s.frame_session == 0) | (s.frame_session == s.ended)):
                    s.refuse(m, Reason.SESSION)
                with m.Elif(s.frame_session != s.session):
                    m.d.sync += [
                        s.ended.eq(s.session),
                        s.session.eq(s.frame_session),
                        s.fresh.eq(1),
                        *(s.eq(0) for s in (s.expected, s.cached, s.written, s.halted)),
                    ]
            with m.Case(Command.RESET):
                m.d.sync += [s.fresh.eq(1), s.written.eq(0)]
            with m.Case(Command.RESUME):
                m.d.sync += s.halted.eq(0)
            with m.Case(Command.STEP):
                head = flags[3:5].any() if info.head_on_board else 0
                unable = 0 if info.head_on_board else flags[3:5].any()
                m.d.sync += [s.want.as_value().eq(flags), ports.record_head.eq(head)]
                m.next = "Check items"
                with m.If(flags[5:].any() | (flags[0] & flags[1]) | unable):
                    s.refuse(m, Reason.VALUE)
                with m.Elif(s.length == 1):
                    s.refuse(m, Reason.LENGTH)
            with m.Case(Command.GENERATE):
                m.d.sync += [
                    s.want.as_value().eq(int(Want.CHOICE)),
                    ports.record_head.eq(1),
                    s.left.eq(s.choices),
                ]
                m.next = "Check items"
                wrong = s.flags[2:].any() | (s.choices == 0) | s.tau[TAU_BITS:].any()
                with m.If(wrong if able else 1):
                    s.refuse(m, Reason.VALUE)
            with m.Case(Command.READ):
                m.d.sync += [s.cell.eq(first16), s.left.eq(second16)]
                room = (s.link.max_payload - 4) // CELL_BYTES
                with m.If(s.written != 0):
                    s.refuse(m, Reason.STATE)
                with m.Elif((second16 == 0) | (end > info.cells)):
                    s.refuse(m, Reason.VALUE)
                with m.Elif(second16 > room):
                    s.refuse(m, Reason.ROOM)
            with m.Case(Command.WRITE):
                m.next = "Check cells"
                with m.If((second16 != 0) & (second16 != s.written)):
                    s.refuse(m, Reason.STATE)
                with m.Elif(end > info.cells):
                    s.refuse(m, Reason.VALUE)


def item_check_states(m: Module, s: ExecutorState) -> None:
    """All items are looked at before the first is applied."""
    ports = s.ports
    codec, item = s.codec, ports.items.payload
    sizes = [(s.want[str(flag.name).lower()], codec.sizes[flag]) for flag in Want]
    m.d.sync += s.record_bytes.eq(sum(Mux(wanted, size, 0) for wanted, size in sizes))
    wrong = Reason.TOKEN if codec.info.embedding_on_board else Reason.VALUE
    with m.State("Check items"):
        s.items_from_bytes(m)
        # The record's size is known a cycle after ``want``: long before the first item.
        with m.If(ports.items.valid):
            m.d.comb += ports.items.ready.eq(1)
            m.d.sync += [s.used.eq(s.used + s.record_bytes), s.token.eq(item.value)]
            with m.If(item.wrong):
                s.refuse(m, wrong)
            with m.Elif(item.partial):
                s.refuse(m, Reason.LENGTH)
            with m.Elif(s.code == Command.GENERATE):
                m.next = "Reply"
                with m.If(s.choices > s.link.max_payload // codec.token_bytes):
                    s.refuse(m, Reason.ROOM)
            with m.Elif(s.used + s.record_bytes > s.link.max_payload):
                s.refuse(m, Reason.ROOM)
            with m.Elif(item.last):
                m.next = "Reply"


def cell_check_states(m: Module, s: ExecutorState) -> None:
    """Each cell's c, then its h: in the range, and h what c, and an output gate if there is one, give."""
    ports = s.ports
    info, byte = s.codec.info, ports.bytes.payload
    c, second, magnitude = s.cell_c, s.second, Signal(8)
    h = byte.byte.as_signed()
    active = (magnitude >> info.output_shift) != 0
    m.d.comb += magnitude.eq(Mux(c < 0, -c, c))
    bad_h = h != Mux(active, Mux(c < 0, -1, 1), 0)
    if s.core.model.config.cell == "lstm":
        bad_h &= h != 0
    with m.State("Check cells"):
        m.d.comb += ports.bytes.ready.eq(1)
        with m.If(ports.bytes.valid):
            m.d.sync += [second.eq(~second), c.eq(byte.byte)]
            with m.If(second & ((magnitude > info.cell_max) | bad_h)):
                m.d.sync += second.eq(0)
                s.refuse(m, Reason.VALUE)
            with m.Elif(byte.last):
                m.next = "Reply"
