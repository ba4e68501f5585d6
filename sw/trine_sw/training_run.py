"""One training run: truncated back-propagation through time, the same loop for every kind of model."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from trine_sw.checkpoint import load_checkpoint, save_checkpoint
from trine_sw.data import END, load_tokens, symbols
from trine_sw.errors import TrineError
from trine_sw.evaluate import measure_streams, negative_log_likelihood
from trine_sw.export import export
from trine_sw.language_model import FloatLanguageModel, TernaryLanguageModel
from trine_sw.recipes import Recipe
from trine_sw.recurrence import Numerics

__all__ = ["Kind", "Run", "float_nats"]

Kind = Literal["ternary", "float"]
#: What a checkpoint has of a run, beside its model and optimizer.
_CARRIED = ("epoch", "update", "loss_sum", "seconds", "state", "teacher_state", "log")
_VALIDATION_STREAMS = 32  # for the choice of an epoch; the figure that is recorded has one stream


class Run:
    """One model in training: a recipe's ternary model or its float baseline.

    Members
    -------
    epoch, update : epochs finished, and updates made in the present one.
    log : one row of figures per epoch.
    best : figures and weights of the epoch with the lowest validation loss.
    """

    def __init__(
        self,
        recipe: Recipe,
        kind: Kind,
        path: Path,
        console: Console | None = None,
        teacher: FloatLanguageModel | None = None,
        numerics: Numerics = Numerics(),  # noqa: B008 (frozen)
    ) -> None:
        self.recipe, self.kind, self.path = recipe, kind, path
        self.schedule = recipe.schedule if kind == "ternary" else recipe.baseline
        self.console = console or Console()
        self.vocabulary = list(symbols(recipe.dataset))
        if len(self.vocabulary) != recipe.config.vocab_size:
            found = f"{recipe.dataset} has {len(self.vocabulary)} symbols"
            raise TrineError(f"{found}, and the recipe's model {recipe.config.vocab_size}")
        self.tokens, self.valid = (load_tokens(recipe.dataset, split) for split in ("train", "valid"))
        if END in self.vocabulary:  # as in evaluate.text_tokens: the first word is predicted too
            self.valid = np.concatenate([[self.vocabulary.index(END)], self.valid])
        if len(self.tokens) // self.schedule.batch <= self.schedule.steps:
            wanted = f"{self.schedule.batch} streams of {self.schedule.steps} steps"
            raise TrineError(f"{recipe.dataset} is too short for {wanted}")
        torch.manual_seed(recipe.seed)
        self.model: TernaryLanguageModel | FloatLanguageModel
        if kind == "ternary":
            self.model = TernaryLanguageModel(
                recipe.config,
                recipe.options,
                embedding_factor=recipe.embedding_factor,
                dropout=self.schedule.dropout,
                locked=self.schedule.locked,
                head=recipe.head,
                tied=recipe.tied,
            )
        else:
            self.model = FloatLanguageModel(
                recipe.config,
                dropout=self.schedule.dropout,
                locked=self.schedule.locked,
                tied=recipe.tied,
                quantisers=recipe.quantisers,
            )
        self.model.compute_by(numerics)
        optimizer = torch.optim.Adam if self.schedule.optimizer == "adam" else torch.optim.SGD
        self.optimizer = optimizer(self.model.parameters(), lr=self.schedule.learning_rate, fused=True)
        self.epoch = self.update = 0
        self.loss_sum = self.seconds = 0.0
        self.state = self.model.initial_state(self.schedule.batch)
        if kind == "ternary" and recipe.distil and teacher is None:
            raise TrineError(f"{recipe.name} learns from its float baseline; train that first")
        self.teacher = teacher.eval() if kind == "ternary" and recipe.distil and teacher else None
        self.teacher_state = self.teacher and self.teacher.initial_state(self.schedule.batch)
        self.log: list[dict[str, float]] = []
        self.best: dict[str, Any] = {"valid_nats": math.inf}

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done."""
        return self.epoch == self.schedule.epochs

    @property
    def updates(self) -> int:
        """Updates in an epoch."""
        return (len(self.tokens) // self.schedule.batch - 1) // self.schedule.steps

    def save(self) -> None:
        """Write the checkpoint: all that the rest of the run depends on."""
        content = {name: getattr(self, name) for name in _CARRIED}
        content |= {
            "recipe": self.recipe.fingerprint(self.kind),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "best": self.best,
        }
        save_checkpoint(self.path, content)

    def resume(self) -> None:
        """Take up the checkpoint; the run then equals one that was never interrupted, to the last bit."""
        names = ("model", "optimizer", "random", "best", *_CARRIED)
        content = load_checkpoint(self.path, self.recipe.fingerprint(self.kind), names)
        self.model.load_state_dict(content.pop("model"))
        self.optimizer.load_state_dict(content.pop("optimizer"))
        torch.set_rng_state(content.pop("random"))
        for name in (*_CARRIED, "best"):
            setattr(self, name, content[name])

    def fit(self) -> None:
        """Train up to the last epoch, with a checkpoint after each, and one at an interruption."""
        with _interruptions() as interrupted, self._progress() as progress:
            total = self.schedule.epochs * self.updates
            bar = progress.add_task(f"{self.recipe.name} {self.kind}", total=total, speed="", loss="")
            while self.epoch < self.schedule.epochs:
                if isinstance(self.model, FloatLanguageModel):
                    self.model.anneal(self.epoch / max(1, self.schedule.epochs - 1))
                inputs, targets = self._streams()
                start, first = time.monotonic(), self.update
                while self.update < self.updates:
                    window = slice(self.update * self.schedule.steps, (self.update + 1) * self.schedule.steps)
                    self.loss_sum += self._step(inputs[window], targets[window])
                    self.update += 1
                    done = self.update - first
                    speed = done * self.schedule.batch * self.schedule.steps / (time.monotonic() - start)
                    progress.update(
                        bar,
                        completed=self.epoch * self.updates + self.update,
                        speed=f"{speed:,.0f} tokens/s",
                        loss=f"loss {self.loss_sum / self.update:.3f}",
                    )
                    if interrupted():
                        self.seconds += time.monotonic() - start
                        self.save()
                        raise TrineError(f"interrupted; {self.path} is saved, go on with --resume")
                self.seconds += time.monotonic() - start
                self._end_epoch()

    def best_model(self) -> TernaryLanguageModel | FloatLanguageModel:
        """The model with the weights of its best epoch, in evaluation mode."""
        self.model.load_state_dict(self.best["model"])
        return self.model.eval()

    def _streams(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets (L, B) of an epoch: the text, turned to a random start, cut into B streams."""
        batch = self.schedule.batch
        start = np.random.default_rng([self.recipe.seed, self.epoch]).integers(len(self.tokens))
        length = len(self.tokens) // batch
        turned = np.roll(self.tokens, -start)[: batch * length].reshape(batch, length).T
        tokens = torch.from_numpy(np.ascontiguousarray(turned))
        return tokens[:-1], tokens[1:]

    def _step(self, inputs: Tensor, targets: Tensor) -> float:
        """One update on (T, B) tokens. Returns the loss in nats a token, without the cost of activity."""
        self.model.train()
        position = self.epoch * self.updates + self.update
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.learning_rate * self._schedule(position)
        wanted = None
        if self.teacher is not None and self.teacher_state is not None:
            with torch.no_grad():
                wanted, self.teacher_state, _ = self.teacher(inputs, self.teacher_state)
        objective, loss, self.state, h = self.model.loss(
            inputs, targets, self.state, wanted, self.recipe.distil
        )
        if self.kind == "ternary" and self.recipe.activity_cost:
            objective = objective + self.recipe.activity_cost * h.abs().mean()
        self.optimizer.zero_grad(set_to_none=True)
        objective.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip)
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            raise TrineError(
                f"the loss is no number after epoch {self.epoch}, update {self.update}; the last checkpoint, "
                f"{self.path}, is whole. Lower the recipe's learning rate."
            )
        self.optimizer.step()
        return loss.item()

    def _schedule(self, position: int) -> float:
        """Share of the peak learning rate at an update."""
        if position < self.schedule.warmup:
            return (position + 1) / self.schedule.warmup
        if self.schedule.decay == "plateau":
            nats = [row["valid_nats"] for row in self.log]
            return 0.25 ** sum(later >= min(nats[:epoch]) for epoch, later in enumerate(nats) if epoch)
        rest = self.schedule.epochs * self.updates - self.schedule.warmup
        return 0.51 + 0.49 * math.cos(math.pi * (position - self.schedule.warmup) / max(1, rest))

    def _end_epoch(self) -> None:
        nats, activity = self._validate()
        self.epoch += 1
        row = {
            "epoch": self.epoch,
            "train_nats": self.loss_sum / self.updates,
            "valid_nats": nats,
            "seconds": round(self.seconds, 1),
        } | activity
        self.log.append(row)
        if nats < self.best["valid_nats"]:
            weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
            self.best = row | {"model": weights}
        self.update, self.loss_sum = 0, 0.0
        self.state = self.model.initial_state(self.schedule.batch)
        self.teacher_state = self.teacher and self.teacher.initial_state(self.schedule.batch)
        self.save()
        figures = "  ".join(
            f"{key} {value:.4g}" for key, value in row.items() if key not in ("epoch", "seconds")
        )
        line = f"{self.recipe.name} {self.kind} epoch {self.epoch}: {figures}  ({self.seconds:.0f} s)"
        self.console.print(line, soft_wrap=True)

    def _validate(self) -> tuple[float, dict[str, float]]:
        """Nats a token of the validation text cut into streams; and the ternary model's activities."""
        length = len(self.valid) // _VALIDATION_STREAMS
        tokens = (
            self.valid[: length * _VALIDATION_STREAMS].reshape(_VALIDATION_STREAMS, length).T.astype(np.int64)
        )
        if isinstance(self.model, TernaryLanguageModel):
            return measure_streams(export(self.model, self.vocabulary, {}), tokens)
        return float_nats(self.model, tokens), {}

    def _progress(self) -> Progress:
        columns = (BarColumn(), TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn())
        speed, loss = TextColumn("{task.fields[speed]}"), TextColumn("{task.fields[loss]}")
        return Progress(TextColumn("{task.description}"), *columns, speed, loss, console=self.console)


@torch.no_grad()
def float_nats(model: FloatLanguageModel, tokens: NDArray[np.integer]) -> float:
    """Nats a token of tokens (T, N), state carried on."""
    model.eval()
    state, losses = model.initial_state(tokens.shape[1]), []
    steps = max(1, (1 << 24) // (model.config.vocab_size * tokens.shape[1]))
    for start in range(0, len(tokens) - 1, steps):
        part = tokens[start : start + steps + 1]
        logits, state, _ = model(torch.from_numpy(part[:-1].copy()), state)
        losses.append(negative_log_likelihood(logits.numpy(), part[1:].astype(np.int64)))
    return float(np.concatenate(losses).mean())


@contextmanager
def _interruptions() -> Iterator[Any]:
    """While this lasts, the first Ctrl-C sets a flag, which the value gives; the second one interrupts."""
    pressed = False

    def note(*_: Any) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread: Ctrl-C does not come here
        yield lambda: False
        return
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
