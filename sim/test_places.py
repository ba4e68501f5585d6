"""The commands on a simulated engine or board, with embedding and head in every place, of every task."""

import json

import pytest
from click.testing import CliRunner

from tests.helpers.placed_models import ANY, MODELS, PLACES, arguments, place_options, refusal
from trine.cli.commands import cli

#: Each engine is compiled, which takes seconds.
CASES = [
    ("icarus", "language", ("host", "board")),
    *[
        pytest.param(backend, name, places, marks=pytest.mark.nightly)
        for backend, names in (
            ("icarus", ["language, two heads", "language, no head", "classify", "label", "regress, no head"]),
            ("verilator", ["language", "classify, two heads"]),
            ("icarus:m.trine", ["language", "regress"]),
            ("verilator:m.trine", ["regress, no head"]),
        )
        for name in names
        for places in (ANY, *PLACES)
    ],
]


def trine(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.mark.parametrize(("backend", "name", "places"), CASES)
def test_a_simulated_engine_says_what_the_golden_model_says(tmp_path, monkeypatch, backend, name, places):
    """Of text, sequences and generation; a simulated engine in the same cycles."""
    monkeypatch.chdir(tmp_path)
    model = MODELS[name]()
    model.save("m.trine")
    for command in ("run", "eval", "generate"):
        words = (command, "m.trine", *arguments(command, model), *place_options(places), "--json")
        results = [trine(*words, "--backend", each) for each in (backend, "golden")]
        message = refusal(command, model, places)
        if message is not None:
            for result in results:
                assert result.exit_code == 1 and result.stderr.count("\n") == 1, result.output
                assert message in result.stderr
            continue
        assert [result.exit_code for result in results] == [0, 0], results[0].output
        found, golden = (json.loads(result.stdout) for result in results)
        assert found.pop("backend") != golden.pop("backend")
        if ":" in backend:  # steps of a board are sent one by one, and of sequences it shows outputs alone
            golden = {key: golden[key] for key in golden if "cycles" not in key and key != "active_h"}
        assert {key: found[key] for key in golden} == golden
