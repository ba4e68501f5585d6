"""Texts to train on and to measure with, from this machine or from their public source."""

import codecs
import hashlib
import io
import re
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Collection
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trine_sw.data.catalogue import DATA_SETS
from trine_sw.data.data_set import (
    END,
    UNKNOWN,
    UNKNOWN_CHARACTER,
    DataSet,
    Part,
    TextFile,
)
from trine_sw.data.paths import data_folders, data_path
from trine_sw.data.text_file import OwnText
from trine_sw.model.vocabulary import byte_of, byte_symbol
from trine_sw.support.atomic_file import atomic_write, check_writable
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError
from trine_sw.support.reading import decode_text, read_whole

__all__ = [
    "DATA_SETS",
    "END",
    "UNKNOWN",
    "UNKNOWN_CHARACTER",
    "DataSet",
    "OwnText",
    "Part",
    "Text",
    "TextFile",
    "check_text",
    "describe_split",
    "load_text",
    "load_tokens",
    "split_names",
    "symbol_name",
    "symbols",
]

Text = str | OwnText
"""The name of a data set, or a text file of one's own."""


def load_text(name: Text, split: str, kept: Collection[str] | None = None) -> str:
    """The text of a split, such as ``"train"``, ``"valid"`` or ``"test"``.

    In a text of words, every line ends with the word :data:`END`, the last one too; bytes are characters of
    Latin-1. Of a text that is cut, one symbol stands for all that are not ``kept``, by default for those that
    are not in :func:`symbols`. Files of data sets are looked for in ``$TRINE_DATA``, then in ``./data``, then
    downloaded into ``./data``; always checked against the checksum. Raises :class:`TrineError` for an unknown
    name or split, and where the text cannot be had, is of another encoding, or holds :data:`END`.
    """
    data_set = _data_set(name)
    if not isinstance(split, str) or split not in data_set.splits:
        raise TrineError(f"{shown(split)} is no split of {name}; there are {', '.join(data_set.splits)}")
    text = _part_text(data_set, name, split)
    if data_set.most_frequent is None:
        return text
    kept = frozenset(symbols(name) if kept is None else kept)
    if data_set.words:
        return _with_unknown(text, kept)
    return text.translate({ord(each): UNKNOWN_CHARACTER for each in set(text) - kept})


def symbols(name: Text) -> tuple[str, ...]:
    """The vocabulary of a model of a text.

    Characters and bytes are those of the whole text, in code order. Words are those of the training text, the
    most frequent first, equally frequent ones in code order. Of a text that is cut, those that are left, with
    the one that stands for all others.
    """
    _data_set(name)  # refuses what is no name at all
    return _symbols(name.pinned() if isinstance(name, OwnText) else name)


@cache
def _symbols(name: Text) -> tuple[str, ...]:
    data_set = _data_set(name)
    train = next(iter(data_set.splits))
    if data_set.words:
        counts = Counter(_part_text(data_set, name, train).split())
        if data_set.most_frequent is not None:
            _cut(counts, data_set.most_frequent, UNKNOWN)
        return tuple(sorted(counts, key=lambda word: (-counts[word], word)))
    if data_set.most_frequent is not None:
        counts = Counter(_part_text(data_set, name, train))
        _cut(counts, data_set.most_frequent, UNKNOWN_CHARACTER)
        return tuple(sorted(counts))
    files = {part.file for part in data_set.splits.values()}
    found = sorted(set().union(*(_file_text(name, file) for file in files)))
    return tuple(byte_symbol(ord(each)) for each in found) if data_set.raw else tuple(found)


def _cut(counts: Counter[str], most: int, unknown: str) -> None:
    """Leave the most frequent symbols, and one that counts for all others."""
    others = sorted(counts.keys() - {unknown}, key=lambda symbol: (-counts[symbol], symbol))
    counts[unknown] += sum(counts.pop(symbol) for symbol in others[most - 1 :])


def load_tokens(name: Text, split: str) -> NDArray[np.int32]:
    """A split as numbers (T,) of its symbols in :func:`symbols`. Errors are those of :func:`load_text`."""
    text, vocabulary = load_text(name, split), symbols(name)
    data_set = _data_set(name)
    if not data_set.words:
        code = byte_of if data_set.raw else ord
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        return np.searchsorted([code(symbol) for symbol in vocabulary], codes).astype(np.int32)
    index = {word: token for token, word in enumerate(vocabulary)}
    try:
        return np.array([index[word] for word in text.split()], np.int32)
    except KeyError as error:
        raise TrineError(
            f"{name}: {error.args[0]!r} of {split} is no word of the training text; with most_frequent, "
            f"{UNKNOWN} stands for such words"
        ) from None


def check_text(name: Text) -> None:
    """Raise :class:`TrineError` for a split of other symbols, or in which nothing is to be predicted."""
    for split in split_names(name):
        tokens = load_tokens(name, split)
        if len(tokens) < 2:
            raise TrineError(f"{name}: there are less than two symbols in {split}; hold out more")
        if split == "train" and (tokens == tokens[0]).all():
            one = shown(symbols(name)[tokens[0]])
            raise TrineError(f"{name} is {one} throughout: a model needs two different symbols to learn from")


