"""Splits of a source: disjoint, complete, alike in classes, and the same each time."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.sequence_files import random_sequences, write_archive, write_timeseries, write_wav
from trine_sw.data.loading import load_splits, source_digest
from trine_sw.data.paths import data_path
from trine_sw.data.sequence_table import SequenceTable, labels_in
from trine_sw.data.source import HeldOut, SequenceSource
from trine_sw.data.splits import held_out
from trine_sw.support.errors import TrineError

COUNT = 60
X = random_sequences(COUNT)
CLASSES = [f"c{number % 3}" for number in range(COUNT)]
SPEAKERS = [f"s{number // 12}" for number in range(COUNT)]


@pytest.fixture
def source(tmp_path):
    index = [number % 10 for number in range(COUNT)]
    path = write_archive(tmp_path / "a.npz", X, CLASSES, speaker=SPEAKERS, index=index)
    return SequenceSource(path=str(path))


def refused(*arguments, saying):
    with pytest.raises(TrineError) as caught:
        load_splits(*arguments)
    assert saying in str(caught.value) and "\n" not in str(caught.value)


def names(splits):
    return {split: set(each.names) for split, each in splits.items()}


def test_all_is_for_training_where_nothing_is_held_out(source):
    (train,) = load_splits(source).values()
    assert train.labels == ["c0", "c1", "c2"] and train.groups == SPEAKERS
    np.testing.assert_array_equal(train.y, [number % 3 for number in range(COUNT)])
    assert train.task == "classify" and train.outputs == 3 and train.features == 2


@pytest.mark.parametrize("seed", [1, 2])
def test_shares_are_stratified_disjoint_and_complete(source, seed):
    source = replace(source, seed=seed, valid=HeldOut(share=0.1), test=HeldOut(share=0.2))
    splits = load_splits(source)
    assert list(splits) == ["train", "valid", "test"]
    assert [len(each) for each in splits.values()] == [43, 5, 12]
    assert sorted(Counter(splits["test"].y.tolist()).values()) == [4, 4, 4]
    assert set().union(*names(splits).values()) == {f"sequence {number}" for number in range(COUNT)}
    assert names(load_splits(source)) == names(splits)
    for split in splits.values():
        for name, x, y in zip(split.names, split.x, split.y, strict=True):
            number = int(name.split()[1])
            np.testing.assert_array_equal(x, X[number])
            assert y == number % 3


def test_another_seed_draws_others(source):
    source = replace(source, test=HeldOut(share=0.2))
    assert names(load_splits(source)) != names(load_splits(replace(source, seed=5)))


def test_whole_groups(source):
    source = replace(source, valid=HeldOut(share=0.2, whole_groups=True), test=HeldOut(groups=("s3",)))
    splits = load_splits(source)
    assert splits["test"].groups == ["s3"] * 12
    assert len(set(splits["valid"].groups or [])) == 1 and len(splits["valid"]) == 12
    assert not set(splits["valid"].groups or []) & set(splits["train"].groups or [])


def test_indices(source):
    splits = load_splits(replace(source, test=HeldOut(indices=(0, 4))))
    assert set(splits["test"].fields["index"]) == set("01234")
    assert len(splits["train"]) == len(splits["test"]) == 30


@given(st.lists(st.integers(0, 5), min_size=2, max_size=40), st.floats(0.01, 0.9), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_equal_sequences_are_never_apart_and_each_class_stays(contents, share, seed):
    x = [np.full((2, 1), value, np.float32) for value in contents]
    targets = [f"c{value % 2}" for value in contents]
    table = SequenceTable(x, targets, [str(number) for number in range(len(x))])
    every = np.arange(len(x))
    try:
        chosen = held_out(table, HeldOut(share=share), every, seed, None, "test")
    except TrineError as error:
        assert "too few" in str(error)
        return
    left = np.setdiff1d(every, chosen)
    assert chosen.size and left.size
    assert not {contents[place] for place in chosen} & {contents[place] for place in left}
    assert {targets[place] for place in left} == set(targets)


def test_a_file_of_its_own(tmp_path, source):
    other = write_archive(tmp_path / "b.npz", X[:5], CLASSES[:5], speaker=SPEAKERS[:5])
    splits = load_splits(replace(source, test=HeldOut(path=str(other)), valid=HeldOut(share=0.1)))
    assert [len(each) for each in splits.values()] == [54, 6, 5]
    assert splits["test"].labels == ["c0", "c1", "c2"]
    write_archive(other, X[:2], ["c0", "new"], speaker=SPEAKERS[:2])
    refused(replace(source, test=HeldOut(path=str(other))), saying="the class 'new' is not among c0, c1, c2")
    write_archive(other, random_sequences(2, features=3), ["c0", "c1"])
    refused(replace(source, test=HeldOut(path=str(other))), saying="3 features")
    write_archive(other, X[:2], [0.5, 0.25])
    refused(replace(source, test=HeldOut(path=str(other))), saying="other targets")


def test_audio_of_its_own_is_resampled_to_the_rate_of_the_training_set(tmp_path):
    pytest.importorskip("librosa")
    rng = np.random.default_rng(0)
    for folder, rate in (("train", 8000), ("test", 16000)):
        for label in "ab":
            write_wav(tmp_path / f"{folder}/{label}/0.wav", rng.normal(size=rate // 4) / 9, rate)
    source = SequenceSource(path=str(tmp_path / "train"), test=HeldOut(path=str(tmp_path / "test")))
    splits = load_splits(source)
    assert splits["train"].front_end == splits["test"].front_end
    assert splits["train"].lengths.tolist() == splits["test"].lengths.tolist()


UEA = {"BasicMotions": ([40, 40], 6, 4), "JapaneseVowels": ([270, 370], 12, 9)}


@pytest.mark.parametrize("name", UEA)
def test_archives_of_time_series(name):
    pytest.importorskip("aeon")
    paths = [f"uea/{name}_{split}.ts" for split in ("TRAIN", "TEST")]
    try:
        data_path(paths[1])
    except TrineError:
        pytest.skip("the files are not here")
    splits = load_splits(SequenceSource(path=paths[0], test=HeldOut(path=paths[1])))
    counts, features, classes = UEA[name]
    assert [len(each) for each in splits.values()] == counts
    assert (splits["test"].features, splits["test"].outputs) == (features, classes)


def test_what_is_refused(tmp_path, source):
    refused(
        replace(source, test=HeldOut(groups=("s9",))), saying="no group 's9' to hold out; there are s0, s1"
    )
    refused(replace(source, test=HeldOut(indices=(50, 60))), saying="no sequence is held out for test")
    refused(replace(source, test=HeldOut(indices=(0, 9))), saying="none is left to train on")
    refused(replace(source, test=HeldOut(share=0.99)), saying="too few to hold out")
    refused(replace(source, group="mood"), saying="'mood' is no field")
    refused(replace(source, path="none.npz"), saying="no file or folder none.npz")
    refused(replace(source, path=str(tmp_path / "a.xyz")), saying="no file or folder")
    (tmp_path / "a.xyz").touch()
    refused(replace(source, path=str(tmp_path / "a.xyz")), saying="neither one of .npz")
    path = str(write_archive(tmp_path / "one.npz", X[:1], ["a"]))
    refused(replace(source, path=path, valid=HeldOut(share=0.5)), saying="too few")
    refused(replace(source, path=path), saying="one class to train on, 'a'")
    refused(replace(source, path=path, test=HeldOut(indices=(0, 1))), saying="'index' is no field")
    for options in ({}, {"share": 0.1, "path": "a"}, {"share": 1.0}, {"indices": (3, 1)}, {"groups": ()}):
        with pytest.raises(TrineError):
            HeldOut(**options)


def test_a_thousand_classes(tmp_path):
    x = random_sequences(2000)
    path = write_archive(tmp_path / "many.npz", x, np.arange(2000) % 1000)
    splits = load_splits(SequenceSource(path=str(path), valid=HeldOut(share=0.1)))
    assert splits["train"].outputs == 1000 and len(np.unique(splits["train"].y)) == 1000
    assert len(np.unique(splits["valid"].y)) == 200


def test_constant_channels_are_kept(tmp_path):
    x = [np.concatenate([each, np.ones((len(each), 1), np.float32)], 1) for each in X]
    path = write_archive(tmp_path / "a.npz", x, CLASSES)
    assert load_splits(SequenceSource(path=str(path)))["train"].features == 3


def test_real_targets_and_labels_of_steps(tmp_path):
    path = str(write_archive(tmp_path / "a.npz", X, np.arange(COUNT) / 7, outputs=["height"]))
    splits = load_splits(SequenceSource(path=path, valid=HeldOut(share=0.1)), "regress")
    assert splits["valid"].y.shape == (6, 1) and splits["valid"].labels == ["height"]
    path = str(write_archive(tmp_path / "b.npz", X, np.concatenate([np.arange(len(x)) % 4 for x in X])))
    splits = load_splits(SequenceSource(path=path, valid=HeldOut(share=0.1)), "label")
    assert splits["train"].task == "label" and splits["train"].outputs == 4
    assert [len(y) for y in splits["train"].y] == [len(x) for x in splits["train"].x]


def test_classes_that_are_numbers_are_in_their_order():
    assert labels_in(["10", "9", "x10", "x9"]) == ["9", "10", "x9", "x10"]


def test_a_digest_is_of_names_and_contents(tmp_path, monkeypatch):
    pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    for name in ("a/0", "a/1", "b/0"):
        write_wav(tmp_path / f"audio/{name}.wav", rng.normal(size=500) / 9)
    source = SequenceSource(path=str(tmp_path / "audio"))
    first = source_digest(source)
    monkeypatch.chdir(tmp_path)
    assert source_digest(SequenceSource(path="audio", seed=9)) == first
    (tmp_path / "audio/b/0.wav").rename(tmp_path / "audio/b/2.wav")
    assert source_digest(source) != first
    write_timeseries(tmp_path / "a.ts", X, CLASSES)
    one = source_digest(SequenceSource(path="a.ts"))
    assert source_digest(SequenceSource(path="a.ts", test=HeldOut(path="a.ts"))) != one
    write_timeseries(tmp_path / "a.ts", X[1:], CLASSES[1:])
    assert source_digest(SequenceSource(path="a.ts")) != one
