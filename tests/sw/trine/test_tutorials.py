"""The programs of the tutorials: all blocks of a page are one program, run in an empty folder."""

import re

import pytest

from tests.helpers.paths import ROOT

PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
PROGRAMS = {
    page.stem: blocks
    for page in PAGES
    if (blocks := re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S))
}


@pytest.mark.parametrize("simulated", ["golden", pytest.param("verilator", marks=pytest.mark.nightly)])
@pytest.mark.parametrize("page", PROGRAMS)
def test_the_program_of_a_tutorial_runs(page, simulated, tmp_path, monkeypatch, capsys):
    """With the golden model instead of the gateware, which takes a minute to compile, or with both."""
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    variables = {}
    for block in PROGRAMS[page]:
        program = block.replace('"verilator:', f'"{simulated}:')
        exec(compile(program, f"docs/tutorials/{page}.md", "exec"), variables)
    assert capsys.readouterr().out.strip()


def test_there_is_a_program():
    assert {"own-text", "own-training-loop"} <= set(PROGRAMS)


@pytest.mark.parametrize(
    ("page", "recipe"),
    [("own-text", "templates/text.toml"), ("spoken-digits", "spoken-digits-small.toml")],
    ids=["what trine init writes", "what is trained"],
)
def test_the_recipe_of_a_tutorial_is_one_that_trine_has(page, recipe):
    text = (ROOT / f"docs/tutorials/{page}.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```toml\n(.*?)^```$", text, re.M | re.S)
    file = (ROOT / "sw/trine_sw/training/recipes" / recipe).read_text(encoding="utf-8")
    written = [line.partition("#")[0].strip() for line in file.splitlines()]
    assert "\n".join(written).find(shown.strip()) >= 0
