"""Modified Kneser-Ney n-grams: equal to counts in dictionaries, with and without the word to be predicted."""

from collections import Counter, defaultdict

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.models.kneser_ney import KneserNey  # noqa: E402

WORDS = 7


def random_text(seed, length=400):
    """Words that depend on the one before, so that n-grams come again."""
    random = np.random.default_rng(seed)
    text = [0]
    for _ in range(length - 1):
        text.append(int((text[-1] * 2 + random.choice([0, 0, 1, 3])) % WORDS))
    return text


def tables(text, order, without=None):
    """Counts of n-grams of each order as the model has them, in dictionaries; ``without`` the word there."""
    ends = [end for end in range(order - 1, len(text)) if end != without]
    kept = [[tuple(text[end - n + 1 : end + 1]) for end in ends] for n in range(1, order + 1)]
    # The first words of a text end no n-gram of the highest order, but some shorter ones.
    for n in range(1, order):
        kept[n - 1] += [tuple(text[end - n + 1 : end + 1]) for end in range(n - 1, order - 1)]
    counts = [Counter() for _ in range(order)]
    counts[-1] = Counter(kept[-1])
    for n in range(1, order):
        for gram in set(kept[n]):
            counts[n - 1][gram[1:]] += 1
    return counts


def by_hand(text, order, context, discounts, without=None):
    """Probabilities (V,) after a context, by the definition."""
    rows = []
    for table in tables(text, order, without):
        by_context = defaultdict(dict)
        for gram, count in table.items():
            by_context[gram[:-1]][gram[-1]] = count
        rows.append(by_context)
    found = np.full(WORDS, 1 / WORDS)
    for n in range(1, order + 1):
        row = rows[n - 1].get(tuple(context[len(context) - n + 1 :]), {}) if len(context) >= n - 1 else {}
        counts = np.array([row.get(word, 0) for word in range(WORDS)])
        if counts.sum():
            less = np.maximum(counts - np.array(discounts[n - 1])[np.minimum(counts, 3)], 0)
            found = less / counts.sum() + (1 - less.sum() / counts.sum()) * found
    return found


def discounts_of(model):
    return [order.discounts.tolist() for order in model._orders]


@pytest.mark.parametrize("order", [2, 3, 5])
@pytest.mark.parametrize("leave_out", [False, True])
def test_probabilities_are_those_of_counted_n_grams(order, leave_out):
    """Of the text read in windows of several streams; a word that is left out counts nowhere."""
    text = random_text(order)
    model = KneserNey(text, WORDS, order)
    streams, steps = 3, 20
    length = len(text) // streams
    tokens = torch.tensor(text[: streams * length]).view(streams, length).T
    history = model.no_history(streams)
    for start in (0, steps):
        read, targets = tokens[start : start + steps], tokens[start + 1 : start + steps + 1]
        contexts = model.contexts(read, history)
        history = model.history(read, history)
        made = model.shares(contexts, targets.flatten() if leave_out else None).of()
        torch.testing.assert_close(made.sum(dim=1), torch.ones(len(made)), rtol=1e-5, atol=1e-5)
        for step in range(0, steps, 7):
            for stream in range(streams):
                place = stream * length + start + step
                if start + step < order:  # a stream begins there without the words before
                    continue
                wanted = by_hand(
                    text,
                    order,
                    text[place - order + 2 : place + 1],
                    discounts_of(model),
                    place + 1 if leave_out else None,
                )
                np.testing.assert_allclose(made[step * streams + stream], wanted, atol=2e-6)


def test_what_is_read_may_differ_from_the_text():
    """Contexts with a replaced word have what follows them; what is left out is of the text."""
    text, order = random_text(9), 4
    model = KneserNey(text, WORDS, order)
    real = torch.tensor(text[100:130]).unsqueeze(1)
    read, targets = real.clone(), torch.tensor(text[101:131])
    read[::7] = (read[::7] + 1) % WORDS
    before = torch.tensor(text[98:100]).unsqueeze(1)
    of_text = model.contexts(real, before)
    made = model.shares(model.contexts(read, before), targets, of_text).of()
    whole = model.shares(of_text, targets).of()
    torch.testing.assert_close(made.sum(dim=1), torch.ones(30), rtol=1e-5, atol=1e-5)
    replaced = np.isin(np.arange(30) % 7, (0, 1, 2))  # within the last three words
    assert torch.equal(made[~replaced], whole[~replaced])
    assert not torch.isclose(made[::7], whole[::7]).all(dim=1).any()


@pytest.mark.parametrize("leave_out", [False, True])
def test_of_some_words_probabilities_are_the_same(leave_out):
    """To the last bit, in any order of the words, the targets among them."""
    text, order = random_text(4, 3000), 4
    model = KneserNey(text, WORDS, order)
    tokens = torch.tensor(text[:1200]).view(3, 400).T
    targets = torch.tensor(text[1:1201]).view(3, 400).T.flatten()
    contexts = model.contexts(tokens, model.no_history(3))
    rng = torch.Generator().manual_seed(5)
    shares = model.shares(contexts, targets if leave_out else None)
    for size in (WORDS, WORDS - 1, WORDS // 2 + 1):
        words = torch.randperm(WORDS, generator=rng)[:size]
        among = torch.isin(targets, words)
        if leave_out:
            shares = model.shares([each[among] for each in contexts], targets[among])
        assert torch.equal(shares.of(words), shares.of()[:, words])


def test_a_word_never_seen_before_is_possible_and_likely_ones_are_likely():
    text = random_text(3, 5000)
    model = KneserNey(text, WORDS + 1, 3)
    tokens = torch.tensor(text).unsqueeze(1)
    plain = model.shares(model.contexts(tokens[:-1], model.no_history(1))).of()
    kept = model.shares(model.contexts(tokens[:-1], model.no_history(1)), tokens[1:, 0]).of()
    assert (plain[:, WORDS] > 0).all()
    losses = [-made.gather(1, tokens[1:]).log().mean().item() for made in (plain, kept)]
    assert losses[0] < losses[1] < 1.2  # three words follow each one, half of the time the same


def test_what_is_refused():
    for text, words in (([0, 1], 2), ([0, 1, 2] * 9, 2), ([-1] * 9, 2)):
        with pytest.raises(TrineError, match="n-grams of 5 words need a longer text"):
            KneserNey(text, words)
    with pytest.raises(TrineError, match="order of the n-grams"):
        KneserNey([0, 1] * 9, 2, 1)
