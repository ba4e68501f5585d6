"""Files that are wrong in every way: each is refused in one line, without a warning, or read as it is."""

import time
import warnings
import zipfile

import numpy as np
import pytest

from tests.helpers.sequence_files import random_sequences, write_archive, write_timeseries, write_wav
from trine_sw.data import arrays as arrays_module
from trine_sw.data.arrays import archive_table, load_arrays
from trine_sw.data.audio import load_audio, read_audio
from trine_sw.data.loading import load_splits
from trine_sw.data.paths import data_path
from trine_sw.data.sequence_table import SequenceTable, labels_in
from trine_sw.data.source import HeldOut, SequenceSource
from trine_sw.data.splits import held_out
from trine_sw.data.table_file import load_table
from trine_sw.data.text import check_text
from trine_sw.data.text_file import OwnText
from trine_sw.data.timeseries import load_timeseries
from trine_sw.support.errors import TrineError
from trine_sw.support.reading import decode_text

X = random_sequences(8)
DTYPES = ("f2", "f4", "f8", "g", "c16", "i1", "u8", ">i4", "?", "U3", "S3", "M8[s]", "m8[s]", "V3")
SPECIAL = (0.0, -0.0, 1.0, 0.5, -3.0, 1e30, 1e300, -1e300, 5e-324, np.nan, np.inf)


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def read(load, *arguments, **options):
    """What is loaded, or None where one line says why not."""
    try:
        return load(*arguments, **options)
    except TrineError as error:
        assert "\n" not in str(error)
        return None


def refused(load, *arguments, saying, **options):
    with pytest.raises(TrineError) as caught:
        load(*arguments, **options)
    assert saying in str(caught.value) and "\n" not in str(caught.value)


