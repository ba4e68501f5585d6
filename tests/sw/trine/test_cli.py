"""The commands about a model: what they give, and one clear error and no traceback for bad input."""

import json
import math
import os
import urllib.error

import click
import numpy as np
import pytest
from safetensors.numpy import save

from tests.helpers.altered_file import rewrite
from trine.backends import open_backend
from trine.cli.commands import cli
from trine_sw.data.evaluation import evaluate
from trine_sw.golden import Golden
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model

COMMANDS = "train info run eval random generate tools boards fit verilog build program demo".split()


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(succeeds, command):
    shown = succeeds(*command.split(), "--help")
    assert "Usage: " in shown and "--help" in shown


def test_all_commands_and_their_options_are_described():
    assert set(COMMANDS) <= set(cli.commands)
    for name, command in cli.commands.items():
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help or parameter.name == "split", f"{name} {parameter.name}"


def test_info(succeeds, model_path, model):
    assert "hidden" in succeeds("info", model_path)
    facts = json.loads(succeeds("info", model_path, "--json"))
    assert (facts["hidden"], facts["vocab_size"], facts["head_levels"]) == (6, 8, [0, 1])
    assert facts["digest"] == model.digest().hex() and facts["vocabulary"] == model.vocabulary
    assert facts["training"] == model.training


def test_info_cuts_long_records_for_people(succeeds, model, tmp_path):
    model.training = {"counts": [1] * 10_000}
    model.save(tmp_path / "long.trine")
    said = succeeds("info", tmp_path / "long.trine")
    assert "--json shows all" in said and len(said) < 20_000
    assert json.loads(succeeds("info", tmp_path / "long.trine", "--json"))["training"] == model.training


def test_names_that_look_like_markup_are_shown_as_they_are(succeeds, model, tmp_path):
    model.vocabulary = ["[/]", "[bold]", "[", "]", "\\", "(", "a", "b"]
    path = tmp_path / "[red]x[bold].trine"
    model.save(path)
    assert "'[/] [bold] [ ] " in succeeds("info", path)
    assert str(path) in succeeds("info", path).replace("\n", "")
    succeeds("run", path, "--text", "[/] [bold]")


def place(name, index, value):
    def alter(tensors, metadata):
        tensors[name][index] = value

    return alter


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (lambda tensors, metadata: metadata.update(format="trine/9"), "format is 'trine/9'"),
        (lambda tensors, metadata: tensors.update({"head.bias": np.zeros(7, np.int32)}), "head.bias must be"),
        (place("layer0.weight", (2, 1), 243), "layer0.weight: byte 243"),
        (place("layer0.threshold", (0, 0), 99), "layer0.threshold: out of range, row i0"),
    ],
)
def test_wrong_model_file(fails, model_path, alter, words):
    rewrite(model_path, alter)
    for command in (["info"], ["run", "--text", "!"], ["fit", "--board", "ulx3s"]):
        fails(command[0], model_path, *command[1:], saying=(str(model_path), words))


def test_what_is_no_model_file(fails, model_path, tmp_path):
    whole = model_path.read_bytes()
    model_path.write_bytes(whole[:-7])
    fails("info", model_path, saying=(str(model_path), "truncated or altered"))
    model_path.write_bytes(whole[:-3] + bytes([whole[-3] ^ 0xFF]) + whole[-2:])
    fails("info", model_path, saying=str(model_path))
    model_path.write_text("to be or not to be", encoding="utf-8")
    fails("info", model_path, saying="not a whole safetensors file")
    model_path.write_bytes(save({"weight": np.zeros(3)}))
    fails("info", model_path, saying="format is None")
    fails("info", tmp_path, saying=f"cannot read {tmp_path}: Is a directory")
    fails("info", tmp_path / "absent.trine", saying="No such file")


def trace_of(succeeds, path, *arguments):
    succeeds("run", *arguments, "--trace", path)
    with np.load(path) as trace:
        return dict(trace)


