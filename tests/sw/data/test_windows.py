"""Files of sequences for a model that is there: with targets or without, and its own splits."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from tests.helpers.task_models import features, task_model
from trine_sw.data.loading import source_digest
from trine_sw.data.source import HeldOut, SequenceSource
from trine_sw.data.windows import load_split, load_windows, source_of
from trine_sw.support.errors import TrineError

LENGTHS = [4, 1, 9]


@pytest.fixture
def model():
    return task_model("classify")


@pytest.fixture
def x():
    return [each.astype(np.float32) for each in features(np.random.default_rng(0), LENGTHS)]


def save(path, x, **more):
    np.savez(path, x=np.concatenate(x), lengths=np.array([len(each) for each in x]), **more)
    return path


def same(found, x):
    assert len(found.x) == len(x) == len(found.names)
    for one, other in zip(found.x, x, strict=True):
        np.testing.assert_array_equal(one, other)


def test_archives(model, x, tmp_path):
    bare = load_windows(save(tmp_path / "a.npz", x), model)
    same(bare, x)
    assert bare.y is None
    labels = np.array([model.labels[number] for number in (2, 0, 2)])
    known = load_windows(save(tmp_path / "b.npz", x, y=labels), model, targets=True)
    assert isinstance(known.y, np.ndarray) and known.y.tolist() == [2, 0, 2]
    np.savez(tmp_path / "c.npz", x=np.stack([x[2]] * 4))
    same(load_windows(tmp_path / "c.npz", model), [x[2]] * 4)
    with pytest.raises(TrineError, match="a.npz: it has no array y: what the model should say is not known"):
        load_windows(tmp_path / "a.npz", model, targets=True)
    with pytest.raises(TrineError, match="the class 'dog' is not among label 0, label 1, label 2"):
        load_windows(save(tmp_path / "d.npz", x, y=np.array(["dog"] * 3)), model)


def test_labels_of_steps_and_numbers(x, tmp_path):
    labeller, regression = task_model("label"), task_model("regress")
    rng = np.random.default_rng(1)
    steps = rng.integers(0, 3, sum(LENGTHS))
    labels = np.array([f"label {number}" for number in steps])
    found = load_windows(save(tmp_path / "l.npz", x, y=labels), labeller, targets=True)
    assert isinstance(found.y, list)
    np.testing.assert_array_equal(np.concatenate(found.y), steps)
    values = rng.normal(size=(3, 3))
    found = load_windows(save(tmp_path / "r.npz", x, y=values), regression, targets=True)
    np.testing.assert_array_equal(found.y, values)
    with pytest.raises(TrineError, match="there are 2 targets, and the model has 3"):
        load_windows(save(tmp_path / "s.npz", x, y=values[:, :2]), regression, targets=True)


def test_numbers_are_classes_where_there_are_no_labels(x, tmp_path):
    model = replace(task_model("classify"), labels=None)
    found = load_windows(save(tmp_path / "a.npz", x, y=np.array([2, 0, 1])), model, targets=True)
    assert isinstance(found.y, np.ndarray) and found.y.tolist() == [2, 0, 1]
    with pytest.raises(TrineError, match="the class '3' is not among 0, 1, 2"):
        load_windows(save(tmp_path / "b.npz", x, y=np.array([3, 0, 1])), model, targets=True)


def test_tables(model, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("sequence,a,b,label\n1,0,1,label 2\n1,2,3,label 2\n7,4,5,label 0\n", encoding="utf-8")
    found = load_windows(path, model, targets=True)
    same(found, [np.array([[0, 1], [2, 3]]), np.array([[4, 5]])])
    assert isinstance(found.y, np.ndarray) and found.y.tolist() == [2, 0]
    path.write_text("sequence,a,b\n1,0,1\n1,2,3\n7,4,5\n", encoding="utf-8")
    bare = load_windows(path, model)
    same(bare, found.x)
    assert bare.y is None
    with pytest.raises(TrineError, match="no column is the target"):
        load_windows(path, model, targets=True)
    path.write_text("sequence,a,b\n1,0,1\n1,x,3\n", encoding="utf-8")
    with pytest.raises(TrineError, match="row 3, column 'a': 'x' is no number"):
        load_windows(path, model)


def test_audio_goes_through_the_front_end_of_the_file(model, tmp_path):
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("librosa")
    from trine_sw.data.front_end import FrontEnd

    front_end = FrontEnd(bands=2, sample_rate=8000)
    hearing = replace(model, front_end=front_end.as_json())
    samples = np.random.default_rng(2).normal(size=(2, 4000)) * 0.1
    for number in range(2):
        folder = tmp_path / "wav" / f"label {number}"
        folder.mkdir(parents=True)
        soundfile.write(folder / "a.wav", samples[number], 8000, subtype="DOUBLE")
    expected = [front_end.features(each, 8000) for each in samples]
    found = load_windows(tmp_path / "wav", hearing, targets=True)
    same(found, expected)
    assert isinstance(found.y, np.ndarray) and found.y.tolist() == [0, 1]
    bare = load_windows(tmp_path / "wav" / "label 1", hearing)
    same(bare, expected[1:])
    assert bare.y is None
    same(load_windows(tmp_path / "wav" / "label 0" / "a.wav", hearing), expected[:1])
    with pytest.raises(TrineError, match="the model file has no front end: it takes features, and no audio"):
        load_windows(tmp_path / "wav", replace(model, front_end=None))
    (tmp_path / "torn.wav").write_bytes(b"RIFF1234WAVE")
    with pytest.raises(TrineError, match="torn.wav is no audio file"):
        load_windows(tmp_path / "torn.wav", hearing)


def test_the_split_that_was_held_out(model, tmp_path):
    rng = np.random.default_rng(3)
    x = [each.astype(np.float32) for each in features(rng, [3] * 30)]
    labels = np.array([f"label {number % 3}" for number in range(30)])
    path = save(tmp_path / "d.npz", x, y=labels, index=np.arange(30))
    source = SequenceSource(
        path=str(path), test=HeldOut(indices=(0, 9)), valid=HeldOut(share=0.25), sample_rate=10
    )
    described = {"source": asdict(source), "digest": source_digest(source)}
    model = replace(model, data=described)
    model.save(tmp_path / "m.trine")
    model = type(model).load(tmp_path / "m.trine")
    assert source_of(model) == source
    test = load_split(model, "test")
    same(test, x[:10])
    assert isinstance(test.y, np.ndarray) and test.y.tolist() == [number % 3 for number in range(10)]
    assert len(load_split(model, "valid").x) == 5 and len(load_split(model, "train").x) == 15
    with pytest.raises(TrineError, match="there is no split 'rest'; there are: train, valid, test"):
        load_split(model, "rest")
    save(path, x[1:], y=labels[1:], index=np.arange(1, 30))
    with pytest.raises(
        TrineError, match=r"d.npz is not what the model was trained on .*: --data .*d.npz measures"
    ):
        load_split(model, "test")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "the model file does not say where its data is: give a file, by --data"),
        ({"source": 3}, "data.source must be a table of keys, not 3"),
        ({"source": {"path": 3}}, "data.source.path"),
        ({"source": {"path": "a", "test": {"odd": 1}}}, "unknown key data.source.test.odd"),
    ],
)
def test_model_that_does_not_say_where_its_data_is(model, data, message):
    with pytest.raises(TrineError, match=message):
        load_split(replace(model, data=data), "test")


def test_wrong_files(model, tmp_path):
    for name, content, message in (
        ("none.npz", None, "there is no file or folder .*none.npz"),
        ("torn.npz", b"PK\3\4", "torn.npz: it is damaged"),
        ("text.npz", b"hello", "text.npz: it is no .npz archive"),
        ("odd.bin", b"hello", "odd.bin is neither one of .npz, .csv, .ts nor a folder of audio"),
        ("empty.csv", b"", "empty.csv: it has no row below a line of names"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(TrineError, match=message):
            load_windows(tmp_path / name, model)
    np.savez(tmp_path / "nan.npz", x=np.full((1, 2, 2), np.nan))
    with pytest.raises(TrineError, match="nan.npz: sequence 0 holds nan in step 0, feature 0"):
        load_windows(tmp_path / "nan.npz", model)
    np.savez(tmp_path / "none.npz", x=np.zeros((0, 3, 2)))
    with pytest.raises(TrineError, match="there is no sequence"):
        load_windows(tmp_path / "none.npz", model)
    np.savez(tmp_path / "bad.npz", z=np.zeros(3))
    with pytest.raises(TrineError, match="it has no array x, but z"):
        load_windows(tmp_path / "bad.npz", model)