def random_array(rng, size):
    """An array of any type, of about the shape that is asked for, of numbers of all magnitudes."""
    shape = [(size,), (size, 3), (size, 3, 2), (), (size, 0), (0,), (size + 1,), (size, 3, 2, 1)]
    chosen = shape[rng.choice(8, p=[0.4, 0.15, 0.25, 0.04, 0.04, 0.04, 0.04, 0.04])]
    values = rng.normal(size=chosen)
    if rng.random() < 0.3:
        values = np.where(rng.random(chosen) < 0.2, rng.choice(SPECIAL), values)
    kind = np.dtype(DTYPES[rng.integers(len(DTYPES))])
    if kind.kind in "VS":
        return np.frombuffer(rng.bytes(int(np.prod(chosen)) * 3), kind).reshape(chosen)
    if kind.kind == "U":
        return np.asarray(values.astype("U9"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(values * 3).astype("i8" if kind.kind in "mM" else "f8").astype(kind)


@pytest.mark.parametrize("seed", range(300))
def test_random_archives(seed):
    rng = np.random.default_rng(seed)
    arrays = {name: random_array(rng, 6) for name in ("x", "y")}
    if rng.random() < 0.7:
        arrays["x"] = rng.normal(size=(6, 3, 2))
    for name in ("lengths", "labels", "names", "inputs", "units", "outputs", "groups", "sample_rate", "more"):
        if rng.random() < 0.12:
            arrays[name] = random_array(rng, 6)
    task = (None, "classify", "label", "regress")[rng.integers(4)]
    table = read(archive_table, arrays, task)
    if table is None:
        return
    labels = table.labels or labels_in(table.targets)
    whole = table.as_set(labels)
    assert whole.task in ((task,) if task else ("classify", "label", "regress"))
    assert len(whole) == len(table.x) and all(each.dtype == np.float32 for each in whole.x)
    if whole.task == "regress":
        assert np.asarray(whole.y).ndim == 2 and np.isfinite(whole.y).all() and whole.outputs >= 1
    else:
        assert labels is not None and all(labels) and len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    "change, saying",
    [
        ({"y": np.array([b"\xff", b"a"] * 4)}, "y hold bytes that are no UTF-8"),
        ({"groups": np.array([b"\xff", b"a"] * 4)}, "groups hold bytes that are no UTF-8"),
        ({"y": ["", "a"] * 4}, "classes must be strings that are not empty"),
        ({"y": ["\ud800", "a"] * 4}, "classes must be strings that are not empty"),
        ({"y": np.array([1e300, 0] * 4)}, "no number of a class"),
        ({"y": np.array([1j, 0] * 4)}, "y must be strings or numbers, not complex128"),
        ({"y": np.zeros((8, 0)), "task": "regress"}, "one number a sequence at least"),
        ({"y": np.array([1e39, 0.5] * 4)}, "give them in another unit"),
        ({"y": np.array([1.5e-300, 0.5e-300] * 4)}, "give them in another unit"),
        ({"inputs": ["a", "a"]}, "the names of inputs must be different"),
        ({"y": np.arange(8) / 3, "outputs": ["a", "b"]}, "outputs must be 1 different strings"),
    ],
)
def test_what_a_model_file_cannot_hold_is_refused_before_training(change, saying):
    arrays = {"x": np.ones((8, 3, 2)), "y": np.arange(8) % 2} | {k: np.asarray(v) for k, v in change.items()}
    task = arrays.pop("task", None)
    refused(archive_table, arrays, None if task is None else str(task), saying=saying)


def test_members_that_are_no_arrays(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"hello")
    refused(load_arrays, path, saying="'x' in it is no array")
    path.write_bytes(b"PK")
    refused(load_arrays, path, saying="no .npz archive")


def test_an_archive_larger_than_the_memory(tmp_path, monkeypatch):
    path = write_archive(tmp_path / "a.npz", X, [0, 1] * 4)
    monkeypatch.setattr(arrays_module.os, "sysconf", lambda name: 16)
    refused(load_arrays, path, saying="GiB of memory")


def test_real_numbers_in_a_table_are_a_regression(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"s{number},{number},{number / 3}" for number in range(20)]
    path.write_text("\n".join(["sequence,a,label", *rows]), encoding="utf-8")
    table = load_table(path)
    np.testing.assert_allclose(np.asarray(table.targets)[:, 0], np.arange(20) / 3)
    assert table.outputs == ["label"]
    assert load_table(path, task="classify").targets[1] == repr(1 / 3)
    own = tmp_path / "b.csv"
    own.write_text("sequence,a,label\ns,1,2\nt,2,3\n", encoding="utf-8")  # whole ones, of the same regression
    splits = load_splits(SequenceSource(path=str(path), test=HeldOut(path=str(own))))
    assert splits["test"].task == "regress"
    path.write_text(path.read_text(encoding="utf-8").replace("s", "s\0"), encoding="utf-8")
    refused(load_table, path, saying="holds NUL characters")
    refused(decode_text, "a,b".encode("utf-16"), path, saying="iconv -f utf-16")


@pytest.mark.parametrize("seed", range(60))
def test_random_damage_of_texts(tmp_path, seed):
    rng = np.random.default_rng(seed)
    if seed % 2:
        path = tmp_path / "a.csv"
        rows = [f"s{number % 8},{rng.normal():.2f},{number % 2}" for number in range(24)]
        path.write_text("\n".join(["sequence,a,label", *rows]), encoding="utf-8")
    else:
        pytest.importorskip("aeon")
        path = write_timeseries(tmp_path / "a.ts", X, ["a", "b"] * 4)
    load = load_table if seed % 2 else load_timeseries
    text = list(path.read_text(encoding="utf-8"))
    for _ in range(rng.integers(1, 5)):
        text[rng.integers(len(text))] = rng.choice(list("0.,:;?@\n\t\"'-e x\0ä#"))
    if rng.random() < 0.3:
        text = text[: rng.integers(len(text))]
    path.write_text("".join(text), encoding="utf-8")
    read(load, path)


def test_target_values_are_no_classes(tmp_path):
    pytest.importorskip("aeon")
    path = write_timeseries(tmp_path / "a.ts", X, ["1.5", "2.5"] * 4)
    text = path.read_text(encoding="utf-8").replace("@classLabel true 1.5 2.5", "@targetlabel true")
    path.write_text(text, encoding="utf-8")
    assert isinstance(load_timeseries(path).targets, np.ndarray)
    refused(load_timeseries, path, "classify", saying="its task is regress")


def test_many_classes_and_columns_are_read_in_little_time(tmp_path):
    """Both took a time that grew with the square: minutes here."""
    count, classes = 40_000, 1000
    rng = np.random.default_rng(0)
    table = SequenceTable(
        list(rng.normal(size=(count, 1, 1)).astype(np.float32)),
        [str(number % classes) for number in range(count)],
        [""] * count,
    )
    start = time.process_time()
    chosen = held_out(table, HeldOut(share=0.1), np.arange(count), 1, None, "test")
    split = time.process_time() - start
    assert abs(len(chosen) - count / 10) < 2
    start = time.process_time()
    list(range(5_000_000))
    assert split < 100 * (time.process_time() - start)
    names = [f"c{number}" for number in range(20_000)]
    lines = [",".join(["label", *names])] + [",".join([str(row), *["1"] * len(names)]) for row in range(2)]
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    assert len(load_table(tmp_path / "a.csv").x[0]) == len(names)


def test_equal_sequences_are_equal_whatever_the_sign_of_zero():
    x = [np.array([[sign * 0.0]], np.float32) for sign in (1, -1)] * 4
    table = SequenceTable(x, ["a", "b"] * 4, [""] * 8)
    refused(
        held_out, table, HeldOut(share=0.5), np.arange(8), 1, None, "test", saying="1 different sequences"
    )


def test_one_sequence_a_class_is_told(tmp_path):
    table = SequenceTable(X, [str(number) for number in range(8)], [""] * 8)
    refused(
        *(held_out, table, HeldOut(share=0.5), np.arange(8), 1, None, "test"),
        saying="one of each of the 8 classes must stay to train on; if they are numbers to be learned",
    )


def test_equal_targets_are_nothing_to_learn(tmp_path):
    path = write_archive(tmp_path / "a.npz", X, np.full(8, 0.5))
    refused(load_splits, SequenceSource(path=str(path)), saying="the targets of all sequences are the same")


def test_paths_that_no_recipe_can_hold():
    refused(SequenceSource, path="\udcff.npz", saying="rename it")
    refused(OwnText, path="\udcff.txt", saying="rename it")
    refused(data_path, "", saying="is empty")
    refused(data_path, "a\0b", saying="no file or folder")


@pytest.mark.parametrize("symbols", ["characters", "words", "bytes"])
def test_a_text_of_one_symbol(tmp_path, symbols):
    path = tmp_path / "a.txt"
    path.write_text("\n" * 1000 if symbols == "words" else "a" * 1000, encoding="utf-8")
    refused(check_text, OwnText(path=str(path), symbols=symbols), saying="throughout: a model needs two")


def test_recordings(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("librosa")
    path = write_wav(tmp_path / "a/a.wav", np.sin(np.arange(4000)))
    data = path.read_bytes()
    for size in (44, 46, 100, len(data) - 1):
        path.write_bytes(data[:size])
        refused(read_audio, path, saying="is cut short" if size > 44 else "has no sample")
    # As a program writes into a pipe, which does not know the size.
    path.write_bytes(data[:40] + b"\xff\xff\xff\xff" + data[44:])
    assert len(read_audio(path)[0]) == 4000
    path.write_bytes(b"no audio")
    with pytest.raises(TrineError) as caught:
        read_audio(path)
    assert "Format not recognised" in str(caught.value) and "0x" not in str(caught.value)
    soundfile.write(path, np.full(4000, 1e200), 8000, subtype="DOUBLE")
    refused(load_audio, tmp_path, saying="a.wav: it holds samples that are not finite, or absurdly large")
