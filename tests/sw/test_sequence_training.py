"""Training on sequences: what is written, resumption to the last bit, and what stops a run."""

import csv
import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

torch = pytest.importorskip("torch")

from tests.helpers.toy_sequences import toy_archive, toy_recipe  # noqa: E402
from trine_sw.data.loading import load_splits, source_digest  # noqa: E402
from trine_sw.golden.sequences import run_sequences  # noqa: E402
from trine_sw.model import Model  # noqa: E402
from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.sequences.measure import answers_of  # noqa: E402
from trine_sw.training.sequences.recipe import Augmentation, Network, Teacher  # noqa: E402
from trine_sw.training.sequences.record import _confusions  # noqa: E402
from trine_sw.training.sequences.run import SequenceRun  # noqa: E402
from trine_sw.training.sequences.train import train_sequences  # noqa: E402

CPU = torch.device("cpu")


def new_run(recipe, path, role="ternary", **options):
    splits = load_splits(recipe.data, recipe.task)
    digest = source_digest(recipe.data)
    quiet = Console(quiet=True)
    return SequenceRun(recipe, role, 1, path, splits["train"], splits.get("valid"), digest, quiet, **options)


def trained(recipe, folder, **options):
    places = {"out": folder / "m.trine", "runs": folder / "runs", "results": folder / "results"}
    return train_sequences(recipe, console=Console(quiet=True), **places | options)


@pytest.mark.parametrize(
    "roles, teacher, saying",
    [
        (["float"], None, "with ternary among them, not float"),
        ([], None, "not none"),
        (["ternary", "teacher"], None, "roles must be of float, ternary"),
        (["ternary"], Teacher(), "learns from its float model"),
        (["ternary", "float"], Teacher(hidden=4), "learns from its teacher model"),
    ],
)
def test_roles_that_are_refused(tmp_path, roles, teacher, saying):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify", teacher=teacher)
    with pytest.raises(TrineError, match=saying):
        trained(recipe, tmp_path, roles=roles)
    assert [path.name for path in tmp_path.iterdir()] == ["toy.npz"]


