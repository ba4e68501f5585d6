"""Networks of one's own: what they compute in evaluation is what the golden model of the export computes."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

import trine  # noqa: E402
from trine_sw.golden import Golden  # noqa: E402
from trine_sw.golden.sequences import run_sequences  # noqa: E402

CELLS = {"lstm": trine.nn.TernaryLSTM, "gru": trine.nn.TernaryGRU, "mgu": trine.nn.TernaryMGU}


class Network(torch.nn.Module):
    """Encoder, layers and head, the first and the last of which there may not be."""

    def __init__(
        self, cell, features, hidden, outputs, *, encoder=None, kind="last", regression=False, **options
    ):
        super().__init__()
        self.front, self.reduction = encoder, kind
        size = features if encoder is None else encoder.out_features
        self.body = CELLS[cell](size, hidden, **options)
        self.head = trine.nn.TernaryLinear(hidden, outputs, regression=regression) if outputs else None

    def parts(self, x):
        trits = x if self.front is None else self.front(x)
        return (trits, *self.body(trits))

    def forward(self, x):
        output = self.parts(x)[1]
        if self.head is None:
            return output
        if self.reduction == "step":
            return self.head(output)
        return self.head.reduced(output, self.reduction, batch_first=self.body.batch_first)


def trained(network, x, steps=3, seed=0):
    """The network after a few real steps of training, in evaluation mode."""
    torch.manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(steps):
        out = network(x)
        loss = (out - torch.randn_like(out)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def assert_equal_to_golden(network, model, x):
    """Every trit, h, c, u and logit of a batch x (N, T, F), and what the head makes of it."""
    with torch.no_grad():
        trits, output, state = network.parts(x)
    given_x = [each.numpy() if model.encoder else each.numpy().astype(np.int8) for each in x]
    vectors = [model.encoder.trits(each) for each in given_x] if model.encoder else given_x
    assert np.array_equal(np.stack(vectors), trits.numpy())
    trace = Golden(model).run_vectors(np.stack(vectors, axis=1))
    assert np.array_equal(trace.u, output.transpose(0, 1).numpy())
    *h, c = (state,) if isinstance(state, torch.Tensor) else state
    for found, end in zip((*h, c), (trace.h, trace.c)[-1 - len(h) :], strict=True):
        assert np.array_equal(found.transpose(0, 1).flatten(1).numpy(), end[-1])
    for step in range(x.shape[1]):  # c of every step
        _, _, state = network.parts(x[:, : step + 1])
        *h, c = (state,) if isinstance(state, torch.Tensor) else state
        assert np.array_equal(c.transpose(0, 1).flatten(1).numpy(), trace.c[step])
    if network.head is None:
        return
    assert trace.logits is not None
    with torch.no_grad():
        result = network(x).numpy()
    if network.reduction == "step":
        logits = trace.logits.swapaxes(0, 1)
        assert np.array_equal(result, (logits * model.head_scale).astype(np.float32))
        labels = run_sequences(model, given_x).classes
        assert np.array_equal(np.stack(labels), result.argmax(-1))
        return
    outputs = run_sequences(model, given_x)
    logits = trace.logits[-1] if model.reduction == "last" else trace.logits.sum(axis=0)
    assert np.array_equal(outputs.logits, logits)
    if model.task == "regress":
        assert result.dtype == np.float64 and np.array_equal(result, outputs.values)
        assert np.array_equal(result, model.output_offset + model.output_scale * logits)
    else:
        assert np.array_equal(result, (logits * model.head_scale).astype(np.float32))
        assert np.array_equal(result.argmax(-1), outputs.classes)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_evaluation_is_the_golden_model(data, tmp_path_factory):
    draw, seed = data.draw, data.draw(st.integers(0, 10_000))
    cell, layers = draw(st.sampled_from(list(CELLS))), draw(st.integers(1, 3))
    features, hidden, outputs = draw(st.integers(1, 5)), draw(st.integers(1, 12)), draw(st.integers(0, 4))
    kind = draw(st.sampled_from(["last", "sum", "step", "regress last", "regress sum"]))
    with_encoder, differences = draw(st.booleans()), draw(st.booleans())
    levels = draw(st.sampled_from([(0, 1), (0, 1, 3), (0, 1, 2, 2, 7)]))
    options = trine.nn.CellOptions(
        scale=draw(st.sampled_from(["alpha", "norm"])), harden=draw(st.sampled_from([None, (0.1, 0.9)]))
    )
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    count, steps = draw(st.integers(1, 3)), draw(st.integers(1, 12))
    if with_encoder:
        x = rng.normal(size=(count, steps, features)) * 10.0 ** rng.integers(-2, 3, features) + 5
        encoder = trine.nn.TernaryEncoder(features, draw(st.integers(1, 3)), differences, batch_first=True)
        encoder.fit_quantiles(x)
    else:
        x, encoder = rng.integers(-1, 2, (count, steps, features)), None
    x = torch.from_numpy(x.astype(np.float32))
    form = {"kind": kind.split()[-1], "regression": "regress" in kind, "dropout": 0.2 * (layers > 1)}
    arithmetic = {"num_layers": layers, "batch_first": True, "head_levels": levels, "options": options}
    network = Network(cell, features, hidden, outputs, encoder=encoder, **form, **arithmetic)
    network.body.harden(0.4)
    with torch.no_grad():
        for layer in network.body.stack:
            layer.bias.normal_(0, 0.5)
    trained(network, x, seed=seed)
    described = {"task": "label"} if kind == "step" else {"reduction": kind.split()[-1]}
    if not outputs:
        described = {}
    path = tmp_path_factory.mktemp("own") / "own.trine"
    sample = [each.numpy() if with_encoder else each.numpy().astype(np.int8) for each in x]
    model = trine.export(network, path, sample=sample, **described)
    assert network.training is False and trine.Model.load(path).digest() == model.digest()
    assert_equal_to_golden(network, model, x)
    torch.save(network, path.with_suffix(".pt"))
    for other in (copy.deepcopy(network), torch.load(path.with_suffix(".pt"), weights_only=False)):
        assert trine.export(other.train(), **described).digest() == model.digest()
        assert_equal_to_golden(other.eval(), model, x)
    for front in (network.front, model.encoder):
        parts = trine.export(network.body, encoder=front, head=network.head, **described)
        assert parts.digest() == model.digest()


def test_what_is_known_of_a_network_is_in_the_file(tmp_path):
    encoder = trine.nn.TernaryEncoder(2, batch_first=True)
    network = Network("gru", 2, 4, 3, encoder=encoder, batch_first=True)
    model = trine.export(
        network,
        tmp_path / "m.trine",
        labels=["a", "b", "c"],
        inputs=[trine.InputSpec("x", "g"), trine.InputSpec("y", "g")],
        sample_rate=50,
        data={"path": "here"},
        front_end={"kind": "none"},
        training={"epochs": 3},
    )
    again = trine.Model.load(tmp_path / "m.trine")
    for name in ("labels", "inputs", "sample_rate", "data", "front_end", "training"):
        assert getattr(again, name) == getattr(model, name) is not None
    assert again.task == "classify" and again.reduction == "last" and again.config.vocab_size == 3


def test_a_sample_is_kept_and_counted():
    x = np.random.default_rng(1).normal(size=(6, 30, 2)).astype(np.float32)
    encoder = trine.nn.TernaryEncoder(2, 3, batch_first=True)
    network = Network("lstm", 2, 8, 3, encoder=encoder, batch_first=True)
    for own in (list(x), torch.from_numpy(x), x, [torch.from_numpy(each) for each in x]):
        model = trine.export(network, sample=own)
        assert model.sample is not None and model.encoder is not None
        assert np.array_equal(model.sample.trits, np.concatenate([model.encoder.trits(each) for each in x]))
        assert model.sample.lengths.tolist() == [30] * 6
    again = trine.export(network, sample=model.sample)
    assert again.sample is not None and model.sample is not None
    assert np.array_equal(again.sample.trits, model.sample.trits)
    for wrong, words in (
        (7, "sample must be a ModelSample or sequences"),
        ([], "sample must be sequences of steps"),
        ([x[0, :, :1]], r"\(T, 2\)"),
        ([np.full((3, 2), np.nan)], "finite"),
    ):
        with pytest.raises(trine.TrineError, match=words):
            trine.export(network, sample=wrong)


class Elsewhere(Network):
    """A network whose parts are joined in another way than a model's."""

    front: trine.nn.TernaryEncoder
    head: trine.nn.TernaryLinear

    def __init__(self, how):
        super().__init__(
            "gru", 2, 8, 3, encoder=trine.nn.TernaryEncoder(2, batch_first=True), batch_first=True
        )
        self.how = how
        with torch.no_grad():
            self.body.stack[0].bias.normal_(0, 1)

    def forward(self, x, *more):
        if self.how == "scaled":
            x = x * 3
        if self.how == "two inputs" and not more:
            raise TypeError("two inputs are needed")
        output, h_n = self.body(self.front(x))
        if self.how == "pieces":
            first, state = self.body(self.front(x[:, :4]))
            output = torch.cat([first, self.body(self.front(x[:, 4:]), state)[0]], dim=1)
        if self.how == "first step":
            return self.head(output[:, 0])
        return self.head(h_n[-1] if self.how == "cells" else output[:, -1])


