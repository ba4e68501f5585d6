"""Environment of child processes: this process' own, without the variables that would change them.

Build tools, simulators, Python and make take options from variables, and a variable that was meant for
another project (``WAVES``, ``CXXFLAGS``, ``PYTHONWARNINGS``) would alter or break what Trine runs. All that
do are left out here, and nowhere else; paths, locale, proxies, licences and the like go through.
"""

import os
from collections.abc import Mapping

from trine_sw.support.plain_path import plain_path

__all__ = ["child_environment"]

#: Families of variables. PYTHON*: of interpreters in simulators and tools; YOSYS and the like: Trine calls
#: the tools that it has found.
_PREFIXES = (
    *("COCOTB", "GPI_", "PYGPI_", "PYTEST", "COV_CORE_", "PYTHON", "AMARANTH_"),
    *("VERILATOR", "VM_", "CFG_", "OPT_", "USER_", "VL_", "MAKE", "SIM_", "IVERILOG", "VVP"),
)
_NAMES = frozenset(
    (
        *("WAVES", "GUI", "SIM", "TOPLEVEL", "TOPLEVEL_LANG", "MODULE", "TESTCASE", "RANDOM_SEED"),
        *("COVERAGE", "COVERAGE_RCFILE", "COVERAGE_PROCESS_START", "LIBPYTHON_LOC", "SCHEDULER_DEBUG"),
        *("MFLAGS", "GNUMAKEFLAGS", "VPATH", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "LDLIBS", "LIBS"),
        *("LOADLIBES", "CC", "CXX", "AR", "LINK", "PERL", "OBJCACHE", "PERL5OPT", "PERL5DB", "YOSYS"),
        *("NEXTPNR_ECP5", "NEXTPNR_ICE40", "ECPPACK", "ICEPACK", "ICARUS_BIN_DIR", "BASH_ENV", "ENV"),
        *("ASAN_OPTIONS", "DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES", "GCC_COMPARE_DEBUG", "TRINE_JOB"),
    )
)
_TEMPORARY = ("TMPDIR", "TEMP", "TMP")
#: Where Python finds modules, and writes or does not write their bytecode.
_KEPT = frozenset(("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONHASHSEED"))


def child_environment(own: Mapping[str, str] | None = None, **more: str) -> dict[str, str]:
    """The environment for a program, with ``own`` variables and ``more`` over it.

    Text is UTF-8 for every Python in it, and the folder for temporary files has a plain name: Yosys gives it
    to a shell.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or not (name in _NAMES or name.startswith(_PREFIXES))
    }
    for name in _TEMPORARY:
        if name in kept:
            kept[name] = str(plain_path(kept[name]))
    return kept | {"PYTHONUTF8": "1"} | dict(own or {}) | more
