"""Recipes with teachers: all roles trained, teachers' files, and keys that exclude each other."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.helpers.paths import ROOT  # noqa: E402
from tests.helpers.small_recipe import SCHEDULE  # noqa: E402
from tests.helpers.taught_recipe import LEARNING, TEACHING, taught_recipe, untrained  # noqa: E402
from trine_sw.data.evaluation import evaluate  # noqa: E402
from trine_sw.model import Model  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402
from trine_sw.training.loop.speed import _without_others  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.recipes import RECIPES, TextTeacher, parse_recipe, recipe_text  # noqa: E402
from trine_sw.training.train import train  # noqa: E402


@pytest.fixture
def taught(sea, monkeypatch):
    return taught_recipe(sea, monkeypatch)


def test_the_baseline_may_be_the_teacher(taught, tmp_path, monkeypatch):
    """Student and head learn from it and from n-grams; no other float model is trained."""
    recipe = replace(
        taught,
        teacher=TextTeacher(baseline=True, ngram=0.25, ngram_order=3),
        baseline=replace(LEARNING, epochs=1, replaced=0.0),
        schedule=replace(LEARNING, epochs=1),
        baseline_distil=0.0,
        warm_start=False,
        mapped_head=0.0,
    )
    assert recipe.roles == ("float", "ternary", "head")
    assert recipe.learns_from("ternary") == recipe.learns_from("head") == ("float",)
    assert parse_recipe(recipe_text(recipe), "again") == recipe
    run = Run(recipe, "ternary", tmp_path / "run.pt", ready=untrained(recipe))
    assert run.teachers is not None and run.teachers.ngram_share == 0.25
    assert [type(model) for model in run.teachers.models] == [FloatLanguageModel]
    monkeypatch.setitem(RECIPES, "tiny", recipe)
    strict = replace(recipe, name="strict", teacher=replace(recipe.teacher, require_validation=1.5))
    monkeypatch.setitem(RECIPES, "strict", strict)
    with pytest.raises(
        TrineError, match=r"the float of strict has a validation perplexity of .*--any-teacher"
    ):
        train("strict")
    model = train("tiny")
    assert model is not None and {"float", "ternary", "ternary_head"} < set(model.training)
    assert not {"teacher", "teacher_files"} & set(model.training)
    other = replace(recipe, name="other", teacher=TextTeacher(schedule=TEACHING))
    monkeypatch.setitem(RECIPES, "other", other)
    again = train("other", teachers=["runs/tiny/float.safetensors"], roles=["ternary"])
    assert again is not None and len(again.training["teacher_files"]) == 1
    monkeypatch.setitem(RECIPES, "third", replace(recipe, name="third"))
    third = train("third", teachers=["runs/tiny/float.safetensors"])  # which is the baseline, too
    assert third is not None and third.training["teacher_files"] == again.training["teacher_files"]
    assert {"ternary", "ternary_head"} < set(third.training) and "float" not in third.training
    with pytest.raises(TrineError, match="has 1 teacher, and --teacher is given 2 times"):
        train("third", teachers=["runs/tiny/float.safetensors"] * 2, resume=True)
    with pytest.raises(TrineError, match="leave out baseline_distil"):
        replace(recipe, baseline_distil=0.5)
    with pytest.raises(TrineError, match=r"leave out \[teacher.schedule\]"):
        TextTeacher(baseline=True, schedule=TEACHING)
    with pytest.raises(TrineError, match="or baseline = true"):
        TextTeacher(hidden=8)


@pytest.mark.nightly
def test_all_of_a_taught_recipe_is_trained_recorded_and_taken_up(taught, monkeypatch):
    """Teachers first; their files teach another run; the head may be finished with its cell."""
    taught = replace(taught, schedule=replace(LEARNING, epochs=1), baseline=replace(LEARNING, epochs=1))
    monkeypatch.setitem(RECIPES, "tiny", taught)
    assert taught.roles == ("teacher", "teacher-2", "float", "ternary", "head")
    model = train("tiny")
    assert model is not None and model.heads == ("float", "ternary")
    record = model.training
    assert json.loads(json.dumps(record["recipe"])) == json.loads(json.dumps(asdict(taught)))
    for name in ("teacher", "teacher-2", "float", "ternary", "ternary_head"):
        assert record[name]["valid_nats"] < math.log(taught.config.vocab_size), name
    assert record["teacher"]["valid_nats"] != record["teacher-2"]["valid_nats"]
    files = [f"runs/tiny/{name}.safetensors" for name in ("teacher", "teacher-2")]
    assert all(Path(file).exists() for file in files)

    finished = replace(taught, name="again", finish_cell=True, keep_float_head=False)
    monkeypatch.setitem(RECIPES, "again", finished)
    other = train("again", teachers=files)
    assert other is not None and other.heads == ("ternary",)
    assert not Path("runs/again/teacher.pt").exists() and len(other.training["teacher_files"]) == 2
    head = evaluate(Model.load("again.trine"), "sea", "valid", head_kind="ternary")["nats_per_token"]
    assert other.training["ternary_head"]["valid_nats"] == head
    # Float16 teachers are nearly the ones above.
    assert other.training["float"]["valid_nats"] == pytest.approx(record["float"]["valid_nats"], abs=0.05)
    assert not np.array_equal(other.layers[0].threshold, model.layers[0].threshold)
    with pytest.raises(TrineError, match="learned from other teachers"):
        train("again", teachers=files[::-1], resume=True)
    with pytest.raises(TrineError, match="is given twice"):
        train("again", teachers=files[:1] * 2, resume=True)


@pytest.mark.nightly
def test_a_bad_teacher_is_refused(taught, monkeypatch, tmp_path):
    strict = replace(taught, teacher=replace(taught.teacher, require_validation=1.5), ternary_head=None)
    strict = replace(strict, head_from_teacher=False, schedule=LEARNING)
    monkeypatch.setitem(RECIPES, "tiny", strict)
    assert strict.fingerprint("ternary") == replace(taught, schedule=LEARNING).fingerprint("ternary")
    with pytest.raises(TrineError, match="validation perplexity of .*require_validation is 1.5: train it"):
        train("tiny")
    assert Path("runs/tiny/teacher-2.safetensors").exists() and not Path("runs/tiny/float.pt").exists()
    assert train("tiny", roles=["teacher"], resume=True) is None
    assert train("tiny", resume=True, any_teacher=True) is not None


def test_files_that_are_no_teachers(taught, tmp_path):
    assert train("tiny", roles=["teacher"]) is None
    whole = Path("runs/tiny/teacher.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-5])
    says = b'\\"valid_nats\\": '
    assert says + b"2" in whole
    (tmp_path / "other.safetensors").write_bytes(whole.replace(says + b"2", says + b"3"))
    (tmp_path / "none.safetensors").write_bytes((ROOT / "models/basic-motions.trine").read_bytes())
    for name, saying in (
        ("cut", "is no teacher: not a whole safetensors file"),
        ("other", "nats on the validation text, and has"),
        ("none", "is no teacher: it has no trine-teacher/1 in it"),
        ("gone", "cannot read"),
    ):
        with pytest.raises(TrineError, match=saying):
            train("tiny", teachers=[tmp_path / f"{name}.safetensors"], resume=True)
    with pytest.raises(TrineError, match="has 2 teachers, and --teacher is given 3 times"):
        train("tiny", teachers=["a", "b", "c"], resume=True)
    for role in taught.teachers:  # one is in the file, and with one file there is no other
        with pytest.raises(TrineError, match=f"so that no {role} is trained: leave out --teacher"):
            train("tiny", teachers=["runs/tiny/teacher.safetensors"], roles=[role], resume=True)
    with pytest.raises(TrineError, match=r"has no \[teacher\]"):
        train("shakespeare-small", teachers=["a"])


def test_a_teacher_is_of_the_text_and_of_any_student(taught):
    other = replace(taught, config=replace(taught.config, cell="gru"), distil=0.3, activity_cost=1.0)
    for role in taught.teachers:
        assert other.fingerprint(role) == taught.fingerprint(role)
    assert taught.fingerprint("teacher") != taught.fingerprint("teacher-2")
    assert other.fingerprint("float") != taught.fingerprint("float")
    assert parse_recipe(recipe_text(RECIPES["ptb-lstm-300-taught"]), "x") == RECIPES["ptb-lstm-300-taught"]


@pytest.mark.parametrize(
    "changes, saying",
    [
        ({"teacher_hidden": 9}, r"\[teacher\] says all of the teacher"),
        (
            {"distil": 0.0, "baseline_distil": 0.0, "head_from_teacher": False},
            "nothing learns from the teacher",
        ),
        ({"teacher": None}, r"baseline_distil needs a \[teacher\]"),
        ({"warm_start": False}, "mapped_head needs warm_start"),
        ({"finish_cell": True}, "finish_cell needs"),
        (
            {"schedule": replace(LEARNING, recurrent_dropout=0.1)},
            "recurrent_dropout is of float models alone",
        ),
        ({"schedule": replace(LEARNING, average=1)}, "exclude each other"),
        ({"distil": 0.0}, "schedule.replaced needs a teacher"),
        ({"baseline_distil": 0.0}, "baseline.replaced needs a teacher"),
    ],
)
def test_keys_that_do_not_go_together(taught, changes, saying):
    with pytest.raises(TrineError, match=saying):
        replace(taught, **changes)
    for wrong in (
        {"seeds": ()},
        {"seeds": (1, 1)},
        {"ngram": 2.0},
        {"require_validation": 0.5},
        {"layers": 0},
    ):
        with pytest.raises(TrineError):
            replace(taught.teacher, **wrong)
    with pytest.raises(TrineError, match="sampled must be above stratified"):
        replace(SCHEDULE, sampled=200, stratified=100)


@pytest.mark.parametrize(
    "name", ["ptb-lstm-300-taught", "ptb-lstm-300-tuned", "ptb-lstm-300-dense", "ptb-gru-300-taught"]
)
def test_steps_are_timed_without_what_teaches(name):
    alone = _without_others(RECIPES[name])
    assert alone.needs("ternary") == alone.needs("float") == () and alone.teachers == ()
