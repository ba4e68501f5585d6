"""Recipes: everything that decides a training run, by name."""

from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, get_args

from trine_sw.model import HeadKind
from trine_sw.model.config import ModelConfig
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text
from trine_sw.training.nn.layers import CellOptions
from trine_sw.training.nn.soft_cell import Quantisers

__all__ = ["RECIPES", "Role", "Recipe", "Schedule", "recipe"]

Role = Literal["float", "teacher", "ternary", "head"]
"""Role of a model in a recipe: float baseline, teacher (a wider float model), student (the ternary model), or
ternary head for the finished student."""

_LATER = {"later": True}  # a field that older fingerprints lack, and new ones where it has its default


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast a model is trained.

    Parameters
    ----------
    epochs, batch, steps : passes over the text; streams; characters that gradients go back through.
    learning_rate, clip, warmup : peak rate; largest gradient norm; updates up to the peak.
    decay : how the rate falls after the peak: along a cosine to a fiftieth, or to a quarter of what it was
        after each epoch that is no better than the best before it.
    optimizer : Adam, or plain stochastic gradient descent.
    dropout, head_dropout, locked : of x and of what the head sees, as in ``LanguageModel``.
    sampled : words that the softmax of a training step is over (``CandidateSampler``); 0: all. Validation and
        every figure are over all.
    exact : epochs at the end whose training steps are over all words too, where those before are not.
    head_rate : the head's learning rate, as a share of the others'. Adam gives a word that is seldom seen a
        long step each time, so that it is learned by heart.
    head_decay : of the head's weights, with Adam apart from their gradients (Loshchilov and Hutter, 2019):
        each update takes so many times the head's learning rate off them.
    scale_rate : the rate of a ternary head's one scale, as a share of the head's.
    """

    epochs: int
    batch: int = 64
    steps: int = 64
    learning_rate: float = 2e-3
    clip: float = 1.0
    warmup: int = 200
    dropout: float = 0.1
    optimizer: Literal["adam", "sgd"] = field(default="adam", metadata=_LATER)
    decay: Literal["cosine", "plateau"] = field(default="cosine", metadata=_LATER)
    locked: bool = field(default=False, metadata=_LATER)
    sampled: int = field(default=0, metadata=_LATER)
    exact: int = field(default=0, metadata=_LATER)
    head_rate: float = field(default=1.0, metadata=_LATER)
    head_decay: float = field(default=0.0, metadata=_LATER)
    head_dropout: float | None = field(default=None, metadata=_LATER)
    scale_rate: float = field(default=1.0, metadata=_LATER)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run: the ternary model, and the float LSTM of the same size that it is measured against.

    Parameters
    ----------
    name, dataset, seed : the recipe's name, the text, and where all randomness starts.
    config : the model. Its vocabulary size must be that of the text.
    schedule, baseline : of the ternary model; of the float one, whose best learning rate is another.
    options : how the ternary cell is trained.
    embedding_factor : sparsity of the ternary embedding, as in ``TernaryLanguageModel``.
    activity_cost : added to the loss, times the share of h that is active.
    distil : share of the loss that compares with the trained baseline's probabilities, not with the text
        (Hinton et al., 2015); the baseline is then trained first.
    quantisers : of the baseline, which is then the paper's soft cell with these, and no float LSTM.
    head, tied : the ternary model's head, and whether it shares its weights with the embedding, in both.
    unigram : the head's bias is the logarithm of each word's share of the training text, and is not trained.
    warm_start : the ternary model starts from the trained baseline's weights.
    teacher_hidden : units of a float LSTM to distil from instead, whatever the cell; 0: none.
    teaching : how the teacher is trained; None: as the baseline is.
    ternary_head : how a ternary head is made of the finished model's float one and learns from it, while the
        cell stays as it is; None: it is not.
    rounded_rows : of the ternary head, those of the most frequent words, whose trits, before training, are
        chosen by what their errors do to the loss (``head_rounding``), and not by size alone.
    keep_float_head : the float head stays in the file beside the ternary one.

    Examples
    --------
    >>> from dataclasses import replace
    >>> recipe = trine.Recipe.named("shakespeare-small")
    >>> recipe.config.hidden, recipe.schedule.learning_rate
    (64, 0.002)
    >>> quick = replace(recipe, name="quick", schedule=replace(recipe.schedule, epochs=1))
    """

    name: str
    dataset: str
    config: ModelConfig
    schedule: Schedule
    baseline: Schedule
    seed: int = 1
    options: CellOptions = CellOptions()
    embedding_factor: float = 1.4
    activity_cost: float = 0.0
    distil: float = 0.0
    head: HeadKind = field(default="ternary", metadata=_LATER)
    tied: bool = field(default=False, metadata=_LATER)
    quantisers: Quantisers | None = field(default=None, metadata=_LATER)
    unigram: bool = field(default=False, metadata=_LATER)
    warm_start: bool = field(default=False, metadata=_LATER)
    teacher_hidden: int = field(default=0, metadata=_LATER)
    teaching: Schedule | None = field(default=None, metadata=_LATER)
    ternary_head: Schedule | None = field(default=None, metadata=_LATER)
    rounded_rows: int = field(default=0, metadata=_LATER)
    keep_float_head: bool = field(default=True, metadata=_LATER)

    @classmethod
    def named(cls, name: str) -> "Recipe":
        """A recipe that Trine has; :class:`TrineError` lists the names where there is none of that name."""
        return recipe(name)

    @property
    def roles(self) -> tuple[Role, ...]:
        """What it trains, in an order in which each comes after what it needs."""
        wanted = (True, bool(self.teacher_hidden), True, self.ternary_head is not None)
        return tuple(role for role, there in zip(get_args(Role), wanted, strict=True) if there)

    def needs(self, role: Role) -> tuple[Role, ...]:
        """Roles whose models must be trained before this one."""
        if role == "head":
            return ("ternary",)
        if role != "ternary":
            return ()
        teacher: tuple[Role, ...] = ()
        if self.distil:
            teacher = ("teacher",) if self.teacher_hidden else ("float",)
        return tuple(dict.fromkeys((("float",) if self.warm_start else ()) + teacher))

    def schedule_of(self, role: Role) -> Schedule:
        """Optimizer and learning-rate schedule of that role."""
        if role == "head":
            assert self.ternary_head is not None
            return self.ternary_head
        if role == "teacher" and self.teaching is not None:
            return self.teaching
        return self.schedule if role == "ternary" else self.baseline

    def fingerprint(self, role: Role) -> str:
        """All that decides the run of a role, as text."""
        content = _content(self)
        content.pop("keep_float_head", None)  # decides what is written, not how it is trained
        if role in ("float", "teacher"):
            names = ("dataset", "config", "baseline", "seed", "tied", "unigram", "quantisers")
            names += ("teacher_hidden", "teaching") if role == "teacher" else ()
            content = {name: content[name] for name in names if name in content}
        if role == "ternary":
            content.pop("ternary_head", None)
            content.pop("rounded_rows", None)
        return json_text(content, sort_keys=True)