def test_trace(succeeds, model, model_path, tmp_path):
    assert model.vocabulary
    text = "".join(model.vocabulary) * 3
    tokens = model.encode(text)
    expected = open_backend("golden", model).run(tokens)
    assert expected.logits is not None
    trace = trace_of(succeeds, tmp_path / "trace.npz", model_path, "--text", text)
    assert {name: (array.shape, array.dtype.name) for name, array in trace.items()} == {
        "tokens": ((24,), "int64"),
        "h": ((24, 6), "int8"),
        "c": ((24, 6), "int8"),
        "logits": ((24, 8), "int32"),
        "cycles": ((24,), "int64"),
    }
    for name, array in (("tokens", tokens), *((n, getattr(expected, n)) for n in trace if n != "tokens")):
        np.testing.assert_array_equal(trace[name], array)
    (tmp_path / "tokens.txt").write_text(" ".join(map(str, tokens)) + "\n", encoding="utf-8")
    np.save(tmp_path / "tokens.npy", tokens.astype(np.uint8))
    for file in ("tokens.txt", "tokens.npy"):
        again = trace_of(succeeds, tmp_path / "again", model_path, "--tokens", tmp_path / file)
        assert all(np.array_equal(again[name], array) for name, array in trace.items())
    facts = json.loads(succeeds("run", model_path, "--text", text, "--json"))
    assert facts["tokens"] == 24 and facts["cycles"] == expected.cycles.sum()
    assert facts["next"][0] == model.decode([int(expected.logits[-1].argmax())])


def test_text_that_the_model_does_not_know(fails, model_path, tmp_path):
    fails("run", model_path, "--text", "!#z!", saying=("'z'", "line 1, column 3", "8 symbols"))
    fails("generate", model_path, "--prompt", "!!\n!é", saying=("'é'", "line 2, column 2"))
    fails("run", model_path, "--text", "", saying="no tokens")
    fails("generate", model_path, "--prompt", "", saying="the prompt is empty")
    numbers = tmp_path / "numbers.trine"
    random_model(ModelConfig(hidden=6, embedding=4, vocab_size=97), seed=1).save(numbers)
    fails("run", numbers, "--text", "!", saying="no vocabulary")


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ("1 2 99", ("token 99, number 3 of 3, is out of range", "0 to 7")),
        ("1 -1", "token -1, number 2 of 2, is out of range"),
        ("1 two", ("must be .npy, or text", "'two'")),
        ("1.5", "'1.5'"),
        ("9" * 30, "no file of tokens"),
        ("", "no tokens"),
        (b"\xff\xfe\x00", "is no UTF-8 text: byte 0xff in line 1"),
        ("1 \ufeff2", "no file of tokens"),
    ],
)
def test_bad_token_file(fails, model_path, tmp_path, contents, words):
    path = tmp_path / "tokens"
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    fails("run", model_path, "--tokens", path, saying=words)


def test_token_file_with_a_byte_order_mark(succeeds, model_path, tmp_path):
    (tmp_path / "tokens").write_text("1 2 3\n", encoding="utf-8-sig")
    assert json.loads(succeeds("run", model_path, "--tokens", tmp_path / "tokens", "--json"))["tokens"] == 3


def test_bad_npy_file(fails, model_path, tmp_path):
    path = tmp_path / "tokens.npy"
    fails("run", model_path, "--tokens", path, saying="cannot read")
    for contents in (b"", b"\x93NUMPY", b"1 2 3"):
        path.write_bytes(contents)
        fails("run", model_path, "--tokens", path, saying="no file of tokens")
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (%d,), }" % 10**15
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    fails("run", model_path, "--tokens", path, saying="no file of tokens")
    np.save(path, np.array([None]))
    fails("run", model_path, "--tokens", path, saying="no file of tokens")
    for values in (np.zeros(3), np.zeros((2, 2), int), np.array(3)):
        np.save(path, values)
        fails("run", model_path, "--tokens", path, saying="one row of whole numbers")


