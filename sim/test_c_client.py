"""The C client over simulated boards, UART pins and all: outputs are the golden model's."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.c_client import compiled, needs_gcc
from tests.helpers.task_models import features, task_model
from trine_sw.golden import Golden
from trine_sw.golden.sequences import run_sequences
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model

pytestmark = [needs_gcc, pytest.mark.nightly]


@contextmanager
def served(model: Model, folder: Path, rate: float) -> Iterator[socket.socket]:
    """A connection to ``trine board`` in a process of its own."""
    path = folder / "served.trine"
    model.save(path)
    command = [sys.executable, "-m", "trine", "board", str(path), "--fault-rate", str(rate), "--seed", "3"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout
        found = re.fullmatch(r"socket://([\d.]+):(\d+)\n", server.stdout.readline())
        assert found
        with socket.create_connection((found[1], int(found[2]))) as wire:
            yield wire
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def test_tokens_and_text(tmp_path):
    config = ModelConfig(hidden=16, embedding=8, vocab_size=20, head_levels=(0, 1, 2, 3), cell_max=15)
    model = random_model(config, seed=2)
    program = compiled(model, tmp_path, options=["-DTRINE_WINDOW=4"], sanitized=False)
    tokens, golden = np.random.default_rng(1).integers(0, 20, 40), Golden(model)
    with served(model, tmp_path, 2e-4) as wire:
        found = program.run_on(
            wire,
            ("open", 1),
            ("step", 2 | 8 | 16, 40, tokens),
            "reset",
            ("generate", 64, 1, 5, 100, 2, [3, 4]),
            "counters",
        )
    found.ok()
    trace = golden.run(tokens)
    assert trace.logits is not None
    for t in range(len(tokens)):
        found.ok()
        np.testing.assert_array_equal(found.take(16), trace.u[t])
        np.testing.assert_array_equal(found.take(20), trace.logits[t])
        assert found.one() == trace.logits[t].argmax()
    found.ok()
    found.ok()
    np.testing.assert_array_equal(found.take(100), golden.generate([3, 4], 100, model.head_scale or 0, 5))
    found.ok()
    assert found.one() == 40 + 101


@pytest.mark.parametrize("reduction", ["last", "sum"])
def test_classes(tmp_path, reduction):
    model = task_model("classify", reduction=reduction)
    program = compiled(model, tmp_path, sanitized=False)
    given = [x.astype(np.float32) for x in features(np.random.default_rng(3), [20, 1, 45])]
    expected = run_sequences(model, given)
    assert expected.classes is not None and expected.logits is not None
    with served(model, tmp_path, 2e-4) as wire:
        found = program.run_on(wire, ("open", 1), *(("window", len(x), x, 1) for x in given))
    found.ok()
    for number in range(len(given)):
        found.ok()
        assert found.one() == expected.classes[number]
        np.testing.assert_array_equal(found.take(3), expected.logits[number])
    found.end()
