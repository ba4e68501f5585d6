"""Check of this machine: what is needed to build for a board and to use it, and what is missing."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trine_sw.support import toolchain
from trine_sw.support.installing import install_hint

__all__ = ["Check", "Port", "check_machine", "check_ports", "check_rules"]

#: Where udev looks for rules, by precedence.
RULES_FOLDERS = (
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
)
#: Rules that set ``TAG+="uaccess"`` take effect only before systemd's 73-seat-late.rules.
_RULES_BEFORE = 73
_SERIAL_DEVICES = Path("/sys/bus/usb-serial/devices")
#: Milliseconds that an FTDI chip may hold back a short reply and a round trip is still short.
_LATENCY_MS = 2
_PACKAGES = ("amaranth", "amaranth-boards", "numpy", "torch", "cocotb", "pyserial")
_LIBRARIES = "apt install libusb-1.0-0 libftdi1-2 (or your system's packages)"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Members
    -------
    name : what
    state : ``ok``; ``note``, something works less well or only some commands need it; ``problem``
    found : what there is
    remedy : what to do about it, or ""
    """

    name: str
    state: Literal["ok", "note", "problem"]
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Port:
    """A serial port at which there may be a board.

    Parameters
    ----------
    device : its device file
    boards : names of those that it may be
    description : what it says of itself
    baud : the rate of these boards, where it is another than the driver's
    """

    device: str
    boards: tuple[str, ...]
    description: str
    baud: int | None = None

    @property
    def url(self) -> str:
        """How the driver opens it.

        >>> Port("/dev/ttyACM0", ("icesugar",), "iCELink", 115_200).url
        '/dev/ttyACM0?baud=115200'
        """
        return self.device if self.baud is None else f"{self.device}?baud={self.baud}"


def check_machine(cache: Path | None) -> Iterator[Check]:
    """System, Python, packages, tools and room in the ``cache`` folder, None if there is no place for it."""
    yield Check("system", "ok", f"{platform.platform()}, {os.cpu_count()} processors")
    yield Check("Python", "ok", f"{platform.python_version()} at {sys.executable}")
    for package in _PACKAGES:
        try:
            yield Check(package, "ok", importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            extra = {"torch": "train", "cocotb": "tools"}.get(package)
            remedy = install_hint(extra) if extra else f"pip install {package}"
            yield Check(package, "note" if extra else "problem", "missing", remedy)
    for name, spec in toolchain.TOOLS.items():
        if tool := toolchain.find(name):
            yield Check(name, "ok", f"{tool.version} ({tool.source})")
        else:
            yield Check(name, "note", f"missing; needed for: {spec.purpose}", spec.install)
    for program, purpose in (("g++", "Verilator"), ("make", "Verilator"), ("perl", "Verilator")):
        if shutil.which(program) is None:
            yield Check(program, "note", f"missing; needed for: {purpose}", f"apt install {program}")
    yield _programmer()
    yield _cache(cache)


def _programmer() -> Check:
    """Whether openFPGALoader starts: its libraries come from the system."""
    name = "openFPGALoader starts"
    loader = toolchain.find("openFPGALoader")
    if loader is None:
        return Check(name, "note", "missing", toolchain.TOOLS["openFPGALoader"].install)
    try:
        done = subprocess.run(
            [*loader.command, "--Version"],
            env=loader.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, "problem", f"no: {error}", toolchain.TOOLS["openFPGALoader"].install)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        return Check(name, "problem", f"no: {lines[-1]}", _LIBRARIES)
    return Check(name, "ok", "yes")


def _cache(folder: Path | None) -> Check:
    name = "cache"
    if folder is None:
        remedy = "set TRINE_CACHE to a folder that you may write"
        return Check(name, "problem", "there is no home directory to keep compiled files in", remedy)
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return Check(
            name, "problem", f"{folder} cannot be written", "set TRINE_CACHE to a folder that you may write"
        )
    free = shutil.disk_usage(existing).free / 1e9
    state = "ok" if free >= 1 else "note"
    return Check(
        name, state, f"{folder}, {free:.1f} GB free", "" if free >= 1 else "make room: a build takes 1 GB"
    )


def check_rules(usb: Sequence[tuple[int, int]], rules: str, folders: Sequence[str] = RULES_FOLDERS) -> Check:
    """Whether udev rules that name every vendor and product number of ``usb`` are installed.

    ``rules`` is the file that Trine brings, for the remedy.
    """
    name = "udev rules"
    remedy = (
        f"sudo cp {rules} /etc/udev/rules.d/ && sudo udevadm control --reload && sudo udevadm trigger; "
        "then plug the board in again"
    )
    if not Path("/sys").is_dir() or sys.platform != "linux":
        return Check(name, "note", "this system has none")
    late = None
    for folder in folders:
        try:
            files = sorted(Path(folder).glob("*.rules"))
        except OSError:
            continue
        for path in files:
            try:
                text = path.read_text(encoding="utf-8", errors="replace").lower()
            except OSError:
                continue
            if not all(f"{vendor:04x}" in text and f"{product:04x}" in text for vendor, product in usb):
                continue
            number = path.name.partition("-")[0]
            if 'tag+="uaccess"' in text and number.isdigit() and int(number) >= _RULES_BEFORE:
                late = path
                continue
            return Check(name, "ok", str(path))
    if late is not None:
        found = f"{late} is read too late to give you the board"
        return Check(name, "problem", found, f"sudo rm {late}; {remedy}")
    return Check(name, "note", "not installed: without them only root may use a board", remedy)


def check_ports(ports: Sequence[Port], latency_of: Path = _SERIAL_DEVICES) -> Iterator[Check]:
    """Each serial port: whether you may use it, and how long its chip holds back a short reply."""
    if not ports:
        yield Check(
            "board",
            "note",
            "none is plugged in that Trine knows",
            "plug one in with a cable that carries data; trine ports --all lists all serial ports",
        )
    for port in ports:
        what = f"{port.url}, may be: {', '.join(port.boards)} ({port.description})"
        if (reason := _unusable(port.device)) is not None:
            yield Check("serial port", "problem", f"{what}: {reason}", "install the udev rules, see above")
            continue
        yield Check("serial port", "ok", what)
        try:
            timer = latency_of / Path(port.device).name / "latency_timer"
            milliseconds = int(timer.read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue  # no FTDI chip, or no such driver
        slow = milliseconds > _LATENCY_MS
        yield Check(
            "latency timer",
            "note" if slow else "ok",
            f"{milliseconds} ms at {port.device}",
            "the udev rules set it to 1 ms" if slow else "",
        )


def _unusable(device: str) -> str | None:
    try:
        os.close(os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError as error:
        return "it is in use" if error.errno == errno.EBUSY else str(error.strerror)
    return None
