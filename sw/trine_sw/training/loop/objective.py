"""Objective of a training run: the loss and its terms."""

from torch import Tensor, nn

from trine_sw.training.models.language_model import State
from trine_sw.training.models.roles import AnyModel
from trine_sw.training.models.teachers import Reading, Teachers

__all__ = ["Objective"]


class Objective(nn.Module):
    """A model's loss as a module's output, so that processes can average its gradients.

    Parameters
    ----------
    model, teachers : what is trained, and what it learns from, if anything.
    distil : share of the loss that compares with the teachers.
    activity_cost : added, times the share of h that is active.
    """

    def __init__(
        self, model: AnyModel, teachers: Teachers | None, distil: float, activity_cost: float
    ) -> None:
        super().__init__()
        self.model, self.distil, self.activity_cost = model, distil, activity_cost
        self.teachers = teachers  # no module, and so no part of this one

    def forward(
        self,
        inputs: Tensor,
        targets: Tensor,
        state: State,
        reading: Reading | None,
        others: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, State]:
        """What is to be minimised; the loss in nats a token without other costs; the state after.

        ``reading`` is what the teachers made of the inputs, where there are any; where inputs (T, B) are
        ``others`` than the text's, what comes next is learned from them alone.
        """
        teacher = None
        if reading is not None and self.teachers is not None:
            teacher = self.teachers.of(reading)
        share: float | Tensor = self.distil
        if others is not None:
            share = others.flatten().float() * (1 - self.distil) + self.distil
        objective, loss, state, h = self.model.loss(inputs, targets, state, teacher, share)
        if self.activity_cost:
            objective = objective + self.activity_cost * h.abs().mean()
        return objective, loss, state
