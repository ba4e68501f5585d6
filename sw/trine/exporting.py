"""From a trained network to a model file."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

from trine_sw.model import Model
from trine_sw.support.atomic_file import check_writable
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError
from trine_sw.training.models.export import export as export_language_model
from trine_sw.training.models.export import export_layers
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.nn.recurrent import TernaryRNN

__all__ = ["export"]


def export(
    network: TernaryLanguageModel | TernaryRNN,
    path: str | os.PathLike[str] | None = None,
    *,
    vocabulary: Sequence[str] | None = None,
    training: dict[str, Any] | None = None,
) -> Model:
    """Write a trained network as a model file: trits, integer biases and integer thresholds.

    Every real number of the network folds into a threshold, so that the golden model, the simulated engine
    and the board equal the network in evaluation mode in every bit. The network may be on a GPU, and in
    either mode; it is not changed.

    Parameters
    ----------
    network : TernaryLanguageModel, TernaryLSTM, TernaryGRU or TernaryMGU
        From :mod:`trine.nn`. The model of layers alone takes vectors of E trits, and has no head.
    path : path, optional
        The file to write, ``*.trine``; nothing is written without it. It is replaced only as a whole.
    vocabulary : sequence of str, optional
        The V symbols of a language model; without it the model takes and gives numbers of tokens.
    training : dict, optional
        A record of how the network was trained, of JSON values, kept in the file.

    Returns
    -------
    Model
        The model that was written.

    Raises
    ------
    TrineError
        If the network is of another kind, the vocabulary is not V different symbols, or the file cannot be
        written.

    Examples
    --------
    >>> model = trine.export(trine.nn.TernaryGRU(16, 64), "layer.trine")
    >>> model.config.hidden, model.layers[0].weight.shape
    (64, (256, 80))
    >>> trine.Model.load("layer.trine").digest() == model.digest()
    True
    """
    if path is not None:
        check_writable(os.fspath(path))
    record = dict(training or {})
    network = copy.deepcopy(network).eval() if isinstance(network, _NETWORKS) else network
    if isinstance(network, TernaryLanguageModel):
        model = export_language_model(network, None if vocabulary is None else list(vocabulary), record)
    elif isinstance(network, TernaryRNN):
        if vocabulary is not None:
            raise TrineError("layers alone take vectors, not symbols: leave the vocabulary out")
        model = export_layers(network, record)
    else:
        what = "a TernaryLanguageModel, TernaryLSTM, TernaryGRU or TernaryMGU"
        raise TrineError(f"network must be {what} of trine.nn, not {shown(network)}")
    if path is not None:
        model.save(path)
    return model


_NETWORKS = (TernaryLanguageModel, TernaryRNN)
