"""What an epoch of training reads: the text in streams, some of which a teacher may have written."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trine_sw.support.errors import TrineError
from trine_sw.training.loop.distributed import Ranks
from trine_sw.training.loop.other_inputs import OtherInputs
from trine_sw.training.models.teachers import Teachers
from trine_sw.training.models.writing import write_text
from trine_sw.training.recipes import Schedule

__all__ = ["EpochText"]


class EpochText:
    """Streams of a training text, other ones in each epoch.

    Parameters
    ----------
    tokens : (T,), the training text.
    schedule : of the model that reads it: its streams and windows, and what is not of the text.
    seed : with the number of an epoch, it decides where the streams begin and what is written.
    ranks, device : the processes that share the streams, and where they are read.

    Raises
    ------
    TrineError
        Where the text is too short for its streams, or the processes cannot share these.
    """

    def __init__(
        self, tokens: NDArray[np.integer], schedule: Schedule, seed: int, ranks: Ranks, device: torch.device
    ) -> None:
        batch, steps = schedule.batch, schedule.steps
        if len(tokens) // batch <= steps:
            raise TrineError(
                f"the training text has {len(tokens):,} tokens, too few for {batch} streams of {steps}: "
                "lower batch or steps of the schedule"
            )
        if batch % ranks.size:
            raise TrineError(f"{ranks.size} processes cannot share {batch} streams evenly")
        self.tokens, self.schedule, self.seed = tokens, schedule, seed
        self.ranks, self.device = ranks, device

    @property
    def streams(self) -> int:
        """Of this process."""
        return self.schedule.batch // self.ranks.size

    @property
    def updates(self) -> int:
        """Windows of ``steps`` tokens in an epoch."""
        return (len(self.tokens) // self.schedule.batch - 1) // self.schedule.steps

    def of_epoch(self, epoch: int, teachers: Teachers | None) -> tuple[Tensor, Tensor]:
        """Inputs and targets (L, B) of an epoch: the text, turned to a random start, cut into B streams.

        The last ones are written by the teachers instead, as the schedule says. With several processes, these
        are the streams of this one.
        """
        batch = self.schedule.batch
        start = np.random.default_rng([self.seed, epoch]).integers(len(self.tokens))
        length = len(self.tokens) // batch
        turned = np.roll(self.tokens, -start)[: batch * length].reshape(batch, length).T
        tokens = torch.from_numpy(np.ascontiguousarray(turned))
        count = self.schedule.written_streams
        if count and teachers is not None:
            seed = int(np.random.default_rng([self.seed, epoch, 1]).integers(2**63))
            written = write_text(teachers, self._on_device(), count * length, seed)
            tokens[:, -count:] = written.view(count, length).T.to(tokens)
        tokens = self.ranks.share(tokens).to(self.device)
        return tokens[:-1], tokens[1:]

    def others(self, teachers: Teachers | None) -> OtherInputs | None:
        """What some of a window's inputs are instead of the training text, where the schedule says so.

        Without teachers nothing is, as the text does not say what follows.
        """
        schedule = self.schedule
        if teachers is None or not (schedule.replaced or schedule.written):
            return None
        written = (
            torch.arange(schedule.batch, device=self.device) >= schedule.batch - schedule.written_streams
        )
        return OtherInputs(self._on_device(), schedule.replaced, self.ranks.share(written[None])[0])

    def _on_device(self) -> Tensor:
        return torch.from_numpy(self.tokens.astype(np.int64)).to(self.device)
