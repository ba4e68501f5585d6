"""The layer on this CPU with bit planes and popcount, in C that is compiled on the spot."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trine_sw.model import Model
from trine_sw.support.arithmetic import ceil_div
from trine_sw.support.cache import cache_folder
from trine_sw.support.environment import child_environment
from trine_sw.support.errors import TrineError

__all__ = ["PopcountLstm"]

_SOURCE = Path(__file__).with_name("popcount.c")
_FLAGS = ("-O3", "-march=native", "-fPIC", "-shared")
_WORD = 64


def _library() -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise TrineError("a C compiler is missing: apt install gcc")
    target = subprocess.run(
        [compiler, "-march=native", "-Q", "--help=target"], env=child_environment(), capture_output=True
    ).stdout
    key = hashlib.sha256(_SOURCE.read_bytes() + " ".join(_FLAGS).encode() + target).hexdigest()[:16]
    path = cache_folder() / f"popcount-{key}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder) / path.name
            command = [compiler, *_FLAGS, str(_SOURCE), "-o", str(made)]
            done = subprocess.run(
                command, env=child_environment(), capture_output=True, text=True, errors="replace"
            )
            if done.returncode:
                raise TrineError(f"{compiler} could not compile {_SOURCE.name}: {done.stderr.strip()[-300:]}")
            made.replace(path)
    return ctypes.CDLL(str(path))


def _planes(trits: npt.NDArray[np.int8], words: int) -> npt.NDArray[np.uint64]:
    """Trits (n, columns) as (n, 2, words): active, negative."""
    padded = np.zeros((len(trits), words * _WORD), np.int8)
    padded[:, : trits.shape[1]] = trits
    return np.packbits(np.stack([padded != 0, padded < 0], 1), axis=-1, bitorder="little").view(np.uint64)


class PopcountLstm:
    """An LSTM layer; :meth:`run` gives the golden model's h.

    Raises
    ------
    TrineError
        If there is no C compiler, or the model is no LSTM of one layer.
    """

    def __init__(self, model: Model) -> None:
        config = model.config
        if config.cell != "lstm" or config.layers != 1:
            raise TrineError("the popcount kernel knows an LSTM of one layer")
        self._run = _library().trine_lstm
        self._run.restype = None
        self.config = config
        self._words = 4 * ceil_div(config.columns, 4 * _WORD)  # whole vectors of AVX2
        # Gate-major rows to the gates of a cell side by side.
        order = np.arange(config.rows).reshape(config.spec.rows, -1).T.ravel()
        layer = model.layers[0]
        self._weight = _planes(layer.weight[order], self._words)
        self._low, self._high = (np.ascontiguousarray(layer.threshold[order, n]) for n in (0, 1))

    def prepare(self, x: npt.NDArray[np.int8]) -> npt.NDArray[np.uint64]:
        """Inputs (T, E) as they are kept for a run."""
        return _planes(x, self._words)

    def run(self, planes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int8]:
        """States h (T, H) from the zero state on, of inputs from :meth:`prepare`, which are used up."""
        config, steps = self.config, len(planes)
        c, h = np.zeros(config.hidden, np.int8), np.zeros(config.hidden, np.int8)
        out = np.zeros((steps, config.hidden), np.int8)
        numbers = (
            *(steps, config.hidden, self._words, config.embedding),
            *(config.cell_max, config.cell_shift, config.output_shift),
        )
        arrays = (self._weight, self._low, self._high, planes, c, h, out)
        self._run(*map(ctypes.c_int, numbers), *(ctypes.c_void_p(array.ctypes.data) for array in arrays))
        return out
