"""Several processes that train one model: what is equal between them, and to one process alone."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.helpers.paths import ROOT
from trine_sw.data.evaluation import evaluate
from trine_sw.model import Model, ModelConfig
from trine_sw.training.recipes import Recipe, Schedule

torch = pytest.importorskip("torch")

from trine_sw.support.errors import TrineError  # noqa: E402
from trine_sw.training.loop.distributed import Ranks, training_device  # noqa: E402
from trine_sw.training.loop.run import Run  # noqa: E402

#: What both begin with.
HEAD = """
import sys, torch
sys.path.insert(0, {root!r})
from tests.conftest import SEA
from pathlib import Path
from trine_sw.data import text as data
from trine_sw.data import DataSet, Part, TextFile
from trine_sw.support.errors import TrineError
from trine_sw.training.loop.distributed import Ranks, training_device
from trine_sw.training.loop.run import Run
import hashlib, os, signal
from tests.sw.test_distributed import recipe_of
file = TextFile("sea/input.txt", "https://example.org/sea", hashlib.sha256(SEA.encode()).hexdigest())
data.DATA_SETS["sea"] = DataSet({{"train": Part(file, 0, 90), "valid": Part(file, 90)}})
torch.set_num_threads(1)
"""
#: Trains 5 updates by SGD, is interrupted, goes on from the checkpoint to the end of the epoch, and leaves
#: each process's parameters after 2 updates and at the end.
WORKER = """
device = training_device("cpu")
with Ranks.joined(device) as ranks:
    assert ranks.size == 2
    def parameters(run, name):
        torch.save([p.detach().clone() for p in run.model.parameters()], f"{{name}}-{{ranks.rank}}.pt")
    def new_run():
        return Run(recipe_of(SEA), "ternary", Path("run.pt"), device=device, ranks=ranks)
    run = new_run()
    original = run._step
    def step(inputs, targets):
        assert inputs.shape == (8, 4)
        if run.update == 2:
            parameters(run, "early")
        if run.update == 5 and ranks.rank == 1:  # one process alone sees the signal; both must stop
            os.kill(os.getpid(), signal.SIGINT)
        return original(inputs, targets)
    run._step = step
    try:
        run.fit()
        raise SystemExit("was not interrupted")
    except TrineError as error:
        assert "go on with --resume" in str(error), error
    cut = new_run()
    cut.resume()
    assert cut.update == 6, cut.update
    cut.fit()
    parameters(cut, "cut")
    whole = Run(recipe_of(SEA), "ternary", Path("whole.pt"), device=device, ranks=ranks)
    whole.fit()
    parameters(whole, "whole")
    ready = {{"ternary": whole.best_model()}}
    head = Run(recipe_of(SEA), "head", Path("head.pt"), ready=ready, device=device, ranks=ranks)
    head.fit()  # begins with rounded rows, of the first process alone
    parameters(head, "head")
print(f"rank {{ranks.rank}} done")
"""
#: The whole of ``train``, in processes of its own: a second process group on one store may never meet.
TRAINER = """
from trine_sw.training.recipes import RECIPES
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.train import train
Numerics.fastest = lambda device: Numerics()
RECIPES["shared"] = recipe_of(SEA)
model = train("shared", device="cpu")
rank = int(os.environ["RANK"])
assert (model is None) == (rank == 1)
print(f"rank {{rank}} done")
"""


def recipe_of(text):
    """Without dropout, so that several processes and one compute the same, and by SGD, which keeps sizes."""
    config = ModelConfig(hidden=10, embedding=6, vocab_size=len(set(text)), head_levels=(0, 1, 2))
    schedule = Schedule(
        epochs=1, batch=8, steps=8, warmup=1, dropout=0.0, optimizer="sgd", learning_rate=0.5, decay="plateau"
    )
    return Recipe(
        name="shared",
        dataset="sea",
        config=config,
        schedule=schedule,
        baseline=schedule,
        head="float",
        ternary_head=replace(schedule, learning_rate=1e-3),
        rounded_rows=5,
    )


@pytest.mark.nightly
def test_two_processes(sea, tmp_path):
    """All parameters are equal on both ranks, and, resumed, to those of a run that was never interrupted.

    One process with all streams computes the same updates, but for the order in which float32 sums of
    gradients are made.
    """
    paths = [str(ROOT / name) for name in ("sw", "hw", "boards")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    told = ""
    for part in (WORKER, TRAINER):
        (tmp_path / "worker.py").write_text((HEAD + part).format(root=str(ROOT)), encoding="utf-8")
        ended = subprocess.run(
            [*command, "worker.py"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert ended.returncode == 0, ended.stderr
        assert "rank 0 done" in ended.stdout and "rank 1 done" in ended.stdout
        told += ended.stdout
    assert told.count("epoch 1:") == 6  # of six runs, by the first process alone
    record = json.loads((tmp_path / "shared-training.json").read_text(encoding="utf-8"))
    model = Model.load(tmp_path / "shared.trine")
    assert record["ternary"]["valid_nats"] == evaluate(model, "sea", "valid")["nats_per_token"]
    kept = {
        (name, rank): torch.load(tmp_path / f"{name}-{rank}.pt")
        for name in ("early", "cut", "whole", "head")
        for rank in (0, 1)
    }
    for pair in (
        (("early", 0), ("early", 1)),
        (("whole", 0), ("whole", 1)),
        (("head", 0), ("head", 1)),
        (("cut", 0), ("whole", 0)),
        (("cut", 1), ("whole", 1)),
    ):
        for ours, theirs in zip(*(kept[name] for name in pair), strict=True):
            assert torch.equal(ours, theirs), pair
    alone = Run(recipe_of(sea), "ternary", tmp_path / "alone.pt")
    inputs, targets = alone.epoch_tokens()
    before = [parameter.detach().clone() for parameter in alone.model.parameters()]
    for update in range(2):
        alone._step(inputs[8 * update : 8 * update + 8], targets[8 * update : 8 * update + 8])
        alone.update += 1
    for ours, theirs, start in zip(alone.model.parameters(), kept["early", 0], before, strict=True):
        torch.testing.assert_close(ours.detach(), theirs, rtol=1e-5, atol=1e-6)
        assert not torch.equal(ours, start)

    run = Run(recipe_of(sea), "ternary", tmp_path / "whole.pt")
    run.resume()  # finished, so that any number of processes may read it
    assert run.finished
    content = torch.load(tmp_path / "whole.pt", weights_only=True) | {"epoch": 0}
    torch.save(content, tmp_path / "run.pt")
    with pytest.raises(TrineError, match="is of 2 processes, and there are 1; go on with as many"):
        Run(recipe_of(sea), "ternary", tmp_path / "run.pt").resume()


def test_streams_must_be_shared_evenly(sea, tmp_path):
    recipe = recipe_of(sea)
    recipe = replace(recipe, schedule=replace(recipe.schedule, batch=9))
    with pytest.raises(TrineError, match="2 processes cannot share 9 streams"):
        Run(recipe, "ternary", tmp_path / "run.pt", ranks=Ranks(0, 2))


def test_devices():
    assert training_device("cpu").type == "cpu"
    if torch.cuda.is_available():
        assert training_device().type == "cuda"
        return
    assert training_device().type == "cpu"
    with pytest.raises(TrineError, match="no CUDA device"):
        training_device("cuda")
    with pytest.raises(TrineError, match="cpu or cuda, not 'tpu'"):
        training_device("tpu")
