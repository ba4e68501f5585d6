"""How well a model predicts a text, or says what sequences are."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine.models import as_model, check_embedding
from trine_sw.data.evaluation import evaluate_tokens, logits_of, text_tokens
from trine_sw.data.figures import figures_of
from trine_sw.data.sequences import SequenceSet
from trine_sw.data.windows import Windows, load_split, load_windows, windows_of
from trine_sw.engine.placement import Place, Placement
from trine_sw.golden.host_head import head_of
from trine_sw.golden.readout import Outputs, Readout
from trine_sw.model import HeadKind, Model
from trine_sw.support.checks import integer, integer_array, shown
from trine_sw.support.errors import TrineError

__all__ = ["evaluate", "limited", "measured_windows", "quality_of_outputs"]


def evaluate(
    model: Model | str | os.PathLike[str],
    data: str | os.PathLike[str] | ArrayLike | SequenceSet | None = None,
    *,
    split: str | None = None,
    head_kind: HeadKind | None = None,
    limit: int | None = None,
    backend: str = "golden",
    embedding: Place | None = None,
    head: Place | None = None,
) -> dict[str, Any]:
    """Measure how well a model predicts a text or, of another task, how well it says what sequences are.

    A text is one stream from the zero state. Words are predicted from the first on, which follows a line's
    end, as is usual for Penn Treebank; of characters and tokens, the first is not predicted. Sequences begin
    from the zero state each.

    Parameters
    ----------
    model : Model or path
        The model, or its file. It has a head.
    data : str, int array (T,), path or SequenceSet, optional
        For a language model, a text of its vocabulary, or its tokens. For others, a file or folder of
        sequences and targets, or the sequences themselves; by default the data of its training, where the
        model file says where that is.
    split : str, optional
        Which part of the sequences, cut as in the model's training; by default ``"test"`` where `data` is not
        given, and all of `data` otherwise.
    head_kind : {"float", "ternary"}, optional
        The head that is measured; of a model with two, the float one by default.
    limit : int, optional
        Predict only this many symbols, or take only this many sequences.
    backend : str
        What computes: ``"golden"``, the integer model in NumPy; ``"verilator"`` or ``"icarus"``, the engine
        in a simulator; or the URL of a board, as :meth:`Board.open` takes it. All agree in every bit.
    embedding, head : {"board", "host"}, optional
        Where they must be, as in :meth:`Board.open`. The result is the same.

    Returns
    -------
    dict
        Of a text: ``nats_per_token`` and ``bits_per_token``, the mean cross entropy in nats and in bits;
        ``perplexity``, ``exp(nats_per_token)``; ``tokens``, the number of predictions. Of classes:
        ``accuracy`` and ``macro_f1``, over all sequences or all their steps. Of a regression: ``r2``, the
        mean over its values, where there are two sequences, and ``mae``, the mean absolute error. Both with
        ``sequences`` and ``steps``, their numbers.

    Raises
    ------
    TrineError
        If the model has no such head, or lacks what the board must hold; if the text has symbols that are
        not the model's, or fewer than two; if the data cannot be read, or has no targets, or classes that are
        not the model's.

    Notes
    -----
    Logits of a ternary head are integers, equal on every machine. The loss is summed in float64, in order.

    Examples
    --------
    >>> quality = trine.evaluate("m.trine", "To be, or not to be")
    >>> quality["tokens"], quality["perplexity"] < 65
    (18, True)
    """
    model = as_model(model)
    placement = Placement(embedding, head)
    placement.of(model)  # refuses what the model file lacks
    if model.task != "language":
        kind = Readout(model, head_kind).kind  # refuses a head that is not there
        windows = limited(measured_windows(model, data, split), limit)
        from trine.sequence_backends import run_on

        run = run_on(backend, model, windows.x, head_kind=kind, placement=placement, timed=0)
        assert run.outputs is not None
        return quality_of_outputs(model, windows, run.outputs)
    text = data
    if text is None:
        raise TrineError("a language model is measured on a text: give it, or its tokens")
    if isinstance(text, SequenceSet | os.PathLike):
        raise TrineError(f"a language model is measured on a text or its tokens, not {shown(text)}")
    if isinstance(text, str):
        tokens = text_tokens(model, text)
    else:
        tokens = integer_array(text, "tokens", "(T,), at least two", (1,)).astype(np.int64)
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < model.config.vocab_size:
            raise TrineError(f"tokens must be from 0 to {model.config.vocab_size - 1}")
    head_of(model, head_kind)  # refuses a head that is not there
    check_embedding(model)
    kind = head_kind or model.heads[0]
    logits = _backend_logits(model, kind, backend, placement)
    return dict(evaluate_tokens(model, tokens, limit, head_kind=kind, backend=logits))


def limited(windows: Windows, limit: int | None) -> Windows:
    """The first so many sequences, or all."""
    if limit is None:
        return windows
    first = slice(integer(limit, "the limit", 1))
    return Windows(windows.x[first], None if windows.y is None else windows.y[first], windows.names[first])


def quality_of_outputs(model: Model, windows: Windows, outputs: Outputs) -> dict[str, Any]:
    """The figures of what a model said of sequences whose targets are known."""
    found = outputs.values if outputs.classes is None else outputs.classes
    assert windows.y is not None and found is not None
    counts = {"sequences": len(windows.x), "steps": sum(map(len, windows.x))}
    return figures_of(model.task, windows.y, found) | counts


def measured_windows(model: Model, data: Any, split: str | None) -> Windows:
    """Sequences and their targets, from wherever they are."""
    if data is None:
        return load_split(model, split or "test")
    if isinstance(data, SequenceSet) and split is None:
        return windows_of(data, model)
    if isinstance(data, str | os.PathLike):
        return load_windows(data, model, targets=True) if split is None else load_split(model, split, data)
    raise TrineError(f"the data must be a file or folder of sequences, or a SequenceSet, not {shown(data)}")


def _backend_logits(
    model: Model, kind: HeadKind, backend: str, placement: Placement
) -> Callable[[NDArray[Any]], Any] | None:
    """What gives the logits in place of the golden model; None where that is the backend."""
    if backend == "golden":
        return None

    def logits(tokens: NDArray[Any]) -> Any:
        from trine.backends import open_backend

        result = open_backend(backend, model, placement=placement).run(tokens)
        if kind == "ternary" and result.logits is not None:
            return result.logits  # as the board computes them
        return logits_of(model, result.u, kind)

    return logits
