"""The solver: what it picks fits, what does not fit is refused with what is short."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.helpers.paths import ROOT
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.fit import DoesNotFit, configure, estimate, figures, fit, fits, sample_text, sample_tokens
from trine_sw.fit import advice as advice_module
from trine_sw.fit.advice import advice, largest_hidden
from trine_sw.fit.cost import Chip, cost
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError


@dataclass(frozen=True)
class _Chip:
    name: str = "chip"
    lut4: int = 10_000
    ff: int = 1_000_000
    block_ram: int = 30
    spram: int = 4
    block_ram_bits: int = 16
    block_ram_depth: int = 256
    block_ram_kind: str = "inferred"
    lut_share: float = 0.75
    stores_replies: bool = False
    stores_datagrams: bool = False
    stores_packets: bool = False
    transport_lut4: int = 0
    transport_ff: int = 0
    link: LinkConfig = LinkConfig()


MODELS = ROOT / "models"
LARGE = _Chip("large", 83_640, 83_640, 208, 0, 36, 512, "ecp5")


def model_of(hidden: int, embedding: int = 32):
    return random_model(
        ModelConfig(hidden=hidden, embedding=embedding, vocab_size=65, cell_max=7), seed=hidden
    )


@pytest.mark.parametrize(("hidden", "chip"), [(64, _Chip()), (128, LARGE), (256, LARGE), (32, LARGE)])
def test_pick_is_within_the_chip(hidden: int, chip: _Chip) -> None:
    model = model_of(hidden)
    found = fit(model, chip)
    assert found.block_ram <= chip.block_ram
    assert found.lut4 <= 0.75 * chip.lut4
    assert found.geometry.lanes <= found.engine.lanes
    assert found == estimate(model, found.engine, chip)


def test_pick_is_the_fastest_of_its_neighbours() -> None:
    model = model_of(64)
    found = fit(model, _Chip())
    tokens = sample_text(model)
    for lanes in (found.engine.lanes - 4, found.engine.lanes // 2):
        slower = estimate(model, EngineConfig(lanes, found.engine.banks), _Chip(), tokens)
        assert slower.cycles_per_token >= found.cycles_per_token


@pytest.mark.parametrize(
    ("name", "banks", "relays"),
    [("ptb-lstm-300", 3, 1), ("ptb-gru-300", 4, 1), ("shakespeare", 3, 0), ("shakespeare-small", 3, 0)],
)
def test_relays_are_for_large_engines_where_they_cost_little(name: str, banks: int, relays: int) -> None:
    model = Model.load(MODELS / f"{name}.trine")
    assert configure(model, 1200, banks, chip=LARGE).relays == relays


def test_rows_all_have_lanes_where_there_is_room() -> None:
    assert fit(model_of(128), LARGE).geometry.groups == 1


def test_a_gru_is_fitted_too() -> None:
    lstm = model_of(64)
    gru = random_model(replace(lstm.config, cell="gru"), seed=64)
    engine = fit(gru, LARGE).engine
    assert Geometry(gru.config, engine).groups == 1
    # The same lanes, and smaller cells: synthesis finds 33 LUT4 in one against 50.
    assert 0 < estimate(lstm, engine, LARGE).lut4 - estimate(gru, engine, LARGE).lut4 < 64 * 30


def test_a_gru_has_a_bank_more_than_an_lstm_of_its_size() -> None:
    """Where the chip's block RAMs are what is short: its columns have three trits a cell instead of four."""
    short = replace(LARGE, block_ram=56)
    lstm = model_of(64)
    gru = random_model(replace(lstm.config, cell="gru"), seed=64)
    banks = []
    for model in (lstm, gru):
        hosted = replace(model, head_weight=None, head_bias=None, head_scale=None)
        banks.append(fit(hosted, short).engine.banks)
    assert banks[1] > banks[0]


def test_sample_is_the_models_own_text() -> None:
    model = model_of(16)
    assert np.array_equal(sample_tokens(model), sample_tokens(model))
    assert sample_tokens(model).shape == (400,)


def test_what_is_short_is_said() -> None:
    with pytest.raises(TrineError, match=r"does not fit chip: \d+ block RAMs short \(\d+ of 30\)"):
        fit(model_of(300), _Chip())
    with pytest.raises(TrineError, match=r"\d+ LUT4 short"):
        fit(model_of(32), _Chip(lut4=500, block_ram=1000))


@pytest.mark.parametrize("kind", ["inferred", "ice40"])
def test_largest_model_that_fits_is_just_below_one_that_does_not(kind: str) -> None:
    chip = _Chip(block_ram_kind=kind, lut_share=1)
    model = model_of(100)
    hidden = largest_hidden(model, chip)
    assert 0 < hidden < 100
    assert fits(model_of(hidden), chip) and not fits(model_of(hidden + 1), chip)


def test_advice_names_the_smallest_board_and_the_largest_model() -> None:
    chip, model = _Chip(block_ram_kind="ice40", lut_share=1), model_of(100)
    holds = f"of such a model chip holds up to {largest_hidden(model, chip)} units"
    assert advice(model, chip, [LARGE, chip]) == f"the smallest board that holds it is large; {holds}"
    assert advice(model, chip, [chip]) == f"no board holds it; {holds}"


def test_advice_tries_boards_of_one_chip_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And names the first of them."""
    tried = []

    def held(model: Model, chip: Chip) -> bool:
        tried.append(chip.name)
        return chip.name == "fits"

    monkeypatch.setattr(advice_module, "fits", held)
    monkeypatch.setattr(advice_module, "largest_hidden", lambda model, chip: 7)
    small, fits_it = replace(LARGE, name="first", lut4=900), replace(LARGE, name="fits")
    chips = [replace(small, name="second"), fits_it, replace(fits_it, name="twin"), _Chip(lut4=10)]
    said = advice(model_of(8), _Chip(lut4=800), [small, *chips])
    assert said.startswith("the smallest board that holds it is fits; ") and tried == ["first", "fits"]


def test_inputs_are_sampled_only_where_an_engine_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    def sampled(*_: object, **__: object) -> None:
        raise AssertionError("sampled")

    monkeypatch.setattr(figures, "sample_text", sampled)
    with pytest.raises(DoesNotFit):
        fit(model_of(300), _Chip())
    with pytest.raises(AssertionError, match="sampled"):
        fit(model_of(8), LARGE)


def test_ways_that_gain_nothing_are_left_out() -> None:
    model = model_of(64)
    found = configure(model, 4 * 64 + 65, 1)
    assert found.sampler_ways == 1 and found.head == "board"
    # With many banks a token's columns are few, and its logits would hold it up.
    assert configure(model, 4 * 64 + 72, 8).sampler_ways > 1
    # Lanes of the head are a multiple of the ways: here a second way would cost another group.
    assert configure(model, 4 * 64 + 65, 8).sampler_ways == 1


def test_the_fast_codec_is_counted() -> None:
    """More LUTs and flip-flops, of a larger state more; the state that is kept leaves its block RAM."""
    engine = EngineConfig(1200, 3, block_ram="ecp5", head="host")
    model = random_model(ModelConfig(hidden=300, embedding=60, vocab_size=50), seed=1)
    serial, fast = (cost(model, engine, LARGE, LinkConfig(codec=codec)) for codec in ("serial", "fast"))
    assert 1000 < fast.lut4 - serial.lut4 < 4500 and 300 < fast.ff - serial.ff < 900
    assert fast.block_ram == serial.block_ram - 1
