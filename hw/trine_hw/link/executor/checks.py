"""States of the check of a request, to its end, before it is applied."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from trine_hw.link.executor.state import ExecutorState
from trine_hw.link.result_packer import WantFlags
from trine_sw.golden.sampler import TAU_BITS
from trine_sw.link.protocol import HEADER_BYTES, PROTOCOL_VERSION, Command, Feature, Reason, Want
from trine_sw.link.records import CELL_BYTES, GENERATE_BYTES

__all__ = ["argument_states", "cell_check_states", "item_check_states", "value_states"]


def argument_states(m: Module, s: ExecutorState) -> None:
    """The payload's length, and the bytes before items or cells."""
    ports = s.ports
    length, items = s.length, s.codec.token_bytes
    wanted = Signal(range(GENERATE_BYTES + 1))  # argument bytes before items
    before_items = Value.cast(0)
    fits = length == 0
    for command, size, fitting in (
        (Command.OPEN, 1, length == 1),
        (Command.STEP, 1, length != 0),
        (Command.GENERATE, GENERATE_BYTES, length == GENERATE_BYTES + items),
        (Command.READ, 4, length == 4),
        (Command.WRITE, 2, (length >= 2 + CELL_BYTES) & ~length[0]),
    ):
        before_items = Mux(s.code == command, size, before_items)
        fits = Mux(s.code == command, fitting, fits)
    m.d.sync += wanted.eq(before_items)
    misfit, unknown = s.settled(m, ~fits, "misfit"), s.settled(m, s.code > max(Command), "unknown")
    with m.State("Length"):
        m.next = "Arguments"
        with m.If(misfit):
            s.refuse(m, Reason.LENGTH)
        with m.If(unknown):
            s.refuse(m, Reason.COMMAND)
    with m.State("Arguments"):
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
    head_flags = flags[3:5].any()
    unable = 0 if info.head_on_board else head_flags
    room = (s.link.max_payload - 4) // CELL_BYTES
    version, session = s.arguments[-8:], s.frame_session
    # Once the open session keeps a reply, its OPEN is late or another host's.
    again = (session == s.session) & (s.cached != 0)
    foreign, unusable = version != PROTOCOL_VERSION, (session == 0) | (session == s.ended) | again
    other_version, no_session = s.settled(m, foreign, "other_version"), s.settled(m, unusable, "no_session")
    asked = (s.code == Command.OPEN) & (session != s.session)
    opens = s.settled(m, asked & ~foreign & ~unusable, "opens")
    bad_form = _bad_form(s, flags, head_flags) if s.link.fast else flags[5:].any()
    says_more = s.link.fast and (info.top or info.has(Feature.COUNTS))
    both = flags[0] & flags[1]
    more, exclusive = (both, Const(0)) if says_more else (Const(0), both)
    bad_flags = s.settled(m, bad_form | exclusive | unable, "bad_flags")
    bare = s.settled(m, (s.length == 1) | (more & (s.length == 2)) if says_more else s.length == 1, "bare")
    unmakable = s.flags[2:].any() | (s.choices == 0) | s.tau[TAU_BITS:].any()
    bad_choices = s.settled(m, unmakable if able else 1, "bad_choices")
    unfinished = s.settled(m, s.written != 0, "unfinished")
    no_cells = s.settled(m, second16 == 0, "no_cells")
    many_cells = s.settled(m, second16 > room, "many_cells")
    elsewhere = s.settled(m, (second16 != 0) & (second16 != s.written), "elsewhere")
    beyond = s.settled(m, end > info.cells, "beyond")
    with m.State("End"):  # a cycle of its own, and one for its comparison
        m.d.sync += end.eq(second16 + Mux(s.code == Command.READ, first16, (s.length - 2) >> 1))
        m.next = "Beyond"
    with m.State("Beyond"):
        m.next = "Check"
    with m.State("Check"):
        m.next = "Reply"
        with m.If(opens):
            m.d.sync += [
                s.ended.eq(s.session),
                s.session.eq(session),
                s.fresh.eq(1),
                *(register.eq(0) for register in (s.expected, s.cached, s.written, s.halted)),
            ]
        with m.Switch(s.code):
            with m.Case(Command.OPEN):
                with m.If(other_version):
                    s.refuse(m, Reason.VERSION)
                with m.Elif(no_session):
                    s.refuse(m, Reason.SESSION)
            with m.Case(Command.RESET):
                m.d.sync += [s.fresh.eq(1), s.written.eq(0)]
            with m.Case(Command.RESUME):
                m.d.sync += s.halted.eq(0)
            with m.Case(Command.STEP):
                head = head_flags if info.head_on_board else 0
                m.d.sync += [s.want.as_value().eq(flags), ports.record_head.eq(head)]
                m.next = "Check items"
                if says_more:
                    with m.If(more):
                        m.d.sync += [s.want.h.eq(0), s.want.u.eq(0), ports.record_head.eq(1)]
                if s.link.fast:  # as they were received
                    m.d.sync += Cat(s.sequences, s.last, s.summed).eq(flags[5:])
                    m.d.sync += [s.more.eq(more), s.counted.eq(0), s.top.eq(0)]
                    m.next = "Begin steps"
                    if says_more:
                        with m.If(more):
                            s.restart(m, HEADER_BYTES + 1)
                            m.next = "More of STEP"
                    with m.If(ports.frames.payload.reason != 0):
                        m.d.sync += [s.reason.eq(ports.frames.payload.reason), s.refused.eq(1)]
                        m.next = "Reply"
                with m.If(bad_flags):
                    s.refuse(m, Reason.VALUE)
                with m.Elif(bare):
                    s.refuse(m, Reason.LENGTH)
            with m.Case(Command.GENERATE):
                m.d.sync += [
                    s.want.as_value().eq(int(Want.CHOICE)),
                    ports.record_head.eq(1),
                    s.left.eq(s.choices),
                ]
                if s.link.fast:
                    m.d.sync += [s.sequences.eq(0), s.last.eq(0), s.summed.eq(0)]
                    m.d.sync += [s.more.eq(0), s.counted.eq(0), s.top.eq(0)]
                m.next = "Check items"
                with m.If(bad_choices):
                    s.refuse(m, Reason.VALUE)
            with m.Case(Command.READ):
                m.d.sync += [s.cell.eq(first16), s.left.eq(second16)]
                with m.If(unfinished):
                    s.refuse(m, Reason.STATE)
                with m.Elif(no_cells | beyond):
                    s.refuse(m, Reason.VALUE)
                with m.Elif(many_cells):
                    s.refuse(m, Reason.ROOM)
            with m.Case(Command.WRITE):
                m.next = "Check cells"
                with m.If(elsewhere):
                    s.refuse(m, Reason.STATE)
                with m.Elif(beyond):
                    s.refuse(m, Reason.VALUE)


