"""A cocotb test module run in a compiled simulator, in an environment that depends on nothing inherited."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from trine_hw.simulation.compilation import telling_lines
from trine_sw.support import toolchain
from trine_sw.support.environment import child_environment
from trine_sw.support.errors import TrineError
from trine_sw.support.installing import needed
from trine_sw.support.processes import run_logged

__all__ = ["TOP", "require_cocotb", "run_cocotb"]

#: Name of the module that is simulated.
TOP = "top"


def require_cocotb() -> None:
    """Raise :exc:`MissingPackage` where cocotb is not installed."""
    with needed("cocotb_tools", "tools", "a simulation, which cocotb drives,"):
        import cocotb_tools.config  # noqa: F401


def run_cocotb(
    folder: Path,
    simulator: str,
    work: Path,
    module: str,
    *,
    waves: bool = False,
    plusargs: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> tuple[int, int]:
    """Run all tests of ``module`` with the simulator in ``folder``; how many there were, how many failed.

    It works in ``work``, where its log is ``simulation.log``; cocotb's own runner would take options from
    this process' environment.

    Raises
    ------
    TrineError
        Where the simulator ends without results; with what its log says.
    """
    require_cocotb()
    from cocotb_tools.check_results import get_results

    log, results = work / "simulation.log", work / "results.xml"
    with log.open("wb") as output:
        status = run_logged(
            [*_command(folder, simulator, waves), *plusargs],
            cwd=work,
            env=_environment(simulator, module, results) | dict(variables or {}),
            log=output,
        )
    try:
        return get_results(results)
    except RuntimeError:
        said = telling_lines(log.read_text(encoding="utf-8", errors="replace").splitlines())
        shown = " / ".join(said[-3:]) or "no output"
        raise TrineError(f"the simulation in {simulator} ended with status {status}: {shown}") from None


def _command(folder: Path, simulator: str, waves: bool) -> list[str]:
    from cocotb_tools import config

    if simulator == "verilator":
        return [os.path.abspath(folder / TOP), *(["--trace"] if waves else [])]
    library = config.lib_name_path("vpi", "icarus")
    vvp = toolchain.require("vvp").command
    kind = "-fst" if waves else "-none"
    return [*vvp, "-m", str(library), os.path.abspath(folder / "sim.vvp"), kind]


def _environment(simulator: str, module: str, results: Path) -> dict[str, str]:
    import find_libpython
    from cocotb_tools import config

    libpython = find_libpython.find_libpython()
    if libpython is None:
        raise TrineError(
            "cocotb needs Python as a shared library, and this one has none: use your system's Python, or "
            "one that was configured with --enable-shared"
        )
    libraries = [str(config.libs_dir), os.environ.get("LD_LIBRARY_PATH")]
    paths = [os.path.abspath(path) for path in sys.path]
    own = {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYGPI_PYTHON_BIN": sys.executable,
        "LIBPYTHON_LOC": libpython,  # cocotb 2.0
        "COCOTB_TOPLEVEL": TOP,
        "COCOTB_TEST_MODULES": module,
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_LOG_LEVEL": "WARNING",
        "TOPLEVEL_LANG": "verilog",
    }
    if hasattr(config, "pygpi_entry_point"):  # cocotb 2.1; it would import cocotb, which reads variables
        (extension,) = config.libs_dir.resolve().parent.glob("simulator*.so")
        own["GPI_USERS"] = f"{libpython};{extension.resolve()},initialize"
    if simulator == "verilator":
        own["COCOTB_TRUST_INERTIAL_WRITES"] = "1"
    return child_environment(own)
