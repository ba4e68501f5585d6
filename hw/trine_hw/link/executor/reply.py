"""States of replies: their header, and the bodies that do not depend on the engine."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib.memory import Memory

from trine_hw.link.executor.state import ExecutorState
from trine_sw.link.protocol import DONE, HEADER_BYTES, REFUSED, Command
from trine_sw.link.records import COUNTERS

__all__ = ["body_states", "header_states"]


def header_states(m: Module, s: ExecutorState) -> None:
    """Waits for the reply's slot, and begins it."""
    ports = s.ports
    code = Mux(s.refused, REFUSED | s.reason, DONE | s.code)
    header = Array([s.session[:8], s.session[8:], s.sequence[:8], s.sequence[8:], code[:8]])

    def begin() -> None:
        with m.If(ports.slot_free):
            m.d.comb += ports.slot_start.eq(1)
            m.next = "Reply header"

    with m.State("Reply"):
        m.d.comb += [ports.read_stop.eq(1), ports.items_clear.eq(1)]
        m.d.sync += s.count.eq(0)
        if s.link.fast:
            with m.If(s.replies.quiet):
                m.next = "Slot"
        else:
            begin()
    if s.link.fast:
        with m.State("Slot"):
            m.d.comb += ports.items_clear.eq(1)
            begin()
    with m.State("Reply header"):
        with m.If(s.give(m, header[s.count])):
            m.d.sync += s.count.eq(s.count + 1)
            with m.If(s.count == HEADER_BYTES - 1):
                m.d.sync += s.count.eq(0)
                m.next = "Body"


def body_states(m: Module, s: ExecutorState) -> None:
    """A refusal, the board's description, counters, the generator; other bodies are begun from here."""
    ports = s.ports
    addressed = s.frame_session
    refusal = Array([s.expected[:8], s.expected[8:], addressed[:8], addressed[8:]])
    text = s.codec.info.pack()
    index = Signal(range(len(text) + 1))
    # In logic, some 90 LUT4: block RAM is what a small chip has least of.
    m.submodules.info = info = Memory(shape=8, depth=len(text), init=list(text), attrs={"rom_style": "logic"})
    read = info.read_port()
    m.d.comb += read.addr.eq(index)
    delay = Signal()
    word = Signal(16)
    with m.State("Body"):
        m.d.comb += ports.read_stop.eq(1)
        m.d.sync += [index.eq(0), delay.eq(1), s.counter_index.eq(0)]
        with m.If(s.refused):
            m.next = "Refusal"
        with m.Else():
            with m.Switch(s.code):
                with m.Case(Command.INFO, Command.OPEN):
                    m.next = "Info"
                with m.Case(Command.COUNTERS):
                    m.next = "Counters"
                with m.Case(Command.STEP):
                    s.restart(m, HEADER_BYTES + 1)
                    m.next = "Item"
                with m.Case(Command.GENERATE):
                    if s.link.fast:
                        m.d.comb += ports.record_start.eq(1)
                    m.next = "Generate"
                with m.Case(Command.READ):
                    m.next = "Generator"
                with m.Case(Command.WRITE):
                    s.restart(m, HEADER_BYTES + 2)
                    m.d.sync += s.cell.eq(s.arguments[-16:])
                    m.d.sync += s.second.eq(0)
                    if s.link.fast:
                        with m.If(s.arguments[-16:] == 0):
                            s.kept_cells.rewind(m)
                    m.next = "Write"
                with m.Default():
                    m.next = "Finish"
    with m.State("Refusal"):
        with m.If(s.give(m, refusal[s.count])):
            m.d.sync += s.count.eq(s.count + 1)
            with m.If(s.count == 3):
                m.next = "Finish"
    with m.State("Info"):
        m.d.sync += delay.eq(0)
        with m.If(~delay):
            with m.If(s.give(m, read.data)):
                m.d.sync += [index.eq(index + 1), delay.eq(1)]
                with m.If(index == len(text) - 1):
                    m.next = "Finish"
    with m.State("Counters"):
        with m.If(s.counters.settled):
            m.next = "Counter"
    with m.State("Counter"):
        m.d.comb += s.counters.hold.eq(1)
        m.d.sync += [word.eq(s.counter_word), s.counter_index.eq(s.counter_index + 1), s.count.eq(0)]
        m.next = "Counter byte"
    with m.State("Counter byte"):
        m.d.comb += s.counters.hold.eq(1)
        with m.If(s.give(m, word[:8])):
            m.d.sync += [word.eq(word >> 8), s.count.eq(s.count + 1)]
            with m.If(s.count[0]):
                m.next = "Counter"
                with m.If(s.counter_index == 2 * len(COUNTERS)):
                    m.next = "Finish"
    with m.State("Generator"):
        with m.If(s.give(m, ports.generator.word_select(s.count[:2], 8))):
            m.d.sync += s.count.eq(s.count + 1)
            with m.If(s.count == 3):
                m.next = "Seek" if s.link.fast else "Read cell"
