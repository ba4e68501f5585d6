"""The driver over this system's sockets, and a board in Verilator on a TAP interface: ARP and all."""

import numpy as np
import pytest

from sim.ethernet.board import ADDRESS, HOST, PORT, EthernetBoard
from sim.ethernet.network import missing, tap_in_own_network
from sim.measure.ethernet_rate import routed_mhz
from sim.measure.link_cycles import ROOT, full_engine
from trine_sw.driver import Board
from trine_sw.engine import EngineConfig
from trine_sw.golden import Golden
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model

pytest.importorskip("liteeth", reason="LiteEth is not installed: pip install 'trine[ethernet]'")
WHY_NOT = missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")

MODEL = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
ENGINE = EngineConfig(lanes=40, banks=2)
URL = f"udp://{ADDRESS}:{PORT}"


@pytest.fixture(scope="module")
def board():
    return EthernetBoard(MODEL, ENGINE, LinkConfig(8, 256, 2048, "fast"), optimised=False)


@pytest.mark.parametrize("faults", [(0, 0, 0), (10, 10, 10)], ids=["clean", "faults"])
def test_each_token_once_over_a_network_interface(board, faults):
    tokens = np.random.default_rng(3).integers(0, 8, 40_000)
    golden = Golden(MODEL).run(tokens)
    with tap_in_own_network(HOST) as tap, board.on(tap, faults, seed=5) as ran:
        with Board.open(URL, MODEL, patience=60) as driver:
            got = [block.h for block in driver.stream_blocks(tokens, want=("h",))]
            counters, host = driver.counters, driver.host_counters
    assert np.array_equal(np.concatenate(got), golden.h)
    assert counters.tokens == len(tokens) and counters.damaged == host.damaged == 0
    (did,) = ran
    assert did.received >= 300
    assert (did.lost > 0 and did.doubled > 0 and did.late > 0) == any(faults)
    if not any(faults):
        assert host.resent == 0 and did.received == did.sent == host.sent + 1


@pytest.mark.nightly
def test_shakespeare_over_a_network_interface():
    """20,000 tokens to the next one, with one in a hundred datagrams lost, doubled and late each."""
    model = Model.load(ROOT / "models/shakespeare.trine")
    link = LinkConfig(8, 1024, 8192, "fast")
    board = EthernetBoard(model, full_engine(model), link, mhz=routed_mhz("shakespeare"))
    tokens = np.random.default_rng(4).integers(0, model.config.vocab_size, 20_000)
    with tap_in_own_network(HOST) as tap, board.on(tap, (10, 10, 10), seed=6) as ran:
        with Board.open(URL, model, patience=300) as driver:
            got = [block.choice for block in driver.stream_blocks(tokens, want=("choice",))]
            counters = driver.counters
    logits = Golden(model).run(tokens).logits
    assert logits is not None and np.array_equal(np.concatenate(got), logits.argmax(axis=1))
    assert counters.tokens == len(tokens) and counters.damaged == 0
    assert ran[0].lost + ran[0].doubled + ran[0].late > 0
