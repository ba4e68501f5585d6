"""Recipes of models of sequences: everything that decides a training run, but the data itself."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from trine_sw.data.source import SequenceSource
from trine_sw.model.cells import CELLS
from trine_sw.model.config import ModelConfig
from trine_sw.model.task import Reduction
from trine_sw.support.checks import finite_real, integer, share, shown
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text
from trine_sw.training.nn.layers import CellOptions

__all__ = [
    "Augmentation",
    "EncoderOptions",
    "Network",
    "SequenceRecipe",
    "SequenceRole",
    "SequenceSchedule",
    "Teacher",
]

_ARITHMETIC = (
    *("cell", "hidden", "layers"),
    *("cell_max", "cell_shift", "output_shift", "head_levels"),
)
"""What a network has of a model's configuration."""

SequenceRole = Literal["float", "teacher", "ternary"]
"""Role of a model in a recipe: float baseline of the same size, teacher, student (the ternary model)."""


@dataclass(frozen=True, kw_only=True)
class EncoderOptions:
    """How real features become trits.

    Parameters
    ----------
    quantiles : of each feature in the training set, in pairs of which the first and the last make one trit,
        the second and the last but one another, and so on.
    differences : encode the difference to the step before as well.
    learned : train the thresholds, which start at the quantiles.
    rate : learning rate of the thresholds, as a share of the others'.
    """

    quantiles: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
    differences: bool = False
    learned: bool = False
    rate: float = 1.0

    def __post_init__(self) -> None:
        values = [share(value, "a quantile") for value in self.quantiles]
        if len(values) < 2 or len(values) % 2 or values != sorted(set(values)):
            raise TrineError(f"quantiles must be an even number, rising, not {shown(self.quantiles)}")
        if finite_real(self.rate, "rate") < 0:
            raise TrineError(f"rate of the encoder must not be negative, not {self.rate}")

    @property
    def trits(self) -> int:
        """Trits of a feature, or of its difference."""
        return len(self.quantiles) // 2


@dataclass(frozen=True, kw_only=True)
class Network:
    """Shape and arithmetic of the recurrent layers.

    Parameters
    ----------
    cell, hidden, layers : kind of cell, units of a layer, number of layers.
    cell_max, cell_shift, output_shift, head_levels : as in :class:`trine_sw.model.config.ModelConfig`.
    reduction : the head sees the last step; or its logits are summed over all steps.
    """

    cell: Literal["lstm", "gru", "mgu"] = "gru"
    hidden: int = 64
    layers: int = 1
    cell_max: int = 15
    cell_shift: int = 3
    output_shift: int = 2
    head_levels: tuple[int, ...] = (0, 1, 2, 3)
    reduction: Reduction = "last"

    def __post_init__(self) -> None:
        if self.reduction not in ("last", "sum"):
            raise TrineError(f"reduction must be 'last' or 'sum', not {shown(self.reduction)}")
        shape = {name: getattr(self, name) for name in _ARITHMETIC}
        ModelConfig(embedding=1, vocab_size=1, **shape)  # refuses what is out of range, before any training


@dataclass(frozen=True, kw_only=True)
class SequenceSchedule:
    """How long and how fast a model is trained, with Adam.

    Parameters
    ----------
    epochs, batch : passes over the training set; sequences of an update.
    learning_rate, warmup : peak rate, and the share of the updates in which it rises to there; from there it
        falls along a cosine to a fiftieth of it.
    clip, weight_decay : largest gradient norm; decay of matrices apart from their gradients.
    dropout, head_dropout : of what goes into the layers, and of what the head sees.
    label_smoothing : share of a label that is spread over all classes.
    patience : epochs without a better validation after which training ends; None: never.
    """

    epochs: int = 30
    batch: int = 64
    learning_rate: float = 4e-3
    warmup: float = 0.3
    clip: float = 1.0
    weight_decay: float = 0.0
    dropout: float = 0.0
    head_dropout: float = 0.0
    label_smoothing: float = 0.0
    patience: int | None = None

    def __post_init__(self) -> None:
        integer(self.epochs, "epochs", 1, 1 << 20)
        integer(self.batch, "batch", 1, 1 << 16)
        for name in ("learning_rate", "clip"):
            if not finite_real(getattr(self, name), name) > 0:
                raise TrineError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("warmup", "dropout", "head_dropout", "label_smoothing"):
            share(getattr(self, name), name)
        if finite_real(self.weight_decay, "weight_decay") < 0:
            raise TrineError(f"weight_decay must not be negative, not {self.weight_decay}")
        if self.patience is not None:
            integer(self.patience, "patience", 1, 1 << 20)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training sequences are varied each time that they are seen.

    Parameters
    ----------
    noise : deviation of normal noise on each value, in deviations of its feature in the training set.
    level : deviation of a constant that is added to all features of a sequence, in the same unit.
    shift : most steps by which a sequence is cut short at its start or gets copies of its first step.
    stretch : largest share by which a sequence is made longer or shorter.
    mask_steps, mask_features : most steps, and most features, in a row that are set to the mean.
    """

    noise: float = 0.0
    level: float = 0.0
    shift: int = 0
    stretch: float = 0.0
    mask_steps: int = 0
    mask_features: int = 0

    def __post_init__(self) -> None:
        for name in ("noise", "level"):
            if finite_real(getattr(self, name), name) < 0:
                raise TrineError(f"{name} must not be negative, not {getattr(self, name)}")
        if not 0 <= finite_real(self.stretch, "stretch") < 1:
            raise TrineError(f"stretch must be from 0 to below 1, not {self.stretch}")
        for name in ("shift", "mask_steps", "mask_features"):
            integer(getattr(self, name), name, 0, 1 << 16)


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A float model that the ternary one learns from, beside the labels (Hinton et al., 2015).

    Parameters
    ----------
    share : of the loss that compares with the teacher's probabilities.
    temperature : by which both models' logits are divided there.
    hidden, cell, layers : shape of the teacher; 0 units: the float baseline is the teacher.
    """

    share: float = 0.5
    temperature: float = 2.0
    hidden: int = 0
    cell: Literal["lstm", "gru", "mgu"] = "gru"
    layers: int = 1

    def __post_init__(self) -> None:
        share(self.share, "share of the teacher")
        if not 0.01 <= finite_real(self.temperature, "temperature") <= 100:
            raise TrineError(f"temperature must be from 0.01 to 100, not {self.temperature}")
        integer(self.hidden, "hidden of the teacher", 0, 1 << 16)
        integer(self.layers, "layers of the teacher", 1, 16)
        if self.cell not in CELLS:
            raise TrineError(f"cell of the teacher must be one of {', '.join(CELLS)}, not {shown(self.cell)}")


