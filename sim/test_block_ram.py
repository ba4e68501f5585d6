"""The contents of instantiated ECP5 block RAMs equal what Yosys computes for the same memory inferred."""

import numpy as np
import pytest

from sim.netlist.synthesis import Netlist, packed, synthesise
from trine_hw.core.sampler import Sampler
from trine_hw.primitives.column_rom import ColumnROM, rom_words
from trine_sw.engine import EngineConfig
from trine_sw.engine.memory_layout import place
from trine_sw.golden.sampler import gumbel_table
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.arithmetic import ceil_div


def random_trits(depth: int, lanes: int) -> np.ndarray:
    return np.random.default_rng(depth).integers(-1, 2, (depth, lanes), dtype=np.int8)


def rom(folder, contents: np.ndarray, block_ram: str) -> Netlist:
    return synthesise(ColumnROM(contents, block_ram=block_ram), folder / block_ram)


SHAPES = [(512, 36), (300, 19), (33, 54), (1, 1), (513, 9), (1025, 4), (4096, 2), (8192, 1), (16384, 1)]


@pytest.mark.parametrize(("depth", "lanes"), SHAPES)
def test_instantiated_contents_equal_inferred_ones(tmp_path, depth, lanes):
    contents = random_trits(depth, lanes)
    instantiated, inferred = (rom(tmp_path, contents, form) for form in ("ecp5", "inferred"))
    assert instantiated.rom("addr", "o", depth) == inferred.rom("addr", "o", depth) == rom_words(contents)


def test_contents_of_an_engine(tmp_path):
    """Every bank of a random model, laid out on three banks with folding."""
    model = random_model(ModelConfig(hidden=40, embedding=12, vocab_size=20), seed=1)
    placement = place(model, EngineConfig(lanes=90, banks=3))
    for bank in placement.banks:
        instantiated, inferred = (rom(tmp_path, bank, form) for form in ("ecp5", "inferred"))
        words = rom_words(bank)
        assert instantiated.rom("addr", "o", len(bank)) == inferred.rom("addr", "o", len(bank)) == words


@pytest.mark.parametrize(
    ("ways", "block_rams"),
    [(1, 1), pytest.param(2, 1, marks=pytest.mark.nightly), pytest.param(3, 2, marks=pytest.mark.nightly)],
)
def test_contents_of_the_sampler(tmp_path, ways, block_rams):
    """18-bit words of two ports, of which inferred ones have 12 bits."""
    for form in ("ecp5", "inferred"):
        netlist = synthesise(Sampler(30, 8, ways, block_ram=form), tmp_path / form)
        assert [[word & 0xFFF for word in block.words] for block in netlist.block_rams] == [
            gumbel_table().tolist()
        ] * block_rams


def test_placed_contents_equal_the_matrix(tmp_path):
    """nextpnr turns PDPW16KD into the device's DP16KD, in whose form Yosys infers block RAMs."""
    contents = random_trits(200, 40)
    netlist = packed(rom(tmp_path, contents, "ecp5"))
    assert {block.type for block in netlist.block_rams} == {"DP16KD"}
    assert all(block.parameters["REGMODE_B"] == "OUTREG" for block in netlist.block_rams)
    assert netlist.rom("addr", "o", 200) == rom_words(contents)


def test_a_corrupted_initial_value_is_found(tmp_path):
    contents = random_trits(40, 20)
    netlist = rom(tmp_path, contents, "ecp5")
    for block in netlist.block_rams:
        bits = block.parameters["INITVAL_02"]
        block.parameters["INITVAL_02"] = bits[:-1] + "10"[int(bits[-1])]
        assert netlist.rom("addr", "o", 40) != rom_words(contents)
        block.parameters["INITVAL_02"] = bits
    assert netlist.rom("addr", "o", 40) == rom_words(contents)


@pytest.mark.parametrize(("depth", "lanes"), [(1, 1), (300, 18), (300, 19), (512, 100)])
def test_costs_what_it_says(tmp_path, depth, lanes):
    """One block RAM for 18 lanes with its output register, a flip-flop behind each bit, and nothing else."""
    netlist = rom(tmp_path, random_trits(depth, lanes), "ecp5")
    assert netlist.cells == {"PDPW16KD": ceil_div(lanes, 18), "TRELLIS_FF": 2 * lanes}
    assert all(block.parameters["REGMODE"] == "OUTREG" for block in netlist.block_rams)


@pytest.mark.parametrize(("depth", "lanes", "blocks"), [(513, 19, 3), (2048, 9, 2), (16384, 1, 2)])
def test_deep_ones_cost_block_rams_alone(tmp_path, depth, lanes, blocks):
    """A deeper form of the block RAM has fewer bits; nothing is put behind it."""
    netlist = rom(tmp_path, random_trits(depth, lanes), "ecp5")
    assert netlist.cells == {"DP16KD": blocks, "TRELLIS_FF": 2 * lanes}
    assert all(block.parameters["REGMODE_A"] == "OUTREG" for block in netlist.block_rams)


def test_1100_lanes_cost_62_block_rams(tmp_path):
    netlist = rom(tmp_path, random_trits(400, 1100), "ecp5")
    assert netlist.cells == {"PDPW16KD": 62, "TRELLIS_FF": 2200}
