"""Ternary recurrent layers with the signature and the results of ``torch.nn.LSTM`` and ``torch.nn.GRU``."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from trine_sw.training.nn.inputs import InputError
from trine_sw.training.nn.layer_stack import TernaryRNN

__all__ = ["TernaryGRU", "TernaryLSTM", "TernaryMGU"]


class TernaryLSTM(TernaryRNN):
    """Ternary LSTM layers, with the signature and the results' shapes of :class:`torch.nn.LSTM`.

    In evaluation mode the layer computes exactly what golden model and hardware compute, and
    :func:`trine.export` writes it to a file that holds those numbers. In training mode the forward pass is
    the same, and the backward pass takes the derivatives of the sloped sigmoid and tanh (straight-through
    estimators; HitNet: Wang et al., NeurIPS 2018). Gradients flow through the output, the state after the
    last step and `hx`: detach a state that is carried on, as with PyTorch's layers. Evaluation gives no
    gradients. All is computed in float32, under autocast too.

    Parameters
    ----------
    input_size, hidden_size, num_layers : int
        E, H and the number of layers, 1 to 16.
    bias, bidirectional, proj_size, dtype
        As in PyTorch; only their defaults are supported.
    dropout : float
        Share of each layer's h, but the last one's, that is dropped in training.
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
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        """Run the layers over sequences of L steps, of N streams.

        Parameters
        ----------
        input : Tensor (L, N, E), (N, L, E) or (L, E), or PackedSequence
            -1, 0 or +1. In training mode any real numbers are accepted.
        hx : tuple of Tensor, optional
            h and c, each (num_layers, N, H), or (num_layers, H) without a batch; zeros by default.

        Returns
        -------
        output : Tensor (L, N, H), (N, L, H) or (L, H), or PackedSequence
            Of the last layer: integers from -P to P, for P the last of ``head_levels``.
        h_n, c_n : Tensor (num_layers, N, H) or (num_layers, H)
            The state after the last step of each sequence: trits h, and integers c from -C to C.
        """
        if hx is not None and (not isinstance(hx, tuple | list) or len(hx) != 2):
            raise InputError("hx must be a tuple of h and c")
        output, (h_n, c_n) = self._stepped(input, hx, ("hidden[0]", "hidden[1]"))
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

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Run the layers over sequences of L steps, of N streams.

        Parameters
        ----------
        input : Tensor (L, N, E), (N, L, E) or (L, E), or PackedSequence
            -1, 0 or +1. In training mode any real numbers are accepted.
        hx : Tensor, optional
            c, (num_layers, N, H), or (num_layers, H) without a batch; zeros by default.

        Returns
        -------
        output : Tensor (L, N, H), (N, L, H) or (L, H), or PackedSequence
            Of the last layer: integers from -P to P, for P the last of ``head_levels``.
        h_n : Tensor (num_layers, N, H) or (num_layers, H)
            The state after the last step of each sequence: integers c from -C to C.
        """
        output, (c_n,) = self._stepped(input, None if hx is None else (hx,), ("hx",))
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
