"""What a host mixes into a model's probabilities: n-grams, and a cache of the words just read."""

import doctest

import numpy as np
import pytest

from sim.measure import host_mixture
from sim.measure.host_mixture import cache_shares, mixture, ngram_shares, weights_of
from trine_sw.training.models.kneser_ney import KneserNey


def test_examples():
    found = doctest.testmod(host_mixture)
    assert found.attempted and not found.failed


@pytest.mark.parametrize("size", [1, 7, 400, 5000])
def test_a_cache_has_the_words_just_read(size):
    tokens = np.random.default_rng(size).integers(0, 9, 900)
    wanted = [(tokens[max(0, n - size) : n] == tokens[n]).mean() for n in range(1, len(tokens))]
    assert np.allclose(cache_shares(tokens, size), wanted)


def test_n_grams_go_on_from_piece_to_piece():
    """Probabilities of each word are those of the model, and of all words they sum to 1."""
    rng = np.random.default_rng(1)
    ngram = KneserNey(rng.integers(0, 6, 3000), 6, 4)
    text = rng.integers(0, 6, 700)
    found = ngram_shares(ngram, text)
    for end in rng.integers(2, len(text), 10):
        each = [ngram_shares(ngram, np.append(text[max(0, end - 5) : end], word))[-1] for word in range(6)]
        assert np.isclose(sum(each), 1, atol=1e-5) and np.isclose(found[end - 1], each[text[end]])


def test_no_other_weights_are_better():
    rng = np.random.default_rng(2)
    shares = rng.random((500, 3)) ** 4
    best = np.log(shares @ weights_of(shares)).mean()
    assert all(np.log(shares @ rng.dirichlet(np.ones(3))).mean() <= best for _ in range(300))
    assert mixture(shares[:, :1], shares[:, :1])["weights"] == [1.0]
