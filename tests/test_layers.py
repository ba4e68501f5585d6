"""Imports point downward: no package, subpackage or module imports one above it, and none form a circle.

Every import counts: also those inside functions and those for type checkers.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

#: The packages, lowest first, and the folder that each lies in.
PACKAGES = {"trine_sw": "sw", "trine_hw": "hw", "trine_boards": "boards", "trine": "sw"}
#: Parts of a package, lowest first. A part imports only parts of lower rank; parts of one line share a rank.
ORDER = {
    "trine_sw": (
        "support",
        "cluster",
        "model",
        "golden",
        "engine",
        "link",
        "fit data",
        "driver client",
        "training",
        "studies",
    ),
    "trine_hw": ("primitives", "core", "link", "simulation"),
    "trine_boards": (
        "pins netlist_file gowin_platform",
        "transports",
        "board_spec",
        "clock",
        "chips",
        "boards",
        "",  # trine_boards itself, the list of boards
        "top",
        "build",
        "report programming",
        "verify",
    ),
}


@functools.cache
def sources() -> Mapping[str, str]:
    """The source text of every module, by its dotted name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted((ROOT / folder / package).rglob("*.py")):
            found[_module_name(path, ROOT / folder)] = path.read_text(encoding="utf-8")
    return found


def _module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(name: str, text: str, modules: Mapping[str, str]) -> Iterator[str]:
    """The modules of this project that a module imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{name}: write the whole name of what is imported"
            each = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [whole if whole in modules else node.module for whole in each]
        else:
            continue
        for imported in found:
            if imported.split(".")[0] in PACKAGES:
                assert imported in modules, f"{name} imports {imported}, which does not exist"
                yield imported


def upward(imports_of: Mapping[str, set[str]]) -> list[str]:
    """Imports of a module by one that lies below it, or at the same rank in another part."""
    packages = list(PACKAGES)
    wrong = []
    for name, imported in sorted(imports_of.items()):
        for other in sorted(imported):
            own, its = name.split(".")[0], other.split(".")[0]
            if own == its:
                if own in ORDER and name.split(".")[1:2] != other.split(".")[1:2]:
                    if _rank(name) <= _rank(other):
                        wrong.append(f"{name} imports {other}")
            elif packages.index(own) < packages.index(its):
                wrong.append(f"{name} imports {other}")
    return wrong


def _rank(name: str) -> int:
    """Of a module within its package; the package itself, where it is no part, is below all."""
    package, _, rest = name.partition(".")
    part = rest.split(".")[0]
    for rank, line in enumerate(ORDER[package]):
        if part in (line.split() or [""]):
            return rank
    assert not part, f"{package}.{part} has no place in the order of {package}"
    return -1


def circle(imports_of: Mapping[str, set[str]]) -> list[str] | None:
    """Modules that import each other in turn, or None."""
    try:
        TopologicalSorter(imports_of).prepare()
    except CycleError as error:
        return error.args[1]
    return None


@functools.cache
def graph() -> Mapping[str, set[str]]:
    """What each module imports."""
    return {name: imported_by(name, text) for name, text in sources().items()}


def imported_by(name: str, text: str) -> set[str]:
    return set(imports(name, text, sources())) - {name}


def graph_with(name: str, line: str) -> dict[str, set[str]]:
    """The same, with a line more in one module."""
    return {**graph(), name: imported_by(name, f"{sources()[name]}\n{line}\n")}


def parts_of(imports_of: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The graph of subpackages, and of modules that lie directly in a package.

    A package's own module is left out: within ``trine`` it names the others only to type checkers.
    """
    parts: dict[str, set[str]] = {}
    for name, imported in imports_of.items():
        if "." in name:
            own = _part(name)
            others = {_part(other) for other in imported if "." in other}
            parts.setdefault(own, set()).update(others - {own})
    return parts


def _part(name: str) -> str:
    return ".".join(name.split(".")[:2])


def test_imports_point_downward():
    assert upward(graph()) == []


def test_every_part_has_a_place_in_the_order():
    for name in sources():
        if name.split(".")[0] in ORDER:
            _rank(name)
    for package, lines in ORDER.items():
        for part in " ".join(lines).split():
            folder = ROOT / PACKAGES[package] / package
            assert (folder / part).is_dir() or (folder / f"{part}.py").is_file(), f"no {package}.{part}"


def test_no_modules_and_no_subpackages_import_each_other_in_a_circle():
    assert circle(graph()) is None
    assert circle(parts_of(graph())) is None


@pytest.mark.parametrize(
    "name, line",
    [
        ("trine_sw.model.model", "from trine_hw.core.core import Core"),
        ("trine_sw.model.model", "import trine_boards"),
        ("trine_sw.golden.golden", "def f():\n    from trine_sw.engine import EngineConfig"),
        ("trine_sw.fit.solver", "from trine_sw.data import load_text"),
        ("trine_hw.link.link", "from trine_boards import BOARDS"),
        ("trine_hw.core.core", "from trine import Model"),
        ("trine_boards.clock.pll", "from trine_boards.build.bitstream import Routed"),
        ("trine_boards.board_spec", "if TYPE_CHECKING:\n    from trine_boards import BOARDS"),
    ],
)
def test_an_import_that_points_upward_is_found(name: str, line: str):
    assert len(upward(graph_with(name, line))) == 1


def test_circles_are_found():
    found = circle(graph_with("trine_sw.model.config", "from trine_sw.model.model import Model"))
    assert found is not None and {"trine_sw.model.config", "trine_sw.model.model"} <= set(found)
    between = {"trine.cli.a": {"trine.bench.b"}, "trine.bench.c": {"trine.cli.d"}}
    assert circle(between) is None and circle(parts_of(between)) is not None
