"""The model file: a model's parts as tensors and metadata, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.model.config import ModelConfig
from trine_sw.model.container import container_bytes, metadata_value, read_container
from trine_sw.model.encoder import Encoder
from trine_sw.model.layer import Layer, check_shape
from trine_sw.model.parts import ModelParts
from trine_sw.model.sample import ModelSample
from trine_sw.model.task import InputSpec
from trine_sw.model.trits import pack, packed_size, unpack
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text, json_value

__all__ = ["FORMATS", "file_bytes", "model_metadata", "model_tensors", "read_parts"]

FORMATS = ("trine/1", "trine/2")
"""Formats that are read: the first has language models alone, without ``data`` and ``sample``."""

_COMMON = {entry.name for entry in fields(ModelConfig)} | {
    *("format", "head.scale", "vocabulary", "training", "digest")
}
_METADATA = {
    "trine/1": _COMMON,
    "trine/2": _COMMON | {"task", "labels", "reduction", "inputs", "sample_rate", "front_end", "data"},
}
_HEADS = {"embedding.weight", "head.weight", "head.bias", "host_head.weight", "host_head.bias"}
_ENCODER = ("encoder.offset", "encoder.scale", "encoder.thresholds")
_SAMPLE = ("sample.trits", "sample.lengths")
_OPTIONAL = {
    "trine/1": _HEADS,
    "trine/2": _HEADS | {"output.scale", "output.offset", *_ENCODER, *_SAMPLE},
}


def model_metadata(model: ModelParts) -> dict[str, Any]:
    """What decides an output and is no tensor, by its name in the file."""
    metadata: dict[str, Any] = {"format": FORMATS[_of_task(model)]}
    metadata |= {entry.name: getattr(model.config, entry.name) for entry in fields(ModelConfig)}
    if model.head_scale is not None:
        metadata["head.scale"] = float(model.head_scale)
    if model.vocabulary is not None:
        metadata["vocabulary"] = list(model.vocabulary)
    if not _of_task(model):
        return metadata
    metadata |= {"task": str(model.task), "reduction": str(model.reduction)}
    if model.labels is not None:
        metadata["labels"] = [str(label) for label in model.labels]
    if model.inputs is not None:
        metadata["inputs"] = [asdict(spec) for spec in model.inputs]
    if model.sample_rate is not None:
        metadata["sample_rate"] = float(model.sample_rate)
    if model.front_end is not None:
        metadata["front_end"] = json_value(json_text(model.front_end))  # names of JSON are strings
    return metadata


def model_tensors(model: ModelParts) -> dict[str, NDArray[Any]]:
    """What decides an output, as the file's tensors."""
    tensors: dict[str, NDArray[Any]] = {}
    for number, layer in enumerate(model.layers):
        tensors[f"layer{number}.weight"] = pack(layer.weight)
        tensors[f"layer{number}.threshold"] = np.ascontiguousarray(layer.threshold)
        if layer.threshold_reset is not None:
            tensors[f"layer{number}.threshold_reset"] = np.ascontiguousarray(layer.threshold_reset)
    if model.embedding_weight is not None:
        tensors["embedding.weight"] = pack(model.embedding_weight)
    if model.head_weight is not None and model.head_bias is not None:
        tensors["head.weight"] = pack(model.head_weight)
        tensors["head.bias"] = np.ascontiguousarray(model.head_bias)
    if model.host_head_weight is not None and model.host_head_bias is not None:
        tensors["host_head.weight"] = np.ascontiguousarray(model.host_head_weight)
        tensors["host_head.bias"] = np.ascontiguousarray(model.host_head_bias)
    if model.output_scale is not None and model.output_offset is not None:
        tensors["output.scale"] = np.ascontiguousarray(model.output_scale)
        tensors["output.offset"] = np.ascontiguousarray(model.output_offset)
    if model.encoder is not None:
        of_encoder = (model.encoder.offset, model.encoder.scale, model.encoder.thresholds)
        tensors |= dict(zip(_ENCODER, map(np.ascontiguousarray, of_encoder), strict=True))
    return tensors


def file_bytes(model: ModelParts, digest: bytes) -> bytes:
    """The bytes of a file; of format trine/1 for a language model without ``data`` and ``sample``."""
    metadata, tensors = model_metadata(model), model_tensors(model)
    if model.data or model.sample is not None:
        metadata |= {"format": "trine/2", "task": str(model.task), "reduction": str(model.reduction)}
    texts = {key: value if isinstance(value, str) else json_text(value) for key, value in metadata.items()}
    texts |= {"training": json_text(model.training, sort_keys=True), "digest": digest.hex()}
    if model.data:
        texts["data"] = json_text(model.data, sort_keys=True)
    if model.sample is not None:
        packed = pack(model.sample.trits), np.ascontiguousarray(model.sample.lengths)
        tensors |= dict(zip(_SAMPLE, packed, strict=True))
    return container_bytes(tensors, texts)


