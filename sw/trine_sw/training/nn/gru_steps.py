"""One step of the ternary GRU in training: hard values forward, derivatives of the soft ones back."""

from dataclasses import dataclass

from torch import Tensor

from trine_sw.training.nn.reset_steps import ResetSteps

__all__ = ["GRUSteps"]


@dataclass(frozen=True)
class GRUSteps(ResetSteps):
    """The step of a GRU, of rows z, r, nx, nh. Its z is how much is kept."""

    def _shares(self, blend: Tensor) -> tuple[Tensor, Tensor]:
        return 1 - blend, blend

    def _gate_gradients(
        self, through: Tensor, before: Tensor, target: Tensor, slopes: Tensor, through_r: Tensor
    ) -> list[Tensor]:
        d_keep, d_r = slopes.split(self.config.hidden, dim=-1)
        return [through * (before - target) * d_keep, through_r * d_r]
