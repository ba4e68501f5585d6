"""The driver over this system's sockets, and a board in Verilator on a TAP interface: ARP and all."""

from itertools import islice

import numpy as np
import pytest

from sim.ethernet.board import ADDRESS, HOST, PORT, EthernetBoard, write_parts
from sim.ethernet.hostile import Hostile
from sim.ethernet.network import missing, tap_in_own_network
from sim.measure.ethernet_rate import LINK
from sim.measure.routed import ASKED, routed_design, simulated_engine
from trine_sw.driver import Board
from trine_sw.engine import EngineConfig
from trine_sw.golden import Golden
from trine_sw.link.protocol import LinkConfig
from trine_sw.model import ModelConfig
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
        # On a busy machine a simulated board may not answer in time.
        assert did.received == did.sent == host.sent + host.resent + 1
        assert host.resent == 0 or host.timeouts > 0


def test_others_send_anything_to_the_board_meanwhile(board, tmp_path):
    """What strangers send to its port has the next replies go to them, and is met by asking again."""
    tokens = np.random.default_rng(5).integers(0, 8, 4_000)
    golden = Golden(MODEL).run(tokens)
    others = write_parts(tmp_path / "others", islice(Hostile(7), 500))
    with tap_in_own_network(HOST) as tap, board.on(tap, others=others) as ran:
        with Board.open(URL, MODEL, patience=60, most=LinkConfig(8, 64, 512)) as driver:
            got = [block.h for block in driver.stream_blocks(tokens, want=("h",))]
            counters = driver.counters
    assert np.array_equal(np.concatenate(got), golden.h)
    assert counters.tokens == len(tokens) and ran[0].received > 100
    assert counters.damaged > 0 and counters.framing_errors > 0  # of the others


@pytest.fixture(scope="module", params=sorted(ASKED))
def large(request: pytest.FixtureRequest):
    """The engine of a routed board behind Ethernet, its model, and what is asked of its tokens."""
    routed = routed_design(request.param)
    board = EthernetBoard(routed.model, simulated_engine(request.param), LINK, mhz=routed.clock_mhz)
    return board, routed.model, ASKED[request.param]


@pytest.mark.nightly
@pytest.mark.parametrize("faults", [(0, 0, 0), (10, 10, 10)], ids=["clean", "faults"])
def test_large_models_over_a_network_interface(large, faults):
    """20,000 tokens in hundreds of frames, also with 1 % of the datagrams lost, 1 % doubled and 1 % late."""
    board, model, want = large
    tokens = np.random.default_rng(4).integers(0, model.config.vocab_size, 20_000)
    golden = Golden(model).run(tokens)
    with tap_in_own_network(HOST) as tap, board.on(tap, faults, seed=6) as ran:
        most = LinkConfig(8, LINK.slot_bytes if want == "h" else 128, LINK.receive_bytes)
        with Board.open(URL, model, patience=300, most=most) as driver:
            got = [getattr(block, want) for block in driver.stream_blocks(tokens, want=(want,))]
            counters = driver.counters
    expected = golden.h
    if want == "choice":
        assert golden.logits is not None
        expected = golden.logits.argmax(axis=1)
    assert np.array_equal(np.concatenate(got), expected)
    assert counters.tokens == len(tokens) and counters.damaged == 0
    (did,) = ran
    assert (did.lost > 0 and did.doubled > 0 and did.late > 0) == any(faults)
