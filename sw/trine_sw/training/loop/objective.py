"""Objective of a training run: the loss and its terms."""

from torch import Tensor, nn

from trine_sw.training.models.language_model import State, Teacher
from trine_sw.training.models.roles import AnyModel

__all__ = ["Objective"]


class Objective(nn.Module):
    """A model's loss as a module's output, so that processes can average its gradients."""

    def __init__(
        self, model: AnyModel, teacher: AnyModel | None, distil: float, activity_cost: float
    ) -> None:
        super().__init__()
        self.model, self.distil, self.activity_cost = model, distil, activity_cost
        # The method alone: the teacher is no part of this module, and stays as it is.
        self.taught_head = teacher and teacher.head_in_nats

    def forward(
        self, inputs: Tensor, targets: Tensor, state: State, taught: Tensor | None
    ) -> tuple[Tensor, Tensor, State]:
        """What is to be minimised; the loss in nats a token without other costs; the state after.

        ``taught`` is what the teacher's head sees, (T, B, F), where there is a teacher.
        """
        teacher = None
        if taught is not None and self.taught_head is not None:
            teacher = Teacher(taught, self.taught_head)
        objective, loss, state, h = self.model.loss(inputs, targets, state, teacher, self.distil)
        if self.activity_cost:
            objective = objective + self.activity_cost * h.abs().mean()
        return objective, loss, state
