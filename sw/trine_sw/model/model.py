"""The ternary model as numbers, and the file that holds it."""

import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trine_sw.model.config import ModelConfig
from trine_sw.model.container import container_bytes, metadata_value, read_container
from trine_sw.model.layer import Layer, check_layer, check_shape, check_trits
from trine_sw.model.trits import pack, packed_size, unpack
from trine_sw.model.vocabulary import Vocabulary
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.checks import finite_real, shown
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text
from trine_sw.support.reading import read_whole

__all__ = ["FORMAT", "HeadKind", "Layer", "Model", "ModelConfig"]

FORMAT = "trine/1"

HeadKind = Literal["float", "ternary"]
"""A head of real numbers, which the host computes, or one of trits."""

_METADATA = {entry.name for entry in fields(ModelConfig)} | {
    *("format", "head.scale", "vocabulary", "training", "digest")
}
_OPTIONAL = {"embedding.weight", "head.weight", "head.bias", "host_head.weight", "host_head.bias"}


@dataclass
class Model:
    """A ternary model. Parts that are ``None`` are not in the file: the host has them, or nobody.

    Attributes
    ----------
    config : :class:`ModelConfig`
    layers : list of :class:`Layer`
    embedding_weight : int8 trits (V, E)
    head_weight : int8 trits (V, H)
    head_bias : int32 (V,); integer logits = head_weight · u + head_bias
    head_scale : real logits = head_scale * integer logits
    host_head_weight, host_head_bias : float16 (V, H) and (V,), in place of the ternary head or beside it: a
        head that only the host can compute; real logits = host_head_weight · u + host_head_bias
    vocabulary : the V symbols
    training : record of how it was trained and what was measured, JSON values

    Raises
    ------
    TrineError
        If the shape or the contents of a tensor are wrong, in :meth:`load` also if the file is damaged; names
        the tensor.

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

    config: ModelConfig
    layers: list[Layer]
    embedding_weight: NDArray[np.int8] | None = None
    head_weight: NDArray[np.int8] | None = None
    head_bias: NDArray[np.int32] | None = None
    head_scale: float | None = None
    host_head_weight: NDArray[np.float16] | None = None
    host_head_bias: NDArray[np.float16] | None = None
    vocabulary: list[str] | None = None
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise :class:`TrineError` that names the first tensor whose shape or contents are wrong."""
        config = self.config
        if not isinstance(config, ModelConfig):
            raise TrineError(f"config must be a ModelConfig, not {shown(config)}")
        if not isinstance(self.layers, list | tuple):
            raise TrineError(f"layers must be a list of Layer, not {shown(self.layers)}")
        if len(self.layers) != config.layers:
            raise TrineError(f"there are {len(self.layers)} layers, and {config.layers} are configured")
        for number, layer in enumerate(self.layers):
            check_layer(number, layer, config.of_layer(number))
        if self.embedding_weight is not None:
            check_trits("embedding.weight", self.embedding_weight, (config.vocab_size, config.embedding))
        self._check_head()
        self._check_host_head()
        if self.vocabulary is not None:
            if not isinstance(self.vocabulary, list | tuple) or len(self.vocabulary) != config.vocab_size:
                raise TrineError(f"vocabulary must be {config.vocab_size} different symbols")
            self._symbols()
        if not isinstance(self.training, dict):
            raise TrineError(f"training must be a dictionary, not {shown(self.training)}")

    def _check_head(self) -> None:
        weight, bias, scale, config = self.head_weight, self.head_bias, self.head_scale, self.config
        if weight is None and bias is None and scale is None:
            return
        if weight is None or bias is None or scale is None:
            raise TrineError("head.weight, head.bias and head.scale must all be there, or none of them")
        check_trits("head.weight", weight, (config.vocab_size, config.hidden))
        check_shape("head.bias", bias, np.int32, (config.vocab_size,))
        reach = config.hidden * config.head_levels[-1]
        largest = int(np.abs(bias.astype(np.int64)).max()) + reach
        if largest >= 1 << 31:
            raise TrineError("head.bias: out of range, an integer logit would not fit 32 bits")
        real = finite_real(scale, "head.scale")
        if not real > 0:
            raise TrineError(f"head.scale must be a positive number, not {scale}")
        if real * largest == float("inf"):
            raise TrineError(f"head.scale {real:g} is too large: a real logit would not be a finite number")

    def _check_host_head(self) -> None:
        weight, bias, config = self.host_head_weight, self.host_head_bias, self.config
        if weight is None and bias is None:
            return
        if weight is None or bias is None:
            raise TrineError("host_head.weight and host_head.bias must both be there, or none of them")
        check_shape("host_head.weight", weight, np.float16, (config.vocab_size, config.hidden))
        check_shape("host_head.bias", bias, np.float16, (config.vocab_size,))
        for name, tensor in (("weight", weight), ("bias", bias)):
            if not np.isfinite(tensor).all():
                raise TrineError(f"host_head.{name} must hold finite numbers only")

    @property
    def heads(self) -> tuple[HeadKind, ...]:
        """The heads that there are, the one to measure with first: a float head predicts better."""
        found = (self.host_head_weight is not None, self.head_weight is not None)
        return tuple(kind for kind, there in zip(get_args(HeadKind), found, strict=True) if there)

    def digest(self) -> bytes:
        """SHA-256 of everything that decides an output: two models of one digest give equal outputs."""
        sha = hashlib.sha256(json_text(self._metadata(), sort_keys=True).encode())
        for name, tensor in sorted(self._tensors().items()):
            sha.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
            sha.update(np.ascontiguousarray(tensor).tobytes())
        return sha.digest()

    def board_digest(self, *, embedding: bool, head: bool) -> bytes:
        """:meth:`digest` of what a board holds: sizes, symbols, layers; embedding and head if they are there.

        So another head on the host needs no other bitstream.
        """
        absent = ["host_head_weight", "host_head_bias"]
        absent += [] if embedding else ["embedding_weight"]
        absent += [] if head else ["head_weight", "head_bias", "head_scale"]
        return replace(self, **dict.fromkeys(absent)).digest()

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
            return cls._from_bytes(data)
        except TrineError as error:
            raise TrineError(f"{path}: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ``*.trine`` file. Equal models give equal bytes; a failure leaves the old file whole."""
        self.check()
        metadata = {key: _dump(value) for key, value in self._metadata().items()}
        metadata |= {"training": json_text(self.training, sort_keys=True), "digest": self.digest().hex()}
        data = container_bytes(self._tensors(), metadata)
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

    def _metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {"format": FORMAT}
        metadata |= {entry.name: getattr(self.config, entry.name) for entry in fields(self.config)}
        if self.head_scale is not None:
            metadata["head.scale"] = float(self.head_scale)
        if self.vocabulary is not None:
            metadata["vocabulary"] = list(self.vocabulary)
        return metadata

    def _tensors(self) -> dict[str, NDArray[Any]]:
        tensors: dict[str, NDArray[Any]] = {}
        for number, layer in enumerate(self.layers):
            tensors[f"layer{number}.weight"] = pack(layer.weight)
            tensors[f"layer{number}.threshold"] = np.ascontiguousarray(layer.threshold)
            if layer.threshold_reset is not None:
                tensors[f"layer{number}.threshold_reset"] = np.ascontiguousarray(layer.threshold_reset)
        if self.embedding_weight is not None:
            tensors["embedding.weight"] = pack(self.embedding_weight)
        if self.head_weight is not None and self.head_bias is not None:
            tensors["head.weight"] = pack(self.head_weight)
            tensors["head.bias"] = np.ascontiguousarray(self.head_bias)
        if self.host_head_weight is not None and self.host_head_bias is not None:
            tensors["host_head.weight"] = np.ascontiguousarray(self.host_head_weight)
            tensors["host_head.bias"] = np.ascontiguousarray(self.host_head_bias)
        return tensors

    @classmethod
    def _from_bytes(cls, data: bytes) -> "Model":
        tensors, metadata = read_container(data)
        if metadata.get("format") != FORMAT:
            raise TrineError(f"format is {shown(metadata.get('format'))}, and this version reads {FORMAT!r}")
        unknown = sorted(metadata.keys() - _METADATA)
        if unknown:
            raise TrineError(f"metadata {shown(unknown[0])} is unknown to format {FORMAT}")
        config = _read_config(metadata)
        parts = ("weight", "threshold") + (("threshold_reset",) if config.spec.has_reset else ())
        names = {f"layer{number}.{part}" for number in range(config.layers) for part in parts}
        missing = sorted(names - tensors.keys())
        if missing:
            raise TrineError(f"{missing[0]} is missing")
        unknown = sorted(tensors.keys() - names - _OPTIONAL)
        if unknown:
            kind = f"{config.layers}-layer {config.cell} model"
            raise TrineError(f"{unknown[0][:100]} is no tensor of a {kind}")

        def trits(name: str, rows: int, columns: int) -> NDArray[np.int8] | None:
            if name not in tensors:
                return None
            check_shape(name, tensors[name], np.uint8, (rows, packed_size(columns)))
            return unpack(tensors[name], columns, name=name)

        def given(name: str, kind: type) -> Any:
            return metadata_value(metadata, name, kind) if name in metadata else None

        layers = []
        for number in range(config.layers):
            weight = trits(f"layer{number}.weight", config.rows, config.of_layer(number).columns)
            assert weight is not None
            threshold = f"layer{number}.threshold"
            layers.append(Layer(weight, tensors[threshold], tensors.get(f"{threshold}_reset")))
        model = cls(
            config=config,
            layers=layers,
            embedding_weight=trits("embedding.weight", config.vocab_size, config.embedding),
            head_weight=trits("head.weight", config.vocab_size, config.hidden),
            head_bias=tensors.get("head.bias"),
            head_scale=given("head.scale", float),
            host_head_weight=tensors.get("host_head.weight"),
            host_head_bias=tensors.get("host_head.bias"),
            vocabulary=given("vocabulary", list),
            training=given("training", dict) or {},
        )
        # Without it, an altered option would go unseen.
        if metadata_value(metadata, "digest", str) != model.digest().hex():
            raise TrineError("the contents do not match their digest: the file was altered")
        return model


@functools.lru_cache(maxsize=8)
def _vocabulary_of(symbols: tuple[str, ...]) -> Vocabulary:
    return Vocabulary(symbols)


def _read_config(metadata: Mapping[str, str]) -> ModelConfig:
    values: dict[str, Any] = {}
    for entry in fields(ModelConfig):
        kind = str if entry.type is str else int if entry.type is int else list
        values[entry.name] = metadata_value(metadata, entry.name, kind)
    return ModelConfig(**values)


def _dump(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)
