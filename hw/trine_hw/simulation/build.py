"""From cores to a compiled simulator, made once and kept."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs
from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

import trine_hw
import trine_sw
from trine_hw.core import Core
from trine_hw.simulation.waves import DUMP
from trine_sw import toolchain
from trine_sw.errors import TrineError
from trine_sw.interruption import Interrupted

__all__ = [
    "SIMULATORS",
    "TOP",
    "Bench",
    "build",
    "cache_folder",
    "kept",
    "require_cocotb",
    "sources_digest",
    "to_verilog",
]

SIMULATORS = ("verilator", "icarus")
#: Name of the module that is simulated.
TOP = "top"
#: Products (lanes times banks) from which a bench is worth the C++ compiler's optimisation.
_LARGE = 600
#: Cocotb must see the ports, and nothing else: a public signal is one that Verilator cannot optimise away.
#: That is why Verilator is called here and not by cocotb's runner, which makes all signals public.
_PORTS = f'`verilator_config\npublic_flat_rw -module "{TOP}" -var "*"\n'


class Bench(wiring.Component):
    """Cores side by side in one simulation, so that small ones share the cost of a build.

    Members
    -------
    core{n} : the ports of each core
    """

    def __init__(self, cores: Sequence[Core]) -> None:
        self.cores = tuple(cores)
        super().__init__({f"core{n}": Out(core.signature) for n, core in enumerate(cores)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for n, core in enumerate(self.cores):
            m.submodules[f"core{n}"] = core
            connect(m, flipped(getattr(self, f"core{n}")), core)
        return m


def cache_folder() -> Path:
    """Where simulators are kept: ``$TRINE_CACHE``, or the user's cache directory."""
    return Path(os.environ.get("TRINE_CACHE") or platformdirs.user_cache_dir("trine")) / "simulators"


def build(cores: Sequence[Core], simulator: str, *, cache: Path | None = None, waves: bool = False) -> Path:
    """The folder of a compiled simulator of ``cores``; made if ``cache`` (or :func:`cache_folder`) has none.

    With ``waves`` it can record waveforms, and is slower.

    A simulator is known by everything that decides what it does: models, engines, the gateware's sources and
    the versions of the tools. A build that fails or is interrupted leaves nothing behind that is taken for
    whole.

    Raises
    ------
    TrineError
        If a tool is missing, the build fails (with its last lines, and where its log is) or is interrupted.
    """
    if simulator not in SIMULATORS:
        raise TrineError(f"{simulator!r} is no simulator; there are {', '.join(SIMULATORS)}")
    require_cocotb()
    tool = toolchain.require("verilator" if simulator == "verilator" else "iverilog")
    if simulator == "icarus":
        toolchain.require("vvp")

    def make(work: Path) -> list[list[str]]:
        (work / "top.v").write_text(to_verilog(Bench(cores)))
        return (
            _verilator(cores, work, tool, waves) if simulator == "verilator" else _icarus(work, tool, waves)
        )

    kind = f"{simulator}-waves" if waves else simulator
    return kept(f"{kind}-{_digest(cores, tool)}", tool, make, cache=cache)


def kept(
    name: str, tool: toolchain.Tool, make: Callable[[Path], list[list[str]]], *, cache: Path | None = None
) -> Path:
    """The folder ``name`` of the cache; where it is not there, ``make`` writes what the commands that it
    returns compile. Raises :exc:`TrineError` as :func:`build` does."""
    cache = cache or cache_folder()
    folder = cache / name
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name[:20]}-", dir=cache))
    log = work / "build.log"
    try:
        toolchain.activate()
        commands = make(work)
        with log.open("w") as output:
            for command in commands:
                if subprocess.run(
                    command, cwd=work, env=tool.environ(), stdout=output, stderr=subprocess.STDOUT
                ).returncode:
                    raise _failed(log, cache / f"{name}.log", command[0])
        for left_over in (*work.glob("*.o"), *work.glob("*.gch"), *work.glob("*.cpp"), *work.glob("*.a")):
            left_over.unlink()
        try:
            os.replace(work, folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise
    except KeyboardInterrupt:
        raise Interrupted(f"the build of the {tool.name} simulator was interrupted; run it again") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _failed(log: Path, kept: Path, program: str) -> TrineError:
    shutil.copy(log, kept)
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "rror" in line] or lines
    return TrineError(f"{Path(program).name} failed: {' / '.join(errors[:3])} (log: {kept})")


