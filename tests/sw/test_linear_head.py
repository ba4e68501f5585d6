"""``trine.nn.TernaryLinear``: logits and values in evaluation and training, reductions, and refusals."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import trine  # noqa: E402
from trine_sw.training.sequences.loss import loss_of  # noqa: E402

H, K = 7, 3


def head(seed=1, **options):
    torch.manual_seed(seed)
    made = trine.nn.TernaryLinear(H, K, **options)
    with torch.no_grad():
        for name in ("bias", "relative_offset"):
            if getattr(made, name) is not None:
                getattr(made, name).normal_()
        made.log_scale.add_(torch.randn(made.log_scale.shape) * 0.2)
    return made


def output(*shape, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).integers(-3, 4, (*shape, H))).float()


def offset_of(made):
    """Offsets in float64; 0 where there are none."""
    return torch.zeros(K).double() if made.offset is None else made.offset.detach().double()


@pytest.mark.parametrize("regression", [False, True])
def test_evaluation_is_of_integers(regression):
    made = head(regression=regression).eval()
    trits, bias, scale = (part.detach().double().numpy() for part in made.integers())
    assert set(np.unique(trits)) <= {-1, 0, 1} and np.array_equal(bias, np.rint(bias))
    assert bias.any() != regression
    for shape in ((), (5,), (4, 2)):
        u = output(*shape)
        with torch.no_grad():
            found = made(u).numpy()
        logits = u.double().numpy() @ trits.T + bias
        expected = logits * scale + offset_of(made).numpy()
        assert np.array_equal(found, expected if regression else expected.astype(np.float32))
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            assert np.array_equal(made(u).numpy(), found)
    trained = made.train()(output(4, 2))
    assert trained.dtype == torch.float32
    assert torch.allclose(trained, made.eval()(output(4, 2)).float(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("reduction", ["last", "sum"])
@pytest.mark.parametrize("train", [False, True])
def test_reductions_are_those_of_each_sequence_alone(regression, reduction, train):
    made = head(regression=regression).train(train)
    u, lengths = output(6, 4), [1, 6, 3, 5]
    padded = made.reduced(u, reduction, lengths)
    first = made.reduced(u.transpose(0, 1), reduction, torch.tensor(lengths), batch_first=True)
    assert torch.equal(padded, first) and padded.shape == (4, K)
    for number, length in enumerate(lengths):
        alone = made.reduced(u[:length, number], reduction)
        torch.testing.assert_close(padded[number], alone, rtol=0 if not train else 1e-5, atol=1e-6 * train)
    assert torch.equal(made.reduced(u, reduction), made.reduced(u, reduction, [6] * 4))
    if reduction == "last":
        assert torch.equal(made.reduced(u), made(u[-1]))
    elif not train:
        trits, bias, scale = (part.detach().double() for part in made.integers())
        logits = u.double().sum(dim=0) @ trits.T + 6 * bias
        values = logits * scale + offset_of(made)
        assert torch.equal(made.reduced(u, reduction), values if regression else values.float())


@pytest.mark.parametrize("regression", [False, True])
def test_training_lowers_the_loss(regression):
    torch.manual_seed(0)
    made = trine.nn.TernaryLinear(H, K, regression=regression)
    u = output(200)
    wanted = u @ torch.randint(-1, 2, (H, K)).float() * 40 + 1000 if regression else None
    labels = (u @ torch.randn(H, K)).argmax(dim=-1)
    if wanted is not None:
        made.fit_targets(wanted.numpy())
        assert torch.allclose(offset_of(made).float(), wanted.mean(dim=0))
    optimizer = torch.optim.Adam(made.parameters(), lr=0.02)
    losses = []
    for _ in range(150):
        found = made(u)
        if wanted is not None:
            loss = ((found - wanted) / wanted.std(dim=0)).square().mean()
        else:
            loss = torch.nn.functional.cross_entropy(found, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert all(weight.grad is not None and weight.grad.any() for weight in made.parameters())


def test_targets_of_one_output_need_no_axis_of_their_own():
    made = [
        trine.nn.TernaryLinear(H, 1, regression=True).fit_targets(y) for y in ([1.0, 4.0], [[1.0], [4.0]])
    ]
    assert torch.equal(offset_of(made[0]), offset_of(made[1])) and offset_of(made[0]).tolist() == [2.5]


def test_without_a_bias_there_is_none():
    made = trine.nn.TernaryLinear(H, K, bias=False)
    assert made.bias is None and not made.integers()[1].any()
    assert len(list(made.parameters())) == 2


def test_what_is_refused():
    made = head().eval()
    for call, words in (
        (lambda: made(torch.zeros(4, H + 1)), r"input must be \(..., 7\), not \(4, 8\)"),
        (lambda: made([0.0] * H), "not list"),
        (lambda: made(torch.full((4, H), 0.5)), "integers from -127 to 127: call eval"),
        (lambda: made(torch.full((4, H), float("nan"))), "integers from -127 to 127"),
        (lambda: made(torch.full((4, H), 128.0)), "integers from -127 to 127"),
        (lambda: made.reduced(output(5)[0]), r"input must be \(L, N, H\) or \(L, H\)"),
        (lambda: made.reduced(output(5, 2), lengths=[1]), "lengths must be 2 integers from 1 to 5"),
        (lambda: made.reduced(output(5, 2), lengths=[0, 1]), "lengths must be 2 integers from 1 to 5"),
        (lambda: made.reduced(output(5, 2), lengths=[6, 1]), "lengths must be 2 integers from 1 to 5"),
        (lambda: made.reduced(output(5, 2), lengths=[1.0, 1.0]), "lengths must be 2 integers"),
        (lambda: made.reduced(output(5, 2), lengths="ab"), "lengths must be numbers in an array"),
        (lambda: made.reduced(output(5, 2), lengths=[None, 1]), "lengths must be numbers in an array"),
        (lambda: made.reduced(output(5, 2), lengths=[True, True]), "lengths must be 2 integers"),
        (lambda: made(output(5).to(torch.complex64)), "input must be real numbers"),
        (lambda: head(regression=True).fit_targets("abc"), "targets must be numbers in an array"),
        (lambda: head(regression=True).fit_targets([[1.0], [2.0, 3.0]]), "targets must be numbers"),
        (lambda: made.reduced(torch.zeros(0, 2, H)), "there is no step"),
        (lambda: made.reduced(output(5, 2), "mean"), "reduction must be 'last' or 'sum'"),
        (lambda: made.fit_targets([1.0]), "only a head of a regression"),
        (lambda: head(regression=True).fit_targets([]), "targets must be finite numbers"),
        (lambda: head(regression=True).fit_targets([[1.0, 2.0]]), r"targets must be \(..., 3\)"),
        (lambda: head(regression=True).fit_targets([float("nan")] * 3), "targets must be finite numbers"),
        (lambda: trine.nn.TernaryLinear(0, 2), "in_features must be"),
        (lambda: trine.nn.TernaryLinear(2, 0), "out_features must be"),
    ):
        with pytest.raises(trine.TrineError, match=words):
            call()


def learned(unit):
    """Values in units of the targets, and the loss, of a head that has learned targets of that unit."""
    torch.manual_seed(0)
    made = trine.nn.TernaryLinear(H, 2, regression=True)
    u = output(64)
    units = torch.tensor([unit, 1.0])
    wanted = torch.stack([u.sum(dim=-1), u[:, 0] - 3], dim=-1) * units
    made.fit_targets(wanted)
    weights = (1 / wanted.double().std(dim=0, unbiased=False)).float()
    optimizer = torch.optim.AdamW(made.parameters(), lr=0.03)
    losses = []
    for _ in range(40):
        loss = loss_of(made(u), wanted, "regress", weights=weights)
        optimizer.zero_grad()
        loss.backward()
        assert torch.isfinite(torch.nn.utils.clip_grad_norm_(made.parameters(), 1.0))
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    return made.eval()(u).detach() / units.double()


@pytest.mark.parametrize("unit", [2.0**-80, 2.0**-20, 2.0**20, 2.0**66])
def test_a_regression_learns_alike_in_every_unit(unit):
    """Of some of these units float32 does not hold the square."""
    assert torch.equal(learned(unit), learned(1.0))
