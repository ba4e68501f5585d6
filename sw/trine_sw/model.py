"""The ternary model as numbers, and the file that holds it."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as safetensors_load
from safetensors.numpy import save as safetensors_save

from trine_sw.errors import TrineError
from trine_sw.layer import Layer, check_layer, check_shape, check_trits
from trine_sw.model_config import ModelConfig
from trine_sw.trits import pack, packed_size, unpack
from trine_sw.whole_file import replacing

__all__ = ["FORMAT", "HeadKind", "Layer", "Model", "ModelConfig"]

FORMAT = "trine/1"

HeadKind = Literal["float", "ternary"]
"""A head of real numbers, which the host computes, or one of trits."""

_OPTIONAL = {"embedding.weight", "head.weight", "head.bias", "host_head.weight", "host_head.bias"}


@dataclass
class Model:
    """A ternary model. Parts that are ``None`` are not in the file: the host has them, or nobody.

    Members
    -------
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
        if len(self.layers) != config.layers:
            raise TrineError(f"there are {len(self.layers)} layers, and {config.layers} are configured")
        for number, layer in enumerate(self.layers):
            check_layer(number, layer, config.of_layer(number))
        if self.embedding_weight is not None:
            check_trits("embedding.weight", self.embedding_weight, (config.vocab_size, config.embedding))
        head = (self.head_weight, self.head_bias, self.head_scale)
        if any(part is None for part in head) != all(part is None for part in head):
            raise TrineError("head.weight, head.bias and head.scale must all be there, or none of them")
        if self.head_weight is not None and self.head_bias is not None and self.head_scale is not None:
            check_trits("head.weight", self.head_weight, (config.vocab_size, config.hidden))
            check_shape("head.bias", self.head_bias, np.int32, (config.vocab_size,))
            reach = config.hidden * config.head_levels[-1]
            if np.abs(self.head_bias.astype(np.int64)).max() + reach >= 1 << 31:
                raise TrineError("head.bias: out of range, an integer logit would not fit 32 bits")
            if not 0 < self.head_scale < float("inf"):
                raise TrineError(f"head.scale must be a positive number, not {self.head_scale}")
        self._check_host_head()
        if self.vocabulary is not None:
            if any(not isinstance(symbol, str) or not symbol for symbol in self.vocabulary):
                raise TrineError("vocabulary must hold strings that are not empty")
            if len(self.vocabulary) != config.vocab_size or len(set(self.vocabulary)) != config.vocab_size:
                raise TrineError(f"vocabulary must be {config.vocab_size} different symbols")
            if any("\ud800" <= character <= "\udfff" for symbol in self.vocabulary for character in symbol):
                raise TrineError("vocabulary must hold text, not halves of UTF-16 pairs")

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
        sha = hashlib.sha256(json.dumps(self._metadata(), sort_keys=True).encode())
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
        """Tokens (T,) of a text: of its characters, or of its blank-separated words for a word vocabulary."""
        symbols = list(text) if self._of_characters else text.split()
        index = self._index
        try:
            return np.array([index[symbol] for symbol in symbols], dtype=np.int64)
        except KeyError as error:
            unknown: str = error.args[0]
        if self._of_characters:
            place = text.index(unknown)
            line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
            where = f"line {line}, column {column} of the text"
        else:
            where = f"word {symbols.index(unknown) + 1} of the text"
        raise TrineError(
            f"{unknown!r} ({where}) is not in the model's vocabulary of {self.config.vocab_size} symbols"
        )

    def decode(self, tokens: Sequence[int] | NDArray[np.integer]) -> str:
        """Text of tokens; the inverse of :meth:`encode`."""
        if self.vocabulary is None:
            raise TrineError("the model has no vocabulary: give and take token numbers")
        size = self.config.vocab_size
        for token in tokens:
            if not 0 <= token < size:
                raise TrineError(f"token {token} is out of range: the model has {size} symbols")
        return ("" if self._of_characters else " ").join(self.vocabulary[token] for token in tokens)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Model":
        """Read a ``*.trine`` file. Raises :class:`TrineError` that names what is wrong in it."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise TrineError(f"cannot read {path}: {error.strerror}") from None
        try:
            return cls._from_bytes(data)
        except TrineError as error:
            raise TrineError(f"{path}: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ``*.trine`` file. Equal models give equal bytes; a failure leaves the old file whole."""
        self.check()
        metadata = {key: _dump(value) for key, value in self._metadata().items()}
        metadata |= {"training": json.dumps(self.training, sort_keys=True), "digest": self.digest().hex()}
        data = _in_fixed_order(safetensors_save(self._tensors(), metadata))
        with replacing(path) as file:
            file.write(data)

    @cached_property
    def _of_characters(self) -> bool:
        return all(len(symbol) == 1 for symbol in self.vocabulary or ())

    @cached_property
    def _index(self) -> dict[str, int]:
        if self.vocabulary is None:
            raise TrineError("the model has no vocabulary: give and take token numbers")
        return {symbol: token for token, symbol in enumerate(self.vocabulary)}

    def _metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {"format": FORMAT}
        metadata |= {entry.name: getattr(self.config, entry.name) for entry in fields(self.config)}
        if self.head_scale is not None:
            metadata["head.scale"] = float(self.head_scale)
        if self.vocabulary is not None:
            metadata["vocabulary"] = self.vocabulary
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
        try:
            tensors = safetensors_load(data)
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise TrineError(f"not a whole safetensors file, truncated or altered ({error})") from None
        metadata: dict[str, str] = header.get("__metadata__", {})
        if metadata.get("format") != FORMAT:
            raise TrineError(f"format is {metadata.get('format')!r}, and this version reads {FORMAT!r}")
        config = _read_config(metadata)
        parts = ("weight", "threshold") + (("threshold_reset",) if config.cell == "gru" else ())
        names = {f"layer{number}.{part}" for number in range(config.layers) for part in parts}
        missing = sorted(names - tensors.keys())
        if missing:
            raise TrineError(f"{missing[0]} is missing")
        unknown = sorted(tensors.keys() - names - _OPTIONAL)
        if unknown:
            raise TrineError(f"{unknown[0]} is no tensor of a {config.layers}-layer {config.cell} model")

        def trits(name: str, rows: int, columns: int) -> NDArray[np.int8] | None:
            if name not in tensors:
                return None
            check_shape(name, tensors[name], np.uint8, (rows, packed_size(columns)))
            return unpack(tensors[name], columns, name=name)

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
            head_scale=_parse(metadata, "head.scale", float) if "head.scale" in metadata else None,
            host_head_weight=tensors.get("host_head.weight"),
            host_head_bias=tensors.get("host_head.bias"),
            vocabulary=_parse(metadata, "vocabulary", list) if "vocabulary" in metadata else None,
            training=_parse(metadata, "training", dict) if "training" in metadata else {},
        )
        if "digest" in metadata and metadata["digest"] != model.digest().hex():
            raise TrineError("the contents do not match their digest: the file was altered")
        return model


def _read_config(metadata: Mapping[str, str]) -> ModelConfig:
    values: dict[str, Any] = {}
    for entry in fields(ModelConfig):
        if entry.name not in metadata:
            raise TrineError(f"metadata {entry.name} is missing")
        kind = str if entry.type is str else int if entry.type is int else list
        values[entry.name] = _parse(metadata, entry.name, kind)
    return ModelConfig(**values)


def _dump(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _parse(metadata: Mapping[str, str], name: str, kind: type) -> Any:
    text = metadata[name]
    if kind is str:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise TrineError(f"metadata {name} is not JSON: {text[:40]!r}") from None
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise TrineError(f"metadata {name} must be of type {kind.__name__}, not {text[:40]!r}")
    return value


def _in_fixed_order(data: bytes) -> bytes:
    """The same safetensors file with its header sorted, padded to 8 bytes; the library's order is random."""
    size = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:size]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[size:]
