"""The page of training names every key that a recipe's file may have."""

import dataclasses
import json
import re
from dataclasses import asdict

import pytest

pytest.importorskip("torch")

from tests.helpers.paths import ROOT
from trine_sw.data import OwnText
from trine_sw.data.source import Columns, FrontEnd, HeldOut, SequenceSource
from trine_sw.model import Model
from trine_sw.support.json_text import json_text
from trine_sw.training.recipes import SEQUENCE_RECIPES
from trine_sw.training.sequences.recipe import (
    Augmentation,
    EncoderOptions,
    Network,
    SequenceRecipe,
    SequenceSchedule,
    Teacher,
)

#: What is described by its first line, by the page's first paragraphs, or elsewhere.
NAMED_ELSEWHERE = {"name"}
KINDS = (
    *(OwnText, HeldOut, SequenceSource, Columns, FrontEnd),
    *(Augmentation, EncoderOptions, Network, SequenceRecipe, SequenceSchedule, Teacher),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_key_is_on_the_page(kind):
    page = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    section = page.partition("## Your own data")[2].partition("## What a run writes")[0]
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", section))))
    keys = {entry.name for entry in dataclasses.fields(kind)} - NAMED_ELSEWHERE
    assert keys <= words, keys - words


def test_accuracies_of_the_page_are_those_of_the_records():
    page = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[`([\w-]+)`\]\(results/\1-training\.json\) \| (.+) \|$", page, re.M)
    assert {name for name, _ in rows} == set(SEQUENCE_RECIPES)
    for name, rest in rows:
        record = json.loads((ROOT / f"docs/results/{name}-training.json").read_text(encoding="utf-8"))
        _, units, ternary, of_float, sequences, *_ = rest.split(" | ")
        figures = [record["over_seeds"][role]["test"]["accuracy"] for role in ("ternary", "float")]
        shown = [f"{100 * figure['mean']:.2f} ± {100 * figure['spread']:.2f}" for figure in figures]
        assert [ternary, of_float] == shown, name
        assert int(units) == record["recipe"]["network"]["hidden"]
        assert int(sequences) == record["data"]["sequences"]["test"]
        model = Model.load(ROOT / f"models/{name}.trine")
        assert model.training == record and model.config.hidden == int(units)
        # What the record is of is what the package has: a recipe that is changed needs another run.
        kept = asdict(SEQUENCE_RECIPES[name]) | {"data": None}
        assert json.loads(json_text(kept)) == record["recipe"] | {"data": None}