def _bad_form(s: ExecutorState, flags: Value, head: Value) -> Value:
    """Whether the tokens of a STEP come, or are told of, in a way that there is not, or not on this board."""
    sequences, last, summed = flags[5], flags[6], flags[7]
    possible = last & head if s.codec.info.has(Feature.SUMS) else 0
    return (last & ~sequences) | (summed & ~possible)


def item_check_states(m: Module, s: ExecutorState) -> None:
    """All items are looked at before the first is applied; with the fast codec GENERATE's alone, the others
    having been as they were received (:mod:`trine_hw.link.fast.item_checker`)."""
    ports = s.ports
    codec, item = s.codec, ports.items.payload
    most_choices = s.link.max_payload // codec.token_bytes
    wrong = Reason.TOKEN if codec.info.embedding_on_board else Reason.VALUE
    if s.link.fast:
        many_choices = s.settled(m, s.choices > most_choices, "many_choices")
        with m.State("Check items"):
            s.items_from_bytes(m)
            with m.If(ports.items.valid):
                m.d.comb += ports.items.ready.eq(1)
                m.d.sync += s.token.eq(item.value)
                m.next = "Reply"
                with m.If(many_choices):
                    s.refuse(m, Reason.ROOM)
                with m.If(item.wrong):
                    s.refuse(m, wrong)
        return
    # From the flags among the arguments, whose last byte was taken in cycle t: record_bytes is right in
    # t + 2, ``after`` in t + 3 and no_room in t + 4, and the first item comes in t + 5. Of an item taken in t
    # no_room knows in t + 3, and the next one cannot come before (``PayloadReader.interval``).
    flags = WantFlags()(s.arguments[-8:][: len(Want)])
    record_bytes = Signal(range(max(1, codec.record_bytes(Want(31))) + 1))
    width = max(len(s.used), (s.link.max_payload + codec.record_bytes(Want(31))).bit_length())
    after = Signal(width)  # nothing is lost before the comparison
    sizes = [(flags[str(flag.name).lower()], codec.sizes[flag]) for flag in Want]
    m.d.sync += [
        record_bytes.eq(sum(Mux(wanted, size, 0) for wanted, size in sizes)),
        after.eq(s.used + record_bytes),
    ]
    no_room = s.settled(m, after > s.link.max_payload, "no_room")
    many_choices = s.settled(m, s.choices > most_choices, "many_choices")
    with m.State("Check items"):
        s.items_from_bytes(m)
        with m.If(ports.items.valid):
            m.d.comb += ports.items.ready.eq(1)
            m.d.sync += [s.used.eq(after), s.token.eq(item.value)]
            with m.If(item.wrong):
                s.refuse(m, wrong)
            with m.Elif(item.partial):
                s.refuse(m, Reason.LENGTH)
            with m.Elif(s.code == Command.GENERATE):
                m.next = "Reply"
                with m.If(many_choices):
                    s.refuse(m, Reason.ROOM)
            with m.Elif(no_room):
                s.refuse(m, Reason.ROOM)
            with m.Elif(item.last):
                m.next = "Reply"


