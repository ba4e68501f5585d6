"""Texts: split, checked, fetched, and plain words where they cannot be had."""

import hashlib
import io
import itertools
import os
import urllib.error
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trine_sw.data import DataSet, Part, TextFile, describe_split, load_text, load_tokens, symbols
from trine_sw.data import text as data
from trine_sw.support.errors import TrineError

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
    data._symbols.cache_clear()
    answers = []

    def urlopen(url, timeout):
        answers.append(url)
        return io.BytesIO(TEXT.encode())

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    yield answers
    data._read.cache_clear()
    data._symbols.cache_clear()


def put(folder, text):
    (folder / "tiny").mkdir(parents=True)
    (folder / "tiny/input.txt").write_text(text, encoding="utf-8")


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
    data._symbols.cache_clear()
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
        (tmp_path / f"data/words/{split}.txt").write_text(text, encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        splits[split] = Part(TextFile(f"words/{split}.txt", f"https://example.org/{split}", digest))
    monkeypatch.setitem(data.DATA_SETS, "words", DataSet(splits, words=True))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRINE_DATA", raising=False)
    data._symbols.cache_clear()
    yield splits
    data._symbols.cache_clear()


def test_words_and_line_ends(words):
    assert symbols("words") == ("<eos>", "be", "to", "is", "not", "or", "that")
    assert load_text("words", "train").split() == "to be or not to be <eos> <eos> that is <eos>".split()
    assert load_tokens("words", "train").tolist() == [2, 1, 5, 4, 2, 1, 0, 0, 6, 3, 0]
    assert load_tokens("words", "test").tolist() == [6, 3, 4, 0]


def test_word_that_was_not_trained(words, monkeypatch, tmp_path):
    (tmp_path / "data/words/new.txt").write_text("to sleep\n", encoding="utf-8")
    file = TextFile("words/new.txt", "", hashlib.sha256(b"to sleep\n").hexdigest())
    monkeypatch.setitem(data.DATA_SETS, "words", DataSet(words | {"test": Part(file)}, words=True))
    with pytest.raises(TrineError, match="'sleep' of test is no word of the training text"):
        load_tokens("words", "test")


BLANKS = st.sampled_from([" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u2003", "\x1c", "\x85"])


@given(
    pieces=st.lists(st.tuples(st.sampled_from(["to", "be", "é", "\ufeff"]), BLANKS), max_size=40),
    borders=st.sets(st.integers(1, 99), max_size=4),
    words=st.booleans(),
)
def test_parts_of_a_text_are_disjoint_and_complete(pieces, borders, words):
    """Of every text, for characters and for words: all of it, once, in order, in shares that are right."""
    text = " ".join(word + blank for word, blank in pieces)
    bounds = [0, *sorted(borders), 100]
    parts = [Part(TextFile("a", "", ""), *each) for each in itertools.pairwise(bounds)]
    found = [part.of(text, words=words) for part in parts]
    assert "".join(found) == text
    units = [each.split() if words else list(each) for each in found]
    total = sum(map(len, units))
    assert list(itertools.chain(*units)) == (text.split() if words else list(text))
    for part, own in zip(parts, units, strict=True):
        assert len(own) == total * part.stop // 100 - total * part.start // 100


@pytest.mark.parametrize("bounds", [(-1, 50), (50, 50), (60, 50), (0, 101), (100, 100), (0.5, 50), (True, 9)])
def test_borders_of_a_part_are_checked(bounds):
    with pytest.raises(TrineError, match="of a part, in hundredths, must be"):
        Part(TextFile("a", "", ""), *bounds)


def one_file(monkeypatch, tmp_path, contents, parts, **options):
    """A data set "one" of words, with all of its parts in one file."""
    data_bytes = contents if isinstance(contents, bytes) else contents.encode()
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data/one.txt").write_bytes(data_bytes)
    file = TextFile("one.txt", "", hashlib.sha256(data_bytes).hexdigest())
    splits = {name: Part(file, *each) for name, each in parts.items()}
    monkeypatch.setitem(data.DATA_SETS, "one", DataSet(splits, **{"words": True} | options))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRINE_DATA", raising=False)
    data._read.cache_clear()
    data._symbols.cache_clear()


PARTS = {"train": (0, 70), "valid": (70, 90), "test": (90, 100)}


@pytest.mark.parametrize("most_frequent", [None, 3])
def test_words_of_one_file_are_cut_into_parts(monkeypatch, tmp_path, most_frequent):
    text = "to be or not to be that is\n" * 20 + "the question\n" * 20
    one_file(monkeypatch, tmp_path, text, PARTS, most_frequent=most_frequent)
    found = {name: load_text("one", name).split() for name in PARTS}
    whole = text.replace("\n", " <eos> ").split()
    kept = set(symbols("one"))
    of_cut = [word if word in kept else "<unk>" for word in whole]
    assert (whole if most_frequent is None else of_cut) == sum(found.values(), [])
    assert [len(words) for words in found.values()] == [168, 48, 24] and len(whole) == 240
    # No word is known that the training text does not hold.
    assert kept <= {*whole[:168], "<unk>"} and "question" not in kept
    assert describe_split("one", "valid") == "one.txt, 70 to 90 % of its words"
    if most_frequent is None:
        with pytest.raises(TrineError, match="'the' of valid is no word of the training text"):
            load_tokens("one", "valid")
    else:
        assert load_tokens("one", "valid").max() < 3


def test_the_last_line_ends_too(monkeypatch, tmp_path):
    one_file(monkeypatch, tmp_path, "to be\nor not", {"train": (0, 100)})
    assert load_text("one", "train").split() == "to be <eos> or not <eos>".split()


def test_the_word_for_a_line_s_end_is_no_word_of_the_text(monkeypatch, tmp_path):
    for text in ("<eos>", "to be\n<eos>\n", "a\nb <eos> c\n"):
        one_file(monkeypatch, tmp_path, text, {"train": (0, 100)})
        with pytest.raises(TrineError, match=r"line \d of one.txt holds the word <eos>"):
            load_text("one", "train")
    one_file(monkeypatch, tmp_path, "a<eos> <eos>b\n", {"train": (0, 100)})
    assert symbols("one") == ("<eos>", "<eos>b", "a<eos>")


def test_other_encodings_and_a_byte_order_mark(monkeypatch, tmp_path):
    one_file(monkeypatch, tmp_path, "être\nou\n".encode("latin-1"), {"train": (0, 100)})
    with pytest.raises(TrineError, match="one.txt is no UTF-8 text: byte 0xea in line 1.*iconv"):
        load_text("one", "train")
    for words in (True, False):
        one_file(monkeypatch, tmp_path, "être\n".encode("utf-8-sig"), {"train": (0, 100)}, words=words)
        assert load_text("one", "train").startswith("être")
        assert not any("\ufeff" in symbol for symbol in symbols("one"))


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
    data._symbols.cache_clear()
    yield text
    data._symbols.cache_clear()


def test_text8(small_text8, tmp_path):
    parts = [load_text("text8", split) for split in ("train", "valid", "test")]
    assert "".join(parts) == small_text8
    assert [len(part) for part in parts] == [900, 50, 50]
    assert load_tokens("text8", "valid").tolist() == [symbols("text8").index(c) for c in parts[1]]
    assert (tmp_path / "data/text8/text8").read_text(encoding="utf-8") == small_text8
    (tmp_path / "data/text8/text8").write_text("x", encoding="utf-8")
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
