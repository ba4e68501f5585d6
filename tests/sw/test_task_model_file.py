"""The model file of tasks other than language: format trine/2, and that language models keep trine/1."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.altered_file import CONFIG, drop, reshape, retype, rewritten, set_entry, set_metadata
from tests.helpers.paths import ROOT
from tests.helpers.task_models import TASKS, task_model
from trine_sw.model import Model, ModelSample
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

#: The first hex digits of the digests that the kept models have had since they were trained.
KEPT = {
    "ptb-gru-300": "e98bddfec336898c",
    "ptb-lstm-300": "620fbc7cde46cdbb",
    "shakespeare": "4670acffab17970e",
    "shakespeare-small": "9b8525a0456fc090",
    "shakespeare-small-mgu": "3de68d4a29957cec",
    "wikitext2-lstm-512": "e47807df9a6c75bc",
}


def equal(one, other):
    """Whether two parts are equal, of whatever kind."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if hasattr(one, "__dataclass_fields__"):
        return type(one) is type(other) and all(
            equal(vars(one)[name], vars(other)[name]) for name in vars(one)
        )
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("head", ["ternary", "float", "both", None])
@pytest.mark.parametrize("task", TASKS)
def test_round_trip(task, head, tmp_path):
    for seed, encoder in enumerate((True, False)):
        model = task_model(task, seed=seed, head=head, encoder=encoder)
        path = tmp_path / "m.trine"
        model.save(path)
        again = Model.load(path)
        for name, part in vars(model).items():
            assert equal(vars(again)[name], part), name
        assert again.digest() == model.digest()
        first = path.read_bytes()
        again.save(path)
        assert path.read_bytes() == first


@pytest.mark.parametrize("name", KEPT)
def test_kept_models_keep_their_bytes_and_digests(name, tmp_path):
    path = ROOT / "models" / f"{name}.trine"
    model = Model.load(path)
    assert model.digest().hex()[:16] == KEPT[name]
    model.save(tmp_path / "again.trine")
    again = (tmp_path / "again.trine").read_bytes()
    assert hashlib.sha256(again).digest() == hashlib.sha256(path.read_bytes()).digest()
    assert b'"format":"trine/1"' in again[:200_000]


def test_where_the_data_is_decides_nothing(tmp_path):
    """Neither it nor a sample changes a digest, of a language model or another, and both are kept."""
    sample = ModelSample(np.ones((2, CONFIG.embedding), np.int8), np.array([2], np.int32))
    for model in (random_model(CONFIG, seed=0), task_model("label")):
        given = {"data": {"text": "my.txt"}} | ({"sample": sample} if model.task == "language" else {})
        more = replace(model, **given)
        more.save(tmp_path / "m.trine")
        again = Model.load(tmp_path / "m.trine")
        assert again.data == {"text": "my.txt"} and again.digest() == more.digest() == model.digest()
        assert again.task == model.task and equal(again.sample, more.sample)
        without = replace(more, data={}, sample=None)
        assert without.digest() == model.digest()
        without.save(tmp_path / "w.trine")
        assert Model.load(tmp_path / "w.trine").data == {}


