"""How fast this CPU steps the same layer: PyTorch, ONNX Runtime, and bit planes with popcount."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from trine.bench.popcount import PopcountLstm
from trine_sw.golden import Golden
from trine_sw.model import Model
from trine_sw.support.errors import TrineError
from trine_sw.support.installing import install_hint

__all__ = ["Measured", "measure_cpu"]

#: Of ONNX's operators: a GRU's r is applied behind the matrix, as by nn.GRU.
_ONNX_OPTIONS: dict[str, dict[str, Any]] = {"lstm": {}, "gru": {"linear_before_reset": 1}}
_ONNX_QUANTISES = ("lstm",)
_TORCH_QUANTISES = ("lstm", "gru")
#: What fails where a library is missing, and what to install.
_MISSING = "not installed: {}"


@dataclass(frozen=True)
class Measured:
    """A layer's step on this CPU: seconds, the best of several runs; None, and why, where it cannot run."""

    name: str
    seconds: float | None
    note: str = ""


def measure_cpu(model: Model, x: npt.NDArray[np.int8], seconds: float = 1.0) -> Iterator[Measured]:
    """A row for each way of computing the layer of ``model``: batch 1, one thread, the input vectors x (T, E)
    in advance.

    ``seconds`` are spent on each; no head.
    """
    cell = model.config.cell.upper()
    for name, prepare in (
        ("popcount on bit planes, C", _popcount),
        (f"PyTorch nn.{cell}, float32", _torch),
        (f"PyTorch nn.{cell}, int8 dynamic", _torch_int8),
        (f"ONNX Runtime {cell}, float32", _onnx),
        (f"ONNX Runtime {cell}, int8 dynamic", _onnx_int8),
    ):
        try:
            run = prepare(model, x)
        except (ModuleNotFoundError, TrineError) as error:
            missing = isinstance(error, ModuleNotFoundError)
            extra = "train" if name.startswith("PyTorch") else "bench"
            yield Measured(name, None, _MISSING.format(install_hint(extra)) if missing else str(error))
            continue
        yield Measured(name, _best(run, seconds) / len(x))


def _best(run: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest run."""
    best, ends = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < ends or best == float("inf"):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return best


def _popcount(model: Model, x: npt.NDArray[np.int8]) -> Callable[[], object]:
    kernel = PopcountLstm(model)
    planes = kernel.prepare(x)
    if not np.array_equal(kernel.run(planes.copy()), _without_head(model).run_vectors(x).h):
        raise TrineError("its h differs from the golden model's: this is a bug in Trine")
    return lambda: kernel.run(planes.copy())


def _without_head(model: Model) -> Golden:
    return Golden(replace(model, head_weight=None, head_bias=None, head_scale=None))


def _torch(model: Model, x: npt.NDArray[np.int8]) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    return _torch_run(_torch_layer(model), x)


def _torch_int8(model: Model, x: npt.NDArray[np.int8]) -> Callable[[], object]:
    if model.config.cell not in _TORCH_QUANTISES:
        raise TrineError(f"PyTorch quantises no {model.config.spec.title}")
    import warnings

    import torch

    torch.set_num_threads(1)
    layer = _torch_layer(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a deprecation, whose successor has neither
        quantised = torch.ao.quantization.quantize_dynamic(layer, {type(layer)}, torch.qint8)
    return _torch_run(quantised, x)


def _torch_layer(model: Model):
    """PyTorch's layer of the model's size, with random weights."""
    from trine_sw.training.nn.float_cells import FLOAT_CELLS

    return FLOAT_CELLS[model.config.cell](model.config.embedding, model.config.hidden).eval()


def _torch_run(layer, x: npt.NDArray[np.int8]) -> Callable[[], object]:
    import torch

    given = torch.from_numpy(x.astype(np.float32))[:, None]

    def run() -> object:
        with torch.inference_mode():
            return layer(given)

    return run


def _onnx_file(model: Model) -> bytes:
    """An LSTM or GRU operator with random weights, as a model."""
    from onnx import TensorProto, checker, helper, numpy_helper

    if model.config.cell not in _ONNX_OPTIONS:
        raise TrineError(f"ONNX has no {model.config.spec.title}")
    size, inputs = model.config.hidden, model.config.embedding
    cell, rng = model.config.cell, np.random.default_rng(1)
    rows = len(model.config.spec.float_gates) * size
    weights = [
        numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32) / size**0.5, name)
        for name, shape in (("w", (1, rows, inputs)), ("r", (1, rows, size)), ("b", (1, 2 * rows)))
    ]
    options = _ONNX_OPTIONS[cell]
    node = helper.make_node(cell.upper(), ["x", "w", "r", "b"], ["y"], hidden_size=size, **options)
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["steps", 1, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["steps", 1, 1, size])],
        weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(made)
    return made.SerializeToString()


def _onnx(model: Model, x: npt.NDArray[np.int8]) -> Callable[[], object]:
    return _onnx_run(_onnx_file(model), x)


def _onnx_int8(model: Model, x: npt.NDArray[np.int8]) -> Callable[[], object]:
    if model.config.cell not in _ONNX_QUANTISES:
        raise TrineError(f"ONNX Runtime quantises no {model.config.spec.title}")
    import logging
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        plain, quantised = Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"
        plain.write_bytes(_onnx_file(model))
        logging.disable(logging.WARNING)  # it advises a preparation that this graph has no need of
        try:
            quantize_dynamic(plain, quantised, weight_type=QuantType.QInt8)
        finally:
            logging.disable(logging.NOTSET)
        return _onnx_run(quantised.read_bytes(), x)


def _onnx_run(model: bytes, x: npt.NDArray[np.int8]) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    given = {"x": x.astype(np.float32)[:, None]}
    return lambda: session.run(None, given)
