"""Texts: split, checked, fetched, and plain words where they cannot be had."""

import hashlib
import io
import urllib.error

import pytest

from trine_sw import data
from trine_sw.data import DataSet, load_text, symbols
from trine_sw.errors import TrineError

TEXT = "to be or not to be\n" * 10


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A data set "tiny" that nothing holds yet; the folder is empty, and the network answers with TEXT."""
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    monkeypatch.setitem(data.DATA_SETS, "tiny", DataSet("tiny/input.txt", "https://example.org/tiny", digest))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRINE_DATA", raising=False)
    data._read.cache_clear()
    answers = []

    def urlopen(url, timeout):
        answers.append(url)
        return io.BytesIO(TEXT.encode())

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    yield answers
    data._read.cache_clear()


def put(folder, text):
    (folder / "tiny").mkdir(parents=True)
    (folder / "tiny/input.txt").write_text(text)


def test_split_and_symbols(tiny, tmp_path, monkeypatch):
    put(tmp_path / "elsewhere", TEXT)
    monkeypatch.setenv("TRINE_DATA", str(tmp_path / "elsewhere"))
    train, valid = load_text("tiny", "train"), load_text("tiny", "valid")
    assert train + valid == TEXT
    assert len(valid) == len(TEXT) // 10
    assert symbols("tiny") == sorted(set(TEXT))
    assert not tiny


def test_download_is_kept(tiny, tmp_path):
    load_text("tiny", "train")
    assert tiny == ["https://example.org/tiny"]
    data._read.cache_clear()
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
