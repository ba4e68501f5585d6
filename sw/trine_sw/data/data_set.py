"""Data sets of text: files, and the parts of them that are splits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from trine_sw.support.checks import integer

__all__ = [
    "END",
    "UNKNOWN",
    "UNKNOWN_CHARACTER",
    "DataSet",
    "Newline",
    "Part",
    "TextFile",
    "in_parts",
    "of_words",
]

END = "<eos>"
"""The word that ends each line of a text of words."""
UNKNOWN = "<unk>"
"""The word that stands for those that a vocabulary lacks."""
UNKNOWN_CHARACTER = "\ufffd"
"""The character that stands for those that a vocabulary lacks, U+FFFD."""

Newline = Literal["keep", "unix", "blank"]


@dataclass(frozen=True)
class TextFile:
    """A file: where it is within a data folder, where it comes from, what it hashes to (SHA-256 or SHA-1).

    With ``member``, the source is a zip archive in which the file has that name. A file without a source is
    the user's own. ``newline`` says what becomes of line ends: ``"keep"``, ``"unix"``, one character
    whatever they were, or ``"blank"``.
    """

    path: str
    url: str
    digest: str
    member: str | None = None
    encoding: str = "utf-8"
    newline: Newline = "keep"


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
    """A text by splits, of which the first is "train": symbols are its characters, its words or its bytes.

    ``most_frequent`` is the number of symbols, with one that stands for all others: :data:`UNKNOWN` for
    words, :data:`UNKNOWN_CHARACTER` for characters. Of bytes, each is a character of Latin-1.
    """

    splits: Mapping[str, Part]
    words: bool = False
    most_frequent: int | None = None
    raw: bool = False


def in_parts(file: TextFile, **borders: int) -> DataSet:
    """A text of characters cut at these hundredths: each split from the border before it to its own."""
    starts = [0, *borders.values()]
    return DataSet(
        {name: Part(file, start, stop) for start, (name, stop) in zip(starts, borders.items(), strict=False)}
    )


def of_words(folder: str, url: str, **files: tuple[str, str, str]) -> DataSet:
    """A text of words, each split in a file of its own: its name here, its name there, its SHA-256."""
    return DataSet(
        {
            split: Part(TextFile(f"{folder}/{here}", f"{url}/{there}", digest))
            for split, (here, there, digest) in files.items()
        },
        words=True,
    )
