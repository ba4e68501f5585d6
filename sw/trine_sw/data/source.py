"""Where the sequences of a recipe are, and which of them are held out."""

from dataclasses import dataclass
from typing import Literal

from trine_sw.support.checks import finite_real, integer, shown
from trine_sw.support.errors import TrineError

__all__ = ["FrontEnd", "HeldOut", "SequenceSource", "SourceFormat"]

SourceFormat = Literal["arrays", "timeseries", "audio"]
"""``.npz`` and ``.csv`` files; ``.ts`` files of the UEA archive; folders of WAV and FLAC files."""


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """How audio becomes features: one spectrum a window, in bands of the mel scale.

    Parameters
    ----------
    kind : logarithms of the bands' energies, or the first coefficients of their cosine transform.
    bands : features a step; of ``"mfcc"``, coefficients.
    window_ms, hop_ms : length of a window, and the time from one to the next.
    sample_rate : of the audio in Hz; another one is resampled. None: that of the files, which must be one.
    normalise : take the mean level of each recording off its logarithms.
    """

    kind: Literal["log-mel", "mfcc"] = "log-mel"
    bands: int = 24
    window_ms: float = 32.0
    hop_ms: float = 16.0
    sample_rate: int | None = None
    normalise: bool = True

    def __post_init__(self) -> None:
        if self.kind not in ("log-mel", "mfcc"):
            raise TrineError(f"kind of the front end must be 'log-mel' or 'mfcc', not {shown(self.kind)}")
        integer(self.bands, "bands", 1, 512)
        for name in ("window_ms", "hop_ms"):
            if not 0 < finite_real(getattr(self, name), name) <= 10_000:
                raise TrineError(f"{name} must be above 0 and at most 10000, not {getattr(self, name)}")
        if self.sample_rate is not None:
            integer(self.sample_rate, "sample_rate", 1, 1 << 20)


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Sequences that are not trained on. Exactly one of its fields says which.

    Parameters
    ----------
    path : all of another file or folder.
    share : this share of all sequences, drawn by the source's seed, of each class alike.
    groups : all sequences of these groups, such as speakers.
    indices : those whose index in the file's name is from the first to the second of these.
    """

    path: str | None = None
    share: float | None = None
    groups: tuple[str, ...] | None = None
    indices: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("path", "share", "groups", "indices") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise TrineError(f"a held-out part is told by one of path, share, groups, indices, not {found}")
        if self.share is not None and not 0 < finite_real(self.share, "share") < 1:
            raise TrineError(f"share must be above 0 and below 1, not {self.share}")


@dataclass(frozen=True, kw_only=True)
class SequenceSource:
    """Where a recipe's sequences are, and which are held out for validation and for the test.

    Parameters
    ----------
    format : of the files.
    path : the file or folder of the training set, or of everything where parts are held out of it. Relative
        paths are looked for beside the recipe file, then in the folders of data that Trine knows.
    valid, test : what is held out. Without ``valid`` nothing is chosen by validation: the last epoch counts.
    seed : of what is drawn.
    names : of ``audio``: what a file's name says, as ``"{label}_{group}_{index}"``; None: the folder that a
        file lies in is its label.
    front_end : of ``audio``.
    """

    format: SourceFormat
    path: str
    valid: HeldOut | None = None
    test: HeldOut | None = None
    seed: int = 1
    names: str | None = None
    front_end: FrontEnd | None = None