def test_digest_sees_every_part_that_decides_an_output():
    def of(**changes):
        return replace(task_model("regress", head="both"), **changes)

    model = of()
    assert model.encoder is not None and model.host_head_bias is not None
    assert model.output_scale is not None and model.output_offset is not None
    encoder = model.encoder
    others = [
        of(output_scale=model.output_scale * 2),
        of(output_offset=model.output_offset + 1),
        of(reduction="sum"),
        of(labels=["a", "b", "c"]),
        of(encoder=replace(encoder, offset=encoder.offset + 1)),
        of(encoder=replace(encoder, scale=encoder.scale * 2)),
        of(encoder=replace(encoder, thresholds=encoder.thresholds + 1)),
        of(inputs=None),
        of(sample_rate=None),
        of(front_end=None),
        of(front_end={"kind": "log-mel", "bands": 25}),
        of(host_head_bias=model.host_head_bias + 1),
        of(task="classify", output_scale=None, output_offset=None),
    ]
    assert len({each.digest() for each in [model, *others]}) == len(others) + 1
    held = {each.board_digest(embedding=False, head=True) for each in [model, *others]}
    assert len(held) == 1  # nothing of these is on a board
    parts = {
        name: vars(model)[name] for name in ("config", "layers", "head_weight", "head_bias", "head_scale")
    }
    bare = Model(**parts)
    assert held == {bare.board_digest(embedding=False, head=True)}


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (set_metadata("format", "trine/1"), "is unknown to format trine/1"),
        (drop("task"), "metadata task is missing"),
        (drop("reduction"), "metadata reduction is missing"),
        (
            set_metadata("task", "translate"),
            "task must be one of 'language', 'classify', .*, not 'translate'",
        ),
        (set_metadata("task", "language"), "labels is not of a language model"),
        (set_metadata("task", "classify"), "output.scale and output.offset are of a regression"),
        (set_metadata("reduction", "mean"), "reduction must be one of 'last', 'sum', not 'mean'"),
        (set_metadata("labels", '["a", "b"]'), "labels must be 3 different strings, not 2"),
        (
            set_metadata("labels", '["a", "b", "a"]'),
            "labels must be different strings, and 'a' is there twice",
        ),
        (set_metadata("labels", '["a", "b", ""]'), "labels must be strings that are not empty"),
        (set_metadata("labels", '["a", "b", 3]'), "labels must be strings that are not empty, not 3"),
        (set_metadata("labels", r'["a", "b", "\udc00"]'), "labels must be strings"),
        (set_metadata("labels", '"abc"'), "metadata labels must be of type list"),
        (set_metadata("inputs", "[1, 2]"), "metadata inputs must be a name and a unit each, not 1"),
        (set_metadata("inputs", '[{"name": "a", "unit": ""}]'), "inputs are 1, and there are 2 features"),
        (
            set_metadata("inputs", '[{"name": "a", "unit": ""}, {"name": "a", "unit": ""}]'),
            "names of inputs must be different strings",
        ),
        (
            set_metadata("inputs", '[{"name": "", "unit": ""}, {"name": "a", "unit": ""}]'),
            "the name of an input must not be empty",
        ),
        (
            set_metadata("inputs", '[{"name": "b", "unit": 3}, {"name": "a", "unit": ""}]'),
            "the unit of an input must be a string, not 3",
        ),
        (set_metadata("inputs", '[{"name": "b"}, {"name": "a", "unit": ""}]'), "a name and a unit each"),
        (set_metadata("sample_rate", "0"), "sample_rate must be steps a second, above 0"),
        (set_metadata("sample_rate", "1e999"), "sample_rate must be a finite number"),
        (set_metadata("sample_rate", '"8000"'), "metadata sample_rate must be of type float"),
        (set_metadata("front_end", "[]"), "metadata front_end must be of type dict"),
        (set_metadata("front_end", '{"a": NaN}'), "metadata front_end is not JSON"),
        (set_metadata("front_end", "{" * 9999), "metadata front_end is not JSON"),
        (set_metadata("data", "[]"), "metadata data must be of type dict"),
        (set_metadata("vocabulary", '["a", "b", "c"]'), "vocabulary is of a language model alone"),
        (set_metadata("embedding", "9"), "layer0.weight"),
        (drop("output.scale"), "output.scale and output.offset must both be there"),
        (reshape("output.scale"), r"output.scale must be float64 \(3,\)"),
        (retype("output.offset", np.float32), r"output.offset must be float64 \(3,\)"),
        (set_entry("output.offset", 1, np.nan), "output.offset must hold finite numbers only"),
        (set_entry("output.scale", 1, 1e308), "output.scale must hold finite numbers only"),
        (drop("encoder.scale"), "encoder.offset, encoder.scale and encoder.thresholds must all be there"),
        (reshape("encoder.offset"), r"encoder.scale must be float64 \(1,\), not float64 \(2,\)"),
        (reshape("encoder.scale"), r"encoder.scale must be float64 \(2,\)"),
        (reshape("encoder.thresholds"), r"encoder.thresholds must be int32 \(2, 2, 2\)"),
        (retype("encoder.thresholds", np.int16), "encoder.thresholds must be int32"),
        (set_entry("encoder.offset", 1, np.inf), "encoder.offset must hold finite numbers only"),
        (set_entry("encoder.scale", 1, 0), "encoder.scale must be above 0"),
        (set_entry("encoder.scale", 1, np.nan), "encoder.scale must hold finite numbers only"),
        (set_entry("encoder.thresholds", (1, 1, 0), 70_000), "not 70000 and .* as trit 1 of row 1"),
        (drop("sample.lengths"), "sample.trits and sample.lengths must all be there"),
        (reshape("sample.trits"), "sample.lengths must be above 0 and 12, the steps"),
        (retype("sample.trits", np.int8), "sample.trits must be uint8"),
        (retype("sample.lengths", np.int64), "sample.lengths must be int32"),
        (set_entry("sample.lengths", 0, -5), "sample.lengths must be above 0"),
        (set_entry("sample.lengths", 0, 2**31 - 1), "sample.lengths must be above 0"),
        (set_entry("sample.trits", (2, 1), 243), "sample.trits: byte 243"),
        (
            lambda tensors, metadata: tensors.update({"embedding.weight": np.zeros((3, 2), np.uint8)}),
            "embedding",
        ),
        (
            lambda tensors, metadata: tensors.update(
                {"sample.trits": np.zeros((), np.uint8), "encoder.offset": np.ones(())}
            ),
            "encoder.offset must be float64",
        ),
        (
            lambda tensors, metadata: tensors.update({"sample.trits": np.full((13, 1), 121, np.uint8)}),
            "sample.trits must be uint8",
        ),
        (
            lambda tensors, metadata: tensors.update({"encoder.thresholds": np.zeros((2, 0, 2), np.int32)}),
            "encoder.thresholds must be int32",
        ),
        (
            lambda tensors, metadata: tensors.update({"encoder.thresholds": np.zeros(4, np.int32)}),
            "encoder.thresholds must be int32",
        ),
        (set_metadata("digest", "0" * 64), "do not match their digest"),
    ],
)
def test_wrong_file(tmp_path, alter, message):
    with pytest.raises(TrineError, match=message) as error:
        Model.load(rewritten(task_model("regress"), tmp_path, alter))
    assert "\n" not in str(error.value)


