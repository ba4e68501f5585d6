"""How the layers of ``trine.nn`` are called and kept: packed sequences, gradients of states, copies."""

import copy
import io
import itertools
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.utils import rnn  # noqa: E402

import trine  # noqa: E402
from tests.sw.test_recurrent_layers import CELLS, FLOAT, E, H, each_cell, flat, trained, trits  # noqa: E402

LENGTHS = [4, 9, 1, 9, 6, 4]


def packed(x, lengths, *, enforce_sorted=False, batch_first=False):
    return rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first, enforce_sorted)


@each_cell
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_packed_sequences_are_each_what_they_are_alone(cell, train, layers):
    network = trained(cell, num_layers=layers, head_levels=(0, 1, 3)).train(train)
    x = trits(9, 6, E)
    lengths = sorted(LENGTHS, reverse=True)
    state = torch.from_numpy(np.random.default_rng(4).integers(-1, 2, (2, layers, 6, H))).float()
    start = tuple(state) if cell == "lstm" else state[0]
    for order, enforced in ((LENGTHS, False), (lengths, False), (lengths, True)):
        given = packed(x, order, enforce_sorted=enforced)
        output, after = network(given, start)
        assert torch.equal(output.batch_sizes, given.batch_sizes)
        padded, found = rnn.pad_packed_sequence(output)
        assert found.tolist() == order
        for number, length in enumerate(order):
            own = tuple(part[:, number] for part in state) if cell == "lstm" else state[0][:, number]
            alone, end = network(x[:length, number], own)
            assert torch.equal(padded[:length, number], alone)
            ends = zip(flat((alone, end))[1:], flat((output, after))[1:], strict=True)
            assert all(torch.equal(one, all_of[:, number]) for one, all_of in ends)


@each_cell
def test_packed_forms_are_those_of_pytorch(cell):
    network, torchs = CELLS[cell](E, H, 2, batch_first=True), FLOAT[cell](E, H, 2, batch_first=True)
    given = packed(trits(6, 9, E), LENGTHS, batch_first=True)
    for train in (True, False):
        mine, theirs = flat(network.train(train)(given)), flat(torchs(given))
        assert mine[0].data.shape == theirs[0].data.shape
        assert all(torch.equal(a, b) for a, b in zip(mine[0][1:], theirs[0][1:], strict=True))
        assert [part.shape for part in mine[1:]] == [part.shape for part in theirs[1:]]
    for wrong in (
        packed(trits(6, 9, E + 1), LENGTHS, batch_first=True),
        given._replace(data=given.data.double()),
    ):
        for layers in (network, torchs):
            with pytest.raises((RuntimeError, ValueError)):
                layers(wrong)
    with pytest.raises(trine.TrineError, match="encode real features"):
        network.eval()(given._replace(data=given.data * 0.5))


def gradients(network, losses, *inputs):
    """Gradients of a sum of losses by the weights and the inputs."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    return torch.autograd.grad(sum(losses), [*weights, *inputs])


def weighed(parts, seed=0):
    """Scalars of tensors in which each element counts differently."""
    generator = torch.Generator().manual_seed(seed)
    return [(part * torch.randn(part.shape, generator=generator)).sum() for part in parts]


@each_cell
@pytest.mark.parametrize("harden", [None, 0.0, 0.4])
def test_gradients_of_a_stream_in_pieces_are_those_of_the_whole(cell, harden):
    options = trine.nn.CellOptions() if harden is None else trine.nn.CellOptions(harden=(0, 1))
    network = trained(cell, num_layers=2, options=options).train()
    network.harden(harden or 0.0)
    x = trits(12, 3, E).requires_grad_()
    start = torch.from_numpy(np.random.default_rng(3).integers(-1, 2, (2, 2, 3, H))).float().requires_grad_()
    hx = tuple(start) if cell == "lstm" else start[1]
    found = []
    for cuts in ([12], [5, 7], [1, 1, 10]):
        state, outputs = hx, []
        for part in x.split(cuts):
            output, state = network(part, state)
            outputs.append(output)
        ends = flat((torch.cat(outputs), state))
        found.append(gradients(network, weighed(ends), x, start))
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))
    assert found[0][-1].abs().sum() > 0


@each_cell
def test_the_loss_of_a_final_state_trains(cell):
    """Of a packed batch, each sequence's own last step: the gradient is that of the sequences one by one."""
    network = trained(cell, num_layers=2).train()
    x = trits(9, 6, E).requires_grad_()
    _, *states = flat(network(packed(x, LENGTHS)))
    together = gradients(network, weighed(states), x)
    ends = []
    for number, length in enumerate(LENGTHS):
        ends.append(flat(network(x[:length, number : number + 1]))[1:])
    joined = [torch.cat(parts, dim=1) for parts in zip(*ends, strict=True)]
    apart = gradients(network, weighed(joined), x)
    for a, b in zip(together, apart, strict=True):
        assert b.abs().sum() > 0
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))