def _content(value: Any) -> Any:
    """A dataclass as a dictionary, without the later fields that have their default."""
    if not is_dataclass(value):
        return value
    kept = (entry for entry in fields(value) if not _is_later_default(value, entry))
    return {entry.name: _content(getattr(value, entry.name)) for entry in kept}


def _is_later_default(value: Any, entry: Any) -> bool:
    return "later" in entry.metadata and getattr(value, entry.name) == entry.default


def _config(hidden: int, embedding: int, vocab_size: int, cell: str = "lstm", unit: int = 2) -> ModelConfig:
    """A model whose cells count in ``2**unit`` to the trit; from half of one on h is active."""
    return ModelConfig(
        cell=cell,
        hidden=hidden,
        embedding=embedding,
        vocab_size=vocab_size,
        cell_max=15,
        cell_shift=unit,
        output_shift=unit - 1,
        head_levels=(0, 1, 2, 3),
    )


_HEAD = Schedule(epochs=1, batch=20, steps=35, learning_rate=5e-6, scale_rate=100.0, dropout=0.0)
"""Of a ternary head that learns from a float one."""

_PTB = Recipe(
    name="ptb",
    dataset="ptb",
    config=_config(hidden=300, embedding=300, vocab_size=10_000),
    schedule=Schedule(
        epochs=16,
        batch=20,
        steps=35,
        learning_rate=3e-3,
        head_rate=0.4,
        head_decay=0.8,
        dropout=0.1,
        head_dropout=0.3,
    ),
    # A float h is several times smaller than u, and its head's weights larger.
    baseline=Schedule(epochs=13, batch=20, steps=35, head_rate=0.4, head_decay=0.1, dropout=0.4),
    options=CellOptions(scale="norm", harden=(0.025, 0.125)),
    embedding_factor=1.2,
    activity_cost=0.3,
    head="float",
    unigram=True,
    ternary_head=_HEAD,
    rounded_rows=1000,
)
"""What the models of words start from."""

