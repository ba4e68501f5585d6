"""A text file of one's own as a data set: its symbols, its encoding and its splits."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from trine_sw.data.data_set import DataSet, Newline, Part, TextFile
from trine_sw.data.paths import data_path
from trine_sw.data.source import HeldOut
from trine_sw.support.checks import integer, is_writable_text, shown
from trine_sw.support.errors import TrineError
from trine_sw.support.reading import read_whole

__all__ = ["OwnText", "Symbols"]

Symbols = Literal["characters", "words", "bytes"]
"""What a model of a text reads and writes at a time."""


@dataclass(frozen=True, kw_only=True)
class OwnText:
    """A text file to train on, and which of it is held out.

    Parameters
    ----------
    path : the file.
    symbols : its characters; its words, with one for each line's end; or its bytes.
    valid, test : a share of the text in whole hundredths, or a file of its own. The test is the end of the
        text, the validation what is before it, and each split is in one piece.
    most_frequent : symbols of the vocabulary, of which one stands for all others: ``<unk>`` for words, U+FFFD
        for characters; None: all that there are.
    encoding : of the files.
    newline : ``"unix"`` makes each line's end one character, ``"keep"`` leaves it, ``"blank"`` makes it a
        blank; None: ``"keep"`` for bytes, and ``"unix"`` otherwise.
    digests : SHA-256 of the files, the training text's first; empty: not known yet.

    Raises
    ------
    TrineError
        Where one of these is wrong. That a file cannot be read shows when it is.
    """

    path: str
    symbols: Symbols = "characters"
    valid: HeldOut = HeldOut(share=0.1)
    test: HeldOut | None = None
    most_frequent: int | None = None
    encoding: str = "utf-8"
    newline: Newline | None = None
    digests: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise TrineError(f"path must name a text file, not {shown(self.path)}")
        if not is_writable_text(self.path):
            raise TrineError(f"the path {shown(self.path)} is no UTF-8, so no recipe can hold it: rename it")
        for name, values in (("symbols", get_args(Symbols)), ("newline", (None, *get_args(Newline)))):
            if getattr(self, name) not in values:
                known = ", ".join(repr(value) for value in values if value)
                raise TrineError(f"{name} must be one of {known}, not {shown(getattr(self, name))}")
        for name, part in (("valid", self.valid), ("test", self.test)):
            if part is not None and (part.groups or part.indices or part.whole_groups):
                raise TrineError(f"{name} of a text is a share of it, or the path of another file")
        if sum(self._hundredths) > 99:
            raise TrineError("valid and test leave nothing to train on")
        if self.most_frequent is not None:
            integer(self.most_frequent, "most_frequent", 2, 1 << 20)
            if self.symbols == "bytes":
                raise TrineError("most_frequent is for characters and words: there are 256 bytes at most")
        try:
            codecs.lookup(self.encoding)
        except (LookupError, TypeError, ValueError):
            raise TrineError(f"there is no encoding {shown(self.encoding)}") from None

    def __str__(self) -> str:
        return self.path

    def pinned(self) -> OwnText:
        """The same with the digests of its files as they are now, by which later changes are seen."""
        if self.digests:
            return self
        paths = dict.fromkeys(self._paths)
        return replace(
            self, digests=tuple(hashlib.sha256(read_whole(data_path(p))).hexdigest() for p in paths)
        )

    def identity(self) -> dict[str, Any]:
        """All that decides what the texts are, without where the files lie; files are told by digests."""
        values = asdict(self.pinned())
        for part in (values, values["valid"], values["test"] or {}):
            part.pop("path", None)
        return values

    def data_set(self) -> DataSet:
        """The splits of the file, or of the files, with their digests."""
        pinned = self.pinned()
        newline = self.newline or ("keep" if self.symbols == "bytes" else "unix")
        encoding = "latin-1" if self.symbols == "bytes" else self.encoding
        paths = list(dict.fromkeys(self._paths))
        if len(paths) != len(pinned.digests):
            raise TrineError(f"{self.path} is described by {len(pinned.digests)} digests, not {len(paths)}")
        files = {
            path: TextFile(path, "", digest, None, encoding, newline)
            for path, digest in zip(paths, pinned.digests, strict=True)
        }
        valid, test = self._hundredths
        parts = {"train": Part(files[self.path], 0, 100 - valid - test)}
        for name, part, stop, share in (
            ("valid", self.valid, 100 - test, valid),
            ("test", self.test, 100, test),
        ):
            if part is not None:
                own = part.path is not None
                parts[name] = (
                    Part(files[part.path or ""]) if own else Part(files[self.path], stop - share, stop)
                )
        return DataSet(parts, self.symbols == "words", self.most_frequent, self.symbols == "bytes")

    @property
    def _paths(self) -> tuple[str, ...]:
        held = (part.path for part in (self.valid, self.test) if part is not None)
        return (self.path, *(path for path in held if path is not None))

    @property
    def _hundredths(self) -> tuple[int, int]:
        """Hundredths of the text that are held out for validation and for the test."""
        found = []
        for name, part in (("valid", self.valid), ("test", self.test)):
            share = None if part is None else part.share
            hundredths = 0 if share is None else round(100 * share)
            if share is not None and (hundredths < 1 or abs(100 * share - hundredths) > 1e-6):
                raise TrineError(f"the share of {name} must be whole hundredths of the text, not {share}")
            found.append(hundredths)
        return found[0], found[1]