@each_cell
def test_a_state_that_is_detached_cuts_the_stream(cell):
    network = trained(cell).train()
    x = trits(8, 2, E).requires_grad_()
    _, state = network(x[:4])
    state = tuple(part.detach() for part in state) if cell == "lstm" else state.detach()
    network(x[4:], state)[0].sum().backward()
    assert x.grad[:4].abs().sum() == 0 and x.grad[4:].abs().sum() > 0


@each_cell
def test_dropout_is_between_layers_and_in_training_alone(cell):
    network, plain = trained(cell, num_layers=2, dropout=0.5), trained(cell, num_layers=2)
    x = trits(20, 3, E)
    assert torch.equal(network(x)[0], plain(x)[0])
    torch.manual_seed(1)
    first = network.train()(x)
    torch.manual_seed(2)
    second = flat(network(x))
    assert not torch.equal(first[0], second[0])
    ends = [state[0] for state in flat(first)[1:]], [state[0] for state in second[1:]]
    assert all(map(torch.equal, *ends))  # the first layer's
    network.dropout = 1.0
    nothing = flat(plain.train()(torch.zeros(20, 3, E)))[0].shape
    assert network(x)[0].shape == nothing
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        CELLS[cell](E, H, dropout=0.3)
    assert "does nothing with num_layers=1" in str(told[0].message)
    for wrong in (1.5, -0.1, "a"):
        with pytest.raises(trine.TrineError, match="dropout must be"):
            CELLS[cell](E, H, 2, dropout=wrong)


@each_cell
def test_copies_files_and_pickles_are_the_network(cell, tmp_path):
    network = trained(cell, num_layers=2, options=trine.nn.CellOptions(scale="norm", slope_first=2.0))
    network.anneal(0.5)
    network.train()(trits(5, 2, E))[0].sum().backward()
    network.eval()
    x = trits(15, 2, E)
    expected, digest = flat(network(x)), trine.export(network).digest()
    torch.save(network, tmp_path / "whole.pt")
    made = io.BytesIO()
    torch.save(network.state_dict(), made)
    made.seek(0)
    fresh = CELLS[cell](E, H, 2, options=network.options).eval()
    assert trine.export(fresh).digest() != digest
    fresh.load_state_dict(torch.load(made, weights_only=True), strict=True)
    for other in (copy.deepcopy(network), torch.load(tmp_path / "whole.pt", weights_only=False), fresh):
        assert all(map(torch.equal, flat(other(x)), expected))
        assert trine.export(other).digest() == digest
    with pytest.raises(RuntimeError, match="Missing key"):
        CELLS[cell](E, H, 3, options=network.options).load_state_dict(network.state_dict())


@each_cell
def test_under_autocast_all_is_as_without(cell):
    torch.manual_seed(1)
    network = CELLS[cell](700, H, num_layers=2).eval()
    with torch.no_grad():  # sums beyond 256, from which on bfloat16 leaves integers out
        network.stack[0].weight.abs_()
        scale = network.stack[0].quantised()[1].squeeze(1)
        network.stack[0].bias[: len(scale)] = -400 * scale + torch.randn(len(scale)) * 0.1
    x = torch.ones(12, 3, 700)
    x[torch.rand(x.shape) < 0.2] = 0.0
    exact = flat(network(x))
    with torch.autocast("cpu", torch.bfloat16):
        found, half = flat(network(x)), flat(network(x.bfloat16()))
    assert all(map(torch.equal, found, exact)) and all(map(torch.equal, half, exact))
    network.train()
    x = (x + torch.randn(x.shape) * 0.1).requires_grad_()
    of_exact = gradients(network, weighed(flat(network(x))), x)
    with torch.autocast("cpu", torch.bfloat16):
        of_cast = gradients(network, weighed(flat(network(x))), x)
    assert all(map(torch.equal, of_exact, of_cast)) and of_exact[-1].any()


@pytest.mark.parametrize(
    "cell", ["lstm", *(pytest.param(cell, marks=pytest.mark.nightly) for cell in CELLS if cell != "lstm")]
)
def test_a_compiled_network_is_the_network(cell):
    network = trained(cell, num_layers=2)
    compiled = torch.compile(network, backend="eager")
    x = trits(6, 2, E)
    for train in (False, True):
        network.train(train)
        assert all(map(torch.equal, flat(compiled(x)), flat(network(x))))
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    found = torch.autograd.grad(sum(weighed(flat(compiled(x)))), weights)
    expected = torch.autograd.grad(sum(weighed(flat(network(x)))), weights)
    assert all(map(torch.equal, found, expected))


@each_cell
def test_an_empty_batch_and_a_call_without_gradients(cell):
    network, torchs = CELLS[cell](E, H), FLOAT[cell](E, H)
    for train, x in itertools.product((True, False), (torch.zeros(3, 0, E), torch.zeros(1, 1, E))):
        with torch.inference_mode():
            found = flat(network.train(train)(x))
        assert [part.shape for part in found] == [part.shape for part in flat(torchs(x))]
    network.flatten_parameters()
