"""The layers of ``trine.nn`` beside PyTorch's own, whose form they have, and beside the golden model."""

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import trine  # noqa: E402
from trine_sw.golden import Golden  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402

CELLS = {"lstm": trine.nn.TernaryLSTM, "gru": trine.nn.TernaryGRU, "mgu": trine.nn.TernaryMGU}
#: Whose signature and shapes they have; PyTorch has no minimal gated unit.
FLOAT = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "mgu": torch.nn.GRU}
E, H = 6, 10

each_cell = pytest.mark.parametrize("cell", CELLS)


def flat(results):
    """Output and state as a flat list of tensors."""
    output, state = results
    return [output, *(state if isinstance(state, tuple) else (state,))]


def trits(*shape: int, seed: int = 1):
    return torch.from_numpy(np.random.default_rng(seed).integers(-1, 2, shape)).float()


def trained(cell: str, seed: int = 1, **options):
    """Layers whose gates are not all alike, in evaluation mode."""
    torch.manual_seed(seed)
    layers = CELLS[cell](E, H, **options)
    for layer in layers.stack:
        torch.nn.init.normal_(layer.bias, std=0.5)
    return layers.eval()


@each_cell
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("first", [False, True])
def test_shapes_are_those_of_pytorch(cell, layers, first):
    mine, torchs = CELLS[cell](E, H, layers, batch_first=first), FLOAT[cell](E, H, layers, batch_first=first)
    for shape in ((4, 3, E), (4, 1, E), (4, E)):
        x = trits(*shape)
        for train in (True, False):
            found = flat(mine.train(train)(x))
            assert [t.shape for t in found] == [t.shape for t in flat(torchs(x))]
            state = found[1] if cell != "lstm" else tuple(found[1:])
            again = flat(mine(x, state))
            assert [t.shape for t in again] == [t.shape for t in found]


@each_cell
@pytest.mark.parametrize("layers", [1, 2])
def test_exported_layers_equal_the_network_in_every_bit(cell, layers):
    network = trained(cell, num_layers=layers, head_levels=(0, 1, 3))
    model = trine.export(network)
    assert network.training is False and model.config == network.config
    x = trits(40, E, seed=2)
    trace = Golden(model).run_vectors(x.numpy().astype(np.int8))
    output, *state = flat(network(x))
    assert np.array_equal(output.numpy(), trace.u) and len(np.unique(trace.u)) == 5
    assert np.array_equal(state[-1].numpy().ravel(), trace.c[-1])
    if cell == "lstm":
        assert np.array_equal(state[0].numpy().ravel(), trace.h[-1])
    fit = trine.fit(model, "ulx3s")
    assert fit.engine.embedding == "host" and fit.cycles_per_token > 0


@each_cell
def test_a_stream_in_pieces_is_the_stream(cell):
    for train, layers in itertools.product((False, True), (1, 2)):
        network = trained(cell, num_layers=layers).train(train)
        x = trits(20, 3, E)
        whole = flat(network(x))
        first, state = network(x[:7])
        rest = flat(network(x[7:], state))
        assert torch.equal(torch.cat([first, rest[0]]), whole[0])
        assert all(torch.equal(a, b) for a, b in zip(rest[1:], whole[1:], strict=True))
        assert whole[0].abs().sum() > 0


@each_cell
def test_batch_first_swaps_input_and_output_alone(cell):
    network, swapped = trained(cell), trained(cell, batch_first=True)
    x = trits(20, 3, E)
    of, of_swapped = flat(network(x)), flat(swapped(x.transpose(0, 1)))
    assert torch.equal(of[0], of_swapped[0].transpose(0, 1))
    assert all(torch.equal(a, b) for a, b in zip(of[1:], of_swapped[1:], strict=True))


