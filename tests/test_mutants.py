"""The list of mutants is of this tree: each line that is broken stands in its file, and so do its tests."""

import json
import re
import subprocess
import sys

import pytest

from sim.measure.mutants import MUTANTS, TESTS
from tests.helpers.paths import ROOT


@pytest.mark.parametrize("file", sorted({mutant.file for mutant in MUTANTS}))
def test_the_text_that_is_replaced_stands_exactly_once(file):
    source = (ROOT / file).read_text(encoding="utf-8")
    for mutant in MUTANTS:
        if mutant.file == file:
            assert source.count(mutant.right) == 1, mutant.name
            assert mutant.wrong != mutant.right
            compile(source.replace(mutant.right, mutant.wrong), file, "exec")


def test_each_mutant_has_a_name_and_tests_of_its_own():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 40
    assert {mutant.file for mutant in MUTANTS} == set(TESTS)
    for test in {test for mutant in MUTANTS for test in mutant.selected}:
        path, _, name = test.partition("::")
        source = (ROOT / path).read_text(encoding="utf-8")
        assert not name or re.search(rf"^def {name.split('[')[0]}\(", source, re.MULTILINE), test


def test_each_test_that_is_named_runs_with_every_change():
    """Under the name of its parameters, and not only at night."""
    named = {test for mutant in MUTANTS for test in mutant.selected}
    files = sorted({test.partition("::")[0] for test in named})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert listed.returncode == 0, listed.stdout + listed.stderr
    lines = listed.stdout.splitlines()
    collected = {*lines, *(line.split("[")[0] for line in lines), *(line.split("::")[0] for line in lines)}
    assert not named - collected


def test_every_file_of_gateware_that_computes_has_mutants():
    """All but packages, and what only names or checks."""
    folders = [ROOT / "hw/trine_hw" / name for name in ("primitives", "core", "link")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    left_out = {"__init__.py", "state_beats.py"}
    names = {str(path.relative_to(ROOT)) for path in files if path.name not in left_out}
    # Of these one names what others share, and one has LiteEth make what it computes.
    ethernet = {f"hw/trine_hw/link/ethernet/{name}.py" for name in ("words", "core")}
    assert names - ethernet <= set(TESTS)


def test_the_record_is_of_this_list():
    record = json.loads((ROOT / "docs/results/mutation.json").read_text(encoding="utf-8"))
    listed = {(mutant.file, mutant.breaks) for mutant in MUTANTS}
    tried = [(each["file"], each["breaks"]) for each in record["mutants"]]
    assert set(tried) <= listed and len(set(tried)) == len(tried) == record["tried"] >= 40
    assert record["caught"] == sum(each["caught"] for each in record["mutants"])
    page = (ROOT / "docs/results/mutation.md").read_text(encoding="utf-8")
    assert f"{record['caught']} caught of {record['tried']} tried" in page
