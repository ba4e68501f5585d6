"""Container of the model file: tensors and metadata as safetensors, read strictly, written in one order."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as safetensors_load
from safetensors.numpy import save as safetensors_save

from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text, json_value

__all__ = ["container_bytes", "metadata_value", "read_container"]


def read_container(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Tensors and metadata of a whole safetensors file.

    Raises :class:`TrineError` for one that is truncated or altered, and for metadata that are no strings.
    """
    try:
        tensors = safetensors_load(data)
        header = json_value(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:100]  # which may quote what is in the file
        raise TrineError(f"not a whole safetensors file, truncated or altered ({reason})") from None
    metadata = header.get("__metadata__")
    if metadata is None:  # absent, or null, which means the same to the library
        metadata = {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise TrineError("not a whole safetensors file: __metadata__ must be strings by name")
    return tensors, metadata


def container_bytes(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """The safetensors file of these. Equal contents give equal bytes; the library's own order is random."""
    data = safetensors_save(dict(tensors), dict(metadata))
    size = 8 + int.from_bytes(data[:8], "little")
    header = json_text(json_value(data[8:size]), sort_keys=True, compact=True).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[size:]


def metadata_value(metadata: Mapping[str, str], name: str, kind: type) -> Any:
    """The value of a name: a string as it stands, or JSON of that type; an integer is a float too.

    Raises :class:`TrineError` that names it where it is missing, no JSON or of another type.
    """
    if name not in metadata:
        raise TrineError(f"metadata {name} is missing")
    text = metadata[name]
    if kind is str:
        return text
    try:
        value = json_value(text)
    except ValueError:
        raise TrineError(f"metadata {name} is not JSON: {shown(text)}") from None
    if kind is float and type(value) is int:
        try:
            value = float(value)
        except OverflowError:
            raise TrineError(f"metadata {name} is too large: {shown(text)}") from None
    if type(value) is not kind:
        raise TrineError(f"metadata {name} must be of type {kind.__name__}, not {shown(text)}")
    return value
