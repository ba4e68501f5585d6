"""Front end of audio: from samples to one vector of features every few milliseconds."""

from __future__ import annotations

import importlib.util
import os
import warnings
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trine_sw.model.task import InputSpec
from trine_sw.support.cache import cache_folder
from trine_sw.support.checks import finite_real, integer, shown
from trine_sw.support.errors import TrineError
from trine_sw.support.installing import needed
from trine_sw.support.plain_path import scratch_folder
from trine_sw.support.plain_values import from_plain

__all__ = ["FrontEnd"]

_LOUDEST = 1e15  # far beyond a full scale of 1, and of 32-bit integers that were left as they are
_FLOOR = 1e-10  # of a band's energy: -100 dB of a full-scale one


def _is_writable(package: str) -> bool:
    found = importlib.util.find_spec(package)
    return found is not None and bool(found.origin and os.access(os.path.dirname(found.origin), os.W_OK))


def _find_cache() -> None:
    """Set where librosa keeps what it compiles, where that is neither beside it nor in the user's folder:
    it does not start without."""
    if not _is_writable("librosa") and "NUMBA_CACHE_DIR" not in os.environ:
        try:
            os.environ["NUMBA_CACHE_DIR"] = str(cache_folder("numba"))
        except TrineError:
            os.environ["NUMBA_CACHE_DIR"] = str(scratch_folder())


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """How audio becomes features: one spectrum a window, in bands of the mel scale.

    Parameters
    ----------
    kind : logarithms of the bands' energies in dB, or the first coefficients of their cosine transform.
    bands : bands of the mel scale.
    coefficients : features a step of ``"mfcc"``.
    window_ms, hop_ms : length of a window, and the time from one to the next.
    sample_rate : of the audio in Hz; another one is resampled. None: that of the files, which must be one.
    low_hz, high_hz : where the bands begin and end; ``None``: at half of the sample rate.
    normalise : take the mean level of each recording off its logarithms.

    Examples
    --------
    >>> FrontEnd(bands=3).features(np.zeros(8000), 8000).shape
    (61, 3)
    """

    kind: Literal["log-mel", "mfcc"] = "log-mel"
    bands: int = 24
    coefficients: int = 13
    window_ms: float = 32.0
    hop_ms: float = 16.0
    sample_rate: int | None = None
    low_hz: float = 0.0
    high_hz: float | None = None
    normalise: bool = True

    def __post_init__(self) -> None:
        if self.kind not in ("log-mel", "mfcc"):
            raise TrineError(f"kind of the front end must be 'log-mel' or 'mfcc', not {shown(self.kind)}")
        integer(self.bands, "bands", 1, 512)
        integer(self.coefficients, "coefficients", 1, 512)
        if self.kind == "mfcc" and self.coefficients > self.bands:
            raise TrineError(f"there are at most {self.bands} coefficients of {self.bands} bands")
        for name in ("window_ms", "hop_ms"):
            if not 0 < finite_real(getattr(self, name), name) <= 10_000:
                raise TrineError(f"{name} must be above 0 and at most 10000, not {getattr(self, name)}")
        if self.sample_rate is not None:
            integer(self.sample_rate, "sample_rate", 1, 1 << 20)
        high = None if self.high_hz is None else finite_real(self.high_hz, "high_hz")
        if finite_real(self.low_hz, "low_hz") < 0 or (high is not None and high <= self.low_hz):
            raise TrineError("the bands must begin at 0 Hz or above, and end above that")
        if not isinstance(self.normalise, bool):
            raise TrineError(f"normalise must be true or false, not {shown(self.normalise)}")

    def as_json(self) -> dict[str, Any]:
        """All of it as values of JSON, as the model file keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> FrontEnd:
        """The inverse of :meth:`as_json`; :class:`TrineError` for what is none."""
        return from_plain(cls, values, "front_end")

    @property
    def width(self) -> int:
        """Features a step."""
        return self.bands if self.kind == "log-mel" else self.coefficients

    def inputs(self) -> list[InputSpec]:
        """Name and unit of each feature."""
        name, unit = ("band", "dB") if self.kind == "log-mel" else ("coefficient", "")
        return [InputSpec(f"{name} {number}", unit) for number in range(self.width)]

    def hop(self, rate: int) -> int:
        """Samples from one window to the next."""
        return max(1, round(rate * self.hop_ms / 1000))

    def features(self, samples: NDArray[Any], rate: int) -> NDArray[np.float32]:
        """Features (T, F) of samples (n,), of which 1.0 is full scale, at a rate in Hz.

        A recording that is shorter than a window is filled up with silence. Raises :class:`TrineError` where
        there is no sample, where one is not finite, and where the bands do not fit the rate.
        """
        samples = np.asarray(samples, np.float64)
        if samples.ndim != 1 or not samples.size:
            raise TrineError("there is no sample in it")
        if not (np.abs(samples) <= _LOUDEST).all():
            raise TrineError("it holds samples that are not finite, or absurdly large")
        with needed("librosa", "data", "features of audio"):
            _find_cache()
            import librosa
        if self.sample_rate is not None and rate != self.sample_rate:
            samples = librosa.resample(samples, orig_sr=rate, target_sr=self.sample_rate)
            rate = self.sample_rate
        window = max(1, round(rate * self.window_ms / 1000))
        size = 1 << (window - 1).bit_length()
        if len(samples) < size:
            samples = np.pad(samples, (0, size - len(samples)))
        high = rate / 2 if self.high_hz is None else self.high_hz
        if not self.low_hz < high <= rate / 2:
            raise TrineError(f"bands up to {high:g} Hz need audio of at least {2 * high:g} Hz, not {rate}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bands without a frequency, which are refused below
            mel = librosa.filters.mel(
                sr=rate, n_fft=size, n_mels=self.bands, fmin=self.low_hz, fmax=high, dtype=np.float64
            )
        if not mel.any(axis=1).all():
            raise TrineError(
                f"{self.bands} bands are too many for windows of {self.window_ms:g} ms at {rate} Hz: take "
                "fewer bands or a longer window"
            )
        spectrum = librosa.stft(
            samples, n_fft=size, hop_length=self.hop(rate), win_length=window, center=False
        )
        energy = mel @ np.abs(spectrum) ** 2
        level = 10 * np.log10(np.maximum(energy, _FLOOR))
        if self.normalise:
            level -= level.mean()
        if self.kind == "mfcc":
            level = librosa.feature.mfcc(S=level, n_mfcc=self.coefficients)
        return np.ascontiguousarray(level.T, np.float32)
