"""What a checkpoint holds of a ``training.loop.run.Run``, and a run that takes it up."""

from typing import Any

import torch

from trine_sw.support.errors import TrineError
from trine_sw.training.loop.checkpoint import (
    check_figures,
    check_like,
    check_optimizer,
    random_states,
    set_random_states,
)
from trine_sw.training.loop.update import Carried
from trine_sw.training.models.language_model import State

__all__ = ["RUN_NAMES", "run_content", "take_up_run"]

#: What is as it is in the run, beside its model, its optimizer, and what belongs to a process.
_CARRIED = ("epoch", "update", "loss_sum", "seconds", "log")
#: What belongs to the first process alone; that of others is under ``"others"``.
_OF_A_PROCESS = ("state", "teacher_state", "random")

RUN_NAMES = ("model", "optimizer", "best", *_CARRIED, *_OF_A_PROCESS)
"""What every checkpoint of a run has."""


def run_content(run: Any) -> dict[str, Any]:
    """All that the rest of a run depends on, of all processes, which must all call this."""
    first, *others = run.ranks.gathered(_of_this_process(run))
    content = {name: getattr(run, name) for name in _CARRIED} | first
    content |= {
        "recipe": run.recipe.fingerprint(run.role),
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "best": run.best,
        "others": others,
    }
    content |= {"average": run.average.state()} if run.schedule.average else {}
    content |= {"taught_by": run.taught_by} if run.taught_by else {}
    content |= {"start": run.started_from} if run.started_from is not None else {}
    return content


def take_up_run(run: Any, content: dict[str, Any]) -> None:
    """Make a run what a checkpoint holds, once that was looked at; ``ValueError`` where it does not fit.

    Raises :class:`TrineError` where it is of another number of processes, other teachers or another start.
    """
    others = content.get("others", [])
    if not isinstance(others, list):
        raise ValueError("others must be a list")
    processes = [content, *others]
    # A finished run is only read, which any number of processes can.
    done = content["epoch"] == run.schedule.epochs
    if len(processes) != run.ranks.size and not done:
        raise TrineError(
            f"{run.path} is of {len(processes)} processes, and there are {run.ranks.size}; "
            "go on with as many, or remove it to train anew"
        )
    if content.get("taught_by", []) != run.taught_by:
        raise TrineError(
            f"{run.path} learned from other teachers; go on with the same --teacher, or remove it to "
            "train anew"
        )
    start = content.get("start")
    if done and run.started_from is None:  # what is only read needs none
        run.started_from = start
    if start != run.started_from:
        raise TrineError(
            f"{run.path} has begun with another --start; go on with the same, or remove it to train anew"
        )
    check_figures(content, run.schedule.epochs, run.updates)
    check_like("model", content["model"], run.model.state_dict())
    if content["epoch"]:
        check_like("best.model", content["best"]["model"], run.model.state_dict())
    own = processes[run.ranks.rank] if not done else {}
    if not done:
        check_like("state", tuple(own["state"]), run.carried.model)
        check_like("teacher_state", tuple(own["teacher_state"]), run.carried.teacher)
        check_like("history", tuple(own.get("history", ())), run.carried.history)
        check_like("random", own["random"], torch.get_rng_state())
    run.optimizer.load_state_dict(content["optimizer"])
    check_optimizer(run.optimizer)
    run.model.load_state_dict(content["model"])
    run.average.take_up(content.get("average"))
    for name in (*_CARRIED, "best"):
        setattr(run, name, content[name])
    if not done:
        states = (own["state"], own["teacher_state"], own.get("history", ()))
        run.carried = Carried(*(_moved(each, run.device) for each in states))
        set_random_states(own, run.device)


def _of_this_process(run: Any) -> dict[str, Any]:
    here = torch.device("cpu")
    history = {"history": _moved(run.carried.history, here)} if run.carried.history else {}
    return {
        "state": _moved(run.carried.model, here),
        "teacher_state": _moved(run.carried.teacher, here),
        **history,
        **random_states(run.device),
    }


def _moved(state: State, device: torch.device) -> State:
    return tuple(part.to(device) for part in state)
