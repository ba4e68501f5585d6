"""Small files of sequences, in each format that Trine reads."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["random_sequences", "write_archive", "write_timeseries", "write_wav"]


def random_sequences(count: int, features: int = 2, seed: int = 0) -> list[NDArray[np.float32]]:
    """Ragged sequences (T, F) of normal numbers, of 2 to 9 steps."""
    rng = np.random.default_rng(seed)
    shapes = [(int(steps), features) for steps in rng.integers(2, 10, count)]
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def write_archive(path: Path, x: list[NDArray[np.float32]], y: object, **more: object) -> Path:
    """An archive of ragged sequences, with their targets and whatever else."""
    arrays = {"x": np.concatenate(x), "lengths": np.array([len(each) for each in x]), "y": np.asarray(y)}
    np.savez(path, **arrays, **{name: np.asarray(value) for name, value in more.items()})
    return path


def write_timeseries(path: Path, x: list[NDArray[np.float32]], y: list[str]) -> Path:
    """A ``.ts`` file of the UEA archive."""
    head = [
        *("@problemName small", "@timeStamps false", "@missing false", "@univariate false"),
        *(f"@dimensions {x[0].shape[1]}", "@equalLength false"),
        f"@classLabel true {' '.join(sorted(set(y)))}",
        "@data",
    ]
    lines = [
        ":".join([*(",".join(map(repr, map(float, feature))) for feature in each.T), label])
        for each, label in zip(x, y, strict=True)
    ]
    path.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    return path


def write_wav(path: Path, samples: NDArray[np.floating], rate: int = 8000) -> Path:
    """A recording, in the format that the path's ending names; its folder is made."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return path
