"""Components with a fault: a proof that holds of them too proves nothing."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

from amaranth.lib import wiring

__all__ = ["broken"]


def broken(
    component: type[wiring.Component], right: str, wrong: str, part: types.ModuleType | None = None
) -> Any:
    """The component's class, made from its source with ``wrong`` in place of ``right``.

    Parameters
    ----------
    part : the module that the fault is in, where it is not the component's own but one that this imports from

    Raises
    ------
    ValueError
        Where ``right`` does not stand exactly once in the module.
    """
    module = sys.modules[component.__module__]
    if part is None:
        return getattr(_changed(module, right, wrong), component.__name__)
    faulty, again = _changed(part, right, wrong), _changed(module, "", "")
    vars(again).update({name: getattr(faulty, name) for name in part.__all__})
    return getattr(again, component.__name__)


def _changed(module: types.ModuleType, right: str, wrong: str) -> types.ModuleType:
    source = inspect.getsource(module)
    if right:
        if source.count(right) != 1:
            raise ValueError(f"{right!r} stands {source.count(right)} times in {module.__name__}, not once")
        source = source.replace(right, wrong)
    changed = types.ModuleType(f"{module.__name__}_broken")
    sys.modules[changed.__name__] = changed  # where a class looks for what its annotations name
    exec(compile(source, f"{module.__file__} (broken)", "exec"), vars(changed))
    return changed
