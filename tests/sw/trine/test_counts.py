"""Every whole number that a command takes, of any size: it is used, or refused in one line."""

import click
import pytest

from trine.cli.commands import cli
from trine_sw.support.errors import TrineError

HUGE = (-(10**20), -(2**63), -1, 0, 2**63, 2**64, 10**20)
FIT = ("--board", "ulx3s")
#: Of each command with such options, the function at which it need not go on, since hours would follow, and
#: arguments that go with them.
COMMANDS = {
    "train": ("trine_sw.training.train.train", "shakespeare"),
    "generate": (None, "MODEL", "--prompt", "!"),
    "eval": ("trine_hw.simulation.build.build", "MODEL", "--dataset", "sea", "--backend", "verilator"),
    "random": (None, "OUT", "--dataset", "sea", "--hidden", "5", "--embedding", "4"),
    "study": ("trine_sw.studies.run.run_study", "ladder", "--list"),
    "speed": ("trine_sw.training.loop.speed.new_model", "shakespeare-small"),
    "fit": (None, "MODEL", *FIT),
    "verilog": ("trine_hw.simulation.build.to_verilog", "MODEL", *FIT, "-o", "OUT"),
    "build": ("trine_boards.build.bitstream.build_bitstream", "MODEL", *FIT, "-o", "OUT"),
    "verify": ("trine_boards.build.record.BuildRecord.model", "FOLDER"),
    "doctor": (None, "--port", "golden:MODEL"),
    "board": ("trine_hw.simulation.virtual_board.VirtualBoard", "MODEL"),
    "draw activity": ("trine.reports.engine_figures.draw_activity", "MODEL", "--dataset", "sea", "-o", "OUT"),
    "demo": ("trine.demo._opened", "--root", "FOLDER"),
}


def options():
    """Each command's name, and its options that are whole numbers."""
    for name, command in cli.commands.items():
        inner = command.commands if isinstance(command, click.Group) else {"": command}
        for last, each in inner.items():
            for option in each.params:
                if isinstance(option.type, click.types.IntParamType):
                    yield f"{name} {last}".rstrip(), max(option.opts, key=len)


def reached(*_, **__):
    raise TrineError("reached")


@pytest.mark.parametrize(("command", "option"), list(options()))
def test_whole_numbers_of_any_size(trine, monkeypatch, sea, model, tmp_path, command, option):
    (tmp_path / "models").mkdir()
    model.vocabulary = sorted(set(sea))[: model.config.vocab_size]
    path = tmp_path / "models/shakespeare.trine"
    model.save(path)
    far, *arguments = COMMANDS[command]
    if far:
        monkeypatch.setattr(far, reached)
    monkeypatch.setattr("trine_boards.build.record.BuildRecord.load", lambda folder: None)
    places = {"MODEL": str(path), "OUT": str(tmp_path / "out"), "FOLDER": str(tmp_path)}
    for place, value in places.items():
        arguments = [word.replace(place, value) for word in arguments]
    if option in ("--lanes", "--banks") and command != "eval":
        arguments += ["--lanes", "40", "--banks", "2"]
    for value in HUGE:
        result = trine(*command.split(), *arguments, option, value)
        assert result.exception is None or isinstance(result.exception, SystemExit), (value, result.exception)
        if result.exit_code:
            assert result.exit_code == 1 and result.stderr.startswith("Error: "), (value, result.output)
            assert result.stderr.count("\n") == 1, (value, result.stderr)
