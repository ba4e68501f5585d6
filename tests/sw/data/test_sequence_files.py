"""Sequences from archives, tables and .ts files: what was written is read, or one error says why not."""

import io
import zipfile

import numpy as np
import pytest

from tests.helpers.sequence_files import random_sequences, write_archive, write_timeseries
from trine_sw.data.arrays import load_arrays
from trine_sw.data.loading import load_splits
from trine_sw.data.source import Columns, HeldOut, SequenceSource
from trine_sw.data.table_file import load_table
from trine_sw.data.timeseries import load_timeseries
from trine_sw.support.errors import TrineError

X = random_sequences(7)
CLASSES = ["a", "b", "b", "a", "c", "b", "a"]


def refused(load, *arguments, saying, **options):
    """A call ends in one line with these words."""
    with pytest.raises(TrineError) as caught:
        load(*arguments, **options)
    assert saying in str(caught.value) and "\n" not in str(caught.value)


def equal(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other)


def test_archive_of_ragged_sequences(tmp_path):
    about = {"groups": [1, 1, 2, 2, 3, 3, 3], "inputs": ["ax", "ay"], "units": ["g", "g"], "sample_rate": 50}
    table = load_arrays(write_archive(tmp_path / "a.npz", X, CLASSES, **about))
    equal(table.x, X)
    assert table.targets == CLASSES and table.fields == {"groups": list("1122333")}
    assert [(each.name, each.unit) for each in table.inputs or []] == [("ax", "g"), ("ay", "g")]
    assert table.sample_rate == 50


@pytest.mark.parametrize("padded", [False, True])
def test_archive_of_equal_or_padded_sequences(tmp_path, padded):
    x = np.random.default_rng(1).normal(size=(4, 6, 3)).astype(np.float32)
    lengths = np.array([6, 2, 3, 1])
    more = {"lengths": lengths} if padded else {}
    np.savez(tmp_path / "a.npz", x=x, y=[3, 1, 3, 10], **more)
    table = load_arrays(tmp_path / "a.npz")
    equal(table.x, [each[:length] for each, length in zip(x, lengths, strict=True)] if padded else list(x))
    assert table.targets == ["3", "1", "3", "10"]


def test_archive_of_one_feature_and_real_targets(tmp_path):
    x = np.random.default_rng(2).normal(size=(4, 6))
    np.savez(tmp_path / "a.npz", x=x, y=np.array([[0.5, 1], [2, 3], [4, 5], [6, 7]]))
    table = load_arrays(tmp_path / "a.npz", "regress")
    equal(table.x, list(x.astype(np.float32)[:, :, None]))
    np.testing.assert_array_equal(table.targets, [[0.5, 1], [2, 3], [4, 5], [6, 7]])


@pytest.mark.parametrize("flat", [False, True])
def test_archive_of_labels_of_steps(tmp_path, flat):
    labels = [np.arange(len(each)) % 3 for each in X]
    if flat:
        path = write_archive(tmp_path / "a.npz", X, np.concatenate(labels))
    else:
        most = max(map(len, X))
        x = np.zeros((len(X), most, 2), np.float32)
        y = np.zeros((len(X), most), int)
        for number, (each, row) in enumerate(zip(X, labels, strict=True)):
            x[number, : len(each)], y[number, : len(each)] = each, row
        path = tmp_path / "a.npz"
        np.savez(path, x=x, y=y, lengths=[len(each) for each in X])
    table = load_arrays(path, "label")
    equal(table.x, X)
    assert table.targets == [[str(label) for label in row] for row in labels]


def test_labels_of_an_archive_name_its_classes_in_their_order(tmp_path):
    rng = np.random.default_rng(3)
    labels, y = ["slow", "off", "fast"], rng.integers(0, 3, len(X))
    write_archive(tmp_path / "a.npz", X, y, labels=labels)
    table = load_arrays(tmp_path / "a.npz")
    assert table.targets == [labels[each] for each in y] and table.labels == labels
    steps = [rng.integers(0, 3, len(each)) for each in X]
    write_archive(tmp_path / "b.npz", X, np.concatenate(steps), labels=labels)
    table = load_arrays(tmp_path / "b.npz", "label")
    assert table.targets == [[labels[each] for each in row] for row in steps]
    # They number the classes, also one that never occurs.
    x = random_sequences(40)
    y = np.arange(40) % 2
    write_archive(tmp_path / "c.npz", x, y, labels=labels)
    train = load_splits(SequenceSource(path=str(tmp_path / "c.npz"), test=HeldOut(share=0.1)))["train"]
    assert train.labels == labels and set(np.asarray(train.y).tolist()) == {0, 1}
    assert [int(name.split()[1]) % 2 for name in train.names] == np.asarray(train.y).tolist()