def test_parts_that_the_file_does_not_hold(fails, succeeds, model, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("1 2 3", encoding="utf-8")
    path = tmp_path / "parts.trine"
    Model(model.config, model.layers, model.embedding_weight, vocabulary=model.vocabulary).save(path)
    assert "logits" not in trace_of(succeeds, tmp_path / "trace.npz", path, "--tokens", tokens)
    fails("generate", path, "--prompt", "!", saying="no head")
    fails("eval", path, "--dataset", "shakespeare", saying="no head")
    Model(model.config, model.layers).save(path)
    for backend in ("golden", "verilator"):
        fails("run", path, "--tokens", tokens, "--backend", backend, saying="no embedding")
    succeeds("info", path)


def test_usage_errors(trine, fails, model_path):
    said = ("golden, verilator, icarus, or a board's URL, such as /dev/ttyUSB0", "not 'ttyUSB0'")
    fails("run", model_path, "--text", "!", "--backend", "ttyUSB0", saying=said)
    fails("eval", model_path, saying="does not say what it was trained on: give --dataset or --data")
    for arguments, words in (
        (["run", model_path], "--text, --tokens or --data"),
        (["run", model_path, "--text", "!", "--tokens", "x"], "--text, --tokens or --data"),
        (["generate", model_path, "--prompt", "!", "--count", "1e3"], "not a valid integer"),
        (["info"], "MODEL"),
        (["sing"], "No such command"),
    ):
        result = trine(*arguments)
        assert result.exit_code == 2 and words in result.stderr, result.output


def test_generate(succeeds, model, model_path):
    assert model.vocabulary
    known = "".join(model.vocabulary)
    greedy = succeeds("generate", model_path, "--prompt", "!#", "--count", 20)
    chosen = Golden(model).generate(model.encode("!#"), 20)
    assert greedy == "!#" + model.decode(chosen) + "\n"
    drawn = ("generate", model_path, "--prompt", "!#", "--count", 60, "--temperature", 1.5, "--json")
    first, again, other = (json.loads(succeeds(*drawn, "--seed", seed))["text"] for seed in (7, 7, 8))
    assert first == again != other and len(first) == 60 and set(first) <= set(known)


def test_words_have_blanks_between_them(succeeds, model, model_path):
    model.vocabulary = "to be or not that is the question".split()
    model.save(model_path)
    words = succeeds("generate", model_path, "--prompt", "to be", "--count", 5).split()
    assert words[:2] == ["to", "be"] and len(words) == 7 and set(words) <= set(model.vocabulary)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--count", 0, "count must be at least 1, not 0"),
        ("--count", -5, "count must be at least 1, not -5"),
        ("--temperature", -0.5, "temperature must be from 0 to 7.998"),
        ("--temperature", 1e9, "temperature must be from 0 to 7.998"),
        ("--temperature", "nan", "temperature must be from 0 to 7.998"),
        ("--seed", -1, "seed must be from 0 to 4294967295"),
        ("--seed", 1 << 32, "seed must be from 0 to 4294967295"),
    ],
)
def test_generate_refuses(fails, model_path, option, value, words):
    fails("generate", model_path, "--prompt", "!", option, value, saying=words)


def test_generate_without_end(fails, model_path):
    for count in (10**15, 10**20):
        generate = ("generate", model_path, "--prompt", "!", "--count", count)
        fails(*generate, saying="count must be at most 4294967296")


def test_not_enough_memory(fails, model_path, monkeypatch):
    def fill(*_):
        raise MemoryError("8 PB asked for")

    monkeypatch.setattr(Golden, "run", fill)
    fails("generate", model_path, "--prompt", "!", saying="not enough memory: 8 PB asked for")


@pytest.fixture
def sea_model(sea, tmp_path):
    vocabulary = sorted(set(sea))
    model = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=len(vocabulary)), seed=1)
    model.vocabulary = vocabulary
    model.save(tmp_path / "sea.trine")
    return tmp_path / "sea.trine"


