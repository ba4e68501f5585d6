"""trine doctor: what it looks at, and that a board that computes wrongly does not pass."""

import json
from dataclasses import replace

import numpy as np
import pytest
from serial.tools.list_ports_common import ListPortInfo

from trine.doctor import Port, check_machine, check_ports, check_rules
from trine_sw.driver import Board
from trine_sw.driver.self_test import self_test
from trine_sw.driver.transports import ModelTransport
from trine_sw.engine import EngineConfig
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError

USB = [(0x0403, 0x6015), (0x0403, 0x6010)]
RULE = 'ATTRS{idVendor}=="0403", ATTRS{idProduct}=="6015", TAG+="uaccess"\nATTRS{idProduct}=="6010"\n'


def connected(model: Model, engine: EngineConfig) -> Board:
    return Board.connected(lambda: ModelTransport(BoardModel(model, engine)), model)


@pytest.mark.parametrize("seed", range(6))
def test_a_right_board_passes_whatever_the_model(seed):
    rng = np.random.default_rng(seed)
    config = ModelConfig(
        cell=("lstm", "gru")[seed % 2],
        layers=1 + seed // 3,
        hidden=int(rng.integers(4, 9)),
        embedding=int(rng.integers(4, 9)),
        vocab_size=8,
    )
    model = random_model(config, seed=seed)
    place = ("board", "host")
    engine = EngineConfig(lanes=40, banks=2, embedding=place[seed % 2], head=place[seed // 2 % 2])
    with connected(model, engine) as board:
        test = self_test(board, model, tokens=30, seed=seed)
        assert test.difference is None
        assert test.compared == ("h", "u", "logits", "choice", "state", "generation")
        assert test.board_counters["tokens"] > 90 and test.board_counters["damaged"] == 0
        assert test.round_trip_ms > 0 and test.stream_tokens_per_s > 0
        assert not board.state.h.any()


def test_a_model_without_embedding_and_head():
    model = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
    bare = Model(model.config, model.layers)
    engine = EngineConfig(lanes=24, banks=2, embedding="host", head="host")
    with connected(bare, engine) as board:
        test = self_test(board, bare, tokens=20)
    assert test.difference is None and test.compared == ("h", "u", "state")


@pytest.mark.parametrize("seed", range(8))
def test_a_board_with_one_wrong_weight_is_found(seed):
    """A trit of a layer, of the embedding or of the head is another one on the board."""
    rng = np.random.default_rng(seed)
    model = random_model(ModelConfig(hidden=6, embedding=5, vocab_size=8), seed=seed, activity=0.6)
    broken = random_model(ModelConfig(hidden=6, embedding=5, vocab_size=8), seed=seed, activity=0.6)
    assert model.embedding_weight is not None and broken.embedding_weight is not None
    weight = (broken.layers[0].weight, broken.embedding_weight, broken.head_weight)[seed % 3]
    assert weight is not None
    tokens = np.random.default_rng(seed).integers(0, 8, 200)  # as the self-test draws them
    logits = Golden(model).run(tokens).logits
    while np.array_equal(logits, Golden(broken).run(tokens).logits):  # some trits never matter
        at = tuple(int(rng.integers(size)) for size in weight.shape)
        weight[at] = (weight[at] + 2) % 3 - 1
    with connected(broken, EngineConfig(lanes=40, banks=2)) as board:
        test = self_test(board, model, tokens=200, seed=seed)
    assert test.difference is not None and "and the model's is" in test.difference


def test_self_test_of_no_tokens_is_refused():
    model = random_model(ModelConfig(hidden=4, embedding=4, vocab_size=8), seed=1)
    with (
        connected(model, EngineConfig(lanes=40, banks=2)) as board,
        pytest.raises(TrineError, match="at least 1"),
    ):
        self_test(board, model, tokens=0)


def test_rules_count_only_where_they_take_effect(tmp_path):
    def check():
        return check_rules(USB, "boards/60-trine.rules", (str(tmp_path / "none"), str(tmp_path)))

    assert check().state == "note" and "sudo cp boards/60-trine.rules" in check().remedy
    (tmp_path / "60-other.rules").write_text(RULE.replace("6010", "6011"), encoding="utf-8")
    assert check().state == "note"
    (tmp_path / "99-trine.rules").write_text(RULE, encoding="utf-8")
    assert check().state == "problem" and "too late" in check().found and "sudo rm" in check().remedy
    (tmp_path / "60-trine.rules").write_text(RULE, encoding="utf-8")
    assert check().state == "ok" and check().found.endswith("60-trine.rules")


def test_ports_that_are_missing_forbidden_or_slow(tmp_path, monkeypatch):
    (none,) = check_ports([])
    assert none.state == "note" and "cable" in none.remedy
    device = tmp_path / "ttyUSB0"
    port = Port(str(device), ("ulx3s",), "FT231X")
    (gone,) = check_ports([port], tmp_path)
    assert gone.state == "problem" and "No such file" in gone.found
    device.touch()
    (usable,) = check_ports([port], tmp_path / "sys")
    assert usable.state == "ok"
    timer = tmp_path / "sys" / "ttyUSB0" / "latency_timer"
    timer.parent.mkdir(parents=True)
    for milliseconds, state in ((16, "note"), (1, "ok")):
        timer.write_text(f"{milliseconds}\n", encoding="ascii")
        _, latency = check_ports([port], tmp_path / "sys")
        assert latency.state == state and f"{milliseconds} ms" in latency.found
    timer.write_text("soon", encoding="ascii")
    assert len(list(check_ports([port], tmp_path / "sys"))) == 1


def test_the_machine(tmp_path, monkeypatch):
    checks = {check.name: check for check in check_machine(tmp_path / "cache")}
    assert checks["numpy"].state == "ok" and checks["numpy"].found == np.__version__
    assert checks["cache"].state == "ok"
    monkeypatch.setattr(toolchain, "find", lambda name: None)
    file = tmp_path / "file"
    file.touch()
    checks = {check.name: check for check in check_machine(file / "cache")}
    assert checks["yosys"].state == "note" and "pip install" in checks["yosys"].remedy
    assert checks["cache"].state == "problem" and "TRINE_CACHE" in checks["cache"].remedy


def test_command(trine, succeeds, fails, model_path, tmp_path, monkeypatch):
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    report = tmp_path / "new" / "report.md"
    found = json.loads(succeeds("doctor", "--port", f"golden:{model_path}", "--report", report, "--json"))
    names = [check["name"] for check in found["checks"]]
    assert {"system", "Python", "yosys", "udev rules", "self-test", "wire"} <= set(names)
    assert found["self_test"]["difference"] is None
    text = report.read_text(encoding="utf-8")
    assert (
        text.startswith("# trine doctor") and json.loads(text.split("```json\n")[1].split("```")[0]) == found
    )

    assert "self-test" in succeeds("doctor", "--port", f"golden:{model_path}")
    result = trine("doctor", "--port", str(tmp_path / "tty"))
    assert (
        result.exit_code == 1
        and "1 problem: board at" in result.stderr
        and "there is no port" in result.stdout
    )
    other = tmp_path / "other.trine"
    random_model(replace(Model.load(model_path).config), seed=9).save(other)
    result = trine("doctor", "--port", f"golden:{model_path}", "--model", other)
    assert result.exit_code == 1 and "another model" in result.stdout.replace("\n", " ")
    fails("doctor", "--report", tmp_path, saying="it is a folder")
    fails("doctor", "--port", f"golden:{model_path}", "--tokens", 0, saying="at least 1")
    fails("doctor", "--model", tmp_path / "none.trine", saying="none.trine")


def test_the_port_that_is_found_is_opened_at_its_board_s_rate(trine, tmp_path, monkeypatch):
    port = ListPortInfo(str(tmp_path / "ttyACM0"))
    port.vid, port.pid, port.description = 0x1D50, 0x602B, "an iCESugar's iCELink"
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [port])
    checks = json.loads(trine("doctor", "--json").stdout)["checks"]
    assert checks[-1]["name"] == f"board at {port.device}?baud=115200"
