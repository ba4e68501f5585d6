"""What a command writes is looked at before its work, wherever that is; and two do not write at once."""

from pathlib import Path

import click
import pytest

from trine.cli.commands import cli
from trine.cli.outputs import Output, OutputFile, OutputFolder
from trine_sw.support.file_lock import exclusive

#: Paths that a command reads.
READ = {"model_path", "model_paths", "more_models", "tokens", "data", "text", "audio", "bitstream", "reports"}
READ |= {"folder", "root", "start", "teachers"}


def commands(group=cli, words=()):
    """All commands with their words on the command line."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


PATHS = [
    (words, parameter)
    for words, command in commands()
    for parameter in command.params
    if isinstance(parameter.type, click.Path)
]
WRITTEN = [(words, parameter) for words, parameter in PATHS if parameter.name not in READ]


def line(words, command, parameter, place):
    """A command line with that output, and with nothing in it that is there to be read."""
    given = list(words)
    for other in command.params:
        if other is parameter:
            given += [parameter.opts[0], place] if isinstance(parameter, click.Option) else [place]
        elif isinstance(other, click.Argument) and other.required:
            given.append("none")
        elif other.required:
            given += [other.opts[0], "none"]
    return given


def test_every_output_is_one_of_the_checked_kinds():
    assert len(WRITTEN) >= 14
    for words, parameter in WRITTEN:
        assert isinstance(parameter.type, Output), (words, parameter.name)
    for words, parameter in PATHS:
        assert parameter.name not in READ or not isinstance(parameter.type, Output), (words, parameter.name)


@pytest.mark.parametrize(
    ("words", "parameter"), WRITTEN, ids=[f"{' '.join(words)} {p.name}" for words, p in WRITTEN]
)
def test_outputs_are_checked_before_anything_else(fails, words, parameter, tmp_path, monkeypatch):
    """No model, recipe or data set of the name is there, and it is not what is complained of."""
    monkeypatch.chdir(tmp_path)
    command = dict(commands())[words]
    Path("file").touch()
    Path("full").symlink_to("/dev/full")
    before = sorted(tmp_path.iterdir())
    places = ["file/below", "file/below/further", "/proc/none/x", "full/x"]
    places += ["full", "/dev/full", "."] if isinstance(parameter.type, OutputFile) else ["file", "/dev/full"]
    for place in places:
        said = fails(*line(words, command, parameter, place), saying="cannot write")
        assert place.split("/")[0] in said
    assert sorted(tmp_path.iterdir()) == before


def test_a_shell_that_completes_a_line_writes_nothing(monkeypatch):
    monkeypatch.setattr("trine.cli.outputs.check_writable", None)
    context = click.Context(click.Command("c"), resilient_parsing=True)
    for kind in (OutputFile(), OutputFolder()):
        assert kind.convert("/dev/full", None, context) == Path("/dev/full")


def test_build_and_eval_look_at_their_reports(fails, model_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("trine_boards.top.BoardTop.__init__", None)
    monkeypatch.setattr("trine.reports.simulated_text_report.measure_gateware", None)
    for name in ("small-gateware.json", "small-gateware.md", "icebreaker-small.json", "icebreaker-small.md"):
        path = tmp_path / "r" / name
        path.mkdir(parents=True)
        if "gateware" in name:
            command = ("eval", model_path, "--dataset", "ptb", "--backend", "verilator")
        else:
            command = ("build", model_path, "--board", "icebreaker")
        fails(*command, "--results", "r", saying=(name, "it is a folder"))
        path.rmdir()


def test_two_builds_in_one_folder(fails, model_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with exclusive(Path("build/icebreaker-small/.lock"), "it"):
        command = ("build", model_path, "--board", "icebreaker")
        fails(*command, saying="the folder build/icebreaker-small is in use by process")

    def interrupted(*_):
        assert Path("build/icebreaker-small/.lock").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr("trine_boards.top.BoardTop.__init__", interrupted)
    fails(*command, saying="interrupted; finished steps are kept")
    assert not Path("build/icebreaker-small/.lock").exists()
