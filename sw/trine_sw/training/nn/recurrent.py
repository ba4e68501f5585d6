"""Ternary recurrent layers with the signature and the results of ``torch.nn.LSTM`` and ``torch.nn.GRU``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trine_sw.model.config import ModelConfig
from trine_sw.support.errors import TrineError
from trine_sw.training.nn.cell_output import blended_output
from trine_sw.training.nn.layers import CellOptions, TernaryLayer, ternary_layer

__all__ = ["TernaryGRU", "TernaryLSTM", "TernaryMGU", "TernaryRNN"]


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
            "dropout": bool(dropout),
            "bidirectional": bool(bidirectional),
            "proj_size": bool(proj_size),
            f"dtype={dtype}": dtype not in (None, torch.float32),
        }
        if any(refused.values()):
            named = ", ".join(name for name, given in refused.items() if given)
            raise TrineError(
                f"{type(self).__name__} does not support {named}: the engine has one direction, a threshold "
                "for every row and no projection; leave these at their defaults, and apply torch.nn.Dropout "
                "to the input in training"
            )
        self.config = ModelConfig(
            cell=self.cell,
            hidden=hidden_size,
            embedding=input_size,
            vocab_size=1,
            layers=num_layers,
            cell_max=cell_max,
            cell_shift=self.shifts[0] if cell_shift is None else cell_shift,
            output_shift=self.shifts[1] if output_shift is None else output_shift,
            head_levels=head_levels,
        )
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first = batch_first
        self.options = CellOptions() if options is None else options
        self.layers = nn.ModuleList(
            ternary_layer(self.config.of_layer(number), self.options) for number in range(self.config.layers)
        )
        if device is not None:
            self.to(device)

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
        return f"{sizes}, batch_first={self.batch_first}"

    def _run(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run x (T, B, E) from h and c (L, B, H): what is seen of the last layer (T, B, H), h and c after."""
        below = output = x
        all_h, all_c = [], []
        for layer, own_h, own_c in zip(self.stack, h, c, strict=True):
            below, output, (own_h, own_c) = layer(below, (own_h, own_c))
            all_h.append(own_h)
            all_c.append(own_c)
        return output, torch.stack(all_h), torch.stack(all_c)

    def _sequence(self, x: Tensor) -> Tensor:
        """The input as (T, B, E)."""
        if (
            not isinstance(x, Tensor)
            or x.dim() not in (2, 3)
            or x.shape[-1] != self.input_size
            or 0 in x.shape
        ):
            form = "(N, L, input_size)" if self.batch_first else "(L, N, input_size)"
            shown = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise TrineError(
                f"input must be {form} or (L, input_size), of input_size {self.input_size}, not {shown}"
            )
        if x.dim() == 2:
            x = x.unsqueeze(1)
        elif self.batch_first:
            x = x.transpose(0, 1)
        if not self.training and not ((x == 0) | (x.abs() == 1)).all():
            raise TrineError("input must be -1, 0 or +1 in evaluation mode, as trine.nn.btq makes it")
        return x.to(torch.float32)

    def _state(self, given: Tensor | None, name: str, x: Tensor, batched: bool) -> Tensor:
        """A state as (num_layers, B, H); zeros where it is not given."""
        if given is None:
            return x.new_zeros(self.num_layers, x.shape[1], self.hidden_size)
        wanted = (self.num_layers, *((x.shape[1],) if batched else ()), self.hidden_size)
        if not isinstance(given, Tensor) or tuple(given.shape) != wanted:
            shown = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
            raise TrineError(f"{name} must be {wanted}, not {shown}")
        return (given if batched else given.unsqueeze(1)).to(x.dtype)

    def _results(self, output: Tensor, h: Tensor, c: Tensor, batched: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Output and state in the form of the input."""
        if not batched:
            return output.squeeze(1), h.squeeze(1), c.squeeze(1)
        return output.transpose(0, 1) if self.batch_first else output, h, c


class TernaryLSTM(TernaryRNN):
    """Ternary LSTM layers, with the signature and the results' shapes of :class:`torch.nn.LSTM`.

    In evaluation mode the layer computes exactly what golden model and hardware compute, and
    :func:`trine.export` writes it to a file that holds those numbers. In training mode the forward pass is
    the same, and the backward pass takes the derivatives of the sloped sigmoid and tanh (straight-through
    estimators; HitNet: Wang et al., NeurIPS 2018). No gradient flows into `hx`, so that a stream may be
    trained in pieces.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        E, H and the number of layers, 1 to 16.
    bias, dropout, bidirectional, proj_size, dtype
        As in PyTorch; only their defaults are supported.
    batch_first : bool
        Input and output are (N, L, E) and (N, L, H), not (L, N, E) and (L, N, H). The state is not affected.
    device : torch.device, optional
    cell_max : int
        C, 1 to 127: a cell saturates at -C and +C.
    cell_shift, output_shift : int, optional
        A step of the cell is ``2**cell_shift``; h is 0 while ``abs(c) < 2**output_shift``. Default: 2, 1.
    head_levels : tuple of int
        What the output shows of a cell (:class:`ModelConfig`); ``(0, 1)`` shows h itself.
    options : CellOptions, optional
        How the gates are trained.

    Raises
    ------
    TrineError
        If an option is not supported or out of range, a shape is wrong, or an input in evaluation mode is no
        trit.

    Examples
    --------
    >>> layer = trine.nn.TernaryLSTM(16, 64).eval()
    >>> output, (h_n, c_n) = layer(torch.ones(10, 3, 16))
    >>> output.shape, h_n.shape, c_n.shape
    (torch.Size([10, 3, 64]), torch.Size([1, 3, 64]), torch.Size([1, 3, 64]))
    """

    cell = "lstm"

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Run the layers over sequences of L steps, of N streams.

        Parameters
        ----------
        input : Tensor (L, N, E), (N, L, E) or (L, E)
            -1, 0 or +1. In training mode any real numbers are accepted.
        hx : tuple of Tensor, optional
            h and c, each (num_layers, N, H), or (num_layers, H) without a batch; zeros by default.

        Returns
        -------
        output : Tensor (L, N, H), (N, L, H) or (L, H)
            Of the last layer: integers from -P to P, for P the last of ``head_levels``.
        h_n, c_n : Tensor (num_layers, N, H) or (num_layers, H)
            The state after the last step: trits h, and integers c from -C to C.
        """
        x, batched = self._sequence(input), input.dim() == 3
        if hx is not None and (not isinstance(hx, tuple) or len(hx) != 2):
            raise TrineError("hx must be a tuple of h and c")
        h, c = (None, None) if hx is None else hx
        h, c = self._state(h, "h", x, batched), self._state(c, "c", x, batched)
        output, h_n, c_n = self._results(*self._run(x, h, c), batched)
        return output, (h_n, c_n)


class TernaryGRU(TernaryRNN):
    """Ternary GRU layers, with the signature and the results' shapes of :class:`torch.nn.GRU`.

    The state of a unit is its integer c, from which the trit h that the layer reads follows; ``h_n`` and `hx`
    therefore hold c, and differ from the last output. Everything else is as in :class:`TernaryLSTM`; the cell
    is the reset-after form (Cho et al., 2014, as in cuDNN).

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        As in :class:`TernaryLSTM`.
    cell_max, cell_shift, output_shift, head_levels, options
        As in :class:`TernaryLSTM`; the shifts are 3 and 2 by default, and ``2**cell_shift`` is at most C.

    Raises
    ------
    TrineError
        If an option is not supported or out of range, a shape is wrong, or an input in evaluation mode is no
        trit.

    Examples
    --------
    >>> layer = trine.nn.TernaryGRU(16, 64, batch_first=True).eval()
    >>> output, h_n = layer(torch.ones(3, 10, 16))
    >>> output.shape, h_n.shape
    (torch.Size([3, 10, 64]), torch.Size([1, 3, 64]))
    """

    cell = "gru"
    shifts = (3, 2)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run the layers over sequences of L steps, of N streams.

        Parameters
        ----------
        input : Tensor (L, N, E), (N, L, E) or (L, E)
            -1, 0 or +1. In training mode any real numbers are accepted.
        hx : Tensor, optional
            c, (num_layers, N, H), or (num_layers, H) without a batch; zeros by default.

        Returns
        -------
        output : Tensor (L, N, H), (N, L, H) or (L, H)
            Of the last layer: integers from -P to P, for P the last of ``head_levels``.
        h_n : Tensor (num_layers, N, H) or (num_layers, H)
            The state after the last step: integers c from -C to C.
        """
        x, batched = self._sequence(input), input.dim() == 3
        c = self._state(hx, "hx", x, batched)
        layer = self.stack[0]
        soft = layer.hard if self.training and self.options.harden is not None else None
        h = blended_output(c, self.config, self.options.window, soft)[0]
        output, _, c_n = self._results(*self._run(x, h, c), batched)
        return output, c_n


class TernaryMGU(TernaryGRU):
    """Ternary minimal gated units (Zhou et al., 2016), used as :class:`TernaryGRU`.

    One gate is both the share that is taken of the candidate and what lets h into it: three lanes of the
    engine a unit, not four.

    Examples
    --------
    >>> layer = trine.nn.TernaryMGU(16, 64).eval()
    >>> output, h_n = layer(torch.ones(10, 3, 16))
    >>> output.shape, h_n.shape
    (torch.Size([10, 3, 64]), torch.Size([1, 3, 64]))
    """

    cell = "mgu"
