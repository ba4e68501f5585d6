"""trine program: what it calls, what it believes of the loader's output, and what it asks the board."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from serial.tools.list_ports_common import ListPortInfo

from trine.cli import program as commands
from trine_boards import BOARDS
from trine_boards.build.record import RECORD_NAME, BuildRecord
from trine_boards.programming import compare
from trine_boards.top import BoardTop
from trine_sw.engine import EngineConfig
from trine_sw.link.board_info import Info
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support import toolchain

#: Stands for openFPGALoader: notes how it is called, and answers as the files ``said`` and ``status`` say.
LOADER = """\
#!/bin/sh
here=$(dirname "$0")
[ "$1" = --Version ] && echo 1.0 && exit
echo "$@" >> "$here/called"
cat "$here/said"
exit $(cat "$here/status")
"""
DONE = "write to ram\nJtag frequency : requested 6.00MHz\nLoading: [===] 100%\n\x1b[32mDone\x1b[0m\n"


class Loader:
    """The stand-in for openFPGALoader, first on PATH."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "openFPGALoader").write_text(LOADER, encoding="ascii")
        (folder / "openFPGALoader").chmod(0o755)
        self.answers(DONE)

    def answers(self, said, status=0):
        (self.folder / "said").write_text(said, encoding="utf-8")
        (self.folder / "status").write_text(str(status), encoding="ascii")

    @property
    def called(self):
        return (self.folder / "called").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def loader(tmp_path, monkeypatch):
    made = Loader(tmp_path / "tools")
    monkeypatch.setenv("PATH", str(made.folder), prepend=":")
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    toolchain.find.cache_clear()
    yield made
    toolchain.find.cache_clear()


@pytest.fixture
def bitstream(tmp_path):
    path = tmp_path / "top.bit"
    path.write_bytes(b"LFE5U-85F")
    return path


ULX3S, ICEBREAKER = ("--board", "ulx3s"), ("--board", "icebreaker")


def test_a_file_that_is_no_bitstream_of_the_board_is_refused(fails, loader, model_path, bitstream, tmp_path):
    fails("program", tmp_path / "none.bit", *ULX3S, saying=("there is no bitstream", "trine build"))
    fails("program", model_path, *ULX3S, saying="is no bitstream")
    fails("program", bitstream, *ICEBREAKER, saying="its name must end in .bin")
    bitstream.write_bytes(b"")
    fails("program", bitstream, *ULX3S, saying="empty; make it with trine build")
    assert not (loader.folder / "called").exists()


def test_the_memory_is_always_named(succeeds, loader, bitstream, tmp_path):
    """openFPGALoader writes to flash where nothing is said, on boards that are configured over SPI."""
    packed = tmp_path / "top.bin"
    packed.write_bytes(b"\x7e\xaa\x99\x7e")
    for path, board in ((bitstream, ULX3S), (packed, ICEBREAKER)):
        succeeds("program", path, *board)
        succeeds("program", path, *board, "--flash")
    assert loader.called == [
        f"--board ulx3s --write-sram {bitstream}",
        f"--board ulx3s --write-flash {bitstream}",
        f"--board ice40_generic --write-sram {packed}",
        f"--board ice40_generic --write-flash {packed}",
    ]


@pytest.mark.parametrize(
    "said",
    [
        "Loading to CRAM: [====] 100.00%\nDone\n\x1b[34mWait for CDONE \x1b[0m\x1b[31mFAIL\x1b[0m\n",
        "Error: Failed to claim cable\n",
        "write to flash\nfail to read data\n",
        "unable to open ftdi device: -3\nJTAG init failed with: unable to open ftdi device\n",
    ],
)
@pytest.mark.parametrize("status", [0, 1])
def test_a_step_that_failed_is_believed_and_not_the_exit_status(fails, loader, bitstream, said, status):
    loader.answers(said, status)
    shown = fails("program", bitstream, *ULX3S, saying="could not program Radiona ULX3S-85F")
    assert "\x1b" not in shown


def test_advice_suits_the_failure(fails, loader, bitstream, tmp_path):
    packed = tmp_path / "top.bin"
    packed.write_bytes(b"\x7e\xaa\x99\x7e")
    loader.answers("Wait for CDONE FAIL\n")
    fails("program", packed, *ICEBREAKER, saying=("has not started", "SPI jumpers", "--flash"))
    loader.answers(
        "x: error while loading shared libraries: libftdi1.so.2: cannot open shared object file\n", 127
    )
    fails("program", bitstream, *ULX3S, saying=("libftdi1.so.2", "libusb-1.0-0 and libftdi1-2"))
    loader.answers("", 3)
    fails("program", bitstream, *ULX3S, saying=("status 3", "plugged in", "trine doctor"))


@pytest.fixture
def built(tmp_path):
    """A folder as trine build leaves it, and the top that its bitstream is of."""
    model = random_model(ModelConfig(hidden=4, embedding=4, vocab_size=8), seed=1)
    board = BOARDS["ulx3s"].at_baud(2_500_000)
    top = BoardTop(model, EngineConfig(lanes=40, banks=2, block_ram="ecp5"), board, board.clock_mhz)
    folder = tmp_path / "build"
    folder.mkdir()
    path = folder / "top.bit"
    path.write_bytes(b"LFE5U-85F")
    BuildRecord.of(top, path, 1).save(folder, model)
    return path, top.pinned.link.info


