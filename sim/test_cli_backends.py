"""The command line gives the same trace, text and figures on every backend."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from trine.cli.commands import cli
from trine_sw.data import DataSet, Part, TextFile
from trine_sw.data import text as data
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

TEXT = "the sea, the trees; the sea " * 8
CONFIG = ModelConfig(
    hidden=9, embedding=5, vocab_size=len(set(TEXT)), cell_max=7, output_shift=1, head_levels=(0, 1, 2)
)


@pytest.fixture
def model_path(tmp_path, cell):
    model = random_model(replace(CONFIG, cell=cell), seed=3)
    model.vocabulary = sorted(set(TEXT))
    path = tmp_path / "sea.trine"
    model.save(path)
    return path


def trine(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(
    ("backend", "cell"),
    [
        pytest.param("verilator", "lstm", marks=pytest.mark.nightly),
        pytest.param("icarus", "lstm", marks=pytest.mark.nightly),
        pytest.param("icarus", "gru", marks=pytest.mark.nightly),
        pytest.param("verilator", "mgu", marks=pytest.mark.nightly),
        ("icarus", "mgu"),
    ],
)
def test_backend_equals_golden(model_path, backend, tmp_path, monkeypatch):
    """One engine, so that each simulator is built once."""

    def both(*arguments):
        """What the command gives on the golden model and here, without the backend's name."""
        found = [json.loads(trine(*arguments, "--backend", name, "--json")) for name in ("golden", backend)]
        assert [entry.pop("backend") for entry in found] == ["golden", backend]
        return found

    traces = []
    for name in ("golden", backend):
        path = tmp_path / f"{name}.npz"
        trine("run", model_path, "--text", TEXT, "--backend", name, "--trace", path)
        with np.load(path) as trace:
            traces.append(dict(trace))
    golden, found = traces
    assert golden.keys() == found.keys() == {"tokens", "h", "c", "logits", "cycles"}
    for key, array in golden.items():
        assert found[key].dtype == array.dtype
        np.testing.assert_array_equal(found[key], array, err_msg=key)

    golden, found = both("run", model_path, "--text", "the sea")
    assert golden == found
    for temperature, seed in ((0.0, 0), (1.0, 5)):
        options = ("--count", 40, "--temperature", temperature, "--seed", seed)
        golden, found = both("generate", model_path, "--prompt", "the ", *options)
        assert golden == found

    (tmp_path / "sea").mkdir()
    (tmp_path / "sea/input.txt").write_text(TEXT, encoding="utf-8")
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    text = TextFile("sea/input.txt", "https://example.org/sea", digest)
    monkeypatch.setitem(data.DATA_SETS, "sea", DataSet({"train": Part(text, 0, 90), "valid": Part(text, 90)}))
    monkeypatch.setenv("TRINE_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    data._read.cache_clear()
    golden, found = both("eval", model_path, "--dataset", "sea", "--split", "train", "--limit", 60)
    data._read.cache_clear()
    cycles, columns = found.pop("cycles_per_token"), found.pop("columns_per_token")
    assert golden == found and golden["tokens"] == 60
    assert cycles > columns / 3 > 0
