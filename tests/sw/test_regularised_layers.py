"""Regularised float layers: dropout between them, of the weights of h, and of whole words."""

import pytest

torch = pytest.importorskip("torch")

from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.nn.regularised import RegularisedLayers, without_words  # noqa: E402


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_regularised_layers_are_those_of_pytorch(cell):
    """With the same weights, in what they give and in gradients; dropout changes it in training alone."""
    torch.manual_seed(0)
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    given, ours = kind(5, 6, 2), RegularisedLayers(cell, 5, 6, 2)
    ours.load_state_dict(given.state_dict())
    x, state = torch.randn(7, 3, 5), torch.randn(2, 3, 6)
    state = (state, torch.randn(2, 3, 6)) if cell == "lstm" else state
    results = []
    for layer in (given, ours):
        h, last = layer(x, state)
        gradients = torch.autograd.grad(h.square().sum(), list(layer.parameters()))
        results.append((h, *(last if cell == "lstm" else (last,)), *gradients))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)
    for options in ({"recurrent": 0.5}, {"between": 0.5, "locked": True}):
        dropped = RegularisedLayers(cell, 5, 6, 2, **options)
        dropped.load_state_dict(given.state_dict())
        assert not torch.equal(dropped.train()(x, state)[0], results[0][0])
        torch.testing.assert_close(dropped.eval()(x, state)[0], results[0][0])
    with pytest.raises(TrineError, match="are of LSTMs and GRUs, not of mgu"):
        RegularisedLayers("mgu", 5, 6)


def test_a_dropped_word_is_dropped_everywhere():
    torch.manual_seed(0)
    tokens = torch.randint(0, 30, (20, 5))
    kept = without_words(torch.ones(20, 5, 4), tokens, 30, 0.5)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    for word in range(30):
        assert len(kept[tokens == word].unique()) <= 1
