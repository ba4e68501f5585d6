"""Text files of one's own: symbols, encodings, line ends, splits and digests."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trine_sw.data import OwnText, describe_split, load_text, load_tokens, split_names, symbols
from trine_sw.data.evaluation import split_tokens
from trine_sw.data.source import HeldOut
from trine_sw.data.text import _read
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.model.vocabulary import Vocabulary
from trine_sw.support.errors import TrineError
from trine_sw.support.plain_values import from_plain, plain

SEA = "The sea, the sea!\r\nthe open sea\n" * 20


def refused(call, *arguments, saying, **options):
    with pytest.raises(TrineError) as caught:
        call(*arguments, **options)
    assert saying in str(caught.value) and "\n" not in str(caught.value)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sea.txt"
    path.write_bytes(SEA.encode())
    return path


@pytest.mark.parametrize("kind", ["characters", "words", "bytes"])
@pytest.mark.parametrize("test", [None, HeldOut(share=0.2)])
def test_splits_are_contiguous_disjoint_and_complete(file, kind, test):
    text = OwnText(path=str(file), symbols=kind, test=test)
    assert split_names(text) == (("train", "valid", "test") if test else ("train", "valid"))
    parts = [load_text(text, split) for split in split_names(text)]
    if kind == "words":
        expected = SEA.replace("\r\n", "\n").replace("\n", " <eos>\n")
    else:
        expected = SEA if kind == "bytes" else SEA.replace("\r\n", "\n")
    assert "".join(parts) == expected
    vocabulary = symbols(text)
    for split, part in zip(split_names(text), parts, strict=True):
        tokens = load_tokens(text, split)
        found = Vocabulary(vocabulary).decode(tokens)
        assert found.split() == part.split() if kind == "words" else found == part
    assert f"10 % of its {kind}".replace("10", "100") in describe_split(text, split_names(text)[-1])


@given(st.binary(min_size=40, max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_bytes_can_be_read(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "any.bin"
    path.write_bytes(data)
    text = OwnText(path=str(path), symbols="bytes", valid=HeldOut(share=0.1))
    found = np.concatenate([load_tokens(text, split) for split in ("train", "valid")])
    assert bytes(int(symbols(text)[token][3:5], 16) for token in found) == data
    config = ModelConfig(hidden=2, embedding=2, vocab_size=len(symbols(text)))
    model = replace(random_model(config, seed=1), vocabulary=list(symbols(text)))
    np.testing.assert_array_equal(split_tokens(model, text, "train"), load_tokens(text, "train"))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_vocabulary_of_bytes_writes_what_it_reads(text):
    vocabulary = Vocabulary([f"<0x{value:02X}>" for value in range(256)])
    tokens = vocabulary.encode(text)
    assert tokens.tolist() == list(text.encode()) and vocabulary.decode(tokens) == text
    assert vocabulary.decode([0xC3]) == "\ufffd"


def test_a_byte_that_a_vocabulary_lacks():
    refused(Vocabulary(["<0x41>"]).encode, "AB", saying="the byte <0x42> of the text")


@pytest.mark.parametrize(
    "newline, expected", [("unix", "\n"), ("keep", "\r\n"), ("blank", " "), (None, "\n")]
)
def test_line_ends(file, newline, expected):
    assert f"sea!{expected}the" in load_text(OwnText(path=str(file), newline=newline), "train")


def test_encodings(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("Käse und Brot. ".encode("latin-1") * 10)
    assert load_text(OwnText(path=str(path), encoding="latin-1"), "train").startswith("Käse")
    refused(load_text, OwnText(path=str(path)), "train", saying="no UTF-8 text")
    refused(load_text, OwnText(path=str(path), encoding="ascii"), "train", saying="no text in ascii")
    refused(OwnText, path=str(path), encoding="utf-99", saying="no encoding 'utf-99'")
    path.write_bytes(b"\xef\xbb\xbfto be or not to be")
    assert load_text(OwnText(path=str(path)), "train").startswith("to be")


def test_what_stands_for_rare_symbols(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a a a b b c d\n" * 9 + "new words here\n", encoding="utf-8")
    text = OwnText(path=str(path), symbols="words", valid=HeldOut(share=0.05))
    refused(load_tokens, text, "valid", saying="with most_frequent, <unk> stands for such words")
    cut = replace(text, most_frequent=4)
    assert set(symbols(cut)) == {"a", "b", "<eos>", "<unk>"}
    assert "c" not in load_text(cut, "train").split() and "new" not in load_text(cut, "valid")
    assert len(load_tokens(cut, "valid"))
    assert "<unk>" in symbols(replace(text, most_frequent=100))
    characters = OwnText(path=str(path), most_frequent=5, valid=HeldOut(share=0.2))
    assert len(symbols(characters)) == 5 and "\ufffd" in symbols(characters)
    assert "\ufffd" in load_text(characters, "valid") and "w" not in load_text(characters, "valid")
    load_tokens(characters, "valid")


def test_files_of_their_own(tmp_path, file):
    (tmp_path / "valid.txt").write_text("zebra sea", encoding="utf-8")
    text = OwnText(path=str(file), valid=HeldOut(path=str(tmp_path / "valid.txt")), test=HeldOut(share=0.1))
    assert load_text(text, "valid") == "zebra sea" and "z" in symbols(text)
    whole = load_text(text, "train") + load_text(text, "test")
    assert whole == SEA.replace("\r\n", "\n")
    assert len(text.pinned().digests) == 2


def test_a_change_of_the_file_is_seen(file):
    text = OwnText(path=str(file)).pinned()
    again = from_plain(OwnText, plain(text))
    assert again == text and load_text(again, "valid")
    file.write_text("another text " * 20, encoding="utf-8")
    load_text(OwnText(path=str(file)), "train")
    _read.cache_clear()  # as in another process
    refused(load_text, again, "train", saying="has changed")


def test_a_moved_file_is_the_same_text(tmp_path, file):
    first = OwnText(path=str(file)).identity()
    file.rename(tmp_path / "other.txt")
    assert OwnText(path=str(tmp_path / "other.txt")).identity() == first
    assert OwnText(path=str(tmp_path / "other.txt"), newline="keep").identity() != first


def test_what_is_refused(tmp_path, file):
    path = str(file)
    refused(load_text, OwnText(path=str(tmp_path / "none.txt")), "train", saying="no file or folder")
    refused(load_text, OwnText(path=str(tmp_path)), "train", saying="cannot read")
    refused(load_text, OwnText(path=path), "test", saying="'test' is no split")
    refused(OwnText, path="", saying="path must name")
    refused(OwnText, path=path, symbols="letters", saying="symbols must be one of")
    refused(OwnText, path=path, newline="dos", saying="newline must be one of")
    refused(OwnText, path=path, valid=HeldOut(groups=("a",)), saying="a share of it, or the path")
    refused(OwnText, path=path, valid=HeldOut(share=0.005), saying="whole hundredths")
    refused(OwnText, path=path, valid=HeldOut(share=0.5), test=HeldOut(share=0.5), saying="nothing to train")
    refused(OwnText, path=path, most_frequent=1, saying="most_frequent")
    refused(OwnText, path=path, most_frequent=9, symbols="bytes", saying="256 bytes")
    file.write_bytes(b"")
    empty = OwnText(path=path)
    assert not len(load_tokens(empty, "train"))
