"""One training run on sequences: the same loop for the models of all roles."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn

from trine_sw.data.sequences import SequenceSet
from trine_sw.support.interruption import Interruption, deferred
from trine_sw.training.loop.checkpoint import (
    check_figures,
    check_finite,
    check_like,
    check_optimizer,
    keeping,
    load_checkpoint,
    random_states,
    save_checkpoint,
    set_random_states,
    taking_up,
)
from trine_sw.training.loop.log import TrainingLog, check_run_files, figures_line
from trine_sw.training.loop.optimizer import cosine_rate, set_rate
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.sequences.augmentation import Augmenter
from trine_sw.training.sequences.batches import Batch, collated, drawn
from trine_sw.training.sequences.loss import loss_of, taught_loss
from trine_sw.training.sequences.measure import validated
from trine_sw.training.sequences.networks import SequenceNetwork
from trine_sw.training.sequences.recipe import SequenceRecipe, SequenceRole
from trine_sw.training.sequences.roles import new_network, new_optimizer, teacher_of
from trine_sw.training.sequences.statistics import Statistics, loss_weights

__all__ = ["SequenceRun"]

#: What a checkpoint has of a run, beside its network, its optimizer and the state of the random generator.
_CARRIED = ("epoch", "update", "loss_sum", "seconds", "log")


class SequenceRun:
    """One model in training, of any role in a recipe.

    Parameters
    ----------
    recipe, role, seed : which.
    path : of the checkpoint. Logs are written beside it.
    train, valid : sequences; without ``valid`` the last epoch is the best one.
    digest : of the data.
    ready : trained networks of the roles that this one needs.
    numerics, device : how and where it computes. Validation is exact on a CPU, whatever they are.

    Members
    -------
    epoch, update : epochs finished, and updates made in the present one.
    log : one row of figures per epoch.
    best : figures and weights of the epoch with the best validation.
    """

    def __init__(
        self,
        recipe: SequenceRecipe,
        role: SequenceRole,
        seed: int,
        path: Path,
        train: SequenceSet,
        valid: SequenceSet | None,
        digest: str,
        console: Console | None = None,
        ready: Mapping[SequenceRole, SequenceNetwork] | None = None,
        numerics: Numerics = Numerics(),  # noqa: B008 (frozen)
        device: torch.device = torch.device("cpu"),  # noqa: B008 (immutable)
    ) -> None:
        self.recipe, self.seed, self.path = recipe, seed, path
        self.role: SequenceRole = role
        check_run_files(path)  # better now than at the end of an epoch
        self.train, self.valid, self.device = train, valid, device
        self.schedule = recipe.schedule_of(role)
        self.console = console or Console()
        self.fingerprint = recipe.fingerprint(role, seed, digest)
        statistics = Statistics.of(train)
        self.network = new_network(recipe, role, seed, train, statistics).to(device)
        self.network.compute_by(numerics)
        self.teacher = teacher_of(recipe, role, ready or {})
        self.optimizer = new_optimizer(self.network, self.schedule, recipe.encoder.rate)
        per_step = recipe.task == "label"
        self._augmenter = Augmenter(
            recipe.augmentation, statistics.mean, statistics.deviation, steps=not per_step
        )
        weights = loss_weights(train, recipe.class_weights)
        self._weights = None if weights is None else weights.to(device)
        self.epoch = self.update = 0
        self.loss_sum = self.seconds = 0.0
        self.log: list[dict[str, float]] = []
        self.best: dict[str, Any] = {"train_loss": math.inf}
        self._files = TrainingLog(path)

    @property
    def updates(self) -> int:
        """Updates in an epoch."""
        return math.ceil(len(self.train) / min(self.schedule.batch, len(self.train)))

    @property
    def quality(self) -> tuple[float, float]:
        """How good the best epoch is, larger first; equal without validation."""
        return _quality(self.best)

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done, or validation has not become better for long enough."""
        waited = self.epoch - int(self.best.get("epoch", 0))
        patient = self.schedule.patience is None or waited < self.schedule.patience
        return self.epoch == self.schedule.epochs or not patient

    def best_network(self) -> SequenceNetwork:
        """The network with the weights of its best epoch, in evaluation mode."""
        self.network.load_state_dict(self.best["model"])
        return self.network.eval()

    def save(self) -> None:
        """Write the checkpoint: all that the rest of the run depends on."""
        content = {name: getattr(self, name) for name in _CARRIED}
        content |= random_states(self.device) | {
            "recipe": self.fingerprint,
            "model": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
        }
        save_checkpoint(self.path, content)

    def resume(self) -> None:
        """Take up the checkpoint; the run then equals one that was never interrupted, to the last bit.

        Raises :class:`TrineError` where it is of another recipe or other data, or damaged.
        """
        names = ("model", "optimizer", "best", "random", *_CARRIED)
        content = load_checkpoint(self.path, self.fingerprint, names)
        with taking_up(self.path):
            check_figures(content, self.schedule.epochs, self.updates, "train_loss")
            check_like("model", content["model"], self.network.state_dict())
            if content["epoch"]:
                check_like("best.model", content["best"]["model"], self.network.state_dict())
            check_like("random", content["random"], torch.get_rng_state())
            self.optimizer.load_state_dict(content["optimizer"])
            check_optimizer(self.optimizer)
            self.network.load_state_dict(content["model"])
            for name in (*_CARRIED, "best"):
                setattr(self, name, content[name])
            set_random_states(content, self.device)

    def fit(self) -> None:
        """Train up to the last epoch, with a checkpoint after each, and one at an interruption."""
        if self.finished:
            return
        if not self.epoch and not self.update:
            torch.manual_seed(self.seed)
        with keeping(self.path):
            self._fit()

    def _fit(self) -> None:
        with deferred() as interrupted, self._progress() as progress:
            total = self.schedule.epochs * self.updates
            bar = progress.add_task(f"{self.recipe.name} {self.role}, seed {self.seed}", total=total, loss="")
            while not self.finished:
                order = np.random.default_rng([self.seed, self.epoch])
                batches = drawn(self.train.lengths, self.schedule.batch, order)
                start = time.monotonic()
                while self.update < self.updates:
                    self.loss_sum += self._step(self._batch(batches[self.update]))
                    self.update += 1
                    progress.update(
                        bar,
                        completed=self.epoch * self.updates + self.update,
                        loss=f"loss {self.loss_sum / self.update:.3f}",
                    )
                    if interrupted():
                        self.seconds += time.monotonic() - start
                        self.save()
                        raise Interruption
                self.seconds += time.monotonic() - start
                self._end_epoch()
            self._files.close()

    def _batch(self, indices: NDArray[np.integer]) -> Batch:
        """These examples, varied as the recipe says; the same at the same update of every run."""
        rng = np.random.default_rng([self.seed, self.epoch, self.update])
        x = [self._augmenter(self.train.x[index], rng) for index in indices]
        return collated(x, [self.train.y[index] for index in indices], self.recipe.task).to(self.device)

    def _step(self, batch: Batch) -> float:
        """One update. Returns the mean loss on labels or values alone."""
        position, total = self.epoch * self.updates + self.update, self.schedule.epochs * self.updates
        warmup = round(self.schedule.warmup * total)
        set_rate(self.optimizer, cosine_rate(self.schedule.learning_rate, warmup, position, total))
        self.network.train()
        self.network.harden(position / total)
        outputs = self.network(batch.x, batch.lengths)
        task, smoothing = self.recipe.task, self.schedule.label_smoothing
        loss = objective = loss_of(outputs, batch.y, task, smoothing, self._weights)
        if self.teacher is not None and self.recipe.teacher is not None:
            with torch.no_grad():
                taught = self.teacher(batch.x, batch.lengths)
            share = self.recipe.teacher.share
            distance = taught_loss(outputs, taught, batch.y, task, self.recipe.teacher, self._weights)
            objective = (1 - share) * loss + share * distance
        self.optimizer.zero_grad(set_to_none=True)
        objective.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.schedule.clip)
        self.optimizer.step()
        nats = loss.item()
        check_finite(nats, norm.item(), self.epoch, self.update, self.path)
        return nats

    def _end_epoch(self) -> None:
        self.epoch += 1
        row: dict[str, float] = {"epoch": self.epoch, "train_loss": self.loss_sum / self.updates}
        if self.valid is not None:
            figures = validated(self.network, self.valid, self.device, self._weights)
            row |= {f"valid_{name}": value for name, value in figures.items()}
        row["seconds"] = round(self.seconds, 1)
        self.log.append(row)
        if "model" not in self.best or self.valid is None or _quality(row) > _quality(self.best):
            weights = {name: tensor.cpu().clone() for name, tensor in self.network.state_dict().items()}
            self.best = row | {"model": weights}
        self.update, self.loss_sum = 0, 0.0
        self.save()
        self._files.write(self.log)
        line = f"{self.recipe.name} {self.role}, seed {self.seed}, epoch {self.epoch}: {figures_line(row)}"
        self.console.print(f"{line}  ({self.seconds:.0f} s)", soft_wrap=True)

    def _progress(self) -> Progress:
        columns = (BarColumn(), TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn())
        description, loss = TextColumn("{task.description}"), TextColumn("{task.fields[loss]}")
        return Progress(description, *columns, loss, console=self.console)


def _quality(row: Mapping[str, Any]) -> tuple[float, float]:
    """What is better in a row of figures, larger first: accuracy where there is one, then a lower loss."""
    if "valid_loss" not in row:
        return 0.0, 0.0
    return row.get("valid_accuracy", 0.0), -row["valid_loss"]