def _digest(cores: Sequence[Core], tool: toolchain.Tool) -> str:
    digest = hashlib.sha256()
    for core in cores:
        digest.update(core.model.digest() + repr((core.engine, core.loadable)).encode())
    digest.update(sources_digest(tool) + importlib.metadata.version("cocotb").encode())
    return digest.hexdigest()[:24]


def sources_digest(tool: toolchain.Tool) -> bytes:
    """Changes with the gateware's sources, what they take from the software, and the tools."""
    digest = hashlib.sha256()
    hardware, software = Path(trine_hw.__file__).parent, Path(trine_sw.__file__).parent
    sources = [*sorted(hardware.glob("*.py")), *sorted((hardware / "link").glob("*.py")), Path(__file__)]
    sources += [software / f"{name}.py" for name in ("engine", "gate_lanes", "placement", "sampler")]
    sources += [software / "link" / f"{name}.py" for name in ("protocol", "records")]
    for source in sources:
        digest.update(source.read_bytes())
    version = importlib.metadata.version("amaranth")
    digest.update(repr((version, str(tool), sys.prefix, sys.version_info[:2])).encode())
    return digest.digest()


def to_verilog(component: wiring.Component) -> str:
    """A component as Verilog that every simulator reads, its module called :data:`TOP`."""
    text = verilog.convert(component, name=TOP, emit_src=False)
    # Yosys gives each "always @*" a dummy that is to wake it at time 0. Icarus 11 initialises that before the
    # block waits for it; an assignment after time 0's active events comes late enough.
    dummy = re.compile(r"^  reg (\\\$auto\$verilog_backend\S+) +=.*;$", re.MULTILINE)
    text = dummy.sub(r"  reg \1 ; initial \1 <= 0;", text)
    # Blocks of a single assignment have no dummy; this form is evaluated at time 0 by itself.
    return re.sub(r"^  always @\*$(?=\n    [^i])", "  always_comb", text, flags=re.MULTILINE)


def _verilator(cores: Sequence[Core], work: Path, tool: toolchain.Tool, waves: bool) -> list[list[str]]:
    from cocotb_tools import config

    (work / "ports.vlt").write_text(_PORTS)
    large = sum(core.geometry.lanes * core.engine.banks for core in cores) > _LARGE
    link = f"-Wl,-rpath,{config.libs_dir} -L{config.libs_dir} -lcocotbvpi_verilator"
    verilate = [
        *tool.command,
        *("-cc", "--exe", "--vpi", "-Mdir", ".", "--top-module", TOP, "--prefix", "Vtop", "-o", TOP),
        *("-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal", "-Wno-lint", "-Wno-style"),
        *("--timescale", "1ns/1ps", "-LDFLAGS", link, *(["--trace"] if waves else []), "ports.vlt"),
        *(str(config.share_dir / "lib" / "verilator" / "verilator.cpp"), "top.v"),
    ]
    flags = ["OPT_FAST=-O1" if large else "OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]
    jobs = str(len(os.sched_getaffinity(0)))
    return [verilate, ["make", "-j", jobs, "-f", "Vtop.mk", *flags]]


def _icarus(work: Path, tool: toolchain.Tool, waves: bool) -> list[list[str]]:
    (work / "icarus.f").write_text("+timescale+1ns/1ps\n")
    (work / "dump.v").write_text(DUMP)
    dump = ["-s", "trine_dump", "dump.v"] if waves else []
    return [[*tool.command, "-g2012", "-o", "sim.vvp", "-s", TOP, "-f", "icarus.f", "top.v", *dump]]


def require_cocotb() -> None:
    """Raise :exc:`TrineError` where cocotb is not installed."""
    try:
        import cocotb_tools.config  # noqa: F401
    except ImportError:
        raise TrineError(
            "cocotb, which drives the simulators, is missing: pip install 'trine[tools]'"
        ) from None