@each_cell
def test_training_moves_every_layer(cell):
    network = trained(cell, num_layers=2).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    x, target = trits(12, 8, E), trits(12, 8, H, seed=3)
    losses = []
    for _ in range(40):
        loss = (network(x)[0] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert all(layer.weight.grad.abs().sum() > 0 for layer in network.stack)
    assert losses[-1] < 0.9 * losses[0]


@each_cell
def test_what_is_not_supported_is_named(cell):
    for options, words in (
        ({"bidirectional": True}, "bidirectional"),
        ({"proj_size": 3}, "proj_size"),
        ({"bias": False}, "bias=False"),
        ({"dtype": torch.float64}, "dtype=torch.float64"),
        ({"bidirectional": True, "proj_size": 3}, "bidirectional, proj_size"),
    ):
        with pytest.raises(TrineError, match=f"does not support {words}: the engine has one direction"):
            CELLS[cell](E, H, **options)
    with pytest.raises(TrineError, match="num_layers must be from 1 to 16"):
        CELLS[cell](E, H, 17)


@each_cell
def test_inputs_that_are_refused(cell):
    network = trained(cell)
    state = torch.zeros(1, 2, H)
    wrong_state = state[:, :1] if cell != "lstm" else (state, state[:, :1])
    for arguments, words in (
        ((trits(4, 3, E + 1),), r"equal to input_size. Expected 6, got 7: \(L, N, input_size\) or \(L,"),
        ((trits(E),), r"Expected input to be 2D or 3D, .*, got 1D"),
        ((torch.zeros(0, 2, E),), "Expected sequence length to be larger than 0"),
        ((torch.zeros(3, 2, E).double(),), "RNN input dtype .torch.float64. does not match weight dtype"),
        ((torch.zeros(3, 2, E).bfloat16(),), "RNN input dtype .torch.bfloat16. does not match"),
        (([1, 0],), "not list"),
        ((torch.full((2, 2, E), 0.5),), "input must be -1, 0 or .1 in evaluation mode: encode real features"),
        ((torch.full((2, 2, E), math.nan),), "input must be -1, 0 or .1 in evaluation mode"),
        ((trits(4, 2, E), wrong_state), r"Expected h.* size \(1, 2, 10\), got \[1, 1, 10\]"),
        ((trits(4, E), state if cell != "lstm" else (state, state)), "For unbatched 2-D input, h.* 2-D but"),
        (
            (trits(4, 2, E), state + 0.5 if cell != "lstm" else (state, state + 0.5)),
            "integers from -15 to 15",
        ),
        ((trits(4, 2, E), state + 16 if cell != "lstm" else (state + 2, state)), "start from a state that"),
    ):
        for kind in (TrineError, RuntimeError, ValueError):  # what PyTorch's own raise
            with pytest.raises(kind, match=words):
                network(*arguments)
    with pytest.raises(TrineError, match=r"computes in float32: call float\(\) on it"):
        trained(cell).double()(trits(4, 2, E).double())
    if cell == "lstm":
        with pytest.raises(TrineError, match="hx must be a tuple of h and c"):
            network(trits(4, 2, E), state)
    assert network.train()(torch.full((2, 2, E), 0.5))[0].shape == (2, 2, H)


def test_options_that_are_refused():
    for options, words in (
        ({"scale": "beta"}, "scale must be 'alpha' or 'norm'"),
        ({"slope": 0}, "slope must be above 0"),
        ({"window": math.nan}, "window must be a finite number"),
        ({"slope_first": -1.0}, "slope_first must be above 0"),
        ({"harden": 0.3}, "harden must be two shares"),
        ({"harden": (0.5, 0.1)}, "harden must be two shares, the first below the second"),
        ({"harden": (0.5, 1.1)}, "harden must be from 0 to 1"),
    ):
        with pytest.raises(TrineError, match=words):
            trine.nn.CellOptions(**options)
    with pytest.raises(TrineError, match="options must be CellOptions"):
        trine.nn.TernaryGRU(E, H, options={"scale": "norm"})  # pyright: ignore[reportArgumentType]


def test_networks_that_export_refuses(tmp_path):
    with pytest.raises(
        TrineError, match="hold one TernaryLSTM, TernaryGRU or TernaryMGU of trine.nn, and LSTM has none"
    ):
        trine.export(torch.nn.LSTM(E, H), tmp_path / "m.trine")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TrineError, match="layers take vectors"):
        trine.export(trained("gru"), vocabulary=["a"])
    assert not (tmp_path / "m.trine").exists()


def test_an_exported_language_model_is_the_network(tmp_path):
    torch.manual_seed(3)
    config = trine.ModelConfig(hidden=H, embedding=E, vocab_size=5, cell_shift=2, output_shift=1)
    network = trine.nn.TernaryLanguageModel(config, trine.nn.CellOptions())
    model = trine.export(network, tmp_path / "m.trine", vocabulary=list("abcde"), training={"by": "hand"})
    assert network.training and trine.Model.load(tmp_path / "m.trine").training == {"by": "hand"}
    tokens = torch.tensor([0, 3, 1, 4, 2, 2, 0])
    with torch.no_grad():
        logits, _, h = network.eval()(tokens[:, None], network.initial_state(1))
    trace = Golden(model).run(tokens.numpy())
    assert trace.logits is not None and np.array_equal(h[:, 0].numpy(), trace.h)
    assert np.allclose(logits[:, 0].numpy(), trace.logits * model.head_scale, rtol=1e-6)