def test_the_board_is_asked_whether_it_is_what_was_built(
    fails, succeeds, loader, built, bitstream, monkeypatch
):
    path, info = built
    answers = {"info": info}
    asked = []

    def ask(url, baud):
        asked.append((url, baud))
        return answers["info"]

    monkeypatch.setattr(commands, "_info", ask)
    assert "not asked" not in succeeds("program", path, *ULX3S, "--no-ask") and not asked
    succeeds("program", path, *ULX3S)
    assert not asked  # no port is there

    port = ListPortInfo("/dev/ttyUSB7")
    port.vid, port.pid, port.description = 0x0403, 0x6015, "FT231X"
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [port])
    assert "this bitstream answers at /dev/ttyUSB7" in succeeds("program", path, *ULX3S)
    assert "this bitstream answers at X" in succeeds("program", path, *ULX3S, "--port", "X")
    assert asked == [("/dev/ttyUSB7", 2_500_000), ("X", 2_500_000)]  # as it was built
    assert "no build.json" in succeeds("program", bitstream, *ULX3S)

    answers["info"] = replace(info, lanes=info.lanes + 1, digest=bytes(32))
    said = fails_after_loading(path)
    assert f"lanes is {info.lanes + 1} and was built as {info.lanes}" in said and "digest is 0000" in said
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [port, port])
    succeeds("program", path, *ULX3S)  # which of two is it?
    loaded = len(loader.called)
    path.write_bytes(b"LFE5U-85F, another")
    fails("program", path, *ULX3S, saying="is not the bitstream that")
    path.with_name("top.bin").write_bytes(b"\x7e\xaa\x99\x7e")
    path.write_bytes(b"LFE5U-85F")
    fails("program", path.with_name("top.bin"), *ICEBREAKER, saying="was built for ulx3s, not for icebreaker")
    assert len(loader.called) == loaded


@pytest.mark.parametrize("link", ["spi", "usb"])
def test_a_board_over_another_link_is_asked_there(succeeds, loader, tmp_path, monkeypatch, link):
    """On USB its own port, which appears once it is loaded, and not the UART's; SPI's is not known."""
    model = random_model(ModelConfig(hidden=4, embedding=4, vocab_size=8), seed=1)
    board = BOARDS["ulx3s"].over(link)
    top = BoardTop(model, EngineConfig(lanes=40, banks=2, block_ram="ecp5"), board, board.clock_mhz)
    path = tmp_path / "top.bit"
    path.write_bytes(b"LFE5U-85F")
    BuildRecord.of(top, path, 1).save(tmp_path, model)
    monkeypatch.setattr(commands, "_info", lambda url, baud: top.pinned.link.info)
    looks = []

    def comports():
        looks.append(1)
        ports = [ListPortInfo("/dev/ttyUSB0"), ListPortInfo("/dev/ttyACM3")]
        ports[0].vid, ports[0].pid, ports[0].description = 0x0403, 0x6015, "FT231X"
        ports[1].vid, ports[1].pid, ports[1].description = 0x1209, 0x0001, "Trine ULX3S"
        return ports[: len(looks)]

    monkeypatch.setattr("serial.tools.list_ports.comports", comports)
    said = succeeds("program", path, *ULX3S)
    assert ("this bitstream answers at /dev/ttyACM3" in said) == (link == "usb") and len(looks) < 3
    assert "answers at spi:///dev/x" in succeeds("program", path, *ULX3S, "--port", "spi:///dev/x")


def test_a_board_on_a_network_is_not_asked(trine, loader, built):
    """Its host may be in another network; the address is told."""
    path, _ = built
    record = path.with_name(RECORD_NAME)
    values = json.loads(record.read_text(encoding="utf-8"))
    network = {"board": "ecpix5-85f", "transport": "ethernet", "baud": 0, "address": "10.0.0.9"}
    record.write_text(json.dumps(values | network), encoding="utf-8")
    result = trine("program", path, "--board", "ecpix5-85f")
    assert result.exit_code == 0 and "its link is ethernet; give --port udp://10.0.0.9" in result.stderr


def fails_after_loading(path):
    """What is said on standard error; that the bitstream was taken stands on standard output before it."""
    from click.testing import CliRunner

    from trine.cli.commands import cli

    result = CliRunner().invoke(cli, ["program", str(path), *ULX3S])
    assert result.exit_code == 1 and "has taken" in result.stdout
    return result.stderr


def test_every_field_that_differs_is_named():
    rng = np.random.default_rng(1)
    sizes = (4, 1, 4, 8, 16, 1, 1, 1, True, True, 1, 0, 0, 9, 8, 256, 2048, 80, 1)
    info = Info(3, rng.bytes(32), *sizes, 0.5, 0)
    assert compare(info, info) == []
    for entry in fields(Info):
        value = getattr(info, entry.name)
        other = (
            bytes(32) if isinstance(value, bytes) else (not value if isinstance(value, bool) else value + 1)
        )
        (found,) = compare(info, replace(info, **{entry.name: other}))
        assert found.field == entry.name and entry.name in str(found)
