"""A packed iCE40 bitstream as Verilog: decoded by Project IceStorm, and completed for what that leaves out.

``iceunpack`` turns the bitstream back into the configuration bits of each tile, and ``icebox_vlog`` reads
from those which wires are connected and what each cell does. Nothing of the build but the bitstream is used,
except the names of the pins. ``icebox_vlog`` knows neither the single-port RAM of the UltraPlus chips nor
that the pad of a PLL is a pin; both are added here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError

__all__ = ["complete", "packed_verilog"]

_MINUTES = 10
_BUSES = {"ADDRESS": 14, "DATAIN": 16, "MASKWREN": 4}
_PINS = ("WREN", "CHIPSELECT", "CLOCK", "STANDBY", "SLEEP", "POWEROFF")
_NAME = re.compile(r"\bn\d+\b")


def packed_verilog(bitstream: Path, constraints: Path, package: str, work: Path, *, name: str = "top") -> str:
    """Verilog of the module `name` of what a bitstream configures; its ports have the names of `constraints`
    (``.pcf``). Files in between are written to `work`.

    Raises
    ------
    TrineError
        If a tool of Project IceStorm is missing or fails, or if the bitstream has a part that has no model.
    """
    unpack, decode = toolchain.require("iceunpack"), toolchain.require("icebox_vlog")
    configuration = work / "unpacked.asc"
    _run(unpack, [str(bitstream), str(configuration)])
    options = ["-p", str(constraints), "-d", package, "-n", name, str(configuration)]
    text = _run(decode, options)
    folder = Path(decode.command[0]).resolve().parent
    query = Path(__file__).with_name("icebox_query.py")
    asked = toolchain.Tool(
        "icebox", (sys.executable, str(query)), decode.source, decode.version, {"PYTHONPATH": str(folder)}
    )
    chip = json.loads(_run(asked, [str(configuration), package]))
    return complete(text, chip, constraints.read_text(encoding="utf-8"))


def _run(tool: toolchain.Tool, arguments: list[str]) -> str:
    try:
        done = subprocess.run(
            [*tool.command, *arguments],
            env=tool.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=60 * _MINUTES,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrineError(f"{tool.name} could not decode the bitstream: {error}") from None
    if done.returncode:
        said = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise TrineError(f"{tool.name} could not decode the bitstream: {said or f'status {done.returncode}'}")
    return done.stdout


def complete(text: str, chip: dict[str, Any], constraints: str) -> str:
    """The module that ``icebox_vlog`` wrote, with its comments, without what is missing in it.

    `chip` is what ``icebox_query.py`` prints. Raises :exc:`TrineError` for a net that is read and that
    nothing drives, which is how a part of the chip without a model shows.
    """
    nets = _nets(text)
    body = _statements(text)
    body += _pll_pads(text, nets, chip["pins"], constraints)
    for number, pins in enumerate(chip["rams"]):
        body.append(_spram(number, pins, nets))
    body = [_output(line, body) for line in body]
    _check_drivers(body)
    return "\n".join([*body, "endmodule", ""])


def _nets(text: str) -> dict[tuple[int, int, str], str]:
    """The net of each wire segment, from the comments below its declaration."""
    nets: dict[tuple[int, int, str], str] = {}
    name = None
    for line in text.splitlines():
        if match := re.match(r"(?:wire|reg) ([^ ;]+)", line):
            name = match[1] + " " * match[1].startswith("\\")
        elif name and (match := re.match(r"// \((\d+), (\d+), '([^']+)'\)", line)):
            # A PLL's pad is named twice, its own net first and then the net of its output.
            nets.setdefault((int(match[1]), int(match[2]), match[3]), name)
        elif not line.startswith("//"):
            name = None
    return nets


def _statements(text: str) -> list[str]:
    """The module's lines but its end, without comments, without wires that only trace a multiplier, and
    without second declarations of ports, which Verilator refuses."""
    code = re.sub(r"/\*.*?\*/", "", re.sub(r"//.*", "", text))
    lines = [line.strip() for line in code.splitlines()]
    lines = [line for line in lines if line and line != "endmodule" and not line.startswith("assign dsp")]
    head = next((n for n, line in enumerate(lines) if line.startswith("module ")), None)
    if head is None:
        raise TrineError("icebox_vlog wrote no module")
    ports = re.findall(r"(?:input|output|inout) ([^,)]+?) *(?=[,)])", lines[head])
    kept = []
    for line in lines:
        again = next(
            (port for port in ports if re.fullmatch(rf"(wire|reg) {re.escape(port)} *( = 0)?;", line)), None
        )
        if again is None:
            kept.append(line)
        elif line.startswith("reg"):
            lines[head] = re.sub(
                rf"output {re.escape(again)} *(?=[,)])", f"output reg {again} = 0", lines[head]
            )
    kept[kept.index(next(line for line in kept if line.startswith("module ")))] = lines[head]
    return kept


def _pll_pads(
    text: str, nets: dict[tuple[int, int, str], str], pins: dict[str, str], constraints: str
) -> list[str]:
    """Assignments from the ports of the pins beside PLLs, which ``icebox_vlog`` leaves unconnected."""
    ports = {
        pin: port for port, pin in re.findall(r"^set_io +(?:-\S+ +)*(\S+) +(\S+)", constraints, re.MULTILINE)
    }
    made = []
    for net in re.findall(r"\.PACKAGEPIN\((\w+)\)", text):
        found = next(
            (place for place, name in nets.items() if name == net and place[2].endswith("/PAD")), None
        )
        if found is None:
            raise TrineError("the bitstream has a PLL whose pad is not found")
        x, y, pad = found
        pin = pins.get(f"{x} {y} {pad.removeprefix('io_').removesuffix('/PAD')}")
        if pin not in ports:
            raise TrineError(f"the bitstream's PLL is fed by pin {pin}, which the constraints do not name")
        made.append(f"assign {net} = {ports[pin]};")
    return made


def _spram(number: int, pins: dict[str, list[Any]], nets: dict[tuple[int, int, str], str]) -> str:
    """An instance of the single-port RAM, from the wire of each of its pins."""

    def net(pin: str) -> str | None:
        x, y, wire = pins[pin]
        return nets.get((x, y, wire))

    ports = []
    for bus, width in _BUSES.items():
        bits = [net(f"{bus}_{bit}") or "1'b0" for bit in reversed(range(width))]
        ports.append(f".{bus}({{{', '.join(bits)}}})")
    for pin in _PINS:
        found = net(pin)
        if found is None and pin in ("CLOCK", "POWEROFF"):
            raise TrineError(f"the bitstream has a single-port RAM without {pin}")
        ports.append(f".{pin}({found or chr(49) + chr(39) + 'b0'})")
    wires = [net(f"DATAOUT_{bit}") for bit in range(16)]
    outputs = "".join(f" assign {wire} = spram{number}_o[{bit}];" for bit, wire in enumerate(wires) if wire)
    return (
        f"wire [15:0] spram{number}_o; SB_SPRAM256KA #(.NUMBER({number})) spram{number} "
        f"({', '.join(ports)}, .DATAOUT(spram{number}_o));{outputs}"
    )


def _output(line: str, body: list[str]) -> str:
    """An output that is always driven, without its enable; others stay as they are."""
    match = re.fullmatch(r"assign (\S+) = (\w+) \? (\w+) : 1'bz;", line)
    if not match:
        return line
    enable = match[2]
    while source := next(
        filter(None, (re.match(rf"assign {enable} += +(\S+);", each) for each in body)), None
    ):
        enable = source[1]
    return f"assign {match[1]} = {match[3]};" if enable == "1'b1" else line


def _check_drivers(body: list[str]) -> None:
    """Every net that is read is also driven."""
    driver = re.compile(r"assign n\d+ +=|\bn\d+ <=|\.(?:RDATA|PLLOUT\w+|LOCK|SDO)\([^)]*\)")
    driven: set[str] = set()
    read: set[str] = set()
    for line in body:
        if not line.startswith(("wire n", "reg n", "module")):
            driven.update(name for found in driver.findall(line) for name in _NAME.findall(found))
            read.update(_NAME.findall(driver.sub("", line)))
    if missing := sorted(read - driven, key=lambda net: int(net[1:])):
        raise TrineError(
            f"the bitstream has nets that nothing drives ({', '.join(missing[:8])}): it uses a part of the "
            "chip that has no model"
        )
