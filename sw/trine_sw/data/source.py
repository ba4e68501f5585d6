"""Where the sequences of a recipe are, and which of them are held out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from trine_sw.data.front_end import FrontEnd
from trine_sw.support.checks import finite_real, integer, is_writable_text, shown
from trine_sw.support.errors import TrineError

__all__ = ["Columns", "FrontEnd", "HeldOut", "SequenceSource", "SourceFormat"]

SourceFormat = Literal["arrays", "table", "timeseries", "audio"]
"""``.npz`` archives, ``.csv`` tables, ``.ts`` files of the UEA archive, folders of WAV and FLAC files."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Sequences that are not trained on. Exactly one of the first four says which.

    Parameters
    ----------
    path : all of another file or folder.
    share : this share of all sequences, drawn by the source's seed, of each class alike.
    groups : all sequences of these groups, such as speakers.
    indices : those whose field ``index`` is from the first to the second of these.
    whole_groups : ``share`` is of the groups, and each lies wholly in one split.
    """

    path: str | None = None
    share: float | None = None
    groups: tuple[str, ...] | None = None
    indices: tuple[int, int] | None = None
    whole_groups: bool = False

    def __post_init__(self) -> None:
        given = [name for name in ("path", "share", "groups", "indices") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise TrineError(f"a held-out part is told by one of path, share, groups, indices, not {found}")
        if self.share is not None and not 0 < finite_real(self.share, "share") < 1:
            raise TrineError(f"share must be above 0 and below 1, not {self.share}")
        if self.groups is not None and not self.groups:
            raise TrineError("groups must name one group at least")
        if self.indices is not None:
            if len(self.indices) != 2 or self.indices[0] > self.indices[1]:
                raise TrineError(f"indices must be the first and the last, not {shown(self.indices)}")
        if self.whole_groups and self.share is None:
            raise TrineError("whole_groups is for a share")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the columns of a ``.csv`` file are.

    Parameters
    ----------
    sequence : the column whose value is a row's sequence, where a row is one step; None: ``sequence`` where
        there is such a column. Where there is none, a row is a whole sequence of one feature.
    target : the class, or the real numbers of a regression; empty: ``label``, ``class``, ``target`` or ``y``.
    features : the features; empty: all columns that are nothing else, but for ``time`` and ``timestamp``.
    ignore : columns that are left out.
    """

    sequence: str | None = None
    target: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SequenceSource:
    """Where a recipe's sequences are, and which are held out for validation and for the test.

    Parameters
    ----------
    path : the file or folder of the training set, or of everything where parts are held out of it.
    format : of the files; None: told by the name.
    valid, test : what is held out. Without ``valid`` nothing is chosen by validation: the last epoch counts.
    seed : of what is drawn.
    group : the field or column that says of which group, such as a speaker, a sequence is; None: ``group``,
        ``groups``, ``speaker`` or ``subject`` where there is one.
    sample_rate : steps a second, of ``arrays``, ``table`` and ``timeseries``, where the file does not say.
    names : of ``audio``: what a file's name says, as ``"{label}_{speaker}_{index}"``; None: the folder that a
        file lies in is its label.
    front_end : of ``audio``; None: the default one.
    columns : of ``table``.
    """

    path: str
    format: SourceFormat | None = None
    valid: HeldOut | None = None
    test: HeldOut | None = None
    seed: int = 1
    group: str | None = None
    sample_rate: float | None = None
    names: str | None = None
    front_end: FrontEnd | None = None
    columns: Columns = field(default=Columns())

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise TrineError(f"path must name a file or a folder, not {shown(self.path)}")
        if not is_writable_text(self.path):
            raise TrineError(f"the path {shown(self.path)} is no UTF-8, so no recipe can hold it: rename it")
        if self.format is not None and self.format not in get_args(SourceFormat):
            raise TrineError(f"format must be one of {', '.join(get_args(SourceFormat))}")
        integer(self.seed, "seed", 0, 2**32 - 1)
        if self.sample_rate is not None and finite_real(self.sample_rate, "sample_rate") <= 0:
            raise TrineError(f"sample_rate must be above 0, not {self.sample_rate}")
