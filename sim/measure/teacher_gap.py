"""How far a model's predictions are from those of the float models that it learned from.

    python -m sim.measure.teacher_gap ptb-lstm-300-tuned
    python -m sim.measure.teacher_gap ptb-lstm-300-tuned --teacher A.safetensors --teacher B.safetensors

Of the validation text, of the training text, and of a text that the teachers have written, which neither has
read: nats a word of both, and the divergence of the model from the teachers, the mean over words of
sum(p log(p / q)), in nats. Of several teachers it is the mean of their probabilities, without n-grams. A
divergence that is larger where the model has not learned says that it has learned by heart; one that is the
same everywhere, that it cannot say what its teachers say.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from trine_sw.data import load_tokens
from trine_sw.data.evaluation import golden_logits, split_tokens
from trine_sw.golden.host_head import head_of
from trine_sw.model import Model
from trine_sw.training.models.teacher_file import TeacherFile
from trine_sw.training.models.teachers import Teachers
from trine_sw.training.models.writing import write_text

__all__ = ["Gap", "gap"]

ROOT = Path(__file__).resolve().parents[2]
_TEACHER = ROOT / "models/ptb-lstm-300-float.safetensors"
_LEAST = 1e-30  # a probability of less counts as so much


class Gap(NamedTuple):
    """Of a text, in nats a word."""

    model: float
    teacher: float
    divergence: float


@torch.no_grad()
def gap(model: Model, teachers: Teachers, tokens: NDArray[np.int64]) -> Gap:
    """The model's loss by its float head, the teachers', and the divergence of the two, on tokens (T,).

    The state of both is carried on from the first token to the last; the first is given.
    """
    scale = float(head_of(model, "float")[1])
    state, start, totals = teachers.initial_state(1), 0, torch.zeros(3, dtype=torch.float64)
    for piece in golden_logits(model, "float")(tokens[:-1]):
        rows = torch.from_numpy(piece.reshape(-1, piece.shape[-1]) * scale)
        read = torch.from_numpy(tokens[start : start + len(rows), None])
        targets = torch.from_numpy(tokens[start + 1 : start + 1 + len(rows), None])
        reading, state = teachers.read(read, state)
        says = rows.double().log_softmax(1)
        wanted = teachers.mean(reading, slice(None)).double().clamp_min(_LEAST).log()
        totals += torch.stack(
            [
                -says.gather(1, targets).sum(),
                -wanted.gather(1, targets).sum(),
                (wanted.exp() * (wanted - says)).sum(),
            ]
        )
        start += len(rows)
    return Gap(*(totals / start).tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--teacher", type=Path, action="append", help="by default " + _TEACHER.name)
    parser.add_argument("--dataset", default="ptb")
    parser.add_argument("--words", type=int, default=70_000, help="of each text, at most")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    teachers = Teachers([TeacherFile.read(path).model for path in arguments.teacher or [_TEACHER]])
    train = load_tokens(arguments.dataset, "train").astype(np.int64)
    written = write_text(teachers, torch.from_numpy(train), arguments.words, seed=0).numpy()
    for name in arguments.models:
        model = Model.load(ROOT / "models" / f"{name}.trine")
        texts = {
            "validation": split_tokens(model, arguments.dataset, "valid"),
            "training": train,
            "written": written,
        }
        for text, tokens in texts.items():
            found = gap(model, teachers, tokens[: arguments.words])
            print(
                f"{name} | {text:10} | model {found.model:.4f} | teacher {found.teacher:.4f} | "
                f"divergence {found.divergence:.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
