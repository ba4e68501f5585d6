"""Static timing of a routed design from the delays that nextpnr writes of it (SDF).

For Gowin chips, where nextpnr's own analysis after routing leaves paths out: where a flip-flop's data come
from anything but the LUT beside it, they pass through that LUT, which nextpnr puts there after it has looked
up which cells have delays. All paths through such a LUT end there for it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from trine_sw.support.errors import TrineError

__all__ = ["RegisterPaths", "register_paths", "routed_mhz"]

_ENTRY = re.compile(
    r'\(CELLTYPE "(?P<type>[^"]*)"\)'
    r"|\(INSTANCE (?P<instance>[^\s)]*)\s*\)"
    r"|\((?P<kind>INTERCONNECT|IOPATH) (?P<start>\S+) (?P<end>\S+) \((?P<least>-?\d+):-?\d+:(?P<most>-?\d+)\)"
    r"|\(SETUPHOLD \(posedge (?P<data>\S+)\) \(posedge (?P<clock>\S+)\) "
    r"\(-?\d+:-?\d+:(?P<setup>-?\d+)\) \(-?\d+:-?\d+:(?P<hold>-?\d+)\)"
)
#: Where paths of the engine's clock end without a register.
_AROUND = ("IBUF", "OBUF", "TBUF", "IOBUF", "IOB", "BUFG", "rPLL")

_CONSTANTS = ("GOWIN_GND", "GOWIN_VCC")
_CLOCKS = ("CLK", "CLKA", "CLKB")

#: To a pin, and the delay in ps, least and most.
_Arc = tuple[str, int, int]


class RegisterPaths(NamedTuple):
    """The paths between registers.

    Members
    -------
    period_ns : the least period of the clock with which every setup time is kept
    hold_ns : the least slack of a hold time; negative where one is not kept
    ends : pins of registers at which a path ends
    """

    period_ns: float
    hold_ns: float
    ends: int


class _Delays:
    """Arcs between pins, which are named ``instance/pin``, and setup and hold times of data pins in ps."""

    def __init__(self, text: str) -> None:
        self.types: dict[str, str] = {}
        self.arcs: dict[str, list[_Arc]] = defaultdict(list)
        self.checks: dict[str, tuple[str, int, int]] = {}
        self.clock_pins: dict[str, list[_Arc]] = defaultdict(list)
        inside: set[str] = set()
        lut = (0, 0)  # least and most of any LUT4
        instance = kind = ""
        for entry in _ENTRY.finditer(text):
            if entry["type"] is not None:
                kind = entry["type"]
            elif entry["instance"] is not None:
                instance = entry["instance"]
                self.types[instance] = kind
            elif entry["data"] is not None:
                clock, data = f"{instance}/{entry['clock']}", f"{instance}/{entry['data']}"
                self.checks[data] = (clock, int(entry["setup"]), int(entry["hold"]))
                self.clock_pins[clock]  # noqa: B018  there, whether or not anything leaves it
            else:
                start, end = entry["start"], entry["end"]
                least, most = int(entry["least"]), int(entry["most"])
                if entry["kind"] == "INTERCONNECT":
                    self.arcs[start].append((end, least, most))
                    continue
                inside.add(instance)
                where = self.clock_pins if start in _CLOCKS else self.arcs
                where[f"{instance}/{start}"].append((f"{instance}/{end}", least, most))
                if kind == "LUT4":
                    lut = (min(lut[0] or least, least), max(lut[1], most))
        for start in list(self.arcs):
            for end, *_ in list(self.arcs[start]):
                cell, _, pin = end.rpartition("/")
                if self.types.get(cell) == "LUT4" and cell not in inside and pin != "F":
                    self.arcs[end].append((f"{cell}/F", *lut))


def register_paths(sdf: Path) -> RegisterPaths:
    """The paths between registers of a design with one clock, of whose delays nextpnr wrote the file `sdf`.

    A LUT without delays takes as long as any other. A pin of a register without a setup time has one of 0.

    Raises
    ------
    TrineError
        If the file cannot be read, has no such paths, more than one clock, or a loop without a register.
    """
    try:
        delays = _Delays(sdf.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrineError(f"cannot read {sdf}: {error.strerror}; run trine build again") from None
    reached = {
        end: (start, least, most)
        for start, arcs in delays.arcs.items()
        for end, least, most in arcs
        if end in delays.clock_pins and delays.types.get(start.rpartition("/")[0]) not in _CONSTANTS
    }
    sources = {start for start, _, _ in reached.values()}
    if len(sources) != 1:
        raise TrineError(f"{sdf} has {len(sources)} clocks and not one; run trine build again")
    first: dict[str, tuple[int, int]] = {}
    for pin, (_, least, most) in reached.items():
        for output, fast, slow in delays.clock_pins[pin]:
            first[output] = (least + fast, most + slow)
    arrival = _arrivals(sdf, delays.arcs, first)
    period = hold = None
    ends = 0
    slowest_clock = min(least for _, least, _ in reached.values())
    for pin, (least, most) in arrival.items():
        cell, _, name = pin.rpartition("/")
        if pin in delays.checks and delays.checks[pin][0] in reached:
            clock, setup, kept = delays.checks[pin]
            _, earliest, latest = reached[clock]
            slack = least - latest - kept
            hold = slack if hold is None else min(hold, slack)
        elif pin not in delays.arcs and delays.types.get(cell) not in _AROUND and name not in ("F", "Q"):
            setup, earliest = 0, slowest_clock
        else:
            continue
        ends += 1
        needed = most + setup - earliest
        period = needed if period is None else max(period, needed)
    if period is None or hold is None:
        raise TrineError(f"{sdf} has no paths between registers; run trine build again")
    return RegisterPaths(period / 1e3, hold / 1e3, ends)


def routed_mhz(sdf: Path) -> float:
    """The clock in MHz with which a routed design keeps every setup time.

    Raises
    ------
    TrineError
        As :func:`register_paths`, and where a hold time is not kept, which no clock mends.
    """
    found = register_paths(sdf)
    if found.hold_ns < 0:
        raise TrineError(
            f"the routed design misses a hold time by {-found.hold_ns:.3f} ns ({sdf}): try another of --seeds"
        )
    return 1e3 / found.period_ns


def _arrivals(
    sdf: Path, arcs: dict[str, list[_Arc]], first: dict[str, tuple[int, int]]
) -> dict[str, tuple[int, int]]:
    """When the signals that start at `first` arrive at each pin, at the earliest and the latest, in ps."""
    waiting: dict[str, int] = defaultdict(int)
    seen, todo = set(first), list(first)
    while todo:
        for end, *_ in arcs.get(todo.pop(), ()):
            waiting[end] += 1
            if end not in seen:
                seen.add(end)
                todo.append(end)
    arrival = dict(first)
    todo = [pin for pin in first if not waiting[pin]]
    done = 0
    while todo:
        start = todo.pop()
        done += 1
        least, most = arrival[start]
        for end, fast, slow in arcs.get(start, ()):
            early, late = arrival.get(end, (least + fast, most + slow))
            arrival[end] = (min(early, least + fast), max(late, most + slow))
            waiting[end] -= 1
            if not waiting[end]:
                todo.append(end)
    if done != len(seen):
        raise TrineError(f"{sdf} has a loop without a register; run trine build again")
    return arrival
