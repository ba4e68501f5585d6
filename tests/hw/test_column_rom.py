# amaranth: UnusedElaboratable=no
"""The column ROM against the matrix that it holds, and what Yosys makes of it."""

import re
import sys

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator

from trine_hw.primitives.column_rom import ColumnROM, rom_words
from trine_hw.primitives.ecp5_block_ram import initvals


def random_trits(depth: int, lanes: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1, 2, (depth, lanes), dtype=np.int8)


def read(rom: ColumnROM, addresses: list[int]) -> list[int]:
    """Words of ``o`` in the cycles after reset, ``addresses`` applied one a cycle and the last one held."""
    words = []

    async def bench(ctx):
        for address in addresses + [addresses[-1]] * ColumnROM.latency:
            ctx.set(rom.addr, address)
            words.append(ctx.get(rom.o.as_value()))
            await ctx.tick()

    sim = Simulator(rom)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    return words


@pytest.mark.parametrize(("depth", "lanes"), [(1, 1), (2, 3), (37, 18), (512, 19), (700, 5)])
def test_word_follows_its_address_by_three_cycles(depth, lanes):
    contents = random_trits(depth, lanes, seed=depth)
    words = rom_words(contents)
    addresses = [int(a) for a in np.random.default_rng(0).integers(0, depth, 200)]
    assert read(ColumnROM(contents), addresses) == [0] * ColumnROM.latency + [words[a] for a in addresses]


@pytest.mark.parametrize(("depth", "lanes"), [(1, 1), (37, 18), (700, 5), (1537, 3)])
def test_address_instead_of_the_word_may_wait(depth, lanes):
    """In the form for iCE40 the last word is there before the first that was asked for."""
    contents = random_trits(depth, lanes, seed=depth)
    words = rom_words(contents)
    addresses = [int(a) for a in np.random.default_rng(0).integers(0, depth, 50)]
    first, *others = read(ColumnROM(contents, block_ram="ice40"), addresses)
    assert first in (0, words[-1]) and others[:2] == [words[-1]] * 2
    assert others[2:] == [words[a] for a in addresses]


def test_rom_words_are_twos_complement_trits_lane_0_lowest():
    assert rom_words(np.array([[1, 0, -1], [-1, 1, 0]], dtype=np.int8)) == [0b11_00_01, 0b00_01_11]


def test_initvals_hold_18_bit_words_in_slots_of_20():
    values = initvals([0] * 2 + [0x15555, 0x2AAAA] + [0] * 13 + [1 << 17])
    assert values["INITVAL_00"] == 0x15555 << 40 | 0x2AAAA << 60
    assert values["INITVAL_01"] == 1 << 37
    assert list(values) == [f"INITVAL_{n:02X}" for n in range(64)]


@pytest.mark.parametrize("block_ram", ["inferred", "ecp5"])
def test_work_to_elaborate_is_in_proportion_to_the_lanes(block_ram):
    """Counted in calls of functions, whatever the machine; the square would be a factor of 16."""

    def calls(lanes: int) -> int:
        count = 0

        def seen(frame, event, argument):
            nonlocal count
            count += 1

        rom = ColumnROM(random_trits(400, lanes, seed=0), block_ram=block_ram)
        sys.setprofile(seen)
        try:
            rtlil.convert(rom, emit_src=False)
        finally:
            sys.setprofile(None)
        return count

    assert calls(400) < 6 * calls(100)


@pytest.mark.parametrize(
    ("contents", "block_ram", "message"),
    [
        (np.full((2, 2), 2, np.int8), "inferred", "must be trits"),
        (np.zeros((0, 2), np.int8), "inferred", "must be (depth, trits)"),
        (np.zeros(4, np.int8), "inferred", "must be (depth, trits)"),
        (np.zeros((16385, 1), np.int8), "ecp5", "16384 words, not 16385"),
        (np.zeros((1, 1), np.int8), "xilinx", "must be one of inferred, ecp5"),
    ],
)
def test_rejects(contents, block_ram, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ColumnROM(contents, block_ram=block_ram)
