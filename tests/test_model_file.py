"""The model file: round trip, and one clear error for each way a file can be wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from trine_sw.errors import TrineError
from trine_sw.host_head import head_of
from trine_sw.model import Model, ModelConfig
from trine_sw.random_model import random_model
from trine_sw.trits import pack, unpack

CONFIG = ModelConfig(
    hidden=6, embedding=3, vocab_size=4, cell_max=31, cell_shift=2, output_shift=1, head_levels=(0, 1, 3)
)


@pytest.fixture
def model():
    return random_model(CONFIG, seed=0)


@pytest.fixture
def rewrite(model, tmp_path):
    """Write a model's file with its tensors and metadata altered by a function; gives the path."""

    def write(alter, model=model):
        path = tmp_path / "altered.trine"
        model.save(path)
        data = path.read_bytes()
        tensors = {name: tensor.copy() for name, tensor in load(data).items()}
        metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        del metadata["digest"]
        alter(tensors, metadata)
        path.write_bytes(save(tensors, metadata))
        return path

    return write


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


def set_entry(name, index, value):
    def alter(tensors, metadata):
        tensors[name][index] = value

    return alter


def set_metadata(name, value):
    def alter(tensors, metadata):
        metadata[name] = value

    return alter


def drop(name):
    def alter(tensors, metadata):
        (tensors if name in tensors else metadata).pop(name)

    return alter


def reshape(name):
    def alter(tensors, metadata):
        tensors[name] = tensors[name][:-1].copy()

    return alter


def retype(name, dtype):
    def alter(tensors, metadata):
        tensors[name] = tensors[name].astype(dtype)

    return alter


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (set_metadata("format", "trine/2"), "format is 'trine/2'"),
        (drop("format"), "format is None"),
        (set_metadata("hidden", "7"), "layer0.weight"),
        (set_metadata("hidden", "six"), "metadata hidden is not JSON"),
        (set_metadata("hidden", "6.5"), "metadata hidden must be of type int"),
        (set_metadata("hidden", "0"), "hidden must be"),
        (set_metadata("cell", "gru"), "layer0.threshold_reset is missing"),
        (set_metadata("cell", "rnn"), "cell must be 'lstm' or 'gru', not 'rnn'"),
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
    ],
)
def test_wrong_file(rewrite, alter, message):
    with pytest.raises(TrineError, match=message):
        Model.load(rewrite(alter))


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
def test_wrong_gru_file(rewrite, alter, message):
    with pytest.raises(TrineError, match=message):
        Model.load(rewrite(alter, random_model(GRU, seed=0)))


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


@pytest.fixture
def host_model(model):
    """A model whose head is float, and the host's."""
    generator = np.random.default_rng(0)
    return Model(
        CONFIG,
        model.layers,
        embedding_weight=model.embedding_weight,
        host_head_weight=generator.normal(size=(4, 6)).astype(np.float16),
        host_head_bias=generator.normal(size=4).astype(np.float16),
    )


def test_host_head_round_trip(host_model, tmp_path):
    host_model.save(tmp_path / "m.trine")
    again = Model.load(tmp_path / "m.trine")
    assert again.digest() == host_model.digest() and again.heads == ("float",) and again.head_scale is None
    np.testing.assert_array_equal(again.host_head_weight, host_model.host_head_weight)
    np.testing.assert_array_equal(again.host_head_bias, host_model.host_head_bias)


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (drop("host_head.bias"), "host_head.weight and host_head.bias must both be there"),
        (reshape("host_head.weight"), "host_head.weight must be float16 "),
        (retype("host_head.bias", np.float32), "host_head.bias must be float16 "),
        (set_entry("host_head.weight", (1, 1), np.nan), "host_head.weight must hold finite numbers"),
        (
            lambda tensors, metadata: tensors.update({"head.weight": pack(np.zeros((4, 6)))}),
            "head.weight, head.bias and head.scale must all be there",
        ),
    ],
)
def test_wrong_host_head(rewrite, host_model, alter, message):
    with pytest.raises(TrineError, match=message):
        Model.load(rewrite(alter, host_model))


def test_two_heads_in_one_file(model, host_model, tmp_path):
    """Both are kept; a file with both is of another digest than one with either."""
    both = replace(
        model, host_head_weight=host_model.host_head_weight, host_head_bias=host_model.host_head_bias
    )
    both.save(tmp_path / "m.trine")
    again = Model.load(tmp_path / "m.trine")
    assert (again.heads, model.heads, host_model.heads) == (("float", "ternary"), ("ternary",), ("float",))
    np.testing.assert_array_equal(again.head_weight, model.head_weight)
    np.testing.assert_array_equal(again.host_head_weight, host_model.host_head_weight)
    assert (
        len({again.digest(), model.digest(), replace(host_model, vocabulary=model.vocabulary).digest()}) == 3
    )
    u = np.random.default_rng(1).integers(-3, 4, (50, 6)).astype(np.int8)
    for kind, alone, expected in (("ternary", model, 0.125), ("float", host_model, 1.0)):
        (of_u, scale), (of_one, _) = head_of(again, kind), head_of(alone)
        np.testing.assert_array_equal(of_u(u), of_one(u))
        assert scale == expected
    np.testing.assert_array_equal(head_of(again)[0](u), head_of(host_model)[0](u))
    with pytest.raises(TrineError, match="no float head, but a ternary one"):
        head_of(model, "float")
    with pytest.raises(TrineError, match="no head"):
        head_of(Model(CONFIG, model.layers))


def test_unaltered_rewrite_loads(rewrite):
    Model.load(rewrite(lambda tensors, metadata: None))


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
