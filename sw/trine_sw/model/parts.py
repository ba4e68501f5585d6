"""Parts of a model, and what is right for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from trine_sw.model.config import ModelConfig
from trine_sw.model.encoder import Encoder
from trine_sw.model.layer import Layer, check_layer, check_shape, check_trits
from trine_sw.model.sample import ModelSample
from trine_sw.model.task import InputSpec, Reduction, Task, check_names, check_task
from trine_sw.support.checks import finite_real, shown
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text

__all__ = ["HeadKind", "ModelParts"]

HeadKind = Literal["float", "ternary"]
"""A head of real numbers, which the host computes, or one of trits."""


@dataclass
class ModelParts:
    """Everything that a model file holds. See :class:`trine_sw.model.model.Model` for each part."""

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
    task: Task = "language"
    labels: list[str] | None = None
    output_scale: NDArray[np.float64] | None = None
    output_offset: NDArray[np.float64] | None = None
    reduction: Reduction = "last"
    encoder: Encoder | None = None
    inputs: list[InputSpec] | None = None
    sample_rate: float | None = None
    front_end: dict[str, Any] | None = None
    data: dict[str, Any] = field(default_factory=dict)
    sample: ModelSample | None = None

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise :class:`TrineError` that names the first part whose shape or contents are wrong."""
        config = self.config
        if not isinstance(config, ModelConfig):
            raise TrineError(f"config must be a ModelConfig, not {shown(config)}")
        if not isinstance(self.layers, list | tuple):
            raise TrineError(f"layers must be a list of Layer, not {shown(self.layers)}")
        if len(self.layers) != config.layers:
            raise TrineError(f"there are {len(self.layers)} layers, and {config.layers} are configured")
        for number, layer in enumerate(self.layers):
            check_layer(number, layer, config.of_layer(number))
        check_task(self.task, self.reduction)
        if self.embedding_weight is not None:
            check_trits("embedding.weight", self.embedding_weight, (config.vocab_size, config.embedding))
        self._check_head()
        self._check_host_head()
        if self.vocabulary is not None:
            if not isinstance(self.vocabulary, list | tuple) or len(self.vocabulary) != config.vocab_size:
                raise TrineError(f"vocabulary must be {config.vocab_size} different symbols")
        self._check_of_task()
        self._check_inputs()
        self._check_records()

    @property
    def heads(self) -> tuple[HeadKind, ...]:
        """The heads that there are, the one to measure with first: a float head predicts better."""
        found = (self.host_head_weight is not None, self.head_weight is not None)
        return tuple(kind for kind, there in zip(get_args(HeadKind), found, strict=True) if there)

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

    def _check_of_task(self) -> None:
        """What belongs to some tasks alone."""
        task, count = self.task, self.config.vocab_size
        scale, offset = self.output_scale, self.output_offset
        if task == "language":
            for name in ("labels", "encoder", "inputs", "sample_rate", "front_end"):
                if getattr(self, name) is not None:
                    raise TrineError(f"{name} is not of a language model: its inputs and outputs are tokens")
        else:
            for name in ("embedding_weight", "vocabulary"):
                if getattr(self, name) is not None:
                    raise TrineError(f"{name} is of a language model alone, and the task is {task!r}")
        if self.labels is not None:
            check_names("labels", self.labels, count)
        if task != "regress":
            if scale is not None or offset is not None:
                raise TrineError(
                    f"output.scale and output.offset are of a regression, and the task is {task!r}"
                )
            return
        if (scale is None) != (offset is None) or (scale is None and self.head_weight is not None):
            raise TrineError(
                "output.scale and output.offset must both be there: a regression's values need them"
            )
        for name, tensor in (("scale", scale), ("offset", offset)):
            if tensor is not None:
                check_shape(f"output.{name}", tensor, np.float64, (count,))
                with np.errstate(over="ignore"):  # a logit has 32 bits
                    largest = tensor * (2.0**31 if name == "scale" else 1)
                if not np.isfinite(largest).all():
                    raise TrineError(f"output.{name} must hold finite numbers only, and give finite values")

    def _check_inputs(self) -> None:
        """The encoder and what is known of its features."""
        encoder, trits = self.encoder, self.config.embedding
        if encoder is not None:
            if not isinstance(encoder, Encoder):
                raise TrineError(f"encoder must be an Encoder, not {shown(encoder)}")
            encoder.check()
            if encoder.size != trits:
                raise TrineError(
                    f"encoder makes {encoder.size} trits of a step, and the first layer takes {trits}"
                )
        if self.inputs is not None:
            count, of = (trits, "trits of x") if encoder is None else (encoder.features, "features")
            specs = self.inputs
            if not isinstance(specs, list | tuple) or not all(isinstance(spec, InputSpec) for spec in specs):
                raise TrineError(f"inputs must be a list of InputSpec, not {shown(specs)}")
            if len(specs) != count:
                raise TrineError(f"inputs are {len(specs)}, and there are {count} {of}")
            check_names("the names of inputs", [spec.name for spec in specs], count)
        if self.sample_rate is not None and not finite_real(self.sample_rate, "sample_rate") > 0:
            raise TrineError(f"sample_rate must be steps a second, above 0, not {self.sample_rate}")
        if self.sample is not None:
            if not isinstance(self.sample, ModelSample):
                raise TrineError(f"sample must be a ModelSample, not {shown(self.sample)}")
            if self.sample.trits.shape[1] != trits:
                raise TrineError(f"sample.trits must be {trits} a step, not {self.sample.trits.shape[1]}")

    def _check_records(self) -> None:
        """What is JSON."""
        for name in ("training", "data", "front_end"):
            record = getattr(self, name)
            if name == "front_end" and record is None:
                continue
            if not isinstance(record, dict):
                raise TrineError(f"{name} must be a dictionary, not {shown(record)}")
            if name != "training":
                try:
                    json_text(record)
                except TrineError as error:
                    raise TrineError(f"{name}: {error}") from None
