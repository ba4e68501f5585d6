"""One training run: truncated back-propagation through time, the same loop for the models of all roles."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from trine_sw.data import END, load_tokens, symbols
from trine_sw.model import Model
from trine_sw.support.errors import TrineError
from trine_sw.support.interruption import Interruption, deferred
from trine_sw.training.loop.averaging import WeightAverage
from trine_sw.training.loop.checkpoint import (
    check_finite,
    keeping,
    load_checkpoint,
    save_checkpoint,
    taking_up,
)
from trine_sw.training.loop.distributed import Ranks
from trine_sw.training.loop.epoch_text import EpochText
from trine_sw.training.loop.log import TrainingLog, check_run_files, figures_line
from trine_sw.training.loop.objective import Objective
from trine_sw.training.loop.optimizer import learning_rate, new_optimizer, set_rate
from trine_sw.training.loop.run_state import RUN_NAMES, run_content, take_up_run
from trine_sw.training.loop.update import Carried, Update
from trine_sw.training.loop.validation import validate
from trine_sw.training.models.head_rounding import round_head
from trine_sw.training.models.roles import AnyModel, has_unigram_bias, new_model, teachers_of
from trine_sw.training.models.start import start_from
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.nn.sampled_softmax import Sampler, new_sampler
from trine_sw.training.recipes import Recipe, Role

__all__ = ["Run"]


class Run:
    """One model in training, of any role in a recipe.

    Parameters
    ----------
    path : of the checkpoint. Logs are written beside it.
    ready : trained models of the roles that this one needs.
    numerics, device : how and where it computes. Validation is exact on a CPU, whatever they are.
    ranks : the processes that train together. Only the first one writes and shows anything.
    taught_by : digests of the files that its teachers are from, where they are not trained here.
    start : the finished model that a ternary one starts from.

    Members
    -------
    epoch, update : epochs finished, and updates made in the present one.
    log : one row of figures per epoch.
    started_from : digest of the start, where there is one.
    best : figures and weights of the epoch with the lowest validation loss.
    """

    def __init__(
        self,
        recipe: Recipe,
        role: Role,
        path: Path,
        console: Console | None = None,
        ready: Mapping[Role, AnyModel] | None = None,
        numerics: Numerics = Numerics(),  # noqa: B008 (frozen)
        device: torch.device = torch.device("cpu"),  # noqa: B008 (immutable)
        ranks: Ranks = Ranks(),  # noqa: B008 (frozen)
        taught_by: Sequence[str] = (),
        start: Model | None = None,
    ) -> None:
        self.recipe, self.path = recipe, path
        self.ready: Mapping[Role, AnyModel] = ready or {}
        self.taught_by = list(taught_by) if set(recipe.learns_from(role)) & set(recipe.teaching_roles) else []
        if ranks.first:  # better now than at the end of an epoch
            check_run_files(path)
        self.role: Role = role
        self.device, self.ranks = device, ranks
        self.schedule = recipe.schedule_of(role)
        self.console = (console or Console()) if ranks.first else Console(quiet=True)
        self.vocabulary = list(symbols(recipe.dataset))
        if len(self.vocabulary) != recipe.config.vocab_size:
            found = f"{recipe.dataset} has {len(self.vocabulary)} symbols"
            raise TrineError(f"{found}, and the recipe's model {recipe.config.vocab_size}")
        self.tokens, self.valid = load_tokens(recipe.dataset, "train"), self.text("valid")
        self.seed = recipe.seed_of(role)
        self._text = EpochText(self.tokens, self.schedule, self.seed, ranks, device)
        self.streams = self._text.streams
        model = new_model(recipe, role, self.ready)
        self.started_from: str | None = None
        if start is not None and role == "ternary" and isinstance(model, TernaryLanguageModel):
            start_from(model, start, self.vocabulary)
            self.started_from = start.digest().hex()
        self.model: AnyModel = model.to(device)
        if ranks.rank:  # the first process draws what a single one would
            torch.manual_seed(self.seed + 1_000_003 * ranks.rank)
        self.model.compute_by(numerics)
        counts = torch.from_numpy(np.bincount(self.tokens, minlength=len(self.vocabulary)))
        if has_unigram_bias(recipe, role):
            self.model.fix_bias(counts)
        self.sampler: Sampler | None = None
        if self.schedule.sampled:
            window = self.streams * self.schedule.steps
            sampler = new_sampler(counts, self.schedule.sampled, self.schedule.stratified, window)
            self.sampler = sampler.to(device)
        teachers, share = teachers_of(recipe, role, self.ready, self.tokens)
        self.teachers = teachers and teachers.to(device)
        if self.teachers is not None:
            self.teachers.compute_by(numerics)
        trains_cell = role == "ternary" or (role == "head" and recipe.finish_cell)
        cost = recipe.activity_cost if trains_cell else 0.0
        self.optimizer = new_optimizer(self.model, self.schedule)
        self.average = WeightAverage(self.model, self.schedule.average)
        self._update = Update(
            Objective(self.model, self.teachers, share, cost),
            self.model,
            self.teachers,
            self.optimizer,
            self.schedule.clip,
            captured=device.type == "cuda" and ranks.size == 1,
            others=self._text.others(self.teachers),
        )
        self.epoch = self.update = 0
        self.loss_sum = self.seconds = 0.0
        self.carried = self._begin()
        self.log: list[dict[str, float]] = []
        self.best: dict[str, Any] = {"valid_nats": math.inf}
        self._files = TrainingLog(path)

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done."""
        return self.epoch == self.schedule.epochs

    @property
    def updates(self) -> int:
        """Updates in an epoch."""
        return self._text.updates

    def text(self, split: str) -> NDArray[np.integer]:
        """Tokens (T,) of a text to be measured, as ``evaluate.text_tokens`` gives them."""
        tokens = load_tokens(self.recipe.dataset, split)
        if END not in self.vocabulary:
            return tokens
        return np.concatenate([[self.vocabulary.index(END)], tokens])

    def epoch_tokens(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets (L, B) of the present epoch."""
        return self._text.of_epoch(self.epoch, self.teachers)

    def save(self) -> None:
        """Write the checkpoint: all that the rest of the run depends on, of all processes.

        It is there when any of them returns.
        """
        content = run_content(self)
        self.ranks.of_first(lambda: save_checkpoint(self.path, content))

    def resume(self) -> None:
        """Take up the checkpoint; the run then equals one that was never interrupted, to the last bit.

        Raises :class:`TrineError` where it is of another recipe or another number of processes, or damaged.
        """
        content = load_checkpoint(self.path, self.recipe.fingerprint(self.role), RUN_NAMES)
        with taking_up(self.path):
            take_up_run(self, content)

    def fit(self) -> None:
        """Train up to the last epoch, with a checkpoint after each, and one at an interruption."""
        if self.role == "head" and self.recipe.rounded_rows and not self.epoch and not self.update:
            self._round_head()
        own = self._update.objective
        # While a head is mapped its weights have no gradients, and then the map has none.
        self._update.objective = self.ranks.averaging(own, unused=self.model.head_is_mapped)
        try:
            with keeping(self.path):
                self._fit()
        finally:
            self._update.objective = own  # what averages holds on to the other processes

    def _round_head(self) -> None:
        """In the first process alone: where there are others, ``Ranks.averaging`` gives them its weights."""
        if self.ranks.first:
            trained = self.ready["ternary"].to(self.device)
            assert isinstance(self.model, TernaryLanguageModel)
            start = time.monotonic()
            round_head(self.model, trained, self.tokens, self.recipe.rounded_rows, self.console)
            self.seconds += time.monotonic() - start

    def _fit(self) -> None:
        with deferred() as interrupted, self._progress() as progress:
            total = self.schedule.epochs * self.updates
            name = f"{self.recipe.name} {self.role}"
            bar = progress.add_task(name, total=total, speed="", loss="")
            if self.model.numerics.compiled and not self.finished:
                self.console.print(f"{name}: compiling its steps, which may take a minute", soft_wrap=True)
            while self.epoch < self.schedule.epochs:
                self.model.anneal(self.epoch / max(1, self.schedule.epochs - 1))
                exact = self.epoch >= self.schedule.epochs - self.schedule.exact
                self.model.sampler = None if exact else self.sampler
                start, first = time.monotonic(), self.update
                inputs, targets = self.epoch_tokens()
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
                    if self.ranks.mean(interrupted()):
                        self.seconds += time.monotonic() - start
                        self.save()
                        raise Interruption
                self.seconds += time.monotonic() - start
                self._end_epoch()
            self._files.close()

    def best_model(self) -> AnyModel:
        """The model with the weights of its best epoch, in evaluation mode."""
        self.model.load_state_dict(self.best["model"])
        return self.model.eval()

    def _step(self, inputs: Tensor, targets: Tensor) -> float:
        """One update on (T, B) tokens. Returns the mean loss in nats a token, without other costs."""
        position = self.epoch * self.updates + self.update
        earlier = [row["valid_nats"] for row in self.log]
        set_rate(self.optimizer, learning_rate(self.schedule, position, self.updates, earlier))
        done = position / (self.schedule.epochs * self.updates)
        self.model.harden(done if self.started_from is None else 1.0)  # trits are hard from the start
        nats, norm, self.carried = self._update(inputs, targets, self.carried)
        nats = self.ranks.mean(nats)
        check_finite(nats, norm, self.epoch, self.update, self.path)
        self.average.update()
        return nats

    def _begin(self) -> Carried:
        """The states before the first token of an epoch."""
        state = self.model.initial_state(self.streams)
        if self.teachers is None:
            return Carried(state, ())
        teachers, streams = self.teachers, self.streams
        return Carried(state, teachers.initial_state(streams), teachers.no_history(streams))

    def _end_epoch(self) -> None:
        self.model.settle()
        measured = self.average.measured
        nats, activity = self.ranks.of_first(lambda: validate(measured, self.valid))
        self.epoch += 1
        row = {
            "epoch": self.epoch,
            "train_nats": self.loss_sum / self.updates,
            "valid_nats": nats,
            "seconds": round(self.seconds, 1),
        } | activity
        self.log.append(row)
        if nats < self.best["valid_nats"]:
            weights = {name: tensor.cpu().clone() for name, tensor in measured.state_dict().items()}
            self.best = row | {"model": weights}
        self.average.begin([entry["valid_nats"] for entry in self.log])
        self.update, self.loss_sum = 0, 0.0
        self.carried = self._begin()
        self.save()
        if self.ranks.first:
            self._files.write(self.log)
        line = f"{self.recipe.name} {self.role} epoch {self.epoch}: {figures_line(row)}"
        self.console.print(f"{line}  ({self.seconds:.0f} s)", soft_wrap=True)

    def _progress(self) -> Progress:
        columns = (BarColumn(), TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn())
        speed, loss = TextColumn("{task.fields[speed]}"), TextColumn("{task.fields[loss]}")
        return Progress(
            TextColumn("{task.description}"),
            *columns,
            speed,
            loss,
            console=self.console,
            disable=not self.ranks.first,
        )