def test_torn_file(tmp_path):
    path = tmp_path / "m.trine"
    task_model("classify").save(path)
    data = path.read_bytes()
    for size in range(0, len(data), 97):
        path.write_bytes(data[:size])
        with pytest.raises(TrineError):
            Model.load(path)


def test_no_bit_of_what_decides_an_output_flips_unseen(tmp_path):
    """A flipped bit is refused, or is of what decides nothing: the sample, the data, the training."""
    model = task_model("regress", head="both")
    path = tmp_path / "m.trine"
    model.save(path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.integers(0, len(data), 300).tolist():
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        try:
            again = Model.load(path)
        except TrineError:
            refused += 1
        else:
            assert again.digest() == model.digest()
    assert refused > 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "sort"}, "task must be one of"),
        ({"task": 3}, "task must be one of"),
        ({"reduction": None}, "reduction must be one of"),
        ({"task": "label", "reduction": "sum"}, "has outputs for each step, so its reduction must be 'last'"),
        ({"labels": "abc"}, "labels must be 3 different strings"),
        ({"encoder": 3}, "encoder must be an Encoder"),
        ({"inputs": [("a", "b")] * 2}, "inputs must be a list of InputSpec"),
        ({"sample_rate": float("nan")}, "sample_rate must be a finite number"),
        ({"front_end": {"a": object()}}, "front_end: this cannot be written as JSON"),
        ({"data": {"a": {1, 2}}}, "data: this cannot be written as JSON"),
        ({"data": None}, "data must be a dictionary"),
        ({"sample": np.zeros((2, 8))}, "sample must be a ModelSample"),
        (
            {"sample": ModelSample(np.ones((1, 9), np.int8), np.ones(1, np.int32))},
            "sample.trits must be 8 a step",
        ),
        ({"embedding_weight": np.zeros((3, 8), np.int8)}, "embedding_weight is of a language model alone"),
        (
            {"output_scale": np.ones(3), "output_offset": np.ones(3)},
            "are of a regression, and the task is 'class",
        ),
    ],
)
def test_wrong_parts(changes, message):
    with pytest.raises(TrineError, match=message):
        replace(task_model("classify"), **changes)


def test_sample_holds_what_fits():
    rng = np.random.default_rng(0)
    sequences = [rng.integers(-1, 2, (steps, 7)).astype(np.int8) for steps in (20_000, 0, 30_000)]
    sample = ModelSample.of(sequences)
    assert sample is not None
    assert sample.lengths.tolist() == [20_000, (65536 - 4 - 40_000 - 4) // 2]
    for kept, given in zip(sample.sequences(), (sequences[0], sequences[2]), strict=True):
        np.testing.assert_array_equal(kept, given[: len(kept)])
    with pytest.raises(TrineError, match="sample takes 65538 bytes, and 65536 is the most"):
        ModelSample(np.zeros((32767, 7), np.int8), np.array([32767], np.int32))
    assert ModelSample.of([]) is None and ModelSample.of([np.zeros((0, 7), np.int8)]) is None
