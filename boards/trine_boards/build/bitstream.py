"""Build of a bitstream from a board's top: elaboration, synthesis, seed sweep, packing; each step is kept."""

import hashlib
import importlib.metadata
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trine_boards.board_spec import MARGIN, BoardSpec
from trine_boards.build.cached_step import Step, record_step, recorded, remove_partial, run_step
from trine_boards.build.elaboration import netlist_sources, synthesis_files, synthesis_script
from trine_boards.build.families import FAMILIES, Family, Resources, explained
from trine_boards.build.routed_delays import routed_mhz
from trine_boards.build.seed_sweep import run_steps
from trine_boards.build.step_store import StepStore
from trine_boards.clock.choice import highest_clock
from trine_boards.clock.pll import ENGINE_CLOCK
from trine_boards.netlist_file import read_json
from trine_sw.cluster.job import Cluster, Tick
from trine_sw.cluster.jobs import check_reached
from trine_sw.support import toolchain
from trine_sw.support.atomic_file import atomic_write, make_folder
from trine_sw.support.checks import finite_real, integer, shown
from trine_sw.support.errors import TrineError

__all__ = ["Routed", "TooLarge", "build_bitstream", "read_report"]

_IN_PROCESS = Cluster()


class TooLarge(TrineError):
    """A design that takes more logic cells than its chip has, as nextpnr counts them.

    Members
    -------
    used, available : logic cells of the design, and of the chip
    """

    def __init__(self, used: int, available: int, log: Path) -> None:
        super().__init__(
            f"the design takes {used:,} logic cells, and the chip has {available:,}: take fewer --lanes, or "
            f"a model of fewer units; the log is {log}"
        )
        self.used, self.available, self._log = used, available, log

    def __reduce__(self) -> tuple[Any, ...]:
        return TooLarge, (self.used, self.available, self._log)


@dataclass(frozen=True)
class Routed:
    """A placed and routed design that exceeds its clock by the margin, and the files that came of it.

    `margin` is what was asked for, a fraction of the clock; `highest_clock_mhz` the highest clock that the
    PLL can make and that the design exceeds by it. `seeds` has the clock that each seed reached, and
    None for one that nextpnr could not finish; `seed` is the best of them, the one in the bitstream. `tools`
    says which programs made it.
    """

    bitstream: Path
    fmax_mhz: float
    clock_mhz: float
    margin: float
    highest_clock_mhz: float
    used: Resources
    seed: int
    seeds: dict[int, float | None]
    tools: list[str]


