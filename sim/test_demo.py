"""The demonstration, on a small model: its text comes over a simulated board's UART, and is checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trine import demo
from trine_sw.golden import Golden
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError


@pytest.fixture
def small(tmp_path: Path) -> Model:
    """A model that knows the prompt's symbols, where the demonstration looks for its own."""
    symbols = sorted(set("ROMEO:\n to be"))
    config = ModelConfig(hidden=10, embedding=6, vocab_size=len(symbols), cell_max=7)
    model = replace(random_model(config, seed=3), vocabulary=symbols)
    (tmp_path / "models").mkdir()
    model.save(tmp_path / "models" / "shakespeare.trine")
    return model


def test_demo(small: Model, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    demo.run_demo(tmp_path, 30, 0.6, 1)
    shown = capsys.readouterr().out
    prompt = small.encode("ROMEO:\n")
    text = small.decode(Golden(small).generate(prompt, 30, 0.6, 1))
    assert "ROMEO:\n" + text in shown and "reading it again" in shown
    # The test of the checks: a golden model of other weights is found out.
    other = replace(random_model(small.config, seed=4), vocabulary=small.vocabulary)
    monkeypatch.setattr(demo, "Golden", lambda model: Golden(other))
    with pytest.raises(TrineError, match=r"choice of token \d+ is"):
        demo.run_demo(tmp_path, 30, 0.6, 1)
