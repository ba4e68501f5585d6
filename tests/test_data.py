"""Texts: split, checked, fetched, and plain words where they cannot be had."""

import hashlib
import io
import os
import urllib.error
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trine_sw import data
from trine_sw.data import DataSet, Part, TextFile, load_text, load_tokens, symbols
from trine_sw.errors import TrineError

TEXT = "to be or not to be\n" * 10


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A data set "tiny" that nothing holds yet; the folder is empty, and the network answers with TEXT."""
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    file = TextFile("tiny/input.txt", "https://example.org/tiny", digest)
    monkeypatch.setitem(
        data.DATA_SETS, "tiny", DataSet({"train": Part(file, 0, 90), "valid": Part(file, 90)})
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRINE_DATA", raising=False)
    data._read.cache_clear()
    data.symbols.cache_clear()
    answers = []

    def urlopen(url, timeout):
        answers.append(url)
        return io.BytesIO(TEXT.encode())

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    yield answers
    data._read.cache_clear()
    data.symbols.cache_clear()


def put(folder, text):
    (folder / "tiny").mkdir(parents=True)
    (folder / "tiny/input.txt").write_text(text)


def test_split_and_symbols(tiny, tmp_path, monkeypatch):
    put(tmp_path / "elsewhere", TEXT)
    monkeypatch.setenv("TRINE_DATA", str(tmp_path / "elsewhere"))
    train, valid = load_text("tiny", "train"), load_text("tiny", "valid")
    assert train + valid == TEXT
    assert len(valid) == len(TEXT) // 10
    assert symbols("tiny") == tuple(sorted(set(TEXT)))
    assert "".join(symbols("tiny")[token] for token in load_tokens("tiny", "valid")) == valid
    assert not tiny


def test_download_is_kept(tiny, tmp_path):
    load_text("tiny", "train")
    assert tiny == ["https://example.org/tiny"]
    data._read.cache_clear()
    data.symbols.cache_clear()
    load_text("tiny", "train")
    assert len(tiny) == 1
    assert [file.name for file in (tmp_path / "data/tiny").iterdir()] == ["input.txt"]


def test_altered_file(tiny, tmp_path):
    put(tmp_path / "data", TEXT + "!")
    with pytest.raises(TrineError, match="data/tiny/input.txt is not the text of tiny: its SHA-256"):
        load_text("tiny", "train")


def test_altered_download(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: io.BytesIO(b"Moved"))
    with pytest.raises(TrineError, match="gave a file that is not the text"):
        load_text("tiny", "train")
    assert not (tmp_path / "data/tiny/input.txt").exists()


def test_no_network(tiny, monkeypatch):
    def fail(url, timeout):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr("urllib.request.urlopen", fail)
    with pytest.raises(TrineError, match=r"looked for data/tiny/input.txt.*no route.*TRINE_DATA"):
        load_text("tiny", "train")


def test_unknown_names(tiny):
    with pytest.raises(TrineError, match="'homer' is no data set; there are shakespeare"):
        load_text("homer", "train")
    with pytest.raises(TrineError, match="'test' is no split of tiny; there are train, valid"):
        load_text("tiny", "test")


LINES = {"train": " to be or not to be \n\n that is \n", "valid": " to be \n", "test": " that is not \n"}


@pytest.fixture
def words(monkeypatch, tmp_path):
    """A data set "words" of three files in the form of the Penn Treebank's."""
    (tmp_path / "data/words").mkdir(parents=True)
    splits = {}
    for split, text in LINES.items():
        (tmp_path / f"data/words/{split}.txt").write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        splits[split] = Part(TextFile(f"words/{split}.txt", f"https://example.org/{split}", digest))
    monkeypatch.setitem(data.DATA_SETS, "words", DataSet(splits, words=True))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRINE_DATA", raising=False)
    data.symbols.cache_clear()
    yield splits
    data.symbols.cache_clear()


def test_words_and_line_ends(words):
    assert symbols("words") == ("<eos>", "be", "to", "is", "not", "or", "that")
    assert load_text("words", "train").split() == "to be or not to be <eos> <eos> that is <eos>".split()
    assert load_tokens("words", "train").tolist() == [2, 1, 5, 4, 2, 1, 0, 0, 6, 3, 0]
    assert load_tokens("words", "test").tolist() == [6, 3, 4, 0]


def test_word_that_was_not_trained(words, monkeypatch, tmp_path):
    (tmp_path / "data/words/new.txt").write_text("to sleep\n")
    file = TextFile("words/new.txt", "", hashlib.sha256(b"to sleep\n").hexdigest())
    monkeypatch.setitem(data.DATA_SETS, "words", DataSet(words | {"test": Part(file)}, words=True))
    with pytest.raises(TrineError, match="'sleep' of test is no word of the training text"):
        load_tokens("words", "test")


@pytest.fixture
def small_text8(monkeypatch, tmp_path):
    """text8 with a thousand characters of its form; the network has the archive of them."""
    text = "anarchism originated as a term of abuse " * 25
    digest = hashlib.sha1(text.encode()).hexdigest()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("text8", text)
    real = data.DATA_SETS["text8"].splits
    splits = {
        name: Part(TextFile(part.file.path, part.file.url, digest, part.file.member), part.start, part.stop)
        for name, part in real.items()
    }
    monkeypatch.setitem(data.DATA_SETS, "text8", DataSet(splits))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRINE_DATA", raising=False)
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: io.BytesIO(archive.getvalue()))
    data.symbols.cache_clear()
    yield text
    data.symbols.cache_clear()


def test_text8(small_text8, tmp_path):
    parts = [load_text("text8", split) for split in ("train", "valid", "test")]
    assert "".join(parts) == small_text8
    assert [len(part) for part in parts] == [900, 50, 50]
    assert load_tokens("text8", "valid").tolist() == [symbols("text8").index(c) for c in parts[1]]
    assert (tmp_path / "data/text8/text8").read_text() == small_text8
    (tmp_path / "data/text8/text8").write_text("x")
    data._read.cache_clear()
    with pytest.raises(TrineError, match="text8 is not the text of text8: its SHA-1 is"):
        load_text("text8", "test")


def test_text8_that_is_no_archive(small_text8, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: io.BytesIO(b"Moved"))
    with pytest.raises(TrineError, match="gave no zip archive with text8 in it"):
        load_text("text8", "train")


@pytest.mark.parametrize(
    ("name", "tokens", "size"),
    [("ptb", (929_589, 73_760, 82_430), 10_000), ("wikitext-2", (2_088_628, 217_646, 245_569), 33_278)],
)
def test_published_counts(name, tokens, size):
    """Where the real texts are at hand."""
    folder = Path(os.environ.get("TRINE_DATA", "data"))
    if not all((folder / part.file.path).is_file() for part in data.DATA_SETS[name].splits.values()):
        pytest.skip(f"{name} is not in $TRINE_DATA")
    loaded = [load_tokens(name, split) for split in ("train", "valid", "test")]
    assert tuple(map(len, loaded)) == tokens
    assert len(symbols(name)) == size and {"<eos>", "<unk>"} <= set(symbols(name)[:10])
    assert np.concatenate(loaded).max() == size - 1
