"""Synthesised netlists of boards on Ethernet at RGMII's pins: the transport alone, and the whole board."""

import random
from collections import Counter
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cobs import cobs

from sim.netlist.built_board import Built, built_board
from sim.netlist.loopback import synthesised_loopback
from trine_boards import BOARDS
from trine_boards.pins.ethernet_frames import on_wire
from trine_boards.pins.host import START_SECONDS
from trine_boards.pins.rgmii import RGMIIPins
from trine_boards.pins.simulation import started
from trine_boards.verify.frames import check_frames
from trine_boards.verify.netlist_pins import synthesised
from trine_boards.verify.requests import Requests
from trine_sw.driver import Board
from trine_sw.engine import EngineConfig
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")
pytestmark = pytest.mark.nightly

#: Of each board, what is wrong with a PHY that it does not work with.
WRONG = {"ecpix5-85f": {"tx_delay_ns": 2.0}, "colorlight-5a75b": {"rx_delay_ns": 1.0}}
MODEL = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8, head_levels=(0, 50, 127)), seed=1)


def damaged(pins: RGMIIPins, payload: bytes) -> bytes:
    """A datagram as it is on the wire, with a wrong bit in its FCS."""
    seen = on_wire(pins.host.frame(payload))
    return seen[:-1] + bytes((seen[-1] ^ 0x10,))


def test_datagrams_come_back(tmp_path):
    """Of all lengths, with the runs that COBS knows; damaged and doubled ones too; and nothing from a PHY
    whose delays are wrong."""
    spec, rng = BOARDS["ecpix5-85f"].over("ethernet"), random.Random(7)
    synthesised_loopback(spec, tmp_path)
    netlist = synthesised(spec, tmp_path / "top.json", tmp_path / "models")
    host: Any = spec.transport.pin_host(spec.clock_mhz)
    with closing(host.attach(started(netlist, host, optimise=False))) as pins:
        pins.begin(START_SECONDS)
        for size in (
            1,
            2,
            3,
            4,
            17,
            18,
            19,
            253,
            254,
            255,
            508,
            1000,
            *(rng.randrange(1, 90) for _ in range(9)),
        ):
            payload = bytes(rng.choice((0, 1, 0x55, 255, rng.randrange(256))) for _ in range(size))
            frame = cobs.encode(payload) + b"\0"
            pins.wire.send(damaged(pins, payload))
            copies = rng.choice((1, 1, 2))
            pins.write(copies * frame)
            assert [pins.read(40e-6) for _ in range(copies)] == copies * [frame]
        assert pins.read(40e-6) == b"" and pins.line_errors == 0
    for wrong in ({"inverted": True}, WRONG["ecpix5-85f"]):
        host = replace(host, **wrong)
        with closing(host.attach(started(netlist, host, optimise=False))) as pins:
            with pytest.raises(TrineError, match="does not answer ARP"):
                pins.begin(START_SECONDS)


@pytest.fixture(scope="module", params=WRONG)
def built(request, tmp_path_factory) -> Built:
    spec = BOARDS[request.param].over("ethernet")
    folder = tmp_path_factory.mktemp(request.param)
    return built_board(spec, MODEL, EngineConfig(lanes=40, banks=2), spec.clock_mhz, folder)


class Faults:
    """A wire with faults to a board, as a transport; `model` is told of them. Behind some datagrams another
    one comes damaged, and the reply to some is lost, so that they come twice.

    Members
    -------
    counts : datagrams by their fault
    """

    def __init__(self, pins: RGMIIPins, model: BoardModel, seed: int) -> None:
        self._pins, self._model, self._random = pins, model, random.Random(seed)
        self._waiting = b""
        self.counts = Counter[str]()
        self.clock, self.fileno, self.close = pins.clock, pins.fileno, pins.close

    def write(self, data: bytes) -> None:
        if not data.strip(b"\0"):
            return
        fault = self._random.choice(("damaged", "repeated", "none"))
        self.counts[fault] += 1
        self._pins.write(data)
        if fault == "none":
            return
        self._waiting = self._pins.read(1e-3)
        if fault == "damaged":
            self._pins.wire.send(damaged(self._pins, data[:-1]))
            self._model.counts["framing_errors"] += 1
            assert self._pins.read(40e-6) == b""
        else:
            self._pins.write(data)
            assert self._pins.read(1e-3) == self._model.exchange(data)

    def read(self, timeout: float) -> bytes:
        data, self._waiting = self._waiting, b""
        return data or self._pins.read(timeout)


def test_damaged_and_repeated_datagrams(built):
    """Damaged ones are not answered, and counted; the others are answered as the board model does, counters
    and all."""
    model = built.board_model()
    with closing(built.board()) as pins:
        faulty = Faults(pins, model, seed=4)
        check_frames(faulty, model, count=len(Requests.SCRIPT) + 40, bit_seconds=pins.bit_seconds)
        assert pins.line_errors == 0
    assert min(faulty.counts["damaged"], faulty.counts["repeated"]) > 10
    assert model.counts["framing_errors"] == faulty.counts["damaged"] and model.counts["repeats"] > 5


def test_every_kind_of_request(built):
    """Byte for byte what the board model answers, with nothing against the rules of the wire."""
    model = built.board_model()
    with closing(built.board()) as pins:
        counts = check_frames(pins, model, count=len(Requests.SCRIPT) + 40, bit_seconds=pins.bit_seconds)
        assert pins.line_errors == 0
    assert set(Requests.SCRIPT) <= set(counts) and counts["tokens"] > 20
    assert model.counts["damaged"] and model.counts["repeats"] and model.counts["gaps"]


def test_the_driver(built):
    tokens = np.random.default_rng(1).integers(0, 8, 60)
    trace = Golden(MODEL).run(tokens)
    assert trace.logits is not None
    with Board.connected(built.board, MODEL, patience=0.05) as board:
        steps = list(board.stream(tokens, ("u", "logits", "choice")))
        assert np.array_equal([step.u for step in steps], trace.u)
        assert np.array_equal([step.logits for step in steps], trace.logits)
        board.reset()
        chosen = board.generate(tokens[:3], 6, 0.8, 5)
        assert chosen.tolist() == Golden(MODEL).generate(tokens[:3].tolist(), 6, 0.8, 5).tolist()
        counters = board.counters
        assert counters.framing_errors == counters.overflows == counters.damaged == counters.repeats == 0
        assert board.host_counters.resent == 0


@pytest.mark.parametrize("fault", ["inverted", "delays", "no lock"])
def test_a_board_that_does_not_answer(built, fault):
    name = built.top.board.name
    options = {"inverted": {"inverted": True}, "delays": {"wrong": WRONG[name]}, "no lock": {"lock_ns": 1e12}}
    said = "PHY in reset" if fault == "no lock" else "does not answer ARP"
    with pytest.raises(TrineError, match=said):
        built.board(**options[fault])
