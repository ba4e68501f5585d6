"""Small models of every task with and without embedding and heads, and inputs for them in files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.helpers.task_models import TASKS, features, task_model
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

__all__ = [
    "ANY",
    "COMMANDS",
    "MODELS",
    "PLACES",
    "arguments",
    "data_of",
    "language",
    "place_options",
    "refusal",
    "told",
]

PLACES = [(embedding, head) for embedding in ("board", "host") for head in ("board", "host")]
SYMBOLS = "abcdefg"


def language(**parts):
    config = ModelConfig(hidden=9, embedding=5, vocab_size=7, cell_max=15, head_levels=(0, 1, 3))
    return replace(random_model(config, seed=3, activity=0.6), vocabulary=list(SYMBOLS), **parts)


def with_float_head(model):
    rng = np.random.default_rng(7)
    shape = (model.config.vocab_size, model.config.hidden)
    weight, bias = rng.normal(size=shape), rng.normal(size=shape[0])
    return replace(model, host_head_weight=weight.astype(np.float16), host_head_bias=bias.astype(np.float16))


#: Without a ternary head.
NO_HEAD = dict.fromkeys(("head_weight", "head_bias", "head_scale"))
MODELS = {
    "language": language,
    "language, two heads": lambda: with_float_head(language()),
    "language, float head": lambda: replace(with_float_head(language()), **NO_HEAD),
    "language, no head": lambda: language(**NO_HEAD),
    "language, no embedding": lambda: language(embedding_weight=None),
    **{task: lambda task=task: task_model(task) for task in TASKS},
    "classify, two heads": lambda: task_model("classify", head="both", reduction="sum"),
    "label, float head": lambda: task_model("label", head="float"),
    "regress, no head": lambda: task_model("regress", head=None),
    "classify, no encoder": lambda: task_model("classify", encoder=False),
}
COMMANDS = {
    "run": (),
    "eval": (),
    "generate": ("--prompt", "ab", "--count", 5, "--temperature", 1),
    "fit": ("--board", "ulx3s", "--lanes", 60, "--banks", 2),
    "verilog": ("--lanes", 60, "--banks", 2, "-o", "v"),
    "build": ("--board", "ulx3s", "-o", "b"),
    "board": (),
    "bench": ("--seconds", 0.001),
    "draw activity": ("-o", "a.svg"),
    "client": ("-o", "c"),
}
ANY = (None, None)


def place_options(places):
    """The options of embedding and head in these places."""
    named = zip(("--embedding", "--head"), places, strict=True)
    return [word for name, place in named if place for word in (name, place)]


def data_of(model):
    """A file of inputs of a model, with targets, in the present folder; as options."""
    if model.task == "language":
        Path("text.txt").write_text(SYMBOLS * 9, encoding="utf-8")
        return ("--data", "text.txt", "--split", "train")
    lengths, rng = np.array([3, 1, 4]), np.random.default_rng(1)
    x = np.concatenate(features(rng, lengths))
    if model.encoder is None:
        x = rng.integers(-1, 2, (8, model.config.embedding))
    count = 8 if model.task == "label" else 3
    classes = np.array([f"label {n % 3}" for n in range(count)])
    y = rng.normal(size=(3, 3)) if model.task == "regress" else classes
    np.savez("data.npz", x=x, lengths=lengths, y=y)
    return ("--data", "data.npz")


def refusal(command, model, places):
    """What a command must say of a model with embedding and head in these places; None where it works."""
    tokens = command in ("run", "eval", "generate")
    if command == "generate" and model.task != "language":
        return "it writes no text; trine run --data says its outputs"
    if command == "eval" and not model.heads:
        return "the model has no head"
    for place, part, there in zip(
        places,
        ("embedding", "ternary head"),
        (model.embedding_weight is not None, model.head_weight is not None),
        strict=True,
    ):
        if place == "board" and not there:
            return f"the model has no {part}, so the board cannot hold it: place it on the host"
    if command == "client" and model.heads == ("float",) and model.task != "language":
        return "export the model with a ternary head"
    if tokens and model.task == "language" and model.embedding_weight is None:
        return "the model has no embedding: it takes input vectors, and no tokens"
    if command == "generate" and model.head_weight is None:
        return "it cannot generate; give a model with a ternary head"
    return None


def arguments(command, model):
    if command == "run" and model.task == "language":
        return ("--text", "abca")
    return data_of(model) if command in ("run", "eval") else COMMANDS[command]


def told(text):
    """What a command says of outputs: all but the cycles and the backend."""
    facts = json.loads(text)
    return {name: fact for name, fact in facts.items() if "cycles" not in name and name != "backend"}
