"""One step of the ternary minimal gated unit in training: hard values forward, soft derivatives back."""

from dataclasses import dataclass

from torch import Tensor

from trine_sw.training.nn.reset_steps import ResetSteps

__all__ = ["MGUSteps"]


@dataclass(frozen=True)
class MGUSteps(ResetSteps):
    """The step of a minimal gated unit, of rows f, nx, nh. Its f is how much is taken, and also r."""

    def _shares(self, blend: Tensor) -> tuple[Tensor, Tensor]:
        return blend, 1 - blend

    def _gate_gradients(
        self, through: Tensor, before: Tensor, target: Tensor, slopes: Tensor, through_r: Tensor
    ) -> list[Tensor]:
        return [through * (target - before) * slopes + through_r * slopes]