def cell_check_states(m: Module, s: ExecutorState) -> None:
    """Each cell's c, then its h: in the range, and h what c, and an output gate if there is one, give."""
    ports = s.ports
    info, byte = s.codec.info, ports.bytes.payload
    c, second, magnitude = s.cell_c, s.second, Signal(8)
    h, final = Signal(signed(8)), Signal()
    m.d.sync += magnitude.eq(Mux(c < 0, -c, c))
    # Of a cell's c, taken in cycle t: right in t + 3, before which h cannot come
    # (``PayloadReader.interval``).
    bad_c = s.settled(m, magnitude > info.cell_max, "bad_c")
    active = s.settled(m, (magnitude >> info.output_shift) != 0, "active_c")
    bad_h = h != Mux(active, Mux(c < 0, -1, 1), 0)
    if s.core.model.config.spec.output_gate:
        bad_h &= h != 0
    bad_cell = s.settled(m, bad_c | bad_h, "bad_cell")
    with m.State("Check cells"):
        m.d.comb += ports.bytes.ready.eq(1)
        with m.If(ports.bytes.valid):
            m.d.sync += second.eq(~second)
            with m.If(~second):
                m.d.sync += c.eq(byte.byte)
                if s.link.fast:
                    m.next = "Cell c"
            with m.Else():
                m.d.sync += [h.eq(byte.byte), final.eq(byte.last)]
                m.next = "Cell"
    if s.link.fast:
        with m.State("Cell c"):  # what the interval between bytes is for the serial codec
            m.next = "Cell c settles"
        with m.State("Cell c settles"):
            m.next = "Check cells"
    with m.State("Cell"):  # a cycle of its own for the comparison
        m.next = "Verdict"
    with m.State("Verdict"):
        m.next = "Check cells"
        with m.If(bad_cell):
            s.refuse(m, Reason.VALUE)
        with m.Elif(final):
            m.next = "Reply"
