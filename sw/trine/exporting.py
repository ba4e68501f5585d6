"""From a trained network to a model file."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

from trine_sw.model import Encoder, Model
from trine_sw.support.atomic_file import check_writable
from trine_sw.support.errors import TrineError
from trine_sw.training.models.export import export as export_language_model
from trine_sw.training.models.sequence_export import export_sequence_network
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.nn.encoder import TernaryEncoder
from trine_sw.training.nn.linear import TernaryLinear

__all__ = ["export"]


def export(
    network: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    vocabulary: Sequence[str] | None = None,
    task: str | None = None,
    labels: Sequence[str] | None = None,
    encoder: TernaryEncoder | Encoder | None = None,
    head: TernaryLinear | None = None,
    reduction: str = "last",
    inputs: Sequence[Any] | None = None,
    sample_rate: float | None = None,
    front_end: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    sample: Any = None,
    training: dict[str, Any] | None = None,
) -> Model:
    """Write a trained network as a model file: trits, integer biases and integer thresholds.

    Every real number of the network folds into a threshold, so that the golden model, the simulated engine
    and the board equal the network in evaluation mode in every bit. The network may be on a GPU, and in
    either mode; it is not changed.

    Parameters
    ----------
    network : torch.nn.Module
        A TernaryLanguageModel; or a module of any form that holds, of :mod:`trine.nn`, one TernaryLSTM,
        TernaryGRU or TernaryMGU, and at most one TernaryEncoder and one TernaryLinear; or the layers alone.
        The model of layers alone takes vectors of E trits, and has no head.
    path : path, optional
        The file to write, ``*.trine``; nothing is written without it. It is replaced only as a whole.
    vocabulary : sequence of str, optional
        The V symbols of a language model; without it the model takes and gives numbers of tokens.
    task : ``"classify"``, ``"label"`` or ``"regress"``, optional
        What the head's K outputs are: a class of the sequence, a class of each step, or K values of the
        sequence. By default ``"regress"`` for a head of a regression, and ``"classify"`` for any other.
    labels : sequence of str, optional
        Names of the K classes or values.
    encoder : TernaryEncoder or Encoder, optional
        What makes the layers' trits of real features, where it is not in `network`.
    head : TernaryLinear, optional
        The head, where it is not in `network`.
    reduction : ``"last"`` or ``"sum"``
        What a sequence's result is made of: logits of the last step, or summed over all steps
        (:meth:`trine.nn.TernaryLinear.reduced`).
    inputs : sequence of InputSpec, optional
        Name and unit of each feature.
    sample_rate : float, optional
        Steps a second.
    front_end, data : dict, optional
        How features are made of audio; where the data is. Of JSON values.
    sample : sequences of features (T, F), or ModelSample, optional
        Some of the model's own inputs, as its encoder is given them, of which the file keeps what 64 kB hold:
        ``trine.fit`` counts cycles on them. A network that can be called with a batch of them is run on the
        first ones, and refused where its parts are joined in another way than a model's.
    training : dict, optional
        A record of how the network was trained, of JSON values, kept in the file.

    Returns
    -------
    Model
        The model that was written.

    Raises
    ------
    TrineError
        If the network is of another kind, its parts do not fit together, a description does not fit them, or
        the file cannot be written.

    Examples
    --------
    >>> layers = trine.nn.TernaryGRU(16, 64)
    >>> model = trine.export(layers, "layer.trine")
    >>> model.config.hidden, model.layers[0].weight.shape
    (64, (256, 80))
    >>> encoder, head = trine.nn.TernaryEncoder(4, trits=4), trine.nn.TernaryLinear(64, 2)
    >>> model = trine.export(layers, "m.trine", encoder=encoder, head=head, labels=["still", "moving"])
    >>> trine.Model.load("m.trine").task
    'classify'
    """
    if path is not None:
        check_writable(os.fspath(path))
    record = {} if training is None else training
    described = {
        "task": task,
        "labels": _listed(labels),
        "inputs": _listed(inputs),
        "sample_rate": sample_rate,
        "front_end": front_end,
        "data": data,
        "sample": sample,
        "reduction": None if reduction == "last" else reduction,
    }
    described = {name: value for name, value in described.items() if value is not None}
    if isinstance(network, TernaryLanguageModel):
        if described or encoder is not None or head is not None:
            name = next(iter(described), "encoder" if encoder is not None else "head")
            raise TrineError(f"a TernaryLanguageModel has no {name}: leave it out")
        symbols = None if vocabulary is None else list(vocabulary)
        model = export_language_model(copy.deepcopy(network).eval(), symbols, record)
    else:
        if vocabulary is not None:
            raise TrineError("layers take vectors, not symbols: leave the vocabulary out")
        model = export_sequence_network(network, described | {"training": record}, encoder, head)
    if path is not None:
        model.save(path)
    return model


def _listed(values: Any) -> Any:
    """A sequence as a list; what is none stays, for the model to refuse."""
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str) else values