def test_eval(succeeds, sea_model):
    arguments = ("eval", sea_model, "--dataset", "sea", "--split", "valid")
    found = json.loads(succeeds(*arguments, "--limit", 50, "--json"))
    expected = evaluate(Model.load(sea_model), "sea", "valid", 50)
    assert {name: found[name] for name in expected} == expected
    assert found["tokens"] == 50
    assert found["bits_per_token"] == pytest.approx(found["nats_per_token"] / math.log(2))
    assert found["perplexity"] == pytest.approx(math.exp(found["nats_per_token"]))
    assert str(round(expected["perplexity"], 5)) in succeeds(*arguments, "--limit", 50)
    assert json.loads(succeeds(*arguments, "--json"))["tokens"] > 50


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_random_model_of_a_text(succeeds, fails, sea, tmp_path, cell):
    path, twin = tmp_path / "a.trine", tmp_path / "b.trine"
    options = ("--dataset", "sea", "--cell", cell, "--hidden", 40, "--embedding", 20)
    for each in (path, twin):
        succeeds("random", each, *options)
    assert path.read_bytes() == twin.read_bytes()
    model = Model.load(path)
    assert (model.config.cell, model.config.hidden, model.config.embedding) == (cell, 40, 20)
    h = Golden(model).run(model.encode(sea[:500])).h
    assert 0.1 < np.count_nonzero(h) / h.size < 0.4
    json.loads(succeeds("eval", path, "--dataset", "sea", "--json"))
    fails("random", path, *options, "--activity", 1.5, saying="activity must be above 0")
    fails("random", path, *options, "--seed", -1, saying="the seed must be from 0 to 18446744073709551615")
    fails("random", path, "--dataset", "homer", saying="'homer'")
    assert path.read_bytes() == twin.read_bytes()


def test_eval_refuses(fails, sea_model, model_path, monkeypatch):
    for option in (("--lanes", 40), ("--processes", 2), ("--results", "here")):
        fails("eval", sea_model, "--dataset", "sea", *option, saying="--backend verilator")
    simulated = ("eval", sea_model, "--dataset", "sea", "--backend", "verilator")
    fails(*simulated, "--limit", 0, saying="limit must be at least 1")
    fails(*simulated, "--processes", 0, saying="the processes must be at least 1, not 0")
    fails(*simulated, "--lanes", 2, saying="lanes must be at least")
    for limit in (0, -3):
        fails("eval", sea_model, "--dataset", "sea", "--limit", limit, saying="limit must be at least 1")
    fails("eval", sea_model, "--dataset", "homer", saying=("'homer'", "shakespeare"))
    fails("eval", sea_model, "--dataset", "sea", "--split", "dusk", saying=("'dusk'", "train, valid"))
    fails("eval", model_path, "--dataset", "sea", saying=("is not in the model's vocabulary", "line 1"))

    def no_network(url, timeout):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setenv("TRINE_DATA", "elsewhere")
    monkeypatch.chdir(model_path.parent / "data")
    fails("eval", sea_model, "--dataset", "sea", saying=("looked for elsewhere/sea", "TRINE_DATA"))


def test_trace_that_cannot_be_written(fails, model_path, tmp_path, monkeypatch):
    run = ("run", model_path, "--text", "!#", "--trace")
    fails(*run, tmp_path, saying=f"cannot write {tmp_path}: it is a folder")
    fails(*run, model_path / "none" / "trace.npz", saying=("cannot write", "it is no folder"))
    old = tmp_path / "old.npz"
    old.write_bytes(b"a good one")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    fails(*run, old, saying=f"cannot write {old}: No space left on device")
    assert old.read_bytes() == b"a good one"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["old.npz", "small.trine"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_output_that_is_full(process, model_path):
    with open("/dev/full", "w", encoding="utf-8") as full:
        ended = process("info", model_path, stdout=full)
        _, said = ended.communicate(timeout=300)
    assert (ended.returncode, said) == (1, "Error: cannot write the output: No space left on device\n")
