"""The ternary model: its parts, its text, its digest and its file."""

import functools
import hashlib
import os
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.model.config import ModelConfig
from trine_sw.model.layer import Layer
from trine_sw.model.model_file import file_bytes, model_metadata, model_tensors, read_parts
from trine_sw.model.parts import HeadKind, ModelParts
from trine_sw.model.vocabulary import Vocabulary
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text
from trine_sw.support.reading import read_whole

__all__ = ["HeadKind", "Layer", "Model", "ModelConfig"]

#: Parts that a board knows nothing of: whatever its outputs mean, and where its inputs come from.
_NOT_ON_BOARD = {
    "host_head_weight": None,
    "host_head_bias": None,
    "task": "language",
    "labels": None,
    "output_scale": None,
    "output_offset": None,
    "reduction": "last",
    "encoder": None,
    "inputs": None,
    "sample_rate": None,
    "front_end": None,
}


@dataclass
class Model(ModelParts):
    """A ternary model. Parts that are ``None`` are not in the file: the host has them, or nobody.

    Attributes
    ----------
    config : :class:`ModelConfig`
        For a task other than ``"language"``, ``embedding`` is the number of trits of a step, and
        ``vocab_size`` the number of outputs: classes, or values of a regression.
    layers : list of :class:`Layer`
    embedding_weight : int8 trits (V, E), of a language model
    head_weight : int8 trits (V, H)
    head_bias : int32 (V,); integer logits = head_weight · u + head_bias
    head_scale : real logits = head_scale * integer logits
    host_head_weight, host_head_bias : float16 (V, H) and (V,), in place of the ternary head or beside it: a
        head that only the host can compute; real logits = host_head_weight · u + host_head_bias
    vocabulary : the V symbols of a language model
    training : record of how it was trained and what was measured, JSON values
    task : ``"language"``, the next token; ``"classify"``, a class of each sequence; ``"label"``, a class of
        each step; ``"regress"``, V real numbers of each sequence
    labels : names of the V classes, or of the V values of a regression
    output_scale, output_offset : float64 (V,) of a regression; values = output_offset + output_scale *
        integer logits. A float head gives the values as they are.
    reduction : of the tasks that give outputs of a sequence: ``"last"`` takes the logits of its last step,
        ``"sum"`` the sum of those of all steps
    encoder : :class:`Encoder`, what makes trits of real features
    inputs : list of :class:`InputSpec`, one a feature, or one a trit without an encoder
    sample_rate : steps a second
    front_end : how features are computed from a recording, JSON values
    data : where the data is that it was trained on, and its digest, JSON values
    sample : :class:`ModelSample`, inputs of the kind that it is made for, on which cycles are counted

    Raises
    ------
    TrineError
        If the shape or the contents of a part are wrong, in :meth:`load` also if the file is damaged; names
        the part.

    Examples
    --------
    >>> model = trine.Model.load("m.trine")
    >>> model.config.hidden, model.layers[0].weight.shape
    (64, (256, 96))
    >>> tokens = model.encode("To be")
    >>> tokens
    array([32, 53,  1, 40, 43])
    >>> model.decode(tokens)
    'To be'
    >>> model.save("copy.trine")
    """

    def check(self) -> None:
        """Raise :class:`TrineError` that names the first part whose shape or contents are wrong."""
        super().check()
        if self.vocabulary is not None:
            self._symbols()

    def digest(self) -> bytes:
        """SHA-256 of everything that decides an output: two models of one digest give equal outputs."""
        sha = hashlib.sha256(json_text(model_metadata(self), sort_keys=True).encode())
        for name, tensor in sorted(model_tensors(self).items()):
            sha.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
            sha.update(np.ascontiguousarray(tensor).tobytes())
        return sha.digest()

    def board_digest(self, *, embedding: bool, head: bool) -> bytes:
        """:meth:`digest` of what a board holds: sizes, symbols, layers; embedding and head if they are there.

        So another head on the host, another encoder or other labels need no other bitstream.
        """
        absent = [] if embedding else ["embedding_weight"]
        absent += [] if head else ["head_weight", "head_bias", "head_scale"]
        return replace(self, **_NOT_ON_BOARD, **dict.fromkeys(absent)).digest()

    def encode(self, text: str) -> NDArray[np.int64]:
        """Tokens (T,) of a text: of its characters, or of its words, split at white space."""
        return self._symbols().encode(text)

    def decode(self, tokens: ArrayLike) -> str:
        """Text of tokens (T,); the inverse of :meth:`encode`."""
        return self._symbols().decode(tokens)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Model":
        """Read a ``*.trine`` file. Raises :class:`TrineError` that names what is wrong in it."""
        data = read_whole(path)
        try:
            parts, digest = read_parts(data)
            model = cls(**parts)
            if digest is None:
                raise TrineError("metadata digest is missing")
            if digest != model.digest().hex():  # without it, an altered option would go unseen
                raise TrineError("the contents do not match their digest: the file was altered")
        except TrineError as error:
            raise TrineError(f"{path}: {error}") from None
        return model

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ``*.trine`` file. Equal models give equal bytes; a failure leaves the old file whole."""
        self.check()
        data = file_bytes(self, self.digest())
        with atomic_write(path) as file:
            file.write(data)

    def _symbols(self) -> Vocabulary:
        """The vocabulary as it is now."""
        if self.vocabulary is None:
            raise TrineError("the model has no vocabulary: give and take token numbers")
        try:
            return _vocabulary_of(tuple(self.vocabulary))
        except TypeError:  # what is no list, or holds what is no string
            return Vocabulary(self.vocabulary)


@functools.lru_cache(maxsize=8)
def _vocabulary_of(symbols: tuple[str, ...]) -> Vocabulary:
    return Vocabulary(symbols)
