"""The figures of a run's epochs, as they come: a CSV file, and TensorBoard's."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trine_sw.support.atomic_file import atomic_write, check_folder, check_writable, make_folder

__all__ = ["TrainingLog", "check_run_files", "csv_of", "figures_line"]


def csv_of(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows of the same names as CSV with a header; empty without rows."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def figures_line(row: Mapping[str, float]) -> str:
    """An epoch's figures for people to read, without its number and time."""
    return "  ".join(f"{key} {value:.4g}" for key, value in row.items() if key not in ("epoch", "seconds"))


def check_run_files(checkpoint: Path) -> None:
    """Raise :class:`TrineError` where a run's checkpoint, its log or its events cannot be written."""
    for path in (checkpoint, checkpoint.with_suffix(".csv")):
        check_writable(path)
    check_folder(checkpoint.parent / "tensorboard" / checkpoint.stem)


class TrainingLog:
    """Writes ``KIND.csv`` beside a checkpoint ``KIND.pt``, and events under ``tensorboard/KIND``.

    The CSV is whole after every epoch and is what a resumed run's epochs are. TensorBoard, which shows
    several runs together (``tensorboard --logdir runs``), is left out where it is not installed.
    """

    def __init__(self, checkpoint: Path) -> None:
        self._csv = checkpoint.with_suffix(".csv")
        self._events = checkpoint.parent / "tensorboard" / checkpoint.stem
        self._writer: Any = None

    def write(self, rows: list[dict[str, float]]) -> None:
        """Write all epochs' rows, of which the last is new. Raises :class:`TrineError` on a full disk."""
        with atomic_write(self._csv) as file:
            file.write(csv_of(rows))
        row = rows[-1]
        if self._writer is None:
            self._writer = self._open(int(row["epoch"]))
        if self._writer is not None:
            for name, value in row.items():
                if name != "epoch":
                    self._writer.add_scalar(name, value, int(row["epoch"]))
            self._writer.flush()

    def close(self) -> None:
        """End the events."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self, epoch: int) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError:
            return None
        # What an interrupted run wrote of this epoch and later ones is void.
        return SummaryWriter(str(make_folder(self._events)), purge_step=epoch)