@dataclass(frozen=True, kw_only=True)
class SequenceRecipe:
    """A training run on sequences: the ternary model, and the float model of the same size beside it.

    Parameters
    ----------
    name : of the recipe, and of the files that are written.
    task : one class a sequence, one class a step, or real values a sequence.
    data : where the sequences are, and which are held out.
    encoder, network, options : features to trits; shape of the model; how its cells are trained.
    schedule, baseline, teaching : of the ternary model, of the float one (None: the same) and of the teacher
        (None: the baseline's).
    augmentation : of the training sequences, in all roles.
    class_weights : weigh classes by the inverse of how often they are seen.
    teacher : what the ternary model learns from beside the labels; None: nothing.
    seeds : where all randomness starts. Of several, each trains all roles, and the record has the mean and
        the spread; the model that is written is the one with the best validation, or the first.

    Examples
    --------
    >>> from trine_sw.data.source import SequenceSource
    >>> source = SequenceSource(format="arrays", path="windows.npz")
    >>> recipe = SequenceRecipe(name="windows", task="classify", data=source)
    >>> recipe.roles, recipe.network.hidden
    (('float', 'ternary'), 64)
    """

    name: str
    task: Literal["classify", "label", "regress"]
    data: SequenceSource
    encoder: EncoderOptions = EncoderOptions()
    network: Network = Network()
    options: CellOptions = CellOptions(scale="norm", harden=(0.05, 0.3))
    schedule: SequenceSchedule = SequenceSchedule()
    baseline: SequenceSchedule | None = None
    teaching: SequenceSchedule | None = None
    augmentation: Augmentation = Augmentation()
    class_weights: bool = False
    teacher: Teacher | None = None
    seeds: tuple[int, ...] = field(default=(1,))

    def __post_init__(self) -> None:
        if self.task not in ("classify", "label", "regress"):
            raise TrineError(f"task must be 'classify', 'label' or 'regress', not {shown(self.task)}")
        if self.task == "label" and self.network.reduction != "last":
            raise TrineError("a model that labels every step has no reduction but 'last'")
        if self.class_weights and self.task == "regress":
            raise TrineError("class_weights are for classes, and a regression has none")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise TrineError(f"seeds must be different integers, one at least, not {shown(self.seeds)}")
        for seed in self.seeds:
            integer(seed, "a seed", 0, 2**32 - 1)

    @property
    def roles(self) -> tuple[SequenceRole, ...]:
        """What it trains, in an order in which each comes after what it needs."""
        own_teacher = self.teacher is not None and self.teacher.hidden > 0
        return tuple(role for role in get_args(SequenceRole) if role != "teacher" or own_teacher)

    def schedule_of(self, role: SequenceRole) -> SequenceSchedule:
        """Length and rate of that role's training."""
        if role == "ternary":
            return self.schedule
        baseline = self.baseline or self.schedule
        return baseline if role == "float" else self.teaching or baseline

    def fingerprint(self, role: SequenceRole, seed: int, digest: str) -> str:
        """All that decides the run of a role and seed on data of this digest, as text."""
        content: dict[str, Any] = asdict(self)
        for name in ("name", "data", "seeds", "baseline", "teaching"):
            content.pop(name)
        if role != "ternary":
            for name in ("options", "schedule", "teacher"):
                content.pop(name)
            content["network"] = {key: content["network"][key] for key in _SHAPE}
            content["encoder"] = {}
            if role == "teacher":
                content["teacher"] = asdict(self)["teacher"]
        content["trained_by"] = asdict(self.schedule_of(role))
        return json_text(content | {"role": role, "seed": seed, "digest": digest}, sort_keys=True)


_SHAPE = ("cell", "hidden", "layers", "reduction")
"""What a float model takes of a network."""
