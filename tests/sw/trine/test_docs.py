"""What the documentation says can be done can be done: commands, links, paths, examples and figures."""

import doctest
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import trine_sw
from tests.helpers.paths import ROOT
from trine.cli.commands import cli

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
#: What docs/adding-a-board.md adds, and what commands make.
NOT_HERE = {"boards/trine_boards/ecpix5.py"}

each_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)


def read(page: Path) -> str:
    """A page, with its fenced code indented like the other."""
    fences = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return fences.sub(
        lambda fence: re.sub(r"^(?=.)", "    ", fence[1], flags=re.MULTILINE),
        page.read_text(encoding="utf-8"),
    )


def commands(text: str) -> list[str]:
    """Calls of trine: whole lines of code, and code within a line."""
    lines = re.findall(r"^ {4}(?:\.venv/bin/)?trine (.+)$", text, re.MULTILINE)
    return lines + re.findall(r"`(?:\.venv/bin/)?trine ([^`]+)`", text)


def check_command(line: str) -> None:
    """The command exists and takes these options and arguments."""
    words = shlex.split(line, comments=True)
    context = click.Context(cli, info_name="trine")
    if words[0].startswith("-"):
        cli.make_parser(context).parse_args(words)
        return
    command = cli.get_command(context, words[0])
    assert command is not None, f"there is no command trine {words[0]}"
    if isinstance(command, click.Group) and words[1:]:
        words = words[1:]
        command = command.get_command(click.Context(command), words[0])
        assert command is not None, f"there is no such command of a group: {line}"
    _, rest, _ = command.make_parser(click.Context(command)).parse_args(words[1:])
    assert not rest, f"trine {words[0]} does not take {rest}"


def test_commands_are_found_and_refused():
    found = commands("`trine fit M --board B` and\n\n    .venv/bin/trine info M  # what is in it\n")
    assert found == ["info M  # what is in it", "fit M --board B"]
    for line in found:
        check_command(line)
    for wrong in ("fitt M", "info M --bored", "info M N", "--hulp"):
        with pytest.raises((AssertionError, click.UsageError)):
            check_command(wrong)


@each_page
def test_commands_exist(page):
    for line in commands(read(page)):
        check_command(line)


@each_page
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = read(page)
    used = re.findall(r"^ {4}make ([a-z-]+)", text, re.MULTILINE) + re.findall(r"`make ([a-z-]+)`", text)
    assert set(used) <= targets


@each_page
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@each_page
def test_paths_exist(page):
    text = re.sub(r"https?://\S+|\]\([^)]*\)", "", page.read_text(encoding="utf-8"))
    paths = re.findall(r"(?<![\w./-])(?:sw|hw|boards|sim|tests|docs|models)/[\w./-]*\.\w+", text)
    assert [path for path in paths if path not in NOT_HERE and not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if ">>>" in page.read_text(encoding="utf-8")], ids=lambda p: p.name
)
def test_examples_give_what_they_show(page):
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted and not result.failed


def test_figures_are_those_of_the_results():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    results = ROOT / "docs" / "results"
    built = json.loads((results / "ulx3s-shakespeare.json").read_text(encoding="utf-8"))
    trained = json.loads((results / "shakespeare-training.json").read_text(encoding="utf-8"))
    for figure in (
        f"{built['fmax_mhz']:.2f} / {built['clock_mhz']:g} MHz",
        f"{built['cycles_per_token']:.2f}",
        f"{built['tokens_per_s']:,}",
        f"{trained['ternary']['valid_nats']:.3f} / {trained['float']['valid_nats']:.3f}",
    ):
        assert f"| {figure}" in text, f"README.md lacks {figure}"
    small = json.loads((results / "icebreaker-shakespeare-small.json").read_text(encoding="utf-8"))
    assert small["dsp"] == 0
    for figure in (
        f"{small['lut4']:,} / 5,280",
        f"{small['fmax_mhz']:.2f} / {small['clock_mhz']:g} MHz",
        f"{small['tokens_per_s']:,}",
    ):
        assert f"| {figure} |" in text, f"README.md lacks {figure}"


def test_examples_of_power_are_of_the_reports():
    """Each names the report whose resources and clock it is given."""
    text = (ROOT / "docs/power.md").read_text(encoding="utf-8")
    used = re.findall(r"used = dict\((.+)\)  # (\S+)\n(?:(?!used = ).*\n)*?.*clock_mhz=(\d+)", text)
    assert len(used) == text.count("used = dict(") == 3
    for given, name, clock in used:
        report = json.loads((ROOT / f"docs/results/{name}.json").read_text(encoding="utf-8"))
        resources = dict(re.findall(r"(\w+)=([\d_]+)", given))
        assert {key: int(value) for key, value in resources.items()} == {
            key: report[key] for key in ("lut4", "ff", "block_ram")
        }, name
        assert int(clock) == report["clock_mhz"], name


def test_perplexities_are_those_of_the_records():
    text, page = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/results/hitnet.md")
    )
    records = {}
    for name in ("ptb-lstm-300", "ptb-gru-300", "wikitext2-lstm-512"):
        record = json.loads((ROOT / "docs" / "results" / f"{name}-training.json").read_text(encoding="utf-8"))
        kinds = ("float", "ternary", "ternary_head")
        records[name] = [f"{record[kind]['test']['perplexity']:.2f}" for kind in kinds]
        assert f"| {name} | {' | '.join(records[name])} |" in page
    lstm, gru, words = records.values()
    for found in zip(lstm, gru, strict=True):
        assert f"| {' | '.join(found)} |" in text
    assert all(figure in text for figure in words)


def test_version_is_the_newest_of_the_changelog():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d[\d.]*)\] - \d{4}-\d\d-\d\d$", changes, re.MULTILINE)
    assert newest and newest[1] == project["version"] == trine_sw.__version__


def test_integers_need_neither_torch_nor_amaranth():
    modules = (
        "model golden golden.sampler engine engine.memory_layout engine.timing fit model.random_model".split()
    )
    code = f"import sys, {', '.join(f'trine_sw.{name}' for name in modules)}\n"
    code += "sys.exit(bool({'torch', 'amaranth', 'cocotb', 'trine_hw', 'trine_boards'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
