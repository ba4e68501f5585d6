"""The model file: round trip, and one clear error for each way a file can be wrong."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.altered_file import CONFIG, drop, reshape, retype, rewritten, set_entry, set_metadata
from trine_sw.model import Model
from trine_sw.model.random_model import random_model
from trine_sw.model.trits import pack, unpack
from trine_sw.support.errors import TrineError


@pytest.fixture
def model():
    return random_model(CONFIG, seed=0)


@pytest.mark.parametrize("size", [0, 1, 4, 5, 6, 13])
def test_trits_round_trip(size):
    trits = np.random.default_rng(size).integers(-1, 2, (7, size)).astype(np.int8)
    np.testing.assert_array_equal(unpack(pack(trits), size), trits)


def test_round_trip(model, tmp_path):
    model.training = {"seed": 3, "note": "é"}
    path = tmp_path / "m.trine"
    model.save(path)
    again = Model.load(path)
    assert again.config == CONFIG
    assert again.digest() == model.digest()
    assert (again.vocabulary, again.training, again.head_scale) == (model.vocabulary, model.training, 0.125)
    np.testing.assert_array_equal(again.layers[0].weight, model.layers[0].weight)
    np.testing.assert_array_equal(again.layers[0].threshold, model.layers[0].threshold)
    first = path.read_bytes()
    again.save(path)
    assert path.read_bytes() == first


def test_parts_may_be_the_hosts(model, tmp_path):
    layers_only = Model(CONFIG, model.layers)
    layers_only.save(tmp_path / "m.trine")
    again = Model.load(tmp_path / "m.trine")
    assert again.embedding_weight is None and again.head_weight is None and again.vocabulary is None
    with pytest.raises(TrineError, match="no vocabulary"):
        again.encode("a")


def test_digest_sees_every_part(model):
    digests = {model.digest()}
    for index in range(5):
        other = random_model(CONFIG, seed=0)
        assert other.head_weight is not None and other.head_bias is not None
        if index == 0:
            other.layers[0].weight[0, 0] = -other.layers[0].weight[0, 0] or 1
        elif index == 1:
            other.layers[0].threshold[0] += 1
        elif index == 2:
            other.head_bias[1] += 1
        elif index == 3:
            other.head_scale = 0.25
        else:
            other.config = replace(CONFIG, cell_max=30)
        digests.add(other.digest())
    assert len(digests) == 6


def test_digest_of_a_board_is_of_what_it_holds(model):
    shape = (CONFIG.vocab_size, CONFIG.hidden)
    both = replace(
        model,
        host_head_weight=np.ones(shape, np.float16),
        host_head_bias=np.zeros(shape[0], np.float16),
    )
    assert both.digest() != model.digest()
    assert both.board_digest(embedding=True, head=True) == model.digest()
    others = [
        replace(model, head_scale=0.25),
        replace(model, embedding_weight=-model.embedding_weight),
        replace(model, config=replace(CONFIG, cell_max=30)),
    ]
    for embedding, head, same in (
        (True, True, [False, False, False]),
        (True, False, [True, False, False]),
        (False, True, [False, True, False]),
    ):
        held = model.board_digest(embedding=embedding, head=head)
        found = [other.board_digest(embedding=embedding, head=head) == held for other in others]
        assert found == same


def test_text(model):
    text = "".join(model.vocabulary)
    assert model.encode(text).tolist() == [0, 1, 2, 3]
    assert model.decode([3, 0]) == text[3] + text[0]
    with pytest.raises(TrineError, match=r"'é' \(line 2, column 2 of the text\) is not in the model's vocab"):
        model.encode("\n é\n")
    with pytest.raises(TrineError, match="token 4 is out of range"):
        model.decode([4])


def test_words(model):
    model.vocabulary = ["to", "be", "or", "not"]
    assert model.encode("to be\nor").tolist() == [0, 1, 2]
    assert model.decode([3, 0]) == "not to"
    with pytest.raises(TrineError, match=r"'is' \(word 3 of the text\)"):
        model.encode("to be is")


def test_truncated_and_altered(model, tmp_path):
    path = tmp_path / "m.trine"
    model.save(path)
    data = path.read_bytes()
    for size in (0, 4, 100, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(TrineError, match="truncated or altered"):
            Model.load(path)
    changed = bytearray(data)
    changed[-5] ^= 1  # a threshold or trit that is as legal as before
    path.write_bytes(changed)
    with pytest.raises(TrineError):
        Model.load(path)
    with pytest.raises(TrineError, match="cannot read"):
        Model.load(tmp_path / "none.trine")


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (set_metadata("format", "trine/3"), "format is 'trine/3', and this version reads 'trine/1' and"),
        (drop("format"), "format is None"),
        (set_metadata("hidden", "7"), "layer0.weight"),
        (set_metadata("hidden", "six"), "metadata hidden is not JSON"),
        (set_metadata("hidden", "6.5"), "metadata hidden must be of type int"),
        (set_metadata("hidden", "0"), "hidden must be"),
        (set_metadata("cell", "gru"), "layer0.threshold_reset is missing"),
        (set_metadata("cell", "rnn"), "cell must be one of 'lstm', 'gru', 'mgu', not 'rnn'"),
        (set_metadata("head_levels", "[0, 2, 1]"), "head_levels"),
        (set_metadata("vocabulary", '["a"]'), "vocabulary must be 4"),
        (set_metadata("vocabulary", "[[], [], [], []]"), "vocabulary must hold strings"),
        (set_metadata("vocabulary", r'["\ud800", "b", "c", "d"]'), "vocabulary must hold text"),
        (set_metadata("hidden", "[" * 100_000), "metadata hidden is not JSON"),
        (set_metadata("head.scale", "-1.0"), "head.scale"),
        (drop("cell_max"), "metadata cell_max is missing"),
        (drop("layer0.threshold"), "layer0.threshold is missing"),
        (drop("head.bias"), "head.weight, head.bias and head.scale"),
        (reshape("layer0.weight"), "layer0.weight must be uint8"),
        (reshape("layer0.threshold"), "layer0.threshold must be int32"),
        (reshape("embedding.weight"), "embedding.weight must be uint8"),
        (reshape("head.bias"), "head.bias must be int32"),
        (retype("head.bias", np.int64), "head.bias must be int32"),
        (retype("head.weight", np.int8), "head.weight must be uint8"),
        (set_entry("layer0.weight", (2, 1), 243), "layer0.weight: byte 243"),
        (set_entry("head.weight", (0, 1), 242), "head.weight: the padding"),
        (set_entry("layer0.threshold", (0, 0), 99), "layer0.threshold: out of range, row i0"),
        (set_entry("layer0.threshold", (7, 0), 99), "layer0.threshold: out of range, row f1"),
        (set_entry("head.bias", 1, 2**31 - 1), "head.bias: out of range"),
        (lambda tensors, metadata: tensors.update(odd=np.zeros(1)), "odd is no tensor"),
        (set_metadata("head_scale", "1.0"), "metadata 'head_scale' is unknown to format trine/1"),
        (set_metadata("head.scale", "1" * 400), "metadata head.scale is too large: '111"),
        (set_metadata("head.scale", "1" * 5000), "metadata head.scale is not JSON"),
        (set_metadata("head.scale", "NaN"), "metadata head.scale is not JSON"),
        (set_metadata("head.scale", "1e400"), "head.scale must be a finite number"),
        (set_metadata("head.scale", "1e308"), "head.scale 1e[+]308 is too large"),
        (set_metadata("training", '{"a": Infinity}'), "metadata training is not JSON"),
        (set_metadata("training", '{"a": 1, "a": 2}'), "metadata training is not JSON"),
        (set_metadata("vocabulary", '["a", "b b", "c", "d"]'), "symbol 1, 'b b', holds white space"),
        (set_metadata("vocabulary", '["aa", " ", "c", "d"]'), "symbol 1, ' ', holds white space"),
        (set_metadata("vocabulary", r'["aa", "b\u2003", "c", "d"]'), "symbol 1, .*, holds white space"),
        (set_metadata("vocabulary", '["a", "", "c", "d"]'), "vocabulary must hold strings that are not "),
        (set_metadata("vocabulary", '["a", "b", "a", "d"]'), "different symbols, and 'a' is there twice"),
        (drop("digest"), "metadata digest is missing"),
        (set_metadata("digest", "0" * 64), "do not match their digest"),
    ],
)
def test_wrong_file(model, tmp_path, alter, message):
    with pytest.raises(TrineError, match=message):
        Model.load(rewritten(model, tmp_path, alter))


GRU = replace(CONFIG, cell="gru")


def set_trit(row, column, value):
    def alter(tensors, metadata):
        weight = unpack(tensors["layer0.weight"], CONFIG.columns)
        weight[row, column] = value
        tensors["layer0.weight"] = pack(weight)

    return alter


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (drop("layer0.threshold_reset"), "layer0.threshold_reset is missing"),
        (reshape("layer0.threshold_reset"), "layer0.threshold_reset must be int32 "),
        (retype("layer0.threshold_reset", np.int64), "layer0.threshold_reset must be int32 "),
        (set_entry("layer0.threshold", (1, 0), 99), "layer0.threshold: out of range, row z1 has lo above hi"),
        (set_entry("layer0.threshold", (8, 0), 99), "row r2 has one threshold, so lo must equal hi"),
        (set_entry("layer0.threshold", (21, 1), 1), "row nh3 has none, so lo and hi must be 0"),
        (set_trit(13, 3, 1), "layer0.weight: row nx1 must be 0 in the columns of h"),
        (set_trit(23, 2, -1), "layer0.weight: row nh5 must be 0 in the columns of x"),
        (set_metadata("cell_shift", "5"), r"2\*\*cell_shift of a GRU must not exceed cell_max 31"),
        (set_metadata("cell", "lstm"), "layer0.threshold_reset is no tensor of a 1-layer lstm model"),
    ],
)
def test_wrong_gru_file(tmp_path, alter, message):
    with pytest.raises(TrineError, match=message):
        Model.load(rewritten(random_model(GRU, seed=0), tmp_path, alter))


def test_gru_round_trip(tmp_path):
    model = random_model(GRU, seed=0, threshold="extreme")
    model.save(tmp_path / "m.trine")
    again = Model.load(tmp_path / "m.trine")
    assert again.config == GRU and again.digest() == model.digest()
    assert model.layers[0].threshold_reset is not None and again.layers[0].threshold_reset is not None
    np.testing.assert_array_equal(again.layers[0].threshold_reset, model.layers[0].threshold_reset)
    again.layers[0].threshold_reset[0, 0] += 1
    assert again.digest() != model.digest()
    with pytest.raises(TrineError, match="layer0.threshold_reset is of a GRU"):
        Model(CONFIG, [replace(random_model(CONFIG, seed=0).layers[0], threshold_reset=np.zeros((6, 2)))])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_no_option_is_altered_unseen(cell, tmp_path):
    """Whatever a file says differently, of values as legal as before, the digest tells."""
    config = replace(CONFIG, cell=cell, layers=2, embedding=6)
    model = replace(random_model(config, seed=0), training={"seed": 1})
    other = {
        **{"cell_max": "30", "cell_shift": "1", "output_shift": "0", "head_levels": "[0, 1, 2]"},
        **{"head.scale": "0.25", "vocabulary": '["a", "b", "c", "d"]'},
    }
    Model.load(rewritten(model, tmp_path, set_metadata("training", "{}")))  # it decides nothing
    for name, value in other.items():
        with pytest.raises(TrineError, match="do not match their digest"):
            Model.load(rewritten(model, tmp_path, set_metadata(name, value)))
        for without in (drop("digest"), set_metadata("digest", "")):

            def both(tensors, metadata, name=name, value=value, without=without):
                metadata[name] = value
                without(tensors, metadata)

            with pytest.raises(TrineError, match="digest"):
                Model.load(rewritten(model, tmp_path, both))
    covered = {*other, "training", "digest", "format", "cell", "layers", "hidden", "embedding", "vocab_size"}
    seen = []
    rewritten(model, tmp_path, lambda tensors, metadata: seen.extend(metadata))
    assert set(seen) == covered  # the last five are fixed by the tensors' names and shapes


def test_unaltered_rewrite_loads(model, tmp_path):
    Model.load(rewritten(model, tmp_path, lambda tensors, metadata: None))


def test_failed_save_keeps_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "m.trine"
    model.save(path)
    before = path.read_bytes()
    model.head_scale = 0.5

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(TrineError, match="cannot write .*No space left"):
        model.save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.trine"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": 0},
        {"cell_max": 128},
        {"output_shift": 6},
        {"layers": 17},
        {"head_levels": (0,)},
        {"head_levels": (1, 2)},
        {"head_levels": (0, 128)},
        {"head_levels": (0, 0)},
        {"vocab_size": True},
    ],
    ids=str,
)
def test_config_is_checked(wrong):
    with pytest.raises(TrineError, match=next(iter(wrong))):
        replace(CONFIG, **wrong)
