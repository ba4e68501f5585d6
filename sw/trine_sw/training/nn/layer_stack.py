"""Stack of ternary recurrent layers over sequences in the forms that PyTorch's recurrent layers take."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from trine_sw.model.config import ModelConfig
from trine_sw.support.checks import integer, share, shown
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.cell_options import CellOptions
from trine_sw.training.nn.cell_output import hidden_of
from trine_sw.training.nn.inputs import InputError, check_input, check_integers, check_state
from trine_sw.training.nn.layers import TernaryLayer, ternary_layer
from trine_sw.training.nn.packed import joined, run_segments, segments_of
from trine_sw.training.nn.recurrence import Numerics

__all__ = ["TernaryRNN"]

_ADVICE = "encode real features with trine.nn.TernaryEncoder, or make trits of them with trine.nn.btq"


class TernaryRNN(nn.Module):
    """A stack of ternary recurrent layers; :class:`TernaryLSTM` and :class:`TernaryGRU` are made of it."""

    cell = ""
    #: The shifts of a cell whose steps are a quarter of its range.
    shifts = (2, 1)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        cell_max: int = 15,
        cell_shift: int | None = None,
        output_shift: int | None = None,
        head_levels: tuple[int, ...] = (0, 1),
        options: CellOptions | None = None,
    ) -> None:
        super().__init__()
        refused = {
            "bias=False": not bias,
            "bidirectional": bool(bidirectional),
            "proj_size": bool(proj_size),
            f"dtype={dtype}": dtype not in (None, torch.float32),
        }
        if any(refused.values()):
            named = ", ".join(name for name, given in refused.items() if given)
            raise TrineError(
                f"{self.kind} does not support {named}: the engine has one direction, a threshold for every "
                "row and no projection; leave these at their defaults"
            )
        self.input_size = integer(input_size, "input_size", 1, 1 << 16)
        self.hidden_size = integer(hidden_size, "hidden_size", 1, 1 << 16)
        self.num_layers = integer(num_layers, "num_layers", 1, 16)
        self.batch_first, self.dropout = bool(batch_first), share(dropout, "dropout")
        if self.dropout and self.num_layers == 1:
            warnings.warn(
                "dropout adds dropout after all but the last recurrent layer, so that dropout="
                f"{dropout} does nothing with num_layers=1",
                stacklevel=2,
            )
        self.config = ModelConfig(
            cell=self.cell,
            hidden=self.hidden_size,
            embedding=self.input_size,
            vocab_size=1,
            layers=self.num_layers,
            cell_max=cell_max,
            cell_shift=self.shifts[0] if cell_shift is None else cell_shift,
            output_shift=self.shifts[1] if output_shift is None else output_shift,
            head_levels=head_levels,
        )
        self.options = CellOptions() if options is None else options
        if not isinstance(self.options, CellOptions):
            raise TrineError(f"options must be CellOptions of trine.nn, not {shown(options)}")
        self.layers = nn.ModuleList(
            ternary_layer(self.config.of_layer(number), self.options) for number in range(self.config.layers)
        )
        if device is not None:
            self.to(device)

    @property
    def kind(self) -> str:
        """Its name in messages."""
        return type(self).__name__

    @property
    def stack(self) -> list[TernaryLayer]:
        """The layers, from the lowest up."""
        return [layer for layer in self.layers if isinstance(layer, TernaryLayer)]

    def anneal(self, share: float) -> None:
        """Set the gates' slope to what it is when this share, 0 to 1, of the epochs is done."""
        for layer in self.stack:
            layer.anneal(share)

    def harden(self, share: float) -> None:
        """Set how hard training computes when this share, 0 to 1, of the updates is done."""
        for layer in self.stack:
            layer.harden(share)

    def extra_repr(self) -> str:
        sizes = f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"
        return f"{sizes}, batch_first={self.batch_first}, dropout={self.dropout}"

    def compute_by(self, numerics: Numerics) -> None:
        """Set how training computes; evaluation is exact whatever it is."""
        for layer in self.stack:
            layer.numerics = numerics

    def flatten_parameters(self) -> None:
        """Do nothing: there is no copy of the weights to bring in order, as there is in PyTorch's layers."""

    def _stepped(self, input: Any, given: Any, names: tuple[str, ...]) -> tuple[Any, tuple[Tensor, ...]]:
        """Output and state, in the form of the input, from a state whose tensors have these names."""
        packed = input if isinstance(input, PackedSequence) else None
        segments, count = self._segments(input)
        batched = not isinstance(input, Tensor) or input.dim() == 3
        state = self._state(given, names, segments[0], count, batched)
        if packed is not None and packed.sorted_indices is not None:
            state = tuple(part.index_select(1, packed.sorted_indices) for part in state)
        outputs, state = self._run(segments, state)
        if packed is not None:
            if packed.unsorted_indices is not None:
                state = tuple(part.index_select(1, packed.unsorted_indices) for part in state)
            return packed._replace(data=joined(outputs)), state
        output = outputs[0]
        if not batched:
            return output.squeeze(1), tuple(part.squeeze(1) for part in state)
        return output.transpose(0, 1) if self.batch_first else output, state

    def _segments(self, input: Any) -> tuple[list[Tensor], int]:
        """The input as segments (T, B, E), and how many sequences there are."""
        if any(layer.weight.dtype != torch.float32 for layer in self.stack):
            raise InputError(f"{self.kind} computes in float32: call float() on it")
        if isinstance(input, PackedSequence):
            check_input(input.data, self.kind, self.input_size, (2,), "packed (steps, input_size)")
            segments = segments_of(input._replace(data=input.data.float()))
        else:
            form = "(N, L, input_size)" if self.batch_first else "(L, N, input_size)"
            check_input(input, self.kind, self.input_size, (2, 3), f"{form} or (L, input_size)")
            x = input.float()
            if x.dim() == 2:
                x = x.unsqueeze(1)
            segments = [x.transpose(0, 1) if self.batch_first and input.dim() == 3 else x]
        if not segments or not len(segments[0]):
            raise InputError("Expected sequence length to be larger than 0 in RNN")
        if not self.training:
            for segment in segments:
                check_integers("input", segment, 1, _ADVICE)
        return segments, segments[0].shape[1]

    def _state(
        self, given: Any, names: tuple[str, ...], x: Tensor, count: int, batched: bool
    ) -> tuple[Tensor, ...]:
        """Its tensors as (num_layers, N, H); zeros where they are not given."""
        if given is None:
            return (x.new_zeros(self.num_layers, count, self.hidden_size),) * len(names)
        wanted = (self.num_layers, *((count,) if batched else ()), self.hidden_size)
        for name, part in zip(names, given, strict=True):
            check_state(name, part, wanted, batched)
            if not self.training:
                limit = self.config.cell_max if part is given[-1] else 1
                check_integers(name, part, limit, "start from a state that evaluation mode has given")
        return tuple((part if batched else part.unsqueeze(1)).float() for part in given)

    def _run(
        self, segments: list[Tensor], state: tuple[Tensor, ...]
    ) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Run segments from a state; what is seen of the last layer in each, and the state after."""
        below = outputs = segments
        ends: list[tuple[Tensor, ...]] = []
        for number, layer in enumerate(self.stack):
            if number and self.dropout:
                below = [nn.functional.dropout(h, self.dropout, self.training) for h in below]
            start = tuple(part[number] for part in state)
            below, outputs, end = run_segments(layer, below, self._hidden_and_cell(layer, start))
            ends.append(end[-len(state) :])
        return outputs, tuple(torch.stack(parts) for parts in zip(*ends, strict=True))

    def _hidden_and_cell(self, layer: TernaryLayer, state: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """h and c (B, H) of a layer's state."""
        if len(state) == 2:
            return state[0], state[1]
        return hidden_of(state[0], self.config, self.options.window, layer.blended), state[0]
