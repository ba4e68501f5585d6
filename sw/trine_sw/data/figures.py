"""Figures of what a model said of sequences: accuracy, macro F1, R2 and mean absolute error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trine_sw.data.sequences import Targets
from trine_sw.model.task import Task
from trine_sw.support.installing import needed

__all__ = ["confusion", "figures_of", "joined_classes"]


def figures_of(task: Task, y: Targets, found: Targets) -> dict[str, float]:
    """Figures of what was found for targets: classes (N,), or (T,) of each sequence; values (N, K).

    Of classes accuracy and macro F1, over the classes that are there; of values R2, the mean of its columns,
    which one sequence alone has none of, and the mean absolute error.

    >>> figures_of("classify", np.array([0, 1, 1]), np.array([0, 1, 0]))["accuracy"].__round__(3)
    0.667
    """
    with needed("sklearn", "data", "measuring a model of sequences"):
        from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score
    if task == "regress":
        r2 = {"r2": float(r2_score(y, found))} if len(y) > 1 else {}
        return r2 | {"mae": float(mean_absolute_error(y, found))}
    wanted, given = joined_classes(y), joined_classes(found)
    return {
        "accuracy": float(accuracy_score(wanted, given)),
        "macro_f1": float(f1_score(wanted, given, average="macro")),
    }


def confusion(y: Targets, found: Targets, classes: int) -> NDArray[np.integer]:
    """Counts (K, K): row, what it is; column, what it was taken for."""
    with needed("sklearn", "data", "measuring a model of sequences"):
        from sklearn.metrics import confusion_matrix
    return confusion_matrix(joined_classes(y), joined_classes(found), labels=np.arange(classes))


def joined_classes(classes: Targets) -> NDArray[Any]:
    """Classes of all steps of all sequences in turn, or of all sequences."""
    return np.concatenate(classes) if isinstance(classes, list) else classes
