"""The page of training names every key that a recipe's file may have."""

import dataclasses
import re

import pytest

pytest.importorskip("torch")

from tests.helpers.paths import ROOT
from trine_sw.data import OwnText
from trine_sw.data.source import Columns, FrontEnd, HeldOut, SequenceSource
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
