"""``trine.nn.TernaryEncoder``: the trits of the model's encoder, and the gradients of a window."""

import copy
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch.nn.utils import rnn  # noqa: E402

import trine  # noqa: E402

each_form = pytest.mark.parametrize("differences", [False, True])


def series(features, lengths, seed, dtype=np.float32):
    """Sequences of features whose sizes are very different."""
    rng = np.random.default_rng(seed)
    size, middle = 10.0 ** rng.integers(-6, 6, features), 10.0 ** rng.integers(-3, 5, features)
    return [(rng.normal(size=(length, features)) * size + middle).astype(dtype) for length in lengths]


def trained(encoder, steps=3, seed=0):
    """The encoder after a few steps in which its thresholds move far, some of them across each other."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.5)
    for _ in range(steps):
        for weight in encoder.parameters():
            weight.grad = torch.randn(weight.shape, generator=generator)
        optimizer.step()
    return encoder.eval()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 4),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 10_000),
)
def test_trits_are_those_of_the_models_encoder(features, trits, differences, moved, dtype, seed):
    data = series(features, [9, 1, 30], seed, dtype)
    encoder = trine.nn.TernaryEncoder(features, trits, differences).fit_quantiles(data)
    trained(encoder, moved, seed)
    model = encoder.to_model()
    assert (model.thresholds[..., 0] < model.thresholds[..., 1]).all()
    edges = (
        model.thresholds[:features].transpose(1, 2, 0).reshape(-1, features)
    ) / model.scale + model.offset
    halves = (np.arange(-3, 4)[:, None] + 0.5) / model.scale + model.offset  # where rint decides
    far = np.array([[-1.0], [1.0]]) * 1e30
    for x in (*data, edges, halves, np.broadcast_to(far, (2, features)), series(features, [50], seed + 1)[0]):
        expected = model.trits(x)
        for train in (False, True):
            found = encoder.train(train)(torch.from_numpy(np.array(x)))
            assert found.dtype == torch.float32 and np.array_equal(found.detach().numpy(), expected)
    samples = np.random.default_rng(seed).integers(-(1 << 15), 1 << 15, (20, features)).astype(np.int16)
    assert np.array_equal(encoder(torch.from_numpy(samples)).detach().numpy(), model.trits(samples))
    again = trine.nn.TernaryEncoder.from_model(model)
    assert np.array_equal(again.to_model().thresholds, model.thresholds)


@each_form
def test_forms_of_a_batch_and_of_a_stream_give_the_same_trits(differences):
    x = torch.from_numpy(np.stack(series(3, [12, 12, 12, 12], 1)))  # (N, L, F)
    encoder = trine.nn.TernaryEncoder(3, 2, differences).fit_quantiles(x.transpose(0, 1))
    first = trine.nn.TernaryEncoder(3, 2, differences, batch_first=True).fit_quantiles(x)
    assert np.array_equal(first.to_model().thresholds, encoder.to_model().thresholds)
    alone = torch.stack([encoder(each) for each in x])
    assert torch.equal(first(x), alone) and torch.equal(encoder(x.transpose(0, 1)), alone.transpose(0, 1))
    for cut in (1, 5):
        rest = first(x[:, cut:], x[:, cut - 1])
        assert torch.equal(torch.cat([first(x[:, :cut]), rest], dim=1), alone)
    lengths = torch.tensor([3, 12, 1, 7])
    packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    found, _ = rnn.pad_packed_sequence(first(packed), batch_first=True)
    for number, length in enumerate(lengths):
        assert torch.equal(found[number, :length], alone[number, :length])
    assert alone.unique().tolist() == [-1, 0, 1]


@each_form
def test_quantiles_are_those_of_the_models_encoder(differences):
    data = series(4, [40, 3, 25], 2)
    shares = [0.1, 0.3, 0.6, 0.95]
    expected = trine.Encoder.from_quantiles(data, shares, differences)
    for given_x in (data, [torch.from_numpy(each) for each in data]):
        found = trine.nn.TernaryEncoder(4, 2, differences).fit_quantiles(given_x, shares).to_model()
        for name in ("offset", "scale", "thresholds"):
            assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_gradients_are_those_of_a_slope_within_the_window():
    encoder = trine.nn.TernaryEncoder(1, 1, window=0.5).fit_quantiles(
        np.linspace(-1, 1, 1001)[:, None], [0.2, 0.8]
    )
    model = encoder.to_model()
    low, high = (model.thresholds[0, 0] / model.scale).tolist()
    unit = (high - low) / 2
    for at, passes in ((low, True), (high - 0.4 * unit, True), (high + 0.6 * unit, False), (0.0, False)):
        x = torch.tensor([[at]], requires_grad=True)
        encoder.zero_grad()
        encoder(x).sum().backward()
        # d trit / d x is 1 / (2 * window * unit), and thresholds move against it.
        slope = 1 / unit if passes else 0.0
        assert float(x.grad) == pytest.approx(slope, rel=1e-3)
        assert float(encoder.center.grad) == pytest.approx(-slope * unit, rel=1e-3)
        up = at > 0
        assert float(encoder.log_width.grad) == pytest.approx((-1 if up else 1) * slope * unit, rel=1e-3)


def test_thresholds_are_learned():
    """The one threshold that matters is found, from a start beside it."""
    torch.manual_seed(0)
    x = torch.rand(200, 8, 1) * 2 - 1
    wanted = (x > 0.3).float() - (x < -0.6).float()
    encoder = trine.nn.TernaryEncoder(1, 1).fit_quantiles(x, [0.4, 0.6])
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        (encoder(x) - wanted).square().mean().backward()
        optimizer.step()
    model = encoder.to_model()
    low, high = (model.thresholds[0, 0] / model.scale + model.offset).tolist()
    assert abs(high - 0.3) < 0.05 and abs(low + 0.6) < 0.05
    fixed = trine.nn.TernaryEncoder(1, 1, learned=False)
    assert not any(weight.requires_grad for weight in fixed.parameters())
    assert fixed(x).requires_grad is False


@each_form
def test_copies_and_state_are_the_encoder(differences, tmp_path):
    data = series(2, [30], 3)
    encoder = trained(trine.nn.TernaryEncoder(2, 3, differences).fit_quantiles(data))
    made = io.BytesIO()
    torch.save(encoder.state_dict(), made)
    made.seek(0)
    fresh = trine.nn.TernaryEncoder(2, 3, differences)
    fresh.load_state_dict(torch.load(made, weights_only=True))
    torch.save(encoder, tmp_path / "encoder.pt")
    x = torch.from_numpy(data[0])
    for other in (fresh, copy.deepcopy(encoder), torch.load(tmp_path / "encoder.pt", weights_only=False)):
        assert torch.equal(other(x), encoder(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoder(x), fresh(x)) and encoder(x).dtype == torch.float32


def test_a_constant_channel_and_one_step_give_zeros():
    for x in (np.full((20, 2), 7.25), np.array([[3.0, -1e9]])):
        encoder = trine.nn.TernaryEncoder(2, 2, True).fit_quantiles(x)
        assert not encoder(torch.from_numpy(x)).any()
        encoder(torch.from_numpy(x)).sum().backward()
        assert torch.isfinite(encoder.center.grad).all()


def test_what_is_refused():
    encoder = trine.nn.TernaryEncoder(3)
    for x, words in (
        (torch.zeros(4, 2), r"input must be \(L, N, F\) or \(L, F\) of F = 3 features, not \(4, 2\)"),
        (torch.zeros(3), r"not \(3,\)"),
        (torch.zeros(0, 3), r"not \(0, 3\)"),
        (torch.zeros(0, 2, 3), r"not \(0, 2, 3\)"),
        ([[0.0, 1.0, 2.0]], "not list"),
        (torch.tensor([[0.0, float("nan"), 1.0]]), "NaN or infinity: fill such steps"),
        (torch.tensor([[0.0, float("inf"), 1.0]]), "NaN or infinity"),
    ):
        for kind in (trine.TrineError, ValueError, RuntimeError):
            with pytest.raises(kind, match=words):
                encoder(x)
    assert encoder(torch.zeros(4, 0, 3)).shape == (4, 0, 6)
    differing = trine.nn.TernaryEncoder(3, differences=True)
    for previous in (torch.zeros(3), [0.0] * 3):
        with pytest.raises(trine.TrineError, match=r"previous must be a Tensor \(2, 3\)"):
            differing(torch.zeros(4, 2, 3), previous)
    with pytest.raises(trine.TrineError, match=r"packed input must have F = 3 features, not be \(5, 2\)"):
        encoder(rnn.pack_sequence([torch.zeros(5, 2)]))
    with pytest.raises(trine.TrineError, match="input must be real numbers"):
        encoder(torch.zeros(5, 3).to(torch.complex64))
    with pytest.raises(trine.TrineError, match="quantiles must be 4"):
        encoder.fit_quantiles(np.zeros((5, 3)), 3)
    assert encoder.fit_quantiles(torch.randn(5, 3).bfloat16()) is encoder
    with pytest.raises(trine.TrineError, match="quantiles must be 4, two for each of the 2 trits"):
        encoder.fit_quantiles(np.zeros((5, 3)), [0.1, 0.9])
    with pytest.raises(trine.TrineError, match="x must have 3 features, not 2"):
        encoder.fit_quantiles(np.zeros((5, 2)))
    with pytest.raises(trine.TrineError, match="finite"):
        encoder.fit_quantiles(np.full((5, 3), np.nan))
    for options, words in (
        ({"features": 0}, "features must be"),
        ({"features": 2, "trits": 0}, "trits must be"),
        ({"features": 2, "window": 0.0}, "window must be more than 0"),
    ):
        with pytest.raises(trine.TrineError, match=words):
            trine.nn.TernaryEncoder(**options)
    with pytest.raises(trine.TrineError, match="encoder must be an Encoder"):
        trine.nn.TernaryEncoder.from_model(encoder)
    torch.nn.init.constant_(encoder.center, float("nan"))
    with pytest.raises(trine.TrineError, match="its training has diverged"):
        encoder.to_model()
