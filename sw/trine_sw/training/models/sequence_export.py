"""Export of a network of sequences: its parts, what they mean, and whether it joins them as a model does."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from trine_sw.golden import Golden
from trine_sw.model import Model, ModelSample
from trine_sw.model.inputs import input_trits
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError
from trine_sw.training.models.export import export_network
from trine_sw.training.models.network_parts import NetworkParts, find_parts

__all__ = ["export_sequence_network"]

_CHECKED = 4  # sequences that a network is run on


def export_sequence_network(
    network: Any, described: dict[str, Any], encoder: Any = None, head: Any = None
) -> Model:
    """The model of a network's parts, with the members of :class:`Model` that describe it.

    ``described["sample"]`` may be sequences of the network's own inputs. A network that takes a batch of them
    is then run, to see that its parts read each other as those of the model do.
    """
    parts = find_parts(network, encoder, head)
    described = {"task": _default_task(parts)} | described
    if parts.head is not None and (described["task"] == "regress") != parts.head.regression:
        fits = "a regression" if parts.head.regression else "classes"
        raise TrineError(
            f"the head is of {fits}, and the task is {described['task']!r}: leave task out, or make another "
            "head, with or without regression=True"
        )
    sample = described.pop("sample", None)
    if sample is None or isinstance(sample, ModelSample):
        return export_network(parts, described | {"sample": sample})
    model = export_network(parts, described)
    sequences = [_array(each) for each in _several(sample)]
    trits = [input_trits(model, each)[0] for each in sequences]
    model.sample = ModelSample.of(trits)
    if model.sample is None:
        raise TrineError("sample must be sequences of steps, and there is none")
    model.check()
    if network is not parts.layers:
        for sequence, own in zip(sequences[:_CHECKED], trits, strict=False):
            _check_joined(network, parts, model, sequence, own)
    return model


def _default_task(parts: NetworkParts) -> str:
    if parts.head is not None and parts.head.regression:
        return "regress"
    return "language" if parts.head is None and parts.encoder is None else "classify"


def _several(sample: Any) -> list[Any]:
    if isinstance(sample, str | bytes) or not isinstance(sample, Iterable):
        raise TrineError(f"sample must be a ModelSample or sequences (T, F), not {shown(sample)}")
    return list(sample)


def _array(sequence: Any) -> Any:
    return sequence.detach().cpu().numpy() if isinstance(sequence, Tensor) else sequence


def _check_joined(
    network: nn.Module, parts: NetworkParts, model: Model, sequence: Any, trits: NDArray[np.int8]
) -> None:
    """Raise :class:`TrineError` where the network's parts see other numbers than the model's."""
    names = {id(part): name for name, part in network.named_modules()}
    own = copy.deepcopy(network).cpu().eval()
    calls: dict[str, list[Tensor]] = {"layers": [], "head": []}
    for what, seen in calls.items():
        if (name := names.get(id(getattr(parts, what)))) is not None:
            part = own.get_submodule(name)
            part.forward = _recorded(part.forward, seen)
            if what == "head":
                part.reduced = _recorded(part.reduced, seen)
    given = sequence if id(parts.encoder) in names else trits
    x = torch.from_numpy(np.array(given)).unsqueeze(0 if parts.layers.batch_first else 1)
    try:
        with torch.no_grad():
            own(x if x.dtype == torch.int16 else x.float())
    except Exception as error:
        if isinstance(error, TrineError) and calls["layers"]:
            raise
        return  # it takes more than one tensor, or another form, and so cannot be looked at
    u = Golden(model).run_vectors(trits).u
    if not _are(calls["layers"], [trits]):
        raise TrineError(
            "the layers of the network see other trits than the model's: what it does to its input before "
            "its encoder is not in the file; give sample as the encoder is given it"
        )
    every_step = model.reduction == "sum" or model.task == "label"
    if not _are(calls["head"], [u] if every_step else [u, u[-1]]):
        raise TrineError(
            "the head of the network does not see the layers' output, of every step or of the last one, as "
            "the model's does: h_n of a GRU or an MGU, for one, is its cells"
        )


def _are(calls: list[Tensor], arrays: list[NDArray[np.int8]]) -> bool:
    """Whether a batch of one, if it was seen in one call, is one of these arrays, wherever its axis."""
    if len(calls) != 1:
        return True
    found = calls[0].detach().squeeze().numpy()
    return any(np.array_equal(found, array.squeeze()) for array in arrays)


def _recorded(call: Any, seen: list[Tensor]) -> Any:
    """The function, which also records its first argument."""

    def recording(input: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(input.data if isinstance(input, PackedSequence) else input)
        return call(input, *arguments, **options)

    return recording