@pytest.mark.parametrize(
    "arrays, saying",
    [
        (
            {"x": np.zeros((2, 3, 1)), "y": [0, 2], "labels": ["a", "b"]},
            "'2', and with 2 labels it must",
        ),
        ({"x": np.zeros((2, 3, 1)), "y": ["a", "b"], "labels": ["a", "b"]}, "the class 'a', and with 2"),
        ({"x": np.zeros((2, 3, 1)), "y": [0, 1], "labels": ["a", "a"]}, "labels must be different names"),
        ({"x": np.zeros((2, 3, 1)), "y": [0.5, 1], "labels": ["a", "b"]}, "real numbers of a regression"),
        ({"x": np.zeros((2, 3, 1)), "y": [0, 1], "names": ["a"]}, "names of classes are in the array labels"),
        ({"x": np.zeros((2, 3, 1))}, "no array y"),
        ({"x": np.zeros(3), "y": [0, 1, 2]}, "(N, T, F)"),
        ({"x": np.full((2, 3, 1), "a"), "y": [0, 1]}, "x must be numbers"),
        ({"x": np.zeros((2, 3, 1)), "y": [0, 1, 2]}, "one entry for each of 2 sequences"),
        ({"x": np.array([[[1.0], [np.nan]]]), "y": [0]}, "sequence 0 holds nan in step 1, feature 0"),
        ({"x": np.array([[[1e300]]]), "y": [0]}, "holds inf"),
        ({"x": np.zeros((0, 3, 1)), "y": []}, "no sequence"),
        ({"x": np.zeros((2, 0, 1)), "y": [0, 1]}, "sequence 0 has no step"),
        ({"x": np.zeros((2, 3, 0)), "y": [0, 1]}, "has no feature"),
        ({"x": np.zeros((5, 1)), "lengths": [2, 0, 3], "y": [0, 1, 1]}, "sequence 1 has no step"),
        ({"x": np.zeros((5, 1)), "lengths": [2, 2], "y": [0, 1]}, "add up to 4"),
        ({"x": np.zeros((5, 1)), "lengths": [6, -1], "y": [0, 1]}, "lengths must be whole numbers"),
        ({"x": np.zeros((2, 3, 1)), "lengths": [4, 1], "y": [0, 1]}, "up to 3"),
        ({"x": np.array([None, 1]), "y": [0, 1]}, "Python objects"),
        ({"x": np.zeros((2, 3, 1)), "y": np.array([0.5, np.nan])}, "not finite"),
        ({"x": np.zeros((2, 3, 1)), "y": [0, 1], "sample_rate": -1}, "above 0"),
        ({"x": np.zeros((2, 3, 1)), "y": [0, 1], "inputs": ["a", "b"]}, "1 names"),
        ({"x": np.zeros((2, 3, 1)), "y": [0, 1], "speaker": ["a"]}, "2 values, one a sequence"),
    ],
)
def test_archives_that_are_refused(tmp_path, arrays, saying):
    np.savez(tmp_path / "a.npz", **arrays)
    refused(load_arrays, tmp_path / "a.npz", saying=saying)
    refused(load_arrays, tmp_path / "a.npz", saying="a.npz: ")


def test_targets_that_do_not_suit_the_task(tmp_path):
    np.savez(tmp_path / "real.npz", x=np.zeros((2, 3, 1)), y=[0.5, 1])
    refused(load_arrays, tmp_path / "real.npz", "classify", saying="the task would be regress")
    np.savez(tmp_path / "names.npz", x=np.zeros((2, 3, 1)), y=["1", "b"])
    refused(load_arrays, tmp_path / "names.npz", "regress", saying="'b'")
    refused(load_arrays, tmp_path / "names.npz", "label", saying="one class a step")


def test_no_cut_of_an_archive_gives_another_error(tmp_path):
    path = write_archive(tmp_path / "a.npz", X, CLASSES)
    data = path.read_bytes()
    for size in range(0, len(data), 41):
        path.write_bytes(data[:size])
        refused(load_arrays, path, saying=str(path))
    altered = np.random.default_rng(3)
    for _ in range(60):
        torn = bytearray(data)
        torn[altered.integers(len(data))] ^= 1 << altered.integers(8)
        path.write_bytes(torn)
        try:
            load_arrays(path)
        except TrineError as error:
            assert "\n" not in str(error)


