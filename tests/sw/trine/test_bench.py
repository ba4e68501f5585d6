"""``trine bench``: the kernel equals the golden model, figures are in the JSON, what is missing is said."""

import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from trine.bench.popcount import PopcountLstm
from trine.bench.sweeps import sweep_engine, sweep_hidden
from trine_sw.fit.sample import Sample
from trine_sw.golden import Golden
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

WIDE = dict(cell_max=127, cell_shift=3, output_shift=2, head_levels=(0, 1, 2, 3))


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(hidden=1, embedding=1, vocab_size=5),
        ModelConfig(hidden=70, embedding=60, vocab_size=30, cell_shift=2, output_shift=1),
        ModelConfig(hidden=64, embedding=200, vocab_size=30, **WIDE),
    ],
)
@pytest.mark.parametrize("threshold", ["typical", "extreme"])
def test_popcount_equals_golden(config: ModelConfig, threshold) -> None:
    model = random_model(config, seed=2, threshold=threshold)
    tokens = np.random.default_rng(1).integers(0, config.vocab_size, 200)
    assert model.embedding_weight is not None
    kernel = PopcountLstm(model)
    h = kernel.run(kernel.prepare(model.embedding_weight[tokens]))
    np.testing.assert_array_equal(h, Golden(model).run(tokens).h)


def test_cycles_rise_with_units_and_fall_with_banks() -> None:
    cycles = [point.cycles for point in sweep_hidden((64, 128, 256))]
    assert cycles == sorted(cycles)
    model = random_model(ModelConfig(hidden=40, embedding=40, vocab_size=9), seed=1)
    sample = Sample.of(model, np.arange(60) % 9)
    points = list(sweep_engine(model, sample, lanes=(40, 160), banks=(1, 2, 4)))
    for lanes in (40, 160):
        fewer = [point.cycles for point in points if point.lanes == lanes]
        assert fewer == sorted(fewer, reverse=True)
    assert points[0].groups == 4 and points[0].cycles > points[3].cycles


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.trine"
    random_model(ModelConfig(hidden=24, embedding=20, vocab_size=9), seed=1).save(path)
    return path


def test_rows_and_missing_pieces(succeeds, small, tmp_path, monkeypatch) -> None:
    """Without onnx its rows say what to install; a report's figures are taken as they stand."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    report = dict(board="b", clock_mhz=50.0, tokens_per_s=2_000_000, dense_gops=3.0, effective_gops=1.0)
    report |= dict(lut4=4000, rom_ports_used=8, rom_ports=16, cycles_per_token=25.0)
    report["host_rates"] = {"choice": {"tokens_per_s": 290_000, "limit": "wire to the board"}}
    (tmp_path / "b-small.json").write_text(json.dumps(report), encoding="utf-8")
    options = ("--reports", tmp_path, "--seconds", 0.01, "--json")
    found = json.loads(succeeds("bench", small, *options))
    rows = {row["name"]: row for row in found["rows"]}
    ours = rows["Trine on b, 50 MHz, routed"]
    assert (ours["us"], ours["dense_gops_per_klut"], ours["rom_share"]) == (0.5, 0.75, 0.5)
    host = rows["Trine on b, what a host gets, next token"]
    assert (host["tokens_per_s"], host["us"]) == (290_000, pytest.approx(1e6 / 290_000))
    assert host["dense_gops"] == pytest.approx(3.0 * 290_000 / 2_000_000)
    assert host["note"].startswith("limited by the wire to the board; ")
    kernel = rows["popcount on bit planes, C"]
    assert kernel["dense_gops"] == pytest.approx(2 * 96 * 44 * kernel["tokens_per_s"] / 1e9)
    for name in ("ONNX Runtime LSTM, float32", "ONNX Runtime LSTM, int8 dynamic"):
        assert rows[name]["us"] is None and "[bench]" in rows[name]["note"]
    assert {each["name"] for each in found["anchors"]} >= {"Spartus", "EdgeDRNN", "ternfpga"}


def test_a_gru_is_compared_with_grus(succeeds, tmp_path) -> None:
    """Its cell has three weights in a column, and the popcount kernel does not know it."""
    path = tmp_path / "gru.trine"
    random_model(ModelConfig(cell="gru", hidden=24, embedding=20, vocab_size=9), seed=1).save(path)
    found = json.loads(succeeds("bench", path, "--reports", tmp_path, "--seconds", 0.01, "--json"))
    rows = {row["name"]: row for row in found["rows"]}
    assert "an LSTM" in rows.pop("popcount on bit planes, C")["note"]
    assert [name for name in rows if "GRU" in name] == [
        "PyTorch nn.GRU, float32",
        "PyTorch nn.GRU, int8 dynamic",
        "ONNX Runtime GRU, float32",
        "ONNX Runtime GRU, int8 dynamic",
    ]
    int8 = rows["ONNX Runtime GRU, int8 dynamic"]
    assert int8["us"] is None and "quantises no GRU" in int8["note"]
    measured = [row for row in rows.values() if row["us"]]
    if find_spec("torch"):
        assert measured
    for row in measured:
        assert row["dense_gops"] == pytest.approx(2 * 72 * 44 * row["tokens_per_s"] / 1e9)


def test_bench_refuses(fails, small, tmp_path, monkeypatch) -> None:
    (tmp_path / "b-small.json").write_text("{}", encoding="utf-8")
    fails("bench", small, "--seconds", 0, saying="--seconds must be above 0, not 0")
    fails("bench", small, "--reports", tmp_path, saying="no report of trine build")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    fails("bench", small, "--figure", tmp_path / "a.svg", saying="[figures]")