def read_parts(data: bytes) -> tuple[dict[str, Any], str | None]:
    """A file's parts, as arguments of :class:`ModelParts`, and the digest that it states, if it does.

    Raises :class:`TrineError` that names the tensor or the metadata that is wrong.
    """
    tensors, metadata = read_container(data)
    version = metadata.get("format")
    if version not in FORMATS:
        known = " and ".join(map(repr, FORMATS))
        raise TrineError(f"format is {shown(version)}, and this version reads {known}")
    unknown = sorted(metadata.keys() - _METADATA[version])
    if unknown:
        raise TrineError(f"metadata {shown(unknown[0])} is unknown to format {version}")
    config = _read_config(metadata)
    names = ("weight", "threshold") + (("threshold_reset",) if config.spec.has_reset else ())
    needed = {f"layer{number}.{part}" for number in range(config.layers) for part in names}
    missing = sorted(needed - tensors.keys())
    if missing:
        raise TrineError(f"{missing[0]} is missing")
    unknown = sorted(tensors.keys() - needed - _OPTIONAL[version])
    if unknown:
        kind = f"{config.layers}-layer {config.cell} model"
        raise TrineError(f"{unknown[0][:100]} is no tensor of a {kind}")

    def given(name: str, kind: type) -> Any:
        return metadata_value(metadata, name, kind) if name in metadata else None

    parts = {
        "config": config,
        "layers": _read_layers(tensors, config),
        "embedding_weight": _trits(tensors, "embedding.weight", config.vocab_size, config.embedding),
        "head_weight": _trits(tensors, "head.weight", config.vocab_size, config.hidden),
        "head_bias": tensors.get("head.bias"),
        "head_scale": given("head.scale", float),
        "host_head_weight": tensors.get("host_head.weight"),
        "host_head_bias": tensors.get("host_head.bias"),
        "vocabulary": given("vocabulary", list),
        "training": given("training", dict) or {},
    }
    if version != "trine/1":
        parts |= {
            "task": metadata_value(metadata, "task", str),
            "labels": given("labels", list),
            "output_scale": tensors.get("output.scale"),
            "output_offset": tensors.get("output.offset"),
            "reduction": metadata_value(metadata, "reduction", str),
            "encoder": _together(tensors, _ENCODER, Encoder),
            "inputs": _read_inputs(given("inputs", list)),
            "sample_rate": given("sample_rate", float),
            "front_end": given("front_end", dict),
            "data": given("data", dict) or {},
            "sample": _read_sample(tensors, config),
        }
    return parts, metadata.get("digest")


def _of_task(model: ModelParts) -> bool:
    """Whether what decides an output is of format trine/2. Those of trine/1 keep their digests."""
    return model.task != "language"


def _read_config(metadata: Mapping[str, str]) -> ModelConfig:
    values: dict[str, Any] = {}
    for entry in fields(ModelConfig):
        kind = str if entry.type is str else int if entry.type is int else list
        values[entry.name] = metadata_value(metadata, entry.name, kind)
    return ModelConfig(**values)


def _trits(
    tensors: Mapping[str, NDArray[Any]], name: str, rows: int, columns: int
) -> NDArray[np.int8] | None:
    if name not in tensors:
        return None
    check_shape(name, tensors[name], np.uint8, (rows, packed_size(columns)))
    return unpack(tensors[name], columns, name=name)


def _read_layers(tensors: Mapping[str, NDArray[Any]], config: ModelConfig) -> list[Layer]:
    layers = []
    for number in range(config.layers):
        weight = _trits(tensors, f"layer{number}.weight", config.rows, config.of_layer(number).columns)
        assert weight is not None
        threshold = f"layer{number}.threshold"
        layers.append(Layer(weight, tensors[threshold], tensors.get(f"{threshold}_reset")))
    return layers


def _read_inputs(entries: list[Any] | None) -> list[InputSpec] | None:
    if entries is None:
        return None
    for entry in entries:
        if not isinstance(entry, dict) or entry.keys() != {"name", "unit"}:
            raise TrineError(f"metadata inputs must be a name and a unit each, not {shown(entry)}")
    return [InputSpec(**entry) for entry in entries]


def _together(tensors: Mapping[str, NDArray[Any]], names: tuple[str, ...], made: Callable[..., Any]) -> Any:
    """What is made of tensors of which all are there, or none."""
    found = [tensors[name] for name in names if name in tensors]
    if not found:
        return None
    if len(found) != len(names):
        raise TrineError(f"{', '.join(names[:-1])} and {names[-1]} must all be there, or none of them")
    return made(*found)


def _read_sample(tensors: Mapping[str, NDArray[Any]], config: ModelConfig) -> ModelSample | None:
    def made(packed: NDArray[Any], lengths: NDArray[Any]) -> ModelSample:
        steps = packed.shape[0] if packed.ndim else 0
        check_shape(_SAMPLE[0], packed, np.uint8, (steps, packed_size(config.embedding)))
        return ModelSample(unpack(packed, config.embedding, name=_SAMPLE[0]), lengths)

    return _together(tensors, _SAMPLE, made)
