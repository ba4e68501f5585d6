"""Schedule of a language model's training."""

from dataclasses import dataclass, field
from typing import Literal

from trine_sw.support.checks import finite_real, integer, share, shown
from trine_sw.support.errors import TrineError

__all__ = ["LATER", "Schedule"]

LATER = {"later": True}
"""Of a field that older fingerprints lack, and new ones where it has its default."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast a model is trained.

    Parameters
    ----------
    epochs, batch, steps : passes over the text; streams; characters that gradients go back through.
    learning_rate, clip, warmup : peak rate; largest gradient norm; updates up to the peak.
    decay : how the rate falls after the peak: along a cosine to a fiftieth; to a quarter of what it was
        after each epoch that is no better than the best before it; or not at all.
    optimizer : Adam, or plain stochastic gradient descent.
    dropout, head_dropout, locked : of x and of what the head sees, as in ``LanguageModel``.
    between_dropout : of what goes from one layer of a float model to the next; None: as ``dropout``.
    embedding_dropout : of words of a float model, whose whole embedding is dropped for a window.
    recurrent_dropout : of a float LSTM's or GRU's weights of h, the same for all steps of a window
        (DropConnect; Merity et al., 2018).
    weight_decay : of all weights but the head's, as ``head_decay`` is of those.
    average : epochs that validation may be no better than before, after which the mean of all weights from
        then on is what is measured and kept (averaged SGD, triggered as in Merity et al., 2018); 0: never.
    replaced : share of the inputs that are replaced by words drawn by their frequency, in contexts that a
        teacher has not learnt by heart. What follows these words is learned from the teacher alone.
    sampled : words that the softmax of a training step is over (``CandidateSampler``); 0: all. Validation and
        every figure are over all.
    written : share of the streams that read text which a teacher's float models have written, other text in
        each epoch, instead of the training text; what follows is learned from the teacher alone.
    stratified : of the sampled words, the most frequent ones, which are in every step
        (``StratifiedSampler``); 0: all are drawn.
    exact : epochs at the end whose training steps are over all words too, where those before are not.
    head_rate : the head's learning rate, as a share of the others'. Adam gives a word that is seldom seen a
        long step each time, so that it is learned by heart.
    head_decay : of the head's weights, with Adam apart from their gradients (Loshchilov and Hutter, 2019):
        each update takes so many times the head's learning rate off them.
    scale_rate : the rate of a ternary head's one scale, as a share of the head's.

    Raises
    ------
    TrineError
        If one of these is out of range.
    """

    epochs: int
    batch: int = 64
    steps: int = 64
    learning_rate: float = 2e-3
    clip: float = 1.0
    warmup: int = 200
    dropout: float = 0.1
    optimizer: Literal["adam", "sgd"] = field(default="adam", metadata=LATER)
    decay: Literal["cosine", "plateau", "constant"] = field(default="cosine", metadata=LATER)
    locked: bool = field(default=False, metadata=LATER)
    sampled: int = field(default=0, metadata=LATER)
    exact: int = field(default=0, metadata=LATER)
    head_rate: float = field(default=1.0, metadata=LATER)
    head_decay: float = field(default=0.0, metadata=LATER)
    head_dropout: float | None = field(default=None, metadata=LATER)
    scale_rate: float = field(default=1.0, metadata=LATER)
    between_dropout: float | None = field(default=None, metadata=LATER)
    embedding_dropout: float = field(default=0.0, metadata=LATER)
    recurrent_dropout: float = field(default=0.0, metadata=LATER)
    weight_decay: float = field(default=0.0, metadata=LATER)
    average: int = field(default=0, metadata=LATER)
    replaced: float = field(default=0.0, metadata=LATER)
    stratified: int = field(default=0, metadata=LATER)
    written: float = field(default=0.0, metadata=LATER)

    def __post_init__(self) -> None:
        for name, low, high in (("epochs", 1, 1 << 20), ("batch", 1, 1 << 16), ("steps", 1, 1 << 20)):
            integer(getattr(self, name), name, low, high)
        for name in ("warmup", "sampled", "exact", "average", "stratified"):
            integer(getattr(self, name), name, 0, 1 << 40)
        for name in ("learning_rate", "clip"):
            if not finite_real(getattr(self, name), name) > 0:
                raise TrineError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("head_rate", "head_decay", "scale_rate", "weight_decay"):
            if finite_real(getattr(self, name), name) < 0:
                raise TrineError(f"{name} must not be negative, not {getattr(self, name)}")
        for name in ("dropout", "embedding_dropout", "recurrent_dropout", "replaced", "written"):
            share(getattr(self, name), name)
        for name in ("head_dropout", "between_dropout"):
            if getattr(self, name) is not None:
                share(getattr(self, name), name)
        if self.written and not self.written_streams:
            raise TrineError(f"written is less than one of {self.batch} streams")
        if self.stratified and self.sampled <= self.stratified + self.batch * self.steps:
            raise TrineError(
                f"sampled must be above stratified and the words of a step together, {self.stratified} + "
                f"{self.batch * self.steps}, not {self.sampled}"
            )
        for name, kinds in (("optimizer", ("adam", "sgd")), ("decay", ("cosine", "plateau", "constant"))):
            if getattr(self, name) not in kinds:
                raise TrineError(
                    f"{name} must be one of {', '.join(kinds)}, not {shown(getattr(self, name))}"
                )

    @property
    def written_streams(self) -> int:
        """Streams that read written text, of ``batch``."""
        return round(self.written * self.batch)

    @property
    def of_float_models(self) -> tuple[str, ...]:
        """Keys that are set here and mean something to float models alone."""
        set_here = {
            "between_dropout": self.between_dropout is not None,
            "embedding_dropout": bool(self.embedding_dropout),
            "recurrent_dropout": bool(self.recurrent_dropout),
        }
        return tuple(name for name, there in set_here.items() if there)
