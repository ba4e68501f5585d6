"""The mean of a model's weights over the updates since its validation stopped falling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.optim.swa_utils import AveragedModel

from trine_sw.training.models.roles import AnyModel

__all__ = ["WeightAverage"]


class WeightAverage:
    """Averages weights (Polyak and Juditsky, 1992) from a trigger on, as AWD-LSTM is trained with.

    Parameters
    ----------
    model : what is trained.
    patience : epochs without a lower loss on the validation text than before, after which averaging begins;
        0: never.
    """

    def __init__(self, model: AnyModel, patience: int) -> None:
        self.model, self.patience = model, patience
        self._averaged: AveragedModel | None = None

    @property
    def measured(self) -> AnyModel:
        """The model that is measured and kept: of mean weights once there are any."""
        return self.model if self._averaged is None else self._averaged.module  # type: ignore[return-value]

    def update(self) -> None:
        """Take the weights after an update into the mean."""
        if self._averaged is not None:
            self._averaged.update_parameters(self.model)

    def begin(self, nats: Sequence[float]) -> None:
        """Begin where the last epoch's loss is no better than the best but for the last ``patience`` ones.

        Parameters
        ----------
        nats : of all epochs.
        """
        if self._averaged is None and self.patience and len(nats) > self.patience:
            if nats[-1] > min(nats[: -self.patience]):
                self._averaged = AveragedModel(self.model)

    def state(self) -> dict[str, Any] | None:
        """What a checkpoint keeps of it."""
        return None if self._averaged is None else self._averaged.state_dict()

    def take_up(self, state: dict[str, Any] | None) -> None:
        """Go on from what :meth:`state` gave; ``ValueError`` where it is of another model."""
        self._averaged = None
        if state is not None:
            self._averaged = AveragedModel(self.model)
            self._averaged.load_state_dict(state)
