"""Sampler: the largest sum of logit and scaled noise, bit-equal to ``trine_sw.golden.sampler``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from trine_hw.core.logit_stream import LogitBeat
from trine_hw.primitives.column_rom import rom_slices
from trine_hw.primitives.ecp5_block_ram import rom
from trine_sw.engine.config import BLOCK_RAMS
from trine_sw.engine.memories import noise_memory
from trine_sw.golden import sampler as golden
from trine_sw.golden.sampler import (
    DRAW_BITS,
    GUMBEL_BITS,
    GUMBEL_FRACTION,
    SAMPLER_LATENCY,
    SCORE_FRACTION,
    STATE_BITS,
    STATE_SEED_0,
    TAU_BITS,
    TAU_FRACTION,
    gumbel_table,
    sampler_latency,
)
from trine_sw.support.arithmetic import ceil_div

__all__ = ["Sampler"]


def steps(state: Value, count: int) -> Value:
    """The generator's state ``count`` steps on: each bit is one sum modulo 2 of the state's bits."""
    taps: list[list[Value]] = [[] for _ in range(STATE_BITS)]
    for source in range(STATE_BITS):
        image = 1 << source
        for _ in range(count):
            image = golden.step(image)
        for target in range(STATE_BITS):
            if image >> target & 1:
                taps[target].append(state[source])
    return Cat(Cat(bits).xor() for bits in taps)


def seeded(seed: Value) -> Value:
    """The state from which a seed starts."""
    state = Cat(reversed(list(seed))) ^ STATE_SEED_0
    return Mux(state == 0, STATE_SEED_0, state)


class Sampler(wiring.Component):
    """Chooses a token from its logits, which arrive ``ways`` in a cycle.

    Contract: for each token, ceil(vocab_size / ways) beats of logits in order of their index, ``last`` in
    the last of them, give one choice: the one of :class:`trine_sw.golden.sampler.Sampler` with the same
    ``tau`` and state. ``o`` is valid ``latency`` cycles after the token's last beat was taken, or when the
    choices before it have left. Beats are taken in every cycle unless choices were left standing at ``o``.

    ``tau`` must be steady from a token's first beat until its choice is at ``o``. ``reseed`` loads ``seed``
    for the beats taken after its cycle. Without it the seed is 0.

    Latency: :func:`trine_sw.golden.sampler.sampler_latency`. Throughput: ``ways`` logits a cycle.

    Area, 65 symbols and 12-bit logits: on ECP5 one way costs 359 LUT4, 64 CCU2C, 209 FF and a block RAM, four
    ways 1,316 LUT4, 226 CCU2C, 596 FF and two block RAMs; about 140 MHz at speed grade 6 (125 MHz where the
    table is inferred). On iCE40 one way costs 427 LUT4, 217 FF and 3 block RAMs. No multiplier block.

    Parameters
    ----------
    vocab_size : :class:`int`
        Logits of a token, at least 1.
    logit_width : :class:`int`
        Bits of a logit.
    ways : :class:`int`
        Logits of a beat, at least 1.
    block_ram : :class:`str`
        ``"inferred"``: the table of noise is described as a memory. ``"ecp5"``: as instantiated block RAM.

    Members
    -------
    i : :py:`In(stream.Signature(LogitBeat(ways, logit_width)))`
    o : :py:`Out(stream.Signature(unsigned(n)))`
        The choices; ``n`` holds ``vocab_size - 1``, and at least 1 bit.
    tau : :py:`In(12)`
        Temperature in units of the logits' scale, 6 fraction bits; 0 chooses the largest logit.
    seed : :py:`In(32)`
    reseed : :py:`In(1)`
    generator : :py:`Out(32)`
        The generator's state.
    """

    def __init__(self, vocab_size: int, logit_width: int, ways: int, *, block_ram: str = "inferred") -> None:
        for name, value in (("vocab_size", vocab_size), ("logit_width", logit_width), ("ways", ways)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if block_ram not in BLOCK_RAMS:
            raise ValueError(f"block_ram must be one of {', '.join(BLOCK_RAMS)}, not {block_ram!r}")
        self.vocab_size, self.logit_width, self.ways = vocab_size, logit_width, ways
        self.block_ram = block_ram
        self.latency = sampler_latency(ways)
        self._beats = ceil_div(vocab_size, ways)
        # One bit more than either addend: the scores never wrap.
        noise_bits = GUMBEL_BITS - GUMBEL_FRACTION + TAU_BITS - TAU_FRACTION
        self._score_width = 1 + SCORE_FRACTION + max(logit_width, 1 + noise_bits)
        self._choice = unsigned(max(1, (vocab_size - 1).bit_length()))
        super().__init__(
            {
                "i": In(stream.Signature(LogitBeat(ways, logit_width))),
                "o": Out(stream.Signature(self._choice)),
                "tau": In(TAU_BITS),
                "seed": In(STATE_BITS),
                "reseed": In(1),
                "generator": Out(STATE_BITS),
            }
        )

    @staticmethod
    def model(tokens: Iterable[Sequence[int]], tau: int, state: int) -> tuple[list[int], int]:
        """The choices for the logits of some tokens, and the generator's state after them."""
        sampler = golden.Sampler(1.0, 0.0, 0)
        sampler.tau, sampler.state = tau, state
        return [sampler.choose(logits) for logits in tokens], sampler.state

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # As many choices may be on their way or standing as keeps beats flowing when each is taken at once.
        room = 1 + ceil_div(self.latency, self._beats)
        outstanding = Signal(range(room + 1))
        take = Signal()
        leave = Signal()
        m.d.comb += [
            self.i.ready.eq(outstanding != room),
            take.eq(self.i.valid & self.i.ready),
            leave.eq(self.o.valid & self.o.ready),
        ]
        m.d.sync += outstanding.eq(outstanding + (take & self.i.payload.last) - leave)

        draws = self._draws(m, take)
        scores = self._scores(m, draws)
        mask = delayed(m, self.i.payload.mask, 4)
        winner, way = self._tournament(m, scores, mask)
        levels = self.latency - SAMPLER_LATENCY
        valid = delayed(m, take, 4 + levels, init=0)
        last = delayed(m, self.i.payload.last, 4 + levels)
        choice = self._best(m, winner, way, valid, last)
        self._queue(m, choice, valid & last, leave, room)
        return m

    def _draws(self, m: Module, take: Signal) -> list[Value]:
        """Random numbers for the beat at ``i``, and the generator's advance where it is taken."""
        state = Signal(STATE_BITS, init=STATE_SEED_0)
        m.d.comb += self.generator.eq(state)
        final = self.vocab_size - self.ways * (self._beats - 1)  # logits of a token's last beat
        with m.If(take & self.tau.any()):
            m.d.sync += state.eq(Mux(self.i.payload.last, steps(state, final), steps(state, self.ways)))
        with m.If(self.reseed):
            m.d.sync += state.eq(seeded(self.seed))
        return [steps(state, way + 1)[-DRAW_BITS:] for way in range(self.ways)]

    def _scores(self, m: Module, draws: list[Value]) -> list[Signal]:
        """Logits plus scaled noise, 4 cycles after draws and beat. Two ways share a table of two ports."""
        triple = Signal(TAU_BITS + 2, reset_less=True)
        m.d.sync += triple.eq(self.tau + (self.tau << 1))
        fraction = TAU_FRACTION + GUMBEL_FRACTION
        scores = []
        for way, noise in enumerate(self._noise(m, draws)):
            # tau * noise, two digits of base 4 a partial product: no multiplier block is wanted.
            parts = []
            for bit in range(0, GUMBEL_BITS, 4):
                part = Signal(TAU_BITS + 4, name=f"part_{way}_{bit}", reset_less=True)
                m.d.sync += part.eq(
                    self._multiple(noise[bit : bit + 2], triple)
                    + (self._multiple(noise[bit + 2 : bit + 4], triple) << 2)
                )
                parts.append(part << bit)
            logit = delayed(m, self.i.payload.logit[way], 3).as_signed()
            score = Signal(signed(self._score_width), name=f"score_{way}", reset_less=True)
            m.d.sync += score.eq(
                ((logit << fraction) + parts[2] + (parts[0] + parts[1])) >> fraction - SCORE_FRACTION
            )
            scores.append(score)
        return scores

    def _noise(self, m: Module, draws: list[Value]) -> list[Signal]:
        """The table's entries, 2 cycles after draws. Two ways share a block RAM of two ports."""
        words = gumbel_table().tolist()
        noise = [Signal(18, name=f"noise_{way}", reset_less=True) for way in range(self.ways)]
        tables = noise_memory(self.ways, self.block_ram).count
        each = ceil_div(self.ways, tables)  # ways that share a table
        for way in range(0, self.ways, each):
            pairs = list(zip(draws, noise, strict=True))[way : way + each]
            name = f"table_{way}"
            if self.block_ram == "ecp5":
                m.submodules[name] = rom(pairs, words)
                continue
            ports = [draw for draw, _ in pairs]
            found = rom_slices(m, words, GUMBEL_BITS, ports, kind=self.block_ram, name=name)
            for (_, entry), parts in zip(pairs, found, strict=True):
                m.d.sync += entry.eq(Cat(parts))
        return noise

    def _multiple(self, digit: Value, triple: Signal) -> Value:
        """``digit * tau`` of a base-4 digit."""
        return Mux(digit[1], Mux(digit[0], triple, self.tau << 1), Mux(digit[0], self.tau, 0))

    def _tournament(self, m: Module, scores: list[Signal], mask: Value) -> tuple[Value, Value]:
        """The largest score and its way, one cycle a round; the lower way of equals."""
        entrants: list[tuple[Value, Value, Value]] = [
            (score, Value.cast(mask[way]), Const(way, max(1, (self.ways - 1).bit_length())))
            for way, score in enumerate(scores)
        ]
        while len(entrants) > 1:
            survivors = []
            for left, right in zip(entrants[::2], [*entrants[1::2], None], strict=False):
                score, valid, way = (Signal.like(Value.cast(value), reset_less=True) for value in left)
                upset = Const(0) if right is None else right[1] & (right[0] > left[0])
                right = left if right is None else right
                m.d.sync += [
                    score.eq(Mux(upset, right[0], left[0])),
                    valid.eq(left[1]),
                    way.eq(Mux(upset, right[2], left[2])),
                ]
                survivors.append((score, valid, way))
            entrants = survivors
        score, _, way = entrants[0]
        return score, way

    def _best(self, m: Module, winner: Value, way: Value, valid: Value, last: Value) -> Signal:
        """Index of the largest score so far, that of the beat at hand included; the first of equals."""
        best = Signal.like(winner, reset_less=True)
        best_index = Signal(self._choice, reset_less=True)
        base = Signal(self._choice)  # index of the beat's first logit
        first = Signal(init=1)
        choice = Signal(self._choice)
        better = Signal()
        m.d.comb += [
            better.eq(first | (winner > best)),
            choice.eq(Mux(better, base + way, best_index)),
        ]
        with m.If(valid):
            m.d.sync += [first.eq(last), base.eq(Mux(last, 0, base + self.ways)), best_index.eq(choice)]
            with m.If(better):
                m.d.sync += best.eq(winner)
        return choice

    def _queue(self, m: Module, choice: Signal, enter: Value, leave: Signal, room: int) -> None:
        """Choices that wait at ``o``; there is always room, since no more than ``room`` are outstanding."""
        slots = [Signal(self._choice, name=f"slot_{n}", reset_less=True) for n in range(room)]
        used = Signal(room)
        m.d.comb += [self.o.valid.eq(used[0]), self.o.payload.eq(slots[0])]
        stay = Mux(leave, used >> 1, used)
        m.d.sync += used.eq(Mux(enter, stay << 1 | 1, stay))
        for n, slot in enumerate(slots):
            if n + 1 < room:
                with m.If(leave):
                    m.d.sync += slot.eq(slots[n + 1])
            with m.If(enter & ~stay[n] & (stay[n - 1] if n else 1)):
                m.d.sync += slot.eq(choice)


def delayed(m: Module, value: Value, cycles: int, *, init: int | None = None) -> Signal:
    """``value`` some cycles later; with a reset value only where ``init`` is given."""
    for _ in range(cycles):
        value, source = Signal(len(value), init=init or 0, reset_less=init is None), value
        m.d.sync += value.eq(source)
    return value