def test_an_archive_never_runs_what_it_holds(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    held = io.BytesIO()
    np.save(held, np.array([Evil()], object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", held.getvalue())
    refused(load_arrays, tmp_path / "a.npz", saying="Python objects")
    assert not (tmp_path / "ran").exists()


def csv(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_table_of_steps(tmp_path, delimiter):
    rows = ["sequence,ax,speaker,ay,label"]
    for number, (each, label) in enumerate(zip(X, CLASSES, strict=True)):
        rows += [f"{number},{float(a)!r},s{number % 2},{float(b)!r},{label}" for a, b in each]
    table = load_table(csv(tmp_path / "a.csv", "\r\n".join(rows).replace(",", delimiter)))
    equal(table.x, X)
    assert table.targets == CLASSES
    assert table.fields == {"speaker": [f"s{number % 2}" for number in range(len(X))]}
    assert [each.name for each in table.inputs or []] == ["ax", "ay"]


def test_time_is_no_feature_unless_it_is_named(tmp_path):
    path = csv(tmp_path / "a.csv", "sequence,time,x,label\n1,0,0.5,a\n1,1,0.25,a\n")
    assert [each.name for each in load_table(path).inputs or []] == ["x"]
    named = load_table(path, Columns(features=("time", "x")))
    assert [each.name for each in named.inputs or []] == ["time", "x"]


def test_table_of_labelled_steps_and_of_real_targets(tmp_path):
    text = "id,x,state,height,weight\n1,0.5,on,2,3\n1,0.25,off,2,3\n2,4,on,5,6\n"
    path = csv(tmp_path / "a.csv", text)
    columns = Columns(sequence="id", target=("state",), features=("x",))
    assert load_table(path, columns, "label").targets == [["on", "off"], ["on"]]
    columns = Columns(sequence="id", target=("height", "weight"), features=("x",))
    table = load_table(path, columns, "regress")
    np.testing.assert_array_equal(table.targets, [[2, 3], [5, 6]])
    assert table.outputs == ["height", "weight"]
    refused(load_table, path, columns, "classify", saying="several targets")
    columns = Columns(sequence="id", target=("state",), features=("x",))
    refused(load_table, path, columns, saying="the same in all rows of sequence 1; classes of steps")


def test_table_of_whole_sequences(tmp_path):
    table = load_table(csv(tmp_path / "a.csv", "label,0,1,2\nup,1,2,3\ndown,3,2,\n"))
    equal(table.x, [np.array([[1], [2], [3]], np.float32), np.array([[3], [2]], np.float32)])
    assert table.targets == ["up", "down"]


@pytest.mark.parametrize(
    "text, saying",
    [
        ("", "no row"),
        ("label,x\n", "no row"),
        ("1,2\n3,4\n", "must name the columns"),
        ("a,b\n1,2\n", "no column is the target"),
        ("label,x,x\na,1,2\n", "different names"),
        (",label\n0,a\n", "column 1 has no name"),
        ("label,x\na\n", "row 2 has 1 cells"),
        ("label,x\na,one\n", "row 2, column 'x': 'one' is no number"),
        ("sequence,label,x\n1,a,\n", "holds nan"),
        ("sequence,label,x\n1,a,inf\n", "holds inf"),
        ("label,x\na,\n", "row 2 has no step"),
        ("label\na\n", "no column is left"),
        ("label,x\n,1\n", "column 'label' is empty"),
        ('label,x\n"a,1\n', "row 2 has 1 cells"),
    ],
)
def test_tables_that_are_refused(tmp_path, text, saying):
    refused(load_table, csv(tmp_path / "a.csv", text), saying=saying)


def test_timeseries(tmp_path):
    pytest.importorskip("aeon")
    path = write_timeseries(tmp_path / "a.ts", X, CLASSES)
    table = load_timeseries(path)
    equal(table.x, X)
    assert table.targets == CLASSES
    refused(load_timeseries, path, "label", saying="a class for each sequence")
    text = path.read_text(encoding="utf-8")
    for torn in (
        text.partition("@data")[0],
        text.partition("@data")[0] + "@data\n",
        text[:-9],
        text.replace("-", "?"),
    ):
        path.write_text(torn, encoding="utf-8")
        refused(load_timeseries, path, saying=str(path))
    path.write_bytes(b"\xff\xfe@data")
    refused(load_timeseries, path, saying="no UTF-8")
    refused(load_timeseries, tmp_path / "none.ts", saying="No such file")
