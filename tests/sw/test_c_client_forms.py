"""The C client as files: its sizes, its prefixes, C++, models without a head, and its command."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.helpers.c_client import STRICT, board_of, compiled, needs_gcc
from tests.helpers.paths import ROOT
from tests.helpers.task_models import task_model
from trine.cli.commands import cli
from trine_sw.client import c_client
from trine_sw.client.c_facts import ClientFacts
from trine_sw.client.c_layout import state_bytes
from trine_sw.client.c_measure import object_size
from trine_sw.golden import Golden
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

CONFIG = ModelConfig(hidden=9, embedding=6, vocab_size=20)
MODEL = random_model(CONFIG, seed=5)


@needs_gcc
@pytest.mark.parametrize("head", ["board", "host"])
def test_the_state_has_as_many_bytes_as_are_said(tmp_path, head):
    for number, model in enumerate([MODEL, task_model("classify"), task_model("label", encoder=False)]):
        made = c_client(model, head=head)
        found = ClientFacts(model, "", None, head)
        program = compiled(model, tmp_path / str(number), client=made, sanitized=False)
        assert program.run("size").one() == state_bytes(found.members, found.slots, pointer_bytes=8)
        measured = object_size(made)
        assert measured is not None
        assert made.state_bytes <= measured.state_bytes <= made.state_bytes + 64
        assert made.table_bytes < measured.flash_bytes < made.table_bytes + 16_000


@needs_gcc
def test_two_clients_in_one_program(tmp_path):
    for prefix, model in (("left", MODEL), ("right", task_model("classify"))):
        c_client(model, prefix=prefix).write(tmp_path)
    main = tmp_path / "main.c"
    main.write_text(
        '#include "left_client.h"\n#include "right_client.h"\n'
        "int main(void)\n{\n    static left_client left;\n    static right_client right;\n"
        "    return left_reset(&left) != LEFT_ERROR_CLOSED ||\n"
        "           right_reset(&right) != RIGHT_ERROR_CLOSED;\n}\n",
        encoding="ascii",
    )
    sources = [main, tmp_path / "left_client.c", tmp_path / "right_client.c"]
    subprocess.run(["gcc", *STRICT, "-o", tmp_path / "main", *sources], check=True)
    subprocess.run([tmp_path / "main"], check=True)


@needs_gcc
@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is missing: apt install g++")
def test_the_header_is_good_for_c_plus_plus(tmp_path):
    header, source = c_client(task_model("regress")).write(tmp_path)
    main = tmp_path / "main.cpp"
    main.write_text(
        f'#include "{header.name}"\nint main() {{ return trine_reset(nullptr) != TRINE_ERROR_ARGUMENT; }}\n',
        encoding="ascii",
    )
    subprocess.run(["gcc", *STRICT, "-c", "-o", tmp_path / "client.o", source], check=True)
    warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["g++", *warnings, "-o", tmp_path / "main", main, tmp_path / "client.o"], check=True)
    subprocess.run([tmp_path / "main"], check=True)


@needs_gcc
@pytest.mark.parametrize("task", ["classify", "regress"])
def test_without_real_numbers(tmp_path, task):
    model = task_model(task)
    assert model.encoder is not None
    program = compiled(model, tmp_path, options=["-DTRINE_NO_REAL"], sanitized=False)
    samples = np.arange(20).reshape(10, 2) * 700 - 5000
    board = board_of(model, embedding="host")
    found = program.run(("open", 1), ("step_samples", 1, 10, samples), board=board)
    found.ok()
    compiled(MODEL, tmp_path, options=["-DTRINE_NO_REAL"], sanitized=False)
    trace = Golden(model).run_vectors(model.encoder.trits(samples.astype(np.int16)))
    for h in trace.h:
        found.ok()
        np.testing.assert_array_equal(found.take(model.config.hidden), h)


@needs_gcc
@pytest.mark.parametrize("encoder", [True, False])
def test_a_model_without_a_head_gives_states(tmp_path, encoder):
    model = task_model("classify", head=None, encoder=encoder)
    made = c_client(model)
    assert "trine_classify" not in made.header and "logits" not in made.header
    program = compiled(model, tmp_path, client=made, sanitized=False)
    trits = np.random.default_rng(1).integers(-1, 2, (8, model.config.embedding))
    board = board_of(model, embedding="host", head="host")
    found = program.run(("open", 1), ("step_trits", 3, 8, trits), board=board)
    found.ok()
    trace = Golden(model).run_vectors(trits)
    for t in range(8):
        found.ok()
        np.testing.assert_array_equal(found.take(8), trace.h[t])
        np.testing.assert_array_equal(found.take(8), trace.u[t])


def invoked(*words) -> str:
    result = CliRunner().invoke(cli, ["client", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_writes_both_files(tmp_path):
    path = tmp_path / "m.trine"
    MODEL.save(path)
    said = json.loads(invoked(path, "--lang", "c", "-o", tmp_path / "out", "--prefix", "left", "--json"))
    assert said["wrote"] == [str(tmp_path / "out/left_client.h"), str(tmp_path / "out/left_client.c")]
    assert "m.trine" in Path(said["wrote"][0]).read_text(encoding="ascii")
    assert said["state_bytes"] > 300 and said["table_bytes"] == 0
    host = json.loads(
        invoked(path, "-o", tmp_path / "out", "--head", "host", "--embedding", "host", "--json")
    )
    assert host["table_bytes"] == 20 * 2 + 20 * (2 + 4) + 2048
    assert "trine_client.c" in invoked(path, "-o", tmp_path / "out")


def test_the_command_says_what_is_wrong(tmp_path):
    path = tmp_path / "m.trine"
    task_model("classify", head="float").save(path)
    for words, message in (
        ([path, "-o", tmp_path], "only head is a float one"),
        ([tmp_path / "none.trine", "-o", tmp_path], "none.trine"),
        ([ROOT / "models/shakespeare-small.trine", "-o", tmp_path, "--cc", "no-such-gcc"], "no-such-gcc"),
        ([ROOT / "models/shakespeare-small.trine", "-o", tmp_path, "--cc", "'"], "must be a command"),
    ):
        result = CliRunner().invoke(cli, ["client", *map(str, words)])
        assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
        assert message in result.output
        assert not list(tmp_path.glob("*.[ch]"))


@needs_gcc
def test_a_compiler_that_fails_is_quoted(tmp_path):
    with pytest.raises(TrineError, match="gcc fails"):
        object_size(c_client(MODEL), "gcc -fno-such-option-at-all")
