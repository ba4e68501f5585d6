"""The rate that is expected over the link is what the driver gets over a line with a simulated clock."""

import random
from dataclasses import replace

import numpy as np
import pytest

from sim.measure.link_rate import TimedTransport
from tests.helpers.task_models import task_model
from trine_hw.link.input_unpacker import InputUnpacker
from trine_sw.driver import Board
from trine_sw.engine import EngineConfig
from trine_sw.fit import link_rate as module
from trine_sw.fit.link_rate import Line, line_of, link_rate, link_rates
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import CODECS, LinkConfig, Want
from trine_sw.link.step_records import Asking
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

CLOCK_HZ = 75e6
#: Of the expected rate, by which the measured one may differ: a window's frames do not come evenly.
BOUND = 0.03


class Zeros(BoardModel):
    """A board that answers steps with bytes of five zero trits."""

    def _step(self, payload: bytes) -> bytes:
        count = (len(payload) - 1) // self.codec.item_bytes
        return bytes([121]) * (count * self.codec.record_bytes(Want(payload[0])))


def board_of(draw: random.Random, hidden: int) -> Zeros:
    model = random_model(ModelConfig(hidden=hidden, embedding=draw.randint(4, 40), vocab_size=20), seed=1)
    place = draw.choice(("board", "host"))
    engine = EngineConfig(4 * hidden + 20, 2, embedding=place, head="board")
    slot = draw.choice((256, 512, 2048))
    window = draw.choice((1, 2, 8, 16))
    link = LinkConfig(window, slot, draw.choice((1, 4)) * slot * max(1, window // 4))
    baud = draw.choice((115_200, 1_000_000, 3_000_000))
    return Zeros(model, engine, link, clock_hz=CLOCK_HZ, baud=baud)


def measured(board: Zeros, want: str, cycles: float) -> float:
    """Tokens/s of a stream's second half: at first the driver learns how long a reply takes."""
    transport = TimedTransport(board, board.info.baud, cycles / CLOCK_HZ)
    with Board.connected(lambda: transport, board.model) as driver:
        in_frame = driver._conversation.requests.batch_size(Asking(Want[want.upper()]))
        tokens = np.zeros(in_frame * 40 * board.info.window, int)
        seen, marks = 0, []
        for block in driver.stream_blocks(tokens, (want,)):
            seen += len(block)
            marks.append((transport.clock(), seen))
    start, before = next(mark for mark in marks if 2 * mark[1] >= seen)
    return (seen - before) / (marks[-1][0] - start)


@pytest.mark.parametrize("seed", range(24))
def test_the_rate_is_that_of_the_timed_line(seed):
    draw = random.Random(seed)
    board = board_of(draw, draw.choice((8, 64, 300)))
    want, cycles = draw.choice(("h", "choice")), draw.choice((10, 200, 5000))
    # The timed line has neither the driver's time nor the gateware's for bytes.
    free = {"driver_frame_s": 0.0, "driver_byte_s": 0.0, "codec": None}
    found = link_rate(board.info, Want[want.upper()], cycles, **free)
    assert measured(board, want, cycles) == pytest.approx(found.tokens_per_s, rel=BOUND), found.limit


def test_each_limit_is_named():
    """What is made slow limits, and the rate falls with it."""
    model = random_model(ModelConfig(hidden=64, embedding=60, vocab_size=20), seed=1)
    info = {
        place: BoardModel(
            model,
            EngineConfig(276, 2, embedding=place),
            LinkConfig(16, 2048, 65536),
            clock_hz=CLOCK_HZ,
            baud=3_000_000,
        ).info
        for place in ("board", "host")
    }
    one = BoardModel(
        model, EngineConfig(276, 2), LinkConfig(1, 256, 512), clock_hz=CLOCK_HZ, baud=3_000_000
    ).info
    assert link_rate(info["board"], Want.CHOICE, 1e5) == (pytest.approx(CLOCK_HZ / (1e5 + 8)), "engine")
    assert link_rate(info["board"], Want.H, 10).limit == "wire to the host"
    assert link_rate(info["host"], Want.CHOICE, 10).limit == "wire to the board"
    assert link_rate(one, Want.CHOICE, 10).limit == "round trip"
    assert link_rate(info["host"], Want.CHOICE, 10, driver_frame_s=1.0).limit == "driver"
    fast = BoardModel(
        model,
        EngineConfig(276, 2, embedding="host"),
        LinkConfig(16, 2048, 65536),
        clock_hz=1e6,
        baud=12_000_000,
    ).info
    assert link_rate(fast, Want.CHOICE, 10).limit == "codec"
    assert link_rate(fast, Want.CHOICE, 100, codec="fast").limit == "engine"
    assert link_rate(fast, Want.CHOICE, 10, codec="fast").tokens_per_s == pytest.approx(1e6 / 12)
    with pytest.raises(TrineError, match="needs a baud rate"):
        link_rate(BoardModel(model, EngineConfig(276, 2)).info, Want.H, 10)


def test_the_rate_over_ethernet():
    """Of 300 units: the wire's time for a datagram, each limit by its name, and more than any serial port."""
    model = random_model(ModelConfig(hidden=300, embedding=300, vocab_size=20), seed=1)
    engine = EngineConfig(1200, 2, embedding="host")
    link = LinkConfig(8, 1024, 8192, "fast")
    info = BoardModel(model, engine, link, clock_hz=100e6).info
    line = line_of("ethernet", 0, 100e6)
    assert line is not None
    ideal = Line(125e6, 0, packets=True)
    free = {"codec": "fast", "driver_frame_s": -11e-6, "driver_byte_s": 0.0, "line": ideal}
    tokens, sent = 16, 1 + 16 * 60  # of 1,009 bytes of payload
    assert line.frame_s(sent) == pytest.approx((8 + 14 + 20 + 8 + 5 + sent + 4 + 4 + 12) * 8e-9)
    assert line.frame_s(0) == pytest.approx(84 * 8e-9)
    assert link_rate(info, Want.H, 10, **free | {"codec": None}) == (
        pytest.approx(tokens / line.frame_s(sent)),
        "wire to the board",
    )
    assert link_rate(info, Want.H, 67, **free) == (pytest.approx(100e6 / 67), "engine")
    assert link_rate(info, Want.H, 10, **free).limit == "codec"
    assert link_rate(info, Want.H, 67, codec="fast", line=line).limit == "driver"
    slow = line._replace(latency_s=1e-3)
    assert link_rate(info, Want.H, 67, codec="fast", line=slow).limit == "round trip"
    rates = link_rates(model, engine, link, 67, clock_hz=100e6, baud=0, transport="ethernet")
    assert rates["h"] == link_rate(info, Want.H, 67, codec="fast", line=line)
    assert link_rates(model, engine, link, 67, clock_hz=100e6, baud=0) == {}


def test_the_rate_over_usb_of_high_speed():
    """A shared line at 40 MB/s: both directions take turns."""
    model = random_model(ModelConfig(hidden=300, embedding=300, vocab_size=20), seed=1)
    engine, link = EngineConfig(1200, 2, embedding="host"), LinkConfig(8, 1024, 8192, "fast")
    info = BoardModel(model, engine, link, clock_hz=75e6).info
    line = line_of("ulpi", 0, 75e6)
    assert line is not None and line == Line(40e6, 125e-6, shared=True)
    free = {"codec": None, "driver_frame_s": 0.0, "driver_byte_s": 0.0}
    slow, fast = (
        link_rate(info, Want.H, 1, line=each, **free) for each in (line, line._replace(shared=False))
    )
    assert 0.45 < slow.tokens_per_s / fast.tokens_per_s < 0.6 and slow.limit.startswith("wire")
    rates = link_rates(model, engine, link, 67, clock_hz=75e6, baud=0, transport="ulpi")
    assert rates["h"] == link_rate(info, Want.H, 67, line=line, codec="fast")


def test_cycles_of_the_codec_are_the_gateware_s():
    assert module._TRITS_CYCLES == InputUnpacker.most_cycles
    assert {LinkConfig(codec=name).codec for name in CODECS} == {"serial", "fast"}


@pytest.mark.parametrize("task, first", [("regress", "values"), ("classify", "choice"), ("label", "choice")])
def test_what_is_asked_of_a_task(task, first):
    """Of a regression its values, which take more of the wire than a class; the host's head sees u alone."""
    model = task_model(task, outputs=5)
    rates, engine = {}, EngineConfig(8, 1, embedding="host", head="board")
    for place in ("board", "host"):
        found = link_rates(
            model, replace(engine, head=place), LinkConfig(), 50.0, clock_hz=CLOCK_HZ, baud=10**6
        )
        assert list(found) == [first, "h"]
        rates[place] = found[first].tokens_per_s
    info = BoardModel(model, engine, LinkConfig(), clock_hz=CLOCK_HZ, baud=10**6).info
    wanted = link_rate(
        info, Want.LOGITS if first == "values" else Want.CHOICE, 50.0, line=line_of("uart", 10**6, CLOCK_HZ)
    )
    assert rates["board"] == wanted.tokens_per_s