def build_bitstream(
    top: Any,
    board: BoardSpec,
    clock_mhz: float,
    folder: Path,
    *,
    margin: float = MARGIN,
    seeds: Sequence[int] = (1,),
    floorplan: bool = False,
    check: Callable[[Callable[[float], None]], bool] | None = None,
    cluster: Cluster = _IN_PROCESS,
    progress: Tick = lambda step, what, seconds: None,
) -> Routed:
    """Make the bitstream of `top` in `folder`, from the best of a sweep of seeds.

    The seeds run on `cluster`, all else in this process; `progress` is told what is done. Steps whose inputs
    have not changed are taken over from an earlier build in the same folder, and so is a seed that an earlier
    build finished. The bitstream of an earlier build stays until the new one is complete. The routed clock
    must exceed `clock_mhz` by the fraction `margin`.

    `check` looks at the netlist ``top.json`` before it is placed; it calls what it is given with the seconds
    since its start, returns whether there was anything to do, and raises :exc:`TrineError` where the netlist
    is wrong.

    Raises
    ------
    TrineError
        If a tool is missing, fails or is killed, if the design does not fit (:exc:`TooLarge`) or does not
        route, or if no seed meets the clock; the message says what to try.
    """
    if board.family not in FAMILIES:
        raise TrineError(
            f"{board.title} cannot be built for: its family is {board.family}, and there are: "
            f"{', '.join(FAMILIES)}"
        )
    family = FAMILIES[board.family]
    yosys, router, packer = (toolchain.require(name) for name in ("yosys", family.router, family.packer))
    check_reached(cluster)
    make_folder(folder)
    platform = board.platform()

    store = None if cluster.steps is None else StepStore(cluster.steps)
    remove_partial(folder)

    def run(step: Step) -> None:
        progress(step.name, "started", 0)
        ran = run_step(step, folder, lambda seconds: progress(step.name, "running", seconds), store)
        progress(step.name, "done" if ran else "kept", 0)

    progress("elaboration", "started", 0)
    ran = _elaborate(top, platform, family, folder)
    progress("elaboration", "done" if ran else "kept", 0)
    try:
        sources = ("top.ys", *netlist_sources(folder / "top.ys"), *family.libraries)
        run(Step("synthesis", yosys, ("top.ys",), sources, ("top.json",)))
    except TrineError as error:
        raise explained(error) from None
    if check is not None:
        progress("check", "started", 0)
        ran = check(lambda seconds: progress("check", "running", seconds))
        progress("check", "done" if ran else "kept", 0)

    floorplan = floorplan or family.keeps_placed

    def route(seed: int) -> Step:
        name = f"route-{seed}"
        routed, report, log = (f"{name}.{suffix}" for suffix in (family.routed, "report.json", "text"))
        arguments = (
            *family.chip_options(platform),
            *family.file_options(routed),
            *family.placer_options,
            *("--report", report, "--log", log, "--seed", str(seed)),
            # The report says whether the clock is met, and by how much it is not.
            "--timing-allow-fail",
            *(("--sdf", f"{name}.{family.delays}") if family.delays else ()),
            *(("--write", f"{name}.placed.json") if floorplan else ()),
        )
        others = [each for each, kept in ((family.delays, family.delays), ("placed.json", floorplan)) if kept]
        outputs = (routed, report, log, *(f"{name}.{each}" for each in others))
        constraints = tuple(f"top.{suffix}" for suffix in family.constraints)
        return Step(name, router, arguments, ("top.json", *constraints), outputs)

    made: dict[int, tuple[float, dict[str, int]]] = {}
    failed: dict[int, TrineError] = {}
    errors = run_steps([route(seed) for seed in seeds], folder, cluster, progress)
    for seed in seeds:
        name = f"route-{seed}"
        try:
            if (error := errors[name]) is not None:
                raise _too_large(folder / f"{name}.log", family) or error
            fmax, used = read_report(folder / f"{name}.report.json", folder / f"{name}.text")
            if family.delays:
                fmax = min(fmax, routed_mhz(folder / f"{name}.{family.delays}"))
            made[seed] = fmax, used
        except TrineError as error:
            failed[seed] = error
    if not made:
        raise failed[min(failed)]
    figures: dict[int, float | None] = {
        seed: made[seed][0] if seed in made else None for seed in sorted({*made, *failed})
    }
    seed = max(made, key=lambda seed: (made[seed][0], -seed))
    fmax, used = made[seed]
    highest = highest_clock(board, fmax, margin)
    if highest is None or fmax < clock_mhz * (1 + margin):
        shown = ", ".join(f"{n}: {mhz:.2f}" if mhz else f"{n}: failed" for n, mhz in figures.items())
        lower = f"--clock {highest:.7g}, the highest that is met" if highest else "another board"
        raise TrineError(
            f"the routed core reaches {fmax:.2f} MHz, not {clock_mhz * (1 + margin):.2f}: the {clock_mhz:g} "
            f"MHz asked for and {100 * margin:g} % of margin (MHz by seed: {shown}); ask for {lower}, more "
            "--seeds, fewer --lanes or a smaller --margin"
        )
    routed, bitstream = f"route-{seed}.{family.routed}", f"top.{family.bitstream}"
    run(Step("bitstream", packer, family.pack_options(platform, routed, bitstream), (routed,), (bitstream,)))
    tools = [str(tool) for tool in (yosys, router, packer)]
    resources = family.resources(used, folder / "top.json")
    return Routed(folder / bitstream, fmax, clock_mhz, margin, highest, resources, seed, figures, tools)


