"""Teacher of a language model: float models and an n-gram model that the ternary one learns from."""

from dataclasses import dataclass, field
from typing import Literal

from trine_sw.model.cells import CELLS
from trine_sw.support.checks import finite_real, integer, share, shown
from trine_sw.support.errors import TrineError
from trine_sw.training.recipes.schedule import LATER, Schedule

__all__ = ["MOST_SEEDS", "TextTeacher"]

MOST_SEEDS = 3
"""Float models that a teacher may be the mean of."""


@dataclass(frozen=True, kw_only=True)
class TextTeacher:
    """A mean of float models that have read the text, and an n-gram model mixed into it.

    Parameters
    ----------
    schedule : how each of the float models is trained; None, and only then, with ``baseline``.
    cell, hidden, layers : their shape. The embedding has ``hidden`` units too.
    tied : their heads' weights are those of the embeddings.
    unigram : the bias of their heads is the logarithm of each word's share of the text, and is not trained.
    seeds : of the float models, one each; 1 to 3. Their probabilities are averaged.
    require_validation : perplexity on the validation text above which a float model is no teacher: what
        learns from it is not begun. None: any is.
    ngram : share of the n-gram model's probabilities in what is learned (modified Kneser-Ney). Each word of
        the training text is predicted without that word.
    ngram_order : words of an n-gram, 2 to 8.
    baseline : the float baseline is the teacher's only model, as ``[baseline]`` and ``[network]`` say it; of
        the rest, ``require_validation``, ``ngram`` and ``ngram_order`` count.

    Raises
    ------
    TrineError
        If one of these is out of range.
    """

    schedule: Schedule | None = None
    cell: Literal["lstm", "gru", "mgu"] = "lstm"
    hidden: int = 512
    layers: int = 2
    tied: bool = True
    unigram: bool = False
    seeds: tuple[int, ...] = (1,)
    require_validation: float | None = None
    ngram: float = 0.0
    ngram_order: int = 5
    baseline: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        integer(self.hidden, "hidden of the teacher", 1, 1 << 16)
        integer(self.layers, "layers of the teacher", 1, 16)
        integer(self.ngram_order, "ngram_order", 2, 8)
        share(self.ngram, "ngram")
        if self.cell not in CELLS:
            raise TrineError(f"cell of the teacher must be one of {', '.join(CELLS)}, not {shown(self.cell)}")
        seeds = [integer(seed, "a seed of the teacher", 0, 2**32 - 1) for seed in self.seeds]
        if not 1 <= len(seeds) <= MOST_SEEDS or len(set(seeds)) < len(seeds):
            raise TrineError(f"seeds of the teacher must be 1 to {MOST_SEEDS} different ones, not {seeds}")
        if self.require_validation is not None and (
            finite_real(self.require_validation, "require_validation") <= 1
        ):
            raise TrineError(f"require_validation must be above 1, not {self.require_validation}")
        if self.baseline and self.schedule is not None:
            raise TrineError("the baseline is the teacher: leave out [teacher.schedule]")
        if not self.baseline and self.schedule is None:
            raise TrineError("the teacher needs [teacher.schedule], or baseline = true")
        for name in ("replaced", "written"):
            if self.schedule is not None and getattr(self.schedule, name):
                raise TrineError(
                    f"schedule.{name} is for what learns from a teacher, and not for the teacher"
                )
