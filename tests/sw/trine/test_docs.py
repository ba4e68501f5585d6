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
from click.testing import CliRunner

import trine_sw
from tests.helpers.paths import ROOT
from trine.cli.commands import cli
from trine.reports.engine_figures import read_reports
from trine_sw.model import Model

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
#: What docs/adding-a-board.md adds, and what commands make.
NOT_HERE = {"boards/trine_boards/boards/ecp5_evn.py"}

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
def test_a_link_named_after_a_file_leads_to_that_file(page):
    links = re.findall(r"\[`([\w./-]+\.\w+)`\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
    assert [(name, to) for name, to in links if Path(name).name != Path(to).name] == []


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


@pytest.mark.parametrize("page", ["README.md", "docs/driver.md"])
def test_programs_run(page, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    text = (ROOT / page).read_text(encoding="utf-8")
    programs = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert programs
    for program in programs:
        exec(compile(program, page, "exec"), {})
        assert capsys.readouterr().out.strip()


def record(name: str) -> dict:
    """A record of docs/results."""
    return json.loads((ROOT / f"docs/results/{name}.json").read_text(encoding="utf-8"))


def results_table(columns: int) -> dict[str, list[str]]:
    """Cells of the README's table of results of so many columns, by the model of each row."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {row[0].split("`")[1]: row for row in rows if len(row) == columns}


TABLE = results_table(8)
OF_SEQUENCES = {name: row for name, row in TABLE.items() if row[-1].endswith(" µs")}
ROUTED = {name: row for name, row in TABLE.items() if name not in OF_SEQUENCES}


def test_the_table_of_results_has_a_row_for_each_routed_engine():
    reports = read_reports(ROOT / "docs/results")
    routed = {built["model"] for name, built in reports.items() if not name.endswith("-random")}
    assert set(TABLE) == routed


@pytest.mark.parametrize("model", ROUTED)
def test_figures_of_the_table_of_results_are_those_of_the_records(model):
    name, _, quality, board, clock, engine, choice, state = ROUTED[model]
    link = re.search(r"\(docs/results/(.+)\.md\)", board)
    assert link, board
    built, trained = record(link[1]), record(f"{model}-training")
    rates = record("link-rates")["engines"][link[1]]
    config = Model.load(ROOT / f"models/{model}.trine").config
    assert name == f"`{model}`, {config.cell.upper()}, {config.hidden} units"
    if "test" in trained["ternary"]:
        found = [f"{trained[role]['test']['perplexity']:.2f}" for role in ("ternary", "float")]
        assert quality == f"perplexity {found[0]} ({found[1]})"
    else:
        found = [f"{trained[role]['valid_nats']:.3f}" for role in ("ternary", "float")]
        assert quality == f"{found[0]} ({found[1]}) nats/character"
    assert (built["model"], built["dsp"]) == (model, 0)
    assert clock == f"{built['clock_mhz']:g} MHz"
    assert built["fmax_mhz"] >= 1.05 * built["clock_mhz"]
    assert engine == f"{built['tokens_per_s']:,} tokens/s"
    assert choice == f"{rates['choice_tokens_per_s']:,} tokens/s"
    assert state == f"{rates['h_tokens_per_s']:,} tokens/s"
    assert f"{rates['baud']:,} baud" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", OF_SEQUENCES)
def test_figures_of_models_of_sequences_are_those_of_the_records(model):
    name, data, accuracy, board, clock, engine, over_link, to_class = OF_SEQUENCES[model]
    link = re.search(r"\(docs/results/(.+)\.md\)", board)
    assert link, board
    built, rates = record(link[1]), record("window-rates")["engines"][link[1]]
    trained, file = record(f"{model}-training"), Model.load(ROOT / f"models/{model}.trine")
    assert name == f"`{model}`, {file.config.cell.upper()}, {file.config.hidden} units"
    found = [trained["over_seeds"][role]["test"]["accuracy"]["mean"] for role in ("ternary", "float")]
    assert accuracy == "{} % ({} %)".format(*(f"{round(100 * value, 2):g}" for value in found))
    assert f", {trained['data']['sequences']['test']} " in data
    assert board.endswith("head on the host") == (built["head"] == "host")
    assert (built["model"], built["dsp"], clock) == (model, 0, f"{built['clock_mhz']:g} MHz")
    assert built["fmax_mhz"] >= 1.05 * built["clock_mhz"]
    assert engine == f"{rates['engine_windows_per_s']:,}"
    assert over_link == f"{rates['windows_per_s']:,}"
    assert to_class == f"{rates['microseconds_to_class']:,} µs"
    assert (built["baud"], rates["baud"]) == (3_000_000, 3_000_000)
    # The page of training has the figures of the bitstream.
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| \[`{model}`\].*$", text, re.MULTILINE)
    *_, place, lanes, blocks, cycles = (cell.strip() for cell in row.strip("| ").split(" | "))
    assert (place, lanes, blocks) == (built["head"], f"{built['lanes']:,}", str(built["block_ram"]))
    assert cycles == f"{built['cycles_per_token']:,.2f}"
    # The whole test went through the engine, with the result of the model in the file.
    gateware = record(f"{model}-gateware")
    assert gateware["sequences"] == trained["data"]["sequences"]["test"]


def test_the_table_of_routed_engines_is_that_of_their_reports():
    text = (ROOT / "docs/results/README.md").read_text(encoding="utf-8")
    for name, built in read_reports(ROOT / "docs/results").items():
        row = f"{built['clock_mhz']:g} | {built['fmax_mhz']:.2f} | {built['cycles_per_token']}"
        row += f" | {built['tokens_per_s']:,} |"
        link = rf"^\| \[{built['model']}\]\({name}\.md\)"
        assert re.search(rf"{link}.* \| {re.escape(row)}$", text, re.MULTILINE), name


def test_the_rates_of_the_driver_s_page_are_those_of_the_record():
    text = (ROOT / "docs/driver.md").read_text(encoding="utf-8")
    for name, rates in record("link-rates")["engines"].items():
        choice, state = (f"{rates[want]:,}" for want in ("choice_tokens_per_s", "h_tokens_per_s"))
        row = rf"`{name.partition('-')[2]}`.* \| {choice} \| {state} \|$"
        assert re.search(row, text, re.MULTILINE), name


def test_the_rates_beside_a_cpu_are_those_of_the_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\n  ", " ")
    (said,) = re.findall(r"^- \*\*Beside a CPU\*\*.*$", text, re.MULTILINE)
    rows = {row["name"]: row["tokens_per_s"] for row in record("bench")["rows"]}
    rates = record("link-rates")["engines"]["ulx3s-shakespeare"]
    found = [
        rows["PyTorch nn.LSTM, float32"],
        rows["ONNX Runtime LSTM, float32"],
        rows["ONNX Runtime LSTM, int8 dynamic"],
        rows["popcount on bit planes, C"],
        rates["choice_tokens_per_s"],
        rates["h_tokens_per_s"],
    ]
    assert re.findall(r"\d+,\d{3}", said) == [f"{round(rate):,}" for rate in found]
    assert record("bench")["cpu"] in said


def test_the_text_that_the_readme_shows_is_what_the_command_writes():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(
        r"^ {4}\$ \.venv/bin/trine (generate .+)\n((?: {4}.*\n|\n)+?)\n*(?=^\S)", page, re.MULTILINE
    )
    assert found
    result = CliRunner().invoke(
        cli, [word.replace("models/", f"{ROOT}/models/") for word in shlex.split(found[1])]
    )
    assert result.exit_code == 0, result.output
    assert result.output.split() == found[2].split()


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


def test_perplexities_of_the_page_are_those_of_the_records():
    page = (ROOT / "docs/results/hitnet.md").read_text(encoding="utf-8")
    for name in ("ptb-lstm-300", "ptb-gru-300", "wikitext2-lstm-512"):
        trained, roles = record(f"{name}-training"), ("float", "ternary", "ternary_head")
        found = [f"{trained[role]['test']['perplexity']:.2f}" for role in roles]
        assert f"| {name} | {' | '.join(found)} |" in page


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
