"""Figures of groups that a recipe was not trained on: who is trained on, who is measured, and their mean."""

import numpy as np
import pytest
from rich.console import Console

pytest.importorskip("torch")

from sim.measure.left_out_groups import groups_of, left_out, measure  # noqa: E402
from tests.helpers.sequence_files import write_archive  # noqa: E402
from tests.helpers.toy_sequences import toy_recipe  # noqa: E402
from trine_sw.data.loading import load_splits  # noqa: E402
from trine_sw.data.source import HeldOut, SequenceSource  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402

GROUPS = ("ann", "bob", "eve")


@pytest.fixture
def recipe(tmp_path):
    """Of three speakers, of whom the last says everything the other way round."""
    rng, x, y, groups = np.random.default_rng(0), [], [], []
    for number in range(120):
        group = GROUPS[number % 3]
        sign = (1 if number % 2 else -1) * (-1 if group == "eve" else 1)
        x.append((rng.standard_normal((6, 2)) + 3 * sign).astype(np.float32))
        y.append(["no", "yes"][number % 2])
        groups.append(group)
    path = write_archive(tmp_path / "spoken.npz", x, y, groups=groups)
    return toy_recipe(
        path, "classify", data=SequenceSource(path=str(path), valid=HeldOut(share=0.2)), seeds=(3, 4)
    )


def test_a_group_is_measured_by_models_of_the_others(recipe):
    assert groups_of(recipe) == list(GROUPS)
    without = left_out(recipe, "bob")
    splits = load_splits(without.data, without.task)
    assert splits.keys() == {"train", "test"} and without.seeds == (3,)
    assert set(splits["train"].groups) == {"ann", "eve"} and set(splits["test"].groups) == {"bob"}


def test_figures_of_each_group_and_their_mean(recipe, tmp_path):
    found = measure(recipe, tmp_path / "runs", Console(quiet=True))
    rows = {group: row["ternary"]["accuracy"] for group, row in found["groups"].items()}
    assert list(rows) == list(GROUPS) and rows["eve"] < 0.2  # the others say the opposite
    assert found["mean"]["ternary"]["accuracy"] == pytest.approx(np.mean(list(rows.values())))
    assert found["mean"].keys() == {"float", "ternary"}
    # What is finished is taken from its checkpoints.
    assert measure(recipe, tmp_path / "runs", Console(quiet=True))["groups"] == found["groups"]


def test_a_recipe_without_groups_is_refused(recipe, tmp_path):
    alone = write_archive(tmp_path / "alone.npz", [np.ones((2, 2), np.float32)] * 4, [0, 1, 0, 1])
    with pytest.raises(TrineError, match="groups"):
        groups_of(toy_recipe(alone, "classify", data=SequenceSource(path=str(alone))))
