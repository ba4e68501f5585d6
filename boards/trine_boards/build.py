"""From a core to a bitstream: Amaranth's files, then Yosys, nextpnr and ecppack, each step kept."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trine_boards.board import Board
from trine_boards.steps import Step, run_step
from trine_sw import toolchain
from trine_sw.errors import TrineError
from trine_sw.whole_file import make_folder

__all__ = ["SYNTHESIS_ECP5", "Routed", "build_bitstream", "read_report"]

#: ``synth_ecp5`` in two halves. Between them, wires of several bits are split: otherwise Yosys may stop in
#: the second half, at an assertion about a name (YosysHQ/yosys issues 4349 and 4451), or give a net two
#: drivers.
SYNTHESIS_ECP5 = """\
synth_ecp5 -nodsp -top {name} -run begin:map_luts
splitnets
synth_ecp5 -nodsp -top {name} -run map_luts:
check -assert
"""
#: nextpnr's option for each device, and its name for each package, by the platform's names.
_DEVICES = {"LFE5U-12F": "--12k"} | {
    f"{series}-{size}F": f"--{option}{size}k"
    for series, option in (("LFE5U", ""), ("LFE5UM", "um-"), ("LFE5UM5G", "um5g-"))
    for size in (25, 45, 85)
}
_PACKAGES = {
    "BG256": "CABGA256",
    "MG285": "CSFBGA285",
    "BG381": "CABGA381",
    "BG554": "CABGA554",
    "BG756": "CABGA756",
}

#: Told what is being done: a step's name, "started", "running", "done" or "kept", and seconds since.
Progress = Callable[[str, str, float], None]


@dataclass(frozen=True)
class Routed:
    """A placed and routed design that meets its clock, and the files that came of it.

    `used` counts the chip's resources by nextpnr's names; `tools` says which programs made it.
    """

    bitstream: Path
    fmax_mhz: float
    clock_mhz: float
    used: dict[str, int]
    seed: int
    tools: list[str]


def build_bitstream(
    top: Any,
    board: Board,
    clock_mhz: float,
    folder: Path,
    *,
    seeds: Iterable[int] = (1,),
    progress: Progress = lambda step, what, seconds: None,
) -> Routed:
    """Make ``folder/top.bit`` for `top`, placing with one seed after the other until the clock is met.

    Steps whose inputs have not changed are taken over from an earlier build in the same folder. The
    bitstream of an earlier build stays until the new one is complete.

    Raises
    ------
    TrineError
        If a tool is missing, fails or is killed, if the design does not fit or does not route, or if no
        seed meets `clock_mhz`; the message says what to try.
    """
    if board.family != "ecp5":
        raise TrineError(f"{board.title} cannot be built for yet: its family is {board.family}, not ecp5")
    yosys, nextpnr, ecppack = (toolchain.require(name) for name in ("yosys", "nextpnr-ecp5", "ecppack"))
    make_folder(folder)
    platform = _write_sources(top, board, folder)

    def run(step: Step) -> None:
        progress(step.name, "started", 0)
        ran = run_step(step, folder, lambda seconds: progress(step.name, "running", seconds))
        progress(step.name, "done" if ran else "kept", 0)

    run(Step("synthesis", yosys, ("top.ys",), ("top.ys", "top.il"), ("top.json",)))
    best = 0.0
    tried = []
    for seed in seeds:
        route = f"route-{seed}"
        arguments = (
            *(_DEVICES[platform.device], "--package", _PACKAGES[platform.package], "--speed", platform.speed),
            *("--json", "top.json", "--lpf", "top.lpf", "--textcfg", f"{route}.config"),
            *("--report", f"{route}.report.json", "--log", f"{route}.text", "--seed", str(seed)),
            # The report says whether the clock is met, and by how much it is not.
            "--timing-allow-fail",
        )
        outputs = (f"{route}.config", f"{route}.report.json", f"{route}.text")
        run(Step(route, nextpnr, arguments, ("top.json", "top.lpf"), outputs))
        fmax, used = read_report(folder / f"{route}.report.json", folder / f"{route}.text", clock_mhz)
        tried.append(seed)
        best = max(best, fmax)
        if fmax >= clock_mhz:
            config = f"{route}.config"
            options = ("--compress", "--input", config, "--bit", "top.bit")
            run(Step("bitstream", ecppack, options, (config,), ("top.bit",)))
            tools = [str(tool) for tool in (yosys, nextpnr, ecppack)]
            return Routed(folder / "top.bit", fmax, clock_mhz, used, seed, tools)
    raise TrineError(
        f"the routed core reaches {best:.1f} MHz, not the {clock_mhz:g} MHz asked for (seeds tried: "
        f"{', '.join(map(str, tried))}); ask for a lower --clock, more --seeds or fewer --lanes"
    )


def _write_sources(top: Any, board: Board, folder: Path) -> Any:
    """Elaborate `top` for `board` and write ``top.il``, ``top.ys`` and ``top.lpf``; returns the platform."""
    toolchain.activate()  # Amaranth writes Verilog for debugging, which needs Yosys
    platform = board.platform()
    plan = platform.prepare(top, "top", emit_src=False)  # a moved line of source is no change
    for name in ("top.il", "top.lpf"):
        contents = plan.files[name]
        (folder / name).write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    script = f"read_rtlil top.il\n{SYNTHESIS_ECP5.format(name='top')}write_json top.json\n"
    (folder / "top.ys").write_text(script)
    return platform


def read_report(report: Path, log: Path, clock_mhz: float) -> tuple[float, dict[str, int]]:
    """The core clock's MHz after routing and the resources used, from nextpnr's ``--report`` and ``--log``.

    Raises
    ------
    TrineError
        If routing was not completed, or no clock of the design was constrained to `clock_mhz`.
    """
    if "Routing complete." not in log.read_text(errors="replace"):
        raise TrineError(f"nextpnr did not complete the routing; its log is {log}")
    contents = json.loads(report.read_text())
    # Periods are kept in whole picoseconds, so that the constraint is not exactly what was asked for.
    clocks = [
        clock["achieved"]
        for clock in contents["fmax"].values()
        if abs(clock["constraint"] / clock_mhz - 1) < 0.001
    ]
    if not clocks:
        constrained = re.sub(r"[{}\"]", "", json.dumps(contents["fmax"]))
        raise TrineError(f"no clock was constrained to {clock_mhz:g} MHz, but: {constrained}; see {log}")
    return min(clocks), {name: entry["used"] for name, entry in contents["utilization"].items()}
