"""One update of a model's weights: loss, gradients, and the optimizer's step, on a GPU as one CUDA graph."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from trine_sw.training.loop.other_inputs import OtherInputs
from trine_sw.training.models.language_model import State
from trine_sw.training.models.roles import AnyModel
from trine_sw.training.models.teachers import Teachers

__all__ = ["WARM", "Carried", "Update"]

WARM = 3
"""Updates before one is captured: they compile kernels and make the optimizer's state."""


class Carried(NamedTuple):
    """What one update leaves to the next: states of B streams."""

    model: State
    teacher: State
    """Empty where there is no teacher."""
    history: State = ()
    """Of an n-gram model, which looks back some words."""


class Update:
    """Makes updates. Learning rate and hardness are tensors, set in place before each.

    A recurrent model's update is some thousand kernels, each shorter than its launch from Python. On a GPU
    the whole of it is therefore captured after the first updates, and launched at once from then on.

    Parameters
    ----------
    objective : gives what is to be minimised (:class:`trine_sw.training.loop.objective.Objective`), alone or
    with
        its gradients averaged over processes.
    model, teachers : what is trained, and what it learns from, if anything.
    optimizer, clip : its weights' optimizer; the largest norm of their gradients.
    captured : use CUDA graphs. All is on one GPU, then, and of this process alone. N-grams are looked up
        before the graph, of all words, as their number differs from one update to the next.
    others : what some of the inputs are instead of the training text.
    """

    def __init__(
        self,
        objective: nn.Module,
        model: AnyModel,
        teachers: Teachers | None,
        optimizer: torch.optim.Optimizer,
        clip: float,
        captured: bool,
        others: OtherInputs | None = None,
    ) -> None:
        self.objective, self.model, self.teachers = objective, model, teachers
        self.optimizer, self.clip, self.captured = optimizer, clip, captured
        self.others = others
        self._teacher_parts = len(teachers.initial_state(1)) if teachers is not None else 0
        # Whether the softmax is sampled and the head is mapped, which decides what is captured.
        self._kind: tuple[bool, bool] | None = None
        self._made, self._graph = 0, None

    def __call__(self, inputs: Tensor, targets: Tensor, carried: Carried) -> tuple[float, float, Carried]:
        """One update on (T, B) tokens: loss in nats a token, norm of the gradients, what is carried on.

        Where either figure is not finite, the weights are lost.
        """
        self.model.train()
        kind = (self.model.sampler is not None, self.model.head_is_mapped)
        if kind != self._kind:
            self._kind, self._made, self._graph = kind, 0, None
        extra, history = self._looked_up(inputs, targets, carried.history)
        given = (*extra, *carried.model, *carried.teacher)
        if self.captured and self._graph is None and self._made == WARM:
            self._graph = _Graph(self._update, *given)
        figures, *states = (self._graph or self._update)(*given)
        self._made += 1
        split = len(states) - self._teacher_parts
        loss, norm = figures.tolist()
        return loss, norm, Carried(tuple(states[:split]), tuple(states[split:]), history)

    def _looked_up(self, inputs: Tensor, targets: Tensor, history: State) -> tuple[tuple[Any, ...], State]:
        """What is read, targets, and of each that there is: which inputs are others than the text's, and the
        n-gram model's probabilities. And the history after."""
        made: list[Any] = [inputs, targets]
        text = inputs
        if self.others is not None:
            made[0], text, others = self.others(inputs)
            made.append(others)
        if self.teachers is not None:
            ngram, history = self.teachers.look_up(made[0], text, targets, history)
            made += [] if ngram is None else [ngram.of() if self.captured else ngram]
        return tuple(made), history

    def _update(self, inputs: Tensor, targets: Tensor, *rest: Any) -> tuple[Tensor, ...]:
        parts = list(rest)
        others = parts.pop(0) if self.others is not None else None
        ngram = parts.pop(0) if self.teachers is not None and self.teachers.ngram is not None else None
        split = len(parts) - self._teacher_parts
        reading, teacher_state = None, ()
        if self.teachers is not None:
            reading, teacher_state = self.teachers.read(inputs, tuple(parts[split:]), ngram)
        objective, loss, state = self.objective(inputs, targets, tuple(parts[:split]), reading, others)
        self.optimizer.zero_grad(set_to_none=True)
        objective.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return (torch.stack([loss.detach(), norm]), *state, *teacher_state)


class _Graph:
    """A function of tensors, captured once, with places of its own for what it is given."""

    def __init__(self, call: Callable[..., tuple[Tensor, ...]], *example: Tensor) -> None:
        self._given = [tensor.clone() for tensor in example]
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._made = call(*self._given)

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        """What it makes of tensors like the example; the next call writes over it."""
        for own, tensor in zip(self._given, given, strict=True):
            own.copy_(tensor)
        self._graph.replay()
        return self._made