@pytest.mark.parametrize("how", ["scaled", "cells", "first step", "two inputs", "pieces", "right"])
def test_a_network_that_joins_its_parts_otherwise_is_refused(how):
    torch.manual_seed(2)
    network = Elsewhere(how)
    sample = list(np.random.default_rng(2).normal(size=(3, 20, 2)).astype(np.float32))
    words = {
        "scaled": "the layers of the network see other trits",
        "cells": "the head of the network does not see the layers' output",
        "first step": "the head of the network does not see the layers' output",
    }.get(how)
    if words is None:
        assert trine.export(network, sample=sample).task == "classify"
        for other in (
            {"task": "label"},
            {"reduction": "sum"},
        ):  # the head of "right" sees the last step alone
            if how in ("right", "pieces"):
                with pytest.raises(trine.TrineError, match="the head of the network does not see"):
                    trine.export(network, sample=sample, **other)
        return
    with pytest.raises(trine.TrineError, match=words):
        trine.export(network, sample=sample)


def test_networks_that_are_refused(tmp_path):
    nn = trine.nn
    layers, head = nn.TernaryGRU(4, 8), nn.TernaryLinear(8, 3)
    two = torch.nn.ModuleList([nn.TernaryGRU(4, 8), nn.TernaryLSTM(4, 8)])
    broken = copy.deepcopy(layers)
    torch.nn.init.constant_(broken.stack[0].weight, float("nan"))
    of_bias, no_number = nn.TernaryLinear(8, 3), nn.TernaryLinear(8, 3)
    torch.nn.init.constant_(no_number.weight, float("nan"))
    torch.nn.init.constant_(of_bias.log_scale, -40.0)
    torch.nn.init.constant_(of_bias.bias, 1.0)
    for network, options, words in (
        ("layers", {}, "network must be a torch.nn.Module"),
        (torch.nn.Linear(3, 4), {}, "hold one TernaryLSTM, TernaryGRU or TernaryMGU .*, and Linear has none"),
        (two, {}, r"network has 2 of TernaryLSTM, TernaryGRU or TernaryMGU \(0, 1\)"),
        (torch.nn.ModuleList([layers, torch.nn.Linear(8, 3)]), {}, "1 is a torch.nn.Linear"),
        (layers, {"encoder": nn.TernaryEncoder(3)}, "the encoder makes 6 trits, and the layers take 4"),
        (layers, {"head": nn.TernaryLinear(9, 2)}, "the head takes 9 inputs, and the layers have 8 units"),
        (layers, {"head": torch.nn.Linear(8, 2)}, "head must be a TernaryLinear"),
        (layers, {"encoder": head}, "encoder must be a TernaryEncoder"),
        (layers, {"head": head, "task": "regress"}, "the head is of classes, and the task is 'regress'"),
        (layers, {"head": head, "task": "guess"}, "task must be one of"),
        (layers, {"head": head, "labels": "abc"}, "labels must be 3 different strings"),
        (layers, {"head": head, "labels": 3}, "labels must be 3 different strings"),
        (layers, {"head": head, "inputs": 3}, "inputs must be a list of InputSpec"),
        (layers, {"training": 3}, "training must be a dictionary"),
        (layers, {"head": head, "labels": ["a"]}, "labels must be 3 different strings"),
        (layers, {"head": head, "task": "label", "reduction": "sum"}, "reduction must be 'last'"),
        (layers, {"head": head, "reduction": "mean"}, "reduction must be"),
        (layers, {"head": of_bias}, "is no number, or its integer is beyond"),
        (layers, {"vocabulary": ["a"]}, "layers take vectors, not symbols"),
        (broken, {}, "training has diverged"),
        (layers, {"head": no_number}, "a weight is no number: training has diverged"),
        (copy.deepcopy(layers).double(), {}, "the layers compute in float32"),
    ):
        with pytest.raises(trine.TrineError, match=words):
            trine.export(network, tmp_path / "m.trine", **options)
    assert not (tmp_path / "m.trine").exists()
    config = trine.ModelConfig(hidden=4, embedding=4, vocab_size=5)
    language = nn.TernaryLanguageModel(config, nn.CellOptions())
    diverged = copy.deepcopy(language)
    torch.nn.init.constant_(diverged.embedding, float("nan"))
    with pytest.raises(trine.TrineError, match="a weight is no number"):
        trine.export(diverged)
    for options in ({"head": head}, {"labels": ["a"]}, {"task": "classify"}):
        with pytest.raises(trine.TrineError, match=f"a TernaryLanguageModel has no {next(iter(options))}"):
            trine.export(language, **options)