RECIPES = {
    entry.name: entry
    for entry in (
        Recipe(
            name="shakespeare",
            dataset="shakespeare",
            config=_config(hidden=256, embedding=128, vocab_size=65),
            schedule=Schedule(epochs=45, learning_rate=3e-3, dropout=0.05),
            baseline=Schedule(epochs=45),
            distil=0.7,
        ),
        Recipe(
            name="shakespeare-small",
            dataset="shakespeare",
            config=_config(hidden=64, embedding=32, vocab_size=65),
            schedule=Schedule(epochs=40, dropout=0.0),
            baseline=Schedule(epochs=40, dropout=0.0),
        ),
        Recipe(
            name="shakespeare-small-mgu",
            dataset="shakespeare",
            config=_config(hidden=64, embedding=32, vocab_size=65, cell="mgu", unit=3),
            schedule=Schedule(epochs=40, dropout=0.0),
            baseline=Schedule(epochs=40, dropout=0.0),
        ),
        replace(
            _PTB,
            name="ptb-lstm-300",
            # It learns from probabilities, which are not learned by heart: less dropout will do. And it gives
            # up less for being quiet than it does alone.
            schedule=replace(_PTB.schedule, epochs=20, dropout=0.05, head_dropout=0.15),
            distil=0.8,
            teacher_hidden=1000,
            teaching=replace(_PTB.baseline, epochs=20, dropout=0.6),
            embedding_factor=1.5,
            activity_cost=0.35,
            rounded_rows=2000,
        ),
        replace(
            _PTB,
            name="ptb-gru-300",
            config=_config(hidden=300, embedding=300, vocab_size=10_000, cell="gru", unit=3),
            # No gate shuts its h, so a cost thins it less than an LSTM's. Less dropout of what the head sees
            # would serve the float head, and the ternary one would lose more than that.
            schedule=replace(_PTB.schedule, epochs=24, dropout=0.0, head_dropout=0.15),
            embedding_factor=1.7,
            activity_cost=1.3,
            rounded_rows=2000,
        ),
        replace(
            _PTB,
            name="wikitext2-lstm-512",
            dataset="wikitext-2",
            config=_config(hidden=512, embedding=512, vocab_size=33_278),
            schedule=replace(_PTB.schedule, epochs=4, batch=40, sampled=4096, dropout=0.05, head_dropout=0.2),
            baseline=replace(_PTB.baseline, epochs=4, batch=40, sampled=4096),
            options=CellOptions(scale="norm", harden=(0.05, 0.25)),
            ternary_head=replace(_HEAD, batch=40, sampled=4096),
            keep_float_head=False,  # of 34 MB
        ),
    )
}


def recipe(name: str) -> Recipe:
    """The recipe of that name; :class:`TrineError` lists the names where there is none."""
    if name not in RECIPES:
        raise TrineError(f"{name!r} is no recipe; there are {', '.join(RECIPES)}")
    return RECIPES[name]
