"""A model's file with its tensors and metadata altered, in ways that ``Model.load`` must refuse."""

import json

from safetensors.numpy import load, save

from trine_sw.model import ModelConfig

__all__ = ["CONFIG", "drop", "reshape", "retype", "rewrite", "rewritten", "set_entry", "set_metadata"]

CONFIG = ModelConfig(
    hidden=6, embedding=3, vocab_size=4, cell_max=31, cell_shift=2, output_shift=1, head_levels=(0, 1, 3)
)


def rewritten(model, folder, alter):
    """Save a model in a folder, altered by a function of tensors and metadata; gives the path."""
    path = folder / "altered.trine"
    model.save(path)
    rewrite(path, alter)
    return path


def rewrite(path, alter):
    """Write a model's file anew with its tensors or metadata altered; the digest stays as it was."""
    data = path.read_bytes()
    tensors = {name: tensor.copy() for name, tensor in load(data).items()}
    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    alter(tensors, metadata)
    path.write_bytes(save(tensors, metadata))


def set_entry(name, index, value):
    def alter(tensors, metadata):
        tensors[name][index] = value

    return alter


def set_metadata(name, value):
    def alter(tensors, metadata):
        metadata[name] = value

    return alter


def drop(name):
    def alter(tensors, metadata):
        (tensors if name in tensors else metadata).pop(name)

    return alter


def reshape(name):
    def alter(tensors, metadata):
        tensors[name] = tensors[name][:-1].copy()

    return alter


def retype(name, dtype):
    def alter(tensors, metadata):
        tensors[name] = tensors[name].astype(dtype)

    return alter
