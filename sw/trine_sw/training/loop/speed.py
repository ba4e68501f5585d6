"""``trine speed``: the time of a training step, of the ternary model and of its float baseline."""

import platform
import statistics
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text
from trine_sw.training.loop.distributed import training_device
from trine_sw.training.loop.objective import Objective
from trine_sw.training.loop.optimizer import new_optimizer, set_rate
from trine_sw.training.loop.update import WARM, Carried, Update
from trine_sw.training.models.roles import new_model
from trine_sw.training.nn.recurrence import Numerics
from trine_sw.training.nn.sampled_softmax import new_sampler
from trine_sw.training.recipes import Recipe

__all__ = ["StepTimes", "step_times", "step_times_path", "write_step_times"]

_WARM = WARM + 1  # steps of each before the first that counts: the last may be captured


@dataclass(frozen=True)
class StepTimes:
    """Milliseconds of a training step: forward, backward, clipping and update; medians, and the least.

    ``ratio`` is the median over pairs of one ternary step and the float step right before it, so that another
    program's load falls on both.
    """

    recipe: str
    steps: int
    tokens: int
    ternary_ms: float
    float_ms: float
    ternary_least_ms: float
    float_least_ms: float
    ratio: float
    device: str
    threads: int
    numerics: str
    torch: str
    machine: str


def step_times(chosen: Recipe, steps: int, threads: int = 1, device: str | None = None) -> StepTimes:
    """Time steps of a recipe's ternary model and of ``nn.LSTM`` or ``nn.GRU`` with the same head, in turn.

    Both train on random tokens with the recipe's batch and length, as ``trine train`` would.
    """
    if steps < 1:
        raise TrineError(f"the steps must be at least 1, not {steps}")
    torch.set_num_threads(threads)
    where = training_device(device)
    numerics = Numerics.fastest(where)
    schedule = chosen.schedule
    torch.manual_seed(0)
    size = (schedule.steps, schedule.batch)
    tokens = torch.randint(0, chosen.config.vocab_size, size, device=where)
    updates: dict[str, tuple[Update, Carried]] = {}
    alone = _without_others(chosen)
    for role in ("float", "ternary"):
        model = new_model(alone, role, {}).to(where)
        model.compute_by(numerics)
        if schedule.sampled:  # which words are drawn does not change the time
            counts = torch.ones(chosen.config.vocab_size)
            sampler = new_sampler(counts, schedule.sampled, schedule.stratified, tokens.numel())
            model.sampler = sampler.to(where)
        optimizer = new_optimizer(model, schedule)
        set_rate(optimizer, schedule.learning_rate)
        objective = Objective(model, None, 0.0, 0.0)
        update = Update(objective, model, None, optimizer, schedule.clip, captured=where.type == "cuda")
        updates[role] = update, Carried(model.initial_state(schedule.batch), ())
    times: dict[str, list[float]] = {role: [] for role in updates}
    for number in range(_WARM + steps):
        for role, (update, carried) in updates.items():
            start = time.perf_counter()
            update(tokens, tokens, carried)
            if where.type == "cuda":
                torch.cuda.synchronize(where)
            if number >= _WARM:
                times[role].append(1e3 * (time.perf_counter() - start))
    ratios = [a / b for a, b in zip(times["ternary"], times["float"], strict=True)]
    return StepTimes(
        recipe=chosen.name,
        steps=steps,
        tokens=tokens.numel(),
        ternary_ms=round(statistics.median(times["ternary"]), 2),
        float_ms=round(statistics.median(times["float"]), 2),
        ternary_least_ms=round(min(times["ternary"]), 2),
        float_least_ms=round(min(times["float"]), 2),
        ratio=round(statistics.median(ratios), 3),
        device=torch.cuda.get_device_name(where) if where.type == "cuda" else "cpu",
        threads=threads,
        numerics=str(numerics),
        torch=torch.__version__,
        machine=platform.machine(),
    )


def step_times_path(results: Path, recipe: str, device: str) -> Path:
    """Where :func:`write_step_times` records the times of a recipe on ``"cpu"`` or ``"cuda"``."""
    return results / f"speed.{recipe}.{device}.json"


def write_step_times(times: StepTimes, results: Path) -> Path:
    """Record the times for the report; where they are."""
    path = step_times_path(results, times.recipe, "cpu" if times.device == "cpu" else "cuda")
    with atomic_write(path) as file:
        file.write((json_text(asdict(times), indent=1) + "\n").encode())
    return path


def _without_others(chosen: Recipe) -> Recipe:
    """The recipe without what needs another trained model: it is the step that counts."""
    return replace(
        chosen,
        schedule=replace(chosen.schedule, replaced=0.0, written=0.0),
        baseline=replace(chosen.baseline, replaced=0.0, written=0.0),
        warm_start=False,
        distil=0.0,
        quantisers=None,
        teacher=None,
        baseline_distil=0.0,
        mapped_head=0.0,
        head_from_teacher=False,
        needs_start=False,
    )
