"""How well a model predicts a text."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine.models import as_model
from trine_sw.data.evaluation import Quality, evaluate_tokens, logits_of, text_tokens
from trine_sw.golden.host_head import head_of
from trine_sw.model import HeadKind, Model
from trine_sw.support.checks import integer_array
from trine_sw.support.errors import TrineError

__all__ = ["evaluate"]


def evaluate(
    model: Model | str | os.PathLike[str],
    text: str | ArrayLike,
    *,
    head: HeadKind | None = None,
    limit: int | None = None,
    backend: str = "golden",
) -> Quality:
    """Measure how well a model predicts a text, each symbol from all before it.

    The text is one stream from the zero state. Words are predicted from the first on, which follows a line's
    end, as is usual for Penn Treebank; of characters and tokens, the first is not predicted.

    Parameters
    ----------
    model : Model or path
        The model, or its file. It has a head.
    text : str or int array (T,)
        A text of the model's vocabulary, or its tokens.
    head : {"float", "ternary"}, optional
        The head that is measured; of a model with two, the float one by default.
    limit : int, optional
        Predict only this many symbols.
    backend : str
        What computes: ``"golden"``, the integer model in NumPy; ``"verilator"`` or ``"icarus"``, the engine
        in a simulator; or the URL of a board, as :meth:`Board.open` takes it. All agree in every bit.

    Returns
    -------
    dict
        ``nats_per_token`` and ``bits_per_token``, the mean cross entropy in nats and in bits; ``perplexity``,
        ``exp(nats_per_token)``; ``tokens``, the number of predictions.

    Raises
    ------
    TrineError
        If the model has no such head, the text has symbols that are not the model's, or fewer than two.

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
    if isinstance(text, str):
        tokens = text_tokens(model, text)
    else:
        tokens = integer_array(text, "tokens", "(T,), at least two", (1,)).astype(np.int64)
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < model.config.vocab_size:
            raise TrineError(f"tokens must be from 0 to {model.config.vocab_size - 1}")
    head_of(model, head)  # refuses a head that is not there
    head = head or model.heads[0]
    return evaluate_tokens(model, tokens, limit, head=head, backend=_backend_logits(model, head, backend))


def _backend_logits(model: Model, head: HeadKind, backend: str) -> Callable[[NDArray[Any]], Any] | None:
    """What gives the logits in place of the golden model; None where that is the backend."""
    if backend == "golden":
        return None

    def logits(tokens: NDArray[Any]) -> Any:
        from trine.backends import open_backend

        result = open_backend(backend, model).run(tokens)
        if head == "ternary" and result.logits is not None:
            return result.logits  # as the board computes them
        return logits_of(model, result.u, head)

    return logits
