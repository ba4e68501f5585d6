"""Models of several layers: their file, what runs them, and their float baseline."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from trine_sw.golden import Golden
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

CONFIG = ModelConfig(hidden=6, embedding=4, vocab_size=12, layers=3)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "stack.trine"
    model = random_model(CONFIG, seed=1)
    model.vocabulary = list("abcdefghijkl")
    model.save(path)
    return path


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_file_keeps_every_layer(tmp_path, cell):
    model = random_model(replace(CONFIG, cell=cell), seed=2)
    model.save(tmp_path / "a.trine")
    loaded = Model.load(tmp_path / "a.trine")
    assert loaded.config == model.config and loaded.digest() == model.digest()
    assert [layer.weight.shape for layer in loaded.layers] == [(24, 10), (24, 12), (24, 12)]
    tokens = np.random.default_rng(1).integers(0, 12, 50)
    np.testing.assert_array_equal(Golden(loaded).run(tokens).u, Golden(model).run(tokens).u)


def altered(path, alter):
    data = path.read_bytes()
    tensors = dict(load(data))
    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    del metadata["digest"]
    alter(tensors, metadata)
    path.write_bytes(save(tensors, metadata))


@pytest.mark.parametrize(
    ("alter", "saying"),
    [
        (lambda tensors, _: tensors.pop("layer1.weight"), "layer1.weight is missing"),
        (lambda tensors, _: tensors.pop("layer2.threshold"), "layer2.threshold is missing"),
        (
            lambda tensors, _: tensors.update({"layer1.weight": tensors["layer0.weight"]}),
            "layer1.weight must be",
        ),
        (lambda tensors, _: tensors["layer2.threshold"].__setitem__((0, 0), 99), "layer2.threshold.*row i0"),
        (lambda _, metadata: metadata.update(layers="2"), "layer2.threshold is no tensor of a 2-layer"),
        (lambda _, metadata: metadata.update(layers="17"), "layers must be from 1 to 16"),
    ],
)
def test_wrong_layers_are_named(path, alter, saying):
    altered(path, alter)
    with pytest.raises(TrineError, match=saying):
        Model.load(path)


def test_golden_model_serves_the_commands(succeeds, path):
    facts = json.loads(succeeds("info", path, "--json"))
    assert facts["layers"] == 3 and facts["weights"] == 24 * (10 + 12 + 12)
    made = json.loads(succeeds("generate", path, "--prompt", "abc", "--count", 9, "--json"))
    assert len(made["tokens"]) == 9


def test_a_stack_is_fitted_and_written_as_verilog(succeeds, fails, path, tmp_path):
    found = json.loads(succeeds("fit", path, "--board", "ulx3s", "--json"))
    # All rows of a layer have a lane: three groups, one a layer.
    assert (found["groups"], found["lanes"]) == (3, 4 * 6 + 12)
    succeeds("verilog", path, "--board", "ulx3s", "-o", tmp_path / "out")
    assert any((tmp_path / "out").iterdir())
    succeeds("fit", path, "--board", "icebreaker")
    fails("bench", path, saying=("has 3 layers", "one layer is what is compared"))


def test_no_layer_beyond_the_last():
    assert [CONFIG.of_layer(number).columns for number in range(3)] == [10, 12, 12]
    with pytest.raises(TrineError, match="layer must be from 0 to 2, not 3"):
        CONFIG.of_layer(3)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_float_baseline_has_as_many_layers(cell):
    torch = pytest.importorskip("torch")
    from trine_sw.training.models.float_model import FloatLanguageModel
    from trine_sw.training.models.ternary_model import TernaryLanguageModel
    from trine_sw.training.nn.soft_cell import Quantisers

    config = replace(CONFIG, cell=cell)
    torch.manual_seed(1)
    model = FloatLanguageModel(config, dropout=0.5).train()
    tokens = torch.randint(0, 12, (7, 2))
    logits, state, _ = model(tokens, model.initial_state(2))
    assert logits.shape == (7, 2, 12) and all(part.shape == (3, 2, 6) for part in state)
    assert getattr(model, cell).num_layers == 3 and getattr(model, cell).dropout == 0.5
    with pytest.raises(TrineError, match="one layer, not 3"):
        FloatLanguageModel(config, quantisers=Quantisers())
    from trine_sw.training.nn.layers import CellOptions

    # Between the layers of the ternary one, some is dropped in training, and gradients reach the lowest.
    ternary = TernaryLanguageModel(config, CellOptions(), dropout=0.5).train()
    with torch.no_grad():
        for layer in ternary.stack:
            layer.bias.normal_()  # so that cells move
    tokens = torch.randint(0, 12, (60, 8))
    seen: list = []
    for layer in ternary.stack:
        layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    loss, *_ = ternary.loss(tokens, tokens, ternary.initial_state(8))
    loss.backward()
    assert all(set(x.unique().tolist()) <= {-2.0, 0.0, 2.0} for x in seen) and len(seen) == 3
    assert all(layer.weight.grad is not None and layer.weight.grad.abs().sum() > 0 for layer in ternary.stack)
