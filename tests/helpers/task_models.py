"""Random models of every task, with an encoder and all that a model file may say of its inputs."""

from dataclasses import replace

import numpy as np

from trine_sw.model import Encoder, InputSpec, ModelConfig, ModelSample
from trine_sw.model.random_model import random_model

__all__ = ["TASKS", "features", "random_encoder", "task_model"]

TASKS = ("classify", "label", "regress")


def features(rng, lengths, count=2):
    """Sequences (T, F) of walks, one of each length."""
    return [np.cumsum(rng.normal(size=(length, count)), axis=0) for length in lengths]


def random_encoder(rng, count=2, pairs=2, differences=True):
    """An encoder at quantiles of random walks."""
    quantiles = np.linspace(0.1, 0.9, 2 * pairs).tolist()
    return Encoder.from_quantiles(features(rng, [50, 3], count), quantiles, differences=differences)


def task_model(task, *, seed=0, reduction="last", head="ternary", encoder=True, outputs=3, **options):
    """A random model of a task; ``head`` is ternary, float, both or None, ``options`` are the config's."""
    rng = np.random.default_rng(seed)
    of_x = random_encoder(rng) if encoder else None
    trits = of_x.size if of_x else 6
    options = {"hidden": 8, "cell": "gru", "cell_max": 15, "head_levels": (0, 1, 3)} | options
    config = ModelConfig(embedding=trits, vocab_size=outputs, **options)
    model = random_model(config, seed=seed, activity=0.5)
    host = {
        "host_head_weight": rng.normal(size=(outputs, config.hidden)).astype(np.float16),
        "host_head_bias": rng.normal(scale=0.1, size=outputs).astype(np.float16),
    }
    scales = {"output_scale": rng.normal(size=outputs), "output_offset": rng.normal(size=outputs)}
    parts = {
        **{"embedding_weight": None, "vocabulary": None, "task": task, "reduction": reduction},
        **(scales if task == "regress" else {}),
        **(host if head in ("float", "both") else {}),
        **({} if head in ("ternary", "both") else dict.fromkeys(("head_weight", "head_bias", "head_scale"))),
    }
    if parts.get("head_bias", 0) is not None:  # so that no class wins by it alone
        parts["head_bias"] = rng.integers(-1, 2, outputs).astype(np.int32)
    return replace(
        model,
        **parts,
        labels=[f"label {number}" for number in range(outputs)],
        encoder=of_x,
        inputs=[InputSpec("left", "m/s^2"), InputSpec("right")] if of_x else None,
        sample_rate=62.5,
        front_end={"kind": "log-mel", "bands": 24} if of_x else None,
        data={"files": "test.npz", "digest": "00"},
        sample=ModelSample.of([rng.integers(-1, 2, (steps, trits)).astype(np.int8) for steps in (5, 1, 7)]),
    )