@pytest.mark.parametrize("task", ["classify", "label", "regress"])
def test_a_recipe_of_each_task(tmp_path, task):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", task), task, seeds=(1, 2))
    model = trained(recipe, tmp_path)
    again = Model.load(tmp_path / "m.trine")
    assert again.digest() == model.digest() and again.task == task and again.sample is not None
    record = json.loads((tmp_path / "results/toy-training.json").read_text(encoding="utf-8"))
    assert record == again.training and record["seeds"].keys() == {"1", "2"}
    test = load_splits(recipe.data, task)["test"]
    outputs = run_sequences(again, test.x)
    figures = record["seeds"][str(record["model_of_seed"])]["ternary"]["test"]
    mean = record["over_seeds"]["ternary"]["test"]
    if task == "regress":
        assert outputs.values is not None
        assert figures["mae"] == pytest.approx(np.abs(outputs.values - test.y).mean())
        assert mean["r2"]["mean"] > 0.5
    else:
        found, wanted = outputs.classes, test.y
        if task == "label":
            found, wanted = np.concatenate(found), np.concatenate(wanted)
        assert figures["accuracy"] == pytest.approx(np.mean(found == wanted))
        assert mean["accuracy"]["mean"] > 0.8 and mean["accuracy"]["spread"] is not None
        assert np.sum(record["confusions"]["counts"]) == len(wanted)
        assert (tmp_path / "results/toy-confusions.svg").exists()
    with (tmp_path / "results/toy-training.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * recipe.schedule.epochs
    assert {row["role"] for row in rows} == {"float", "ternary"}


@pytest.mark.parametrize("cell", ["lstm", "gru", "mgu"])
@pytest.mark.parametrize("reduction", ["last", "sum"])
def test_a_trained_network_equals_golden(tmp_path, cell, reduction):
    network = Network(cell=cell, hidden=7, layers=2, cell_shift=2, output_shift=1, reduction=reduction)
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify", network=network)
    recipe = replace(
        recipe, encoder=replace(recipe.encoder, differences=True, learned=True), teacher=Teacher(hidden=9)
    )
    model = trained(recipe, tmp_path)
    run = new_run(recipe, tmp_path / "runs/toy/seed-1/ternary.pt", ready={"teacher": torch.nn.Identity()})
    run.resume()
    test = load_splits(recipe.data, "classify")["test"]
    found = answers_of(run.best_network(), test, CPU)
    assert np.array_equal(found, run_sequences(model, test.x).classes)


def interrupt(run, at):
    original, made = run._step, 0

    def step(batch):
        nonlocal made
        made += 1
        if made == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(batch)

    run._step = step
    with pytest.raises(TrineError, match="interrupted"):
        run.fit()


@pytest.mark.parametrize("role", ["float", "ternary"])
def test_an_interrupted_run_goes_on_to_the_last_bit(tmp_path, role):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify")
    recipe = replace(
        recipe,
        augmentation=Augmentation(noise=0.2, stretch=0.2, shift=1),
        schedule=replace(recipe.schedule, dropout=0.2, head_dropout=0.1),
    )
    whole = new_run(recipe, tmp_path / "whole.pt", role)
    whole.fit()
    for at in (1, whole.updates, whole.updates + 2):
        path = tmp_path / f"{at}.pt"
        interrupt(new_run(recipe, path, role), at)
        resumed = new_run(recipe, path, role)
        torch.manual_seed(99)
        resumed.resume()
        resumed.fit()
        for name, tensor in whole.network.state_dict().items():
            assert torch.equal(tensor, resumed.network.state_dict()[name]), name
        assert [row | {"seconds": 0} for row in whole.log] == [row | {"seconds": 0} for row in resumed.log]


def test_training_stops_early(tmp_path):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify")
    recipe = replace(recipe, schedule=replace(recipe.schedule, epochs=60, patience=2, learning_rate=1e-9))
    run = new_run(recipe, tmp_path / "run.pt")
    run.fit()
    assert run.finished and run.epoch < 60 and run.epoch == run.best["epoch"] + 2
    resumed = new_run(recipe, tmp_path / "run.pt")
    resumed.resume()
    assert resumed.finished


def test_without_validation_the_last_epoch_counts(tmp_path):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify")
    recipe = replace(recipe, data=replace(recipe.data, valid=None, test=None))
    model = trained(recipe, tmp_path)
    assert model.training["seeds"]["1"]["ternary"]["best"]["epoch"] == recipe.schedule.epochs
    assert model.training["over_seeds"]["ternary"]["train"]["accuracy"]["mean"] > 0.8


def test_a_finished_recipe_is_not_trained_again(tmp_path, monkeypatch):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify")
    model = trained(recipe, tmp_path)
    with pytest.raises(TrineError, match="--resume"):
        trained(recipe, tmp_path)
    monkeypatch.setattr(SequenceRun, "_step", None)
    assert trained(recipe, tmp_path, resume=True).digest() == model.digest()


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify")
    new_run(recipe, tmp_path / "run.pt", "float").fit()
    toy_archive(tmp_path / "toy.npz", "classify", seed=5)
    with pytest.raises(TrineError, match="another recipe"):
        new_run(recipe, tmp_path / "run.pt", "float").resume()


def test_altered_checkpoints(tmp_path):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify")
    path = tmp_path / "run.pt"
    new_run(recipe, path, "float").fit()
    content = torch.load(path, weights_only=True)
    for name, wrong in (
        *(("epoch", value) for value in (-1, 99, "1", None)),
        *(("log", value) for value in ([], [{}], [{"train_loss": "x"}], None)),
        *(("best", value) for value in ([], {}, {"train_loss": 1.0}, {"model": {}})),
        *(("model", value) for value in ({}, {"head.weight": torch.zeros(1)}, None)),
        *(("random", value) for value in (torch.zeros(3), None)),
        *(("optimizer", value) for value in ({}, None)),
    ):
        torch.save(content | {name: wrong}, path)
        with pytest.raises(TrineError, match="is altered") as caught:
            new_run(recipe, path, "float").resume()
        assert "\n" not in str(caught.value)


def test_what_cannot_be_written_is_said_before_training(tmp_path, monkeypatch):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify")
    monkeypatch.setattr(SequenceRun, "fit", None)
    (tmp_path / "file").write_bytes(b"")
    for places in (
        {"out": tmp_path / "file/m.trine"},
        {"results": tmp_path / "file"},
        {"runs": tmp_path / "file"},
    ):
        with pytest.raises(TrineError, match="cannot write"):
            trained(recipe, tmp_path, **places)


def test_a_loss_that_is_no_number(tmp_path):
    recipe = toy_recipe(toy_archive(tmp_path / "toy.npz", "classify"), "classify")
    run = new_run(recipe, tmp_path / "run.pt", "float")
    with torch.no_grad():
        next(run.network.parameters()).fill_(float("nan"))
    with pytest.raises(TrineError, match="learning rate"):
        run.fit()


def test_one_sequence_a_class(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.array([[[0.0], [1.0]], [[1.0], [0.0]]]), y=np.array(["a", "b"]))
    recipe = toy_recipe(tmp_path / "x.npz", "classify")
    model = trained(replace(recipe, data=replace(recipe.data, valid=None, test=None)), tmp_path)
    assert model.labels == ["a", "b"]


def test_confusions_of_many_classes_are_recorded_in_few_numbers():
    counts = np.zeros((500, 500), np.int64)
    counts[3, 4], counts[7, 7] = 2, 1
    assert _confusions(counts) == {"is_taken_for_count": [[3, 4, 2], [7, 7, 1]]}
    assert _confusions(counts[:100, :100]) == {"counts": counts[:100, :100].tolist()}