def _too_large(log: Path, family: Family) -> TooLarge | None:
    """What a log of nextpnr says of too many logic cells; None where it says nothing such."""
    try:
        told = log.read_text(errors="replace", encoding="utf-8")
    except OSError:
        return None
    counts = re.search(rf"{family.logic}:\s*(\d+)\s*/\s*(\d+)", told)
    if counts is None or int(counts[1]) <= int(counts[2]):
        return None
    return TooLarge(int(counts[1]), int(counts[2]), log)


def _elaborate(top: Any, platform: Any, family: Family, folder: Path) -> bool:
    """Write what synthesis and nextpnr read, or leave it where nothing that it is made from has changed;
    returns whether it was written."""
    made_of = [top.identity, synthesis_script(family), str(family.library_files()), _code_digest()]
    digest = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    record, script = folder / "elaboration.step.json", folder / "top.ys"
    constraints = (f"top.{suffix}" for suffix in family.constraints)
    names = (script.name, *netlist_sources(script), *family.libraries, *constraints)
    if all((folder / name).exists() for name in names) and recorded(record) == digest:
        return False
    record.unlink(missing_ok=True)
    for name, contents in synthesis_files(top, platform, family).items():
        with atomic_write(folder / name) as file:
            file.write(contents)
    record_step(record, digest, f"amaranth {importlib.metadata.version('amaranth')}")
    return True


def _code_digest() -> str:
    """Changes with the code that elaboration runs."""
    state = hashlib.sha256()
    for package in ("amaranth", "amaranth-boards", "litex", "liteeth"):
        try:
            state.update(importlib.metadata.version(package).encode())
        except importlib.metadata.PackageNotFoundError:
            pass  # an extra that is not installed
    import trine_boards
    import trine_hw
    import trine_sw

    for package in (trine_boards, trine_hw, trine_sw):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            state.update(path.read_bytes())
    return state.hexdigest()


def read_report(report: Path, log: Path) -> tuple[float, dict[str, int]]:
    """The engine clock's MHz after routing and the resources used, from nextpnr's ``--report`` and ``--log``.

    Raises
    ------
    TrineError
        If routing was not completed, no clock of the design is the engine's, or another clock is not met.
    """
    if "Routing complete." not in log.read_text(errors="replace", encoding="utf-8"):
        raise TrineError(f"nextpnr did not complete the routing; its log is {log}")
    contents = read_json(report, "report of nextpnr")
    try:
        # By name, and not by what it was constrained to: nextpnr rounds a period.
        clocks = [
            finite_real(clock["achieved"], "achieved")
            for net, clock in contents["fmax"].items()
            if re.search(rf"(?<!\w){ENGINE_CLOCK}(?![a-z])", net)
        ]
        missed = [
            f"{net}, {finite_real(clock['achieved'], 'achieved'):.2f} of {clock['constraint']:.2f} MHz"
            for net, clock in contents["fmax"].items()
            if re.search(r"(?<!\w)(usb|eth)", net) and clock["achieved"] < clock["constraint"]
        ]
        named = shown(", ".join(contents["fmax"]) or "none").strip("'")
        used = {name: integer(entry["used"], "used", 0) for name, entry in contents["utilization"].items()}
    except (KeyError, TypeError, AttributeError, TrineError):
        raise TrineError(f"{report} is no report of nextpnr; run trine build again") from None
    if not clocks:
        raise TrineError(
            f"no clock of the design is named {ENGINE_CLOCK}, but: {named}; see {report} and {log}"
        )
    if missed:
        raise TrineError(f"a clock of the link is not met: {'; '.join(missed)}; try another seed")
    return min(clocks), used