def _part_text(data_set: DataSet, name: Text, split: str) -> str:
    """The text of a split, with line ends as words in a text of words, and with all of its symbols."""
    part = data_set.splits[split]
    text = _file_text(name, part.file)
    if data_set.words:
        literal = re.search(rf"(?<!\S){re.escape(END)}(?!\S)", text)
        if literal:
            line = text.count("\n", 0, literal.start()) + 1
            raise TrineError(
                f"line {line} of {part.file.path} holds the word {END}, which stands for the end of a line; "
                "write another word in its place"
            )
        whole_lines = text if text.endswith("\n") or not text else f"{text}\n"
        text = whole_lines.replace("\n", f" {END}\n")
    return part.of(text, words=data_set.words)


def _with_unknown(text: str, kept: frozenset[str]) -> str:
    """The text, with UNKNOWN instead of all other words; its lines stay."""
    lines = (line.split() for line in text.splitlines())
    return "".join(" ".join(w if w in kept else UNKNOWN for w in line) + "\n" for line in lines)


def split_names(name: Text) -> tuple[str, ...]:
    """The splits of a text."""
    return tuple(_data_set(name).splits)


def describe_split(name: Text, split: str) -> str:
    """Which part of which file a split is, in words."""
    part = _data_set(name).splits[split]
    whole = (part.start, part.stop) == (0, 100)
    share = "" if whole else f", {part.start} to {part.stop} % of its {symbol_name(name)}s"
    return f"{part.file.path}{share}"


def symbol_name(name: Text) -> str:
    """What a symbol of a text is called: a word, a character or a byte."""
    data_set = _data_set(name)
    return "word" if data_set.words else "byte" if data_set.raw else "character"


def _data_set(name: Text) -> DataSet:
    if isinstance(name, OwnText):
        return name.data_set()
    if not isinstance(name, str) or name not in DATA_SETS:
        raise TrineError(f"{shown(name)} is no data set; there are {', '.join(DATA_SETS)}")
    return DATA_SETS[name]


def _file_text(name: Text, file: TextFile) -> str:
    if not file.url:
        return _read(data_path(file.path), str(name), file)
    folders = data_folders()
    for folder in folders:
        if (folder / file.path).is_file():
            return _read(folder / file.path, str(name), file)
    _download(str(name), file, folders[-1] / file.path, [folder / file.path for folder in folders])
    return _read(folders[-1] / file.path, str(name), file)


@cache
def _read(path: Path, name: str, file: TextFile) -> str:
    data = read_whole(path)
    algorithm, digest = _digest(data, file)
    if digest != file.digest:
        if not file.url:
            raise TrineError(
                f"{path} has changed: its {algorithm} is {digest}, and was {file.digest}. Put the text of "
                "then there, train anew on this one, or measure a model on it with --data"
            )
        raise TrineError(
            f"{path} is not the text of {name}: its {algorithm} is {digest}, and {file.digest} "
            "is expected. Remove the file, and it will be downloaded."
        )
    text = _decoded(data, path, file.encoding)
    if file.newline == "keep":
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if file.newline == "unix" else text.replace("\n", " ")


def _decoded(data: bytes, path: Path, encoding: str) -> str:
    if codecs.lookup(encoding).name == "utf-8":
        return decode_text(data, path)
    try:
        return data.decode(encoding)
    except (ValueError, LookupError) as error:
        raise TrineError(f"{path} is no text in {encoding}: {error}") from None


def _digest(data: bytes, file: TextFile) -> tuple[str, str]:
    """Name and value of the checksum that is known of a file."""
    if len(file.digest) == 40:
        return "SHA-1", hashlib.sha1(data).hexdigest()
    return "SHA-256", hashlib.sha256(data).hexdigest()


def _download(name: str, file: TextFile, path: Path, tried: list[Path]) -> None:
    check_writable(path)  # better now than after the download
    try:
        with urllib.request.urlopen(file.url, timeout=30) as reply:
            data = reply.read()
    except (urllib.error.URLError, OSError) as error:
        raise TrineError(
            f"the text of {name} is not here (looked for {', '.join(map(str, tried))}), and could not be "
            f"downloaded from {file.url}: {error}. Put the file there, or set TRINE_DATA to a folder "
            f"that holds {file.path}."
        ) from None
    if file.member is not None:
        try:
            data = zipfile.ZipFile(io.BytesIO(data)).read(file.member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise TrineError(f"{file.url} gave no zip archive with {file.member} in it: {error}") from None
    algorithm, digest = _digest(data, file)
    if digest != file.digest:
        raise TrineError(f"{file.url} gave a file that is not the text of {name}: its {algorithm} differs")
    with atomic_write(path) as written:
        written.write(data)
