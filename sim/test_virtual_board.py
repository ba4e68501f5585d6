"""The driver over simulated boards, UART pins and all: faults, kills and restarts change nothing."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trine import Board
from trine_hw.simulation.virtual_board import VirtualBoard
from trine_sw.engine.timing import TimingModel
from trine_sw.golden import Golden, State
from trine_sw.link.protocol import encoded_size
from trine_sw.link.session import BoardGone
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.errors import TrineError

CONFIG = ModelConfig(
    hidden=16, embedding=8, vocab_size=20, cell_max=15, cell_shift=1, output_shift=1, head_levels=(0, 1, 2, 3)
)
EVERYTHING = ("u", "h", "cycles", "logits", "choice")


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model(CONFIG, seed=2)


@pytest.fixture(scope="module")
def path(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.trine"
    model.save(path)
    return path


class Server:
    """``trine board`` in a process of its own."""

    def __init__(
        self, path: Path, port: int = 0, rate: float = 0, seed: int = 0, first: str = "import signal"
    ) -> None:
        program = f"{first}; from trine.cli import main; main()"
        command = [sys.executable, "-c", program, "board", str(path)]
        command += ["--listen", str(port), "--fault-rate", str(rate), "--seed", str(seed)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("socket://"), self.process.communicate()

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def end(self, how: signal.Signals = signal.SIGKILL) -> str:
        self.process.send_signal(how)
        try:
            return self.process.communicate(timeout=300)[1]
        finally:
            self.process.kill()


@pytest.fixture
def serve(path: Path) -> Iterator:
    servers: list[Server] = []

    def start(**options) -> Server:
        servers.append(Server(path, **options))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.end(signal.SIGTERM)


def test_everything_on_a_simulated_board(model: Model, path: Path) -> None:
    tokens = np.random.default_rng(1).integers(0, 20, 120)
    golden = Golden(model)
    trace = golden.run(tokens)
    assert trace.logits is not None
    with Board.open(f"verilator:{path}") as board:
        assert board.info.digest == model.digest() and board.info.baud == 10_000_000
        steps = list(board.stream(tokens, EVERYTHING))
        for name in ("h", "u", "logits"):
            assert np.array_equal([getattr(step, name) for step in steps], getattr(trace, name))
        assert [step.choice for step in steps] == trace.logits.argmax(1).tolist()
        saved = board.state
        assert np.array_equal(saved.c, trace.c[-1]) and np.array_equal(saved.h, trace.h[-1])
        board.reset()
        assert np.array_equal(board.generate([3, 4], 100, 0.8, 5), golden.generate([3, 4], 100, 0.8, 5))
        board.state = saved
        after = golden.run(tokens[:9], State(saved.h[None], saved.c[None]))
        assert np.array_equal([step.h for step in board.stream(tokens[:9])], after.h)
        counters = board.counters
        assert counters.tokens == 120 + 101 + 9
        assert (counters.damaged, counters.gaps, counters.overflows, counters.framing_errors) == (0,) * 4


def test_cycles_measured_are_those_predicted(model: Model, path: Path) -> None:
    tokens = np.arange(20)
    with Board.open(f"verilator:{path}") as board:
        measured = [step.cycles for step in board.stream(tokens, "cycles")]
    from trine_sw.engine import Geometry
    from trine_sw.engine.default import default_engine

    timing = TimingModel(Geometry(model.config, default_engine(model)))
    assert model.embedding_weight is not None
    x = timing.x_counts(model.embedding_weight[tokens]).tolist()
    h = [[0] * 3, *timing.h_counts(Golden(model).run(tokens).h).tolist()]
    expected = [
        timing.step(x[t], h[t], h[t + 1], head=False, last=False, offered=10_000 * t) for t in range(20)
    ]
    assert measured == expected


@pytest.mark.parametrize("layers", [pytest.param(1, marks=pytest.mark.nightly), 2])
def test_icarus_agrees(tmp_path: Path, layers: int) -> None:
    config = ModelConfig(hidden=4, embedding=3, vocab_size=5, layers=layers)
    tiny = random_model(config, seed=1)
    tiny.save(tmp_path / "four.trine")
    with Board.open(f"icarus:{tmp_path / 'four.trine'}") as board:
        golden = Golden(tiny)
        trace = golden.run([1, 2, 3])
        assert np.array_equal([step.h for step in board.stream([1, 2, 3])], trace.h[:, -4:])
        saved = board.state
        assert np.array_equal(saved.c, trace.c[-1]) and np.array_equal(saved.h, trace.h[-1])
        board.reset()
        board.state = saved
        assert np.array_equal(board.step(4, "u").u, golden.run([4], trace.state).u[0])


@pytest.mark.parametrize("rate", [pytest.param(1e-4, marks=pytest.mark.nightly), 1e-3])
def test_five_thousand_tokens_over_a_wire_with_faults(model: Model, serve, rate: float) -> None:
    tokens = np.random.default_rng(1).integers(0, 20, 5000)
    trace = Golden(model).run(tokens)
    server = serve(rate=rate, seed=7)
    with Board.open(server.url, model) as board:
        found = np.array([step.h for step in board.stream(tokens)])
        assert np.array_equal(found, trace.h)
        assert np.array_equal(board.state.c, trace.c[-1])
        counters, seen = board.counters, board.host_counters
    assert counters.tokens == 5000
    told = server.end(signal.SIGINT)
    to_board, to_host = (
        {kind: int(number) for kind, number in re.findall(r"(\w+)=(\d+)", faults)}
        for faults in re.findall(r"Faults\((.*?)\)", told)
    )
    # A fault spoils the frame that it meets, and one more where a byte comes late or a zero comes or goes.
    for spoilt, faults in ((counters.damaged, to_board), (seen.damaged, to_host)):
        assert sum(faults.values()) // 3 <= spoilt <= 2 * sum(faults.values()) + 1
    assert counters.damaged + seen.damaged > 0
    assert seen.resent >= counters.repeats and seen.replies == seen.sent
    assert counters.framing_errors == 0  # the line itself has no faults


def test_host_killed_in_mid_stream(model: Model, serve) -> None:
    server = serve(rate=1e-4, seed=3)
    program = f"""
from trine import Board
board = Board.open({server.url!r})
for n, step in enumerate(board.stream([7] * 100000)):
    if n == 300: print("there", flush=True)
"""
    host = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert host.stdout and host.stdout.readline() == "there\n"
    host.kill()
    host.communicate()
    tokens = np.random.default_rng(1).integers(0, 20, 300)
    with Board.open(server.url, model) as board:
        found = np.array([step.h for step in board.stream(tokens)])
    assert np.array_equal(found, Golden(model).run(tokens).h)


def test_board_killed_in_mid_stream_and_started_again(model: Model, serve) -> None:
    tokens = np.random.default_rng(1).integers(0, 20, 600)
    trace = Golden(model).run(tokens)
    server = serve()
    found = []
    with Board.open(server.url, model) as board:
        found += [step.h for step in board.stream(tokens[:200])]
        saved = board.state
        with pytest.raises(BoardGone, match="has gone"):
            for n, _ in enumerate(board.stream(tokens[200:])):
                if n == 20:
                    server.end()
        with pytest.raises(TrineError, match="closed|gone"):
            board.step(1)
        again = serve(port=server.port)
        assert again.url == server.url
        board.reset()
        board.state = saved
        found += [step.h for step in board.stream(tokens[200:])]
    assert np.array_equal(found, trace.h)


def test_board_reset_in_mid_stream(model: Model) -> None:
    from trine_sw.engine.default import default_engine

    virtual = VirtualBoard(model, default_engine(model), "verilator")
    board = Board(lambda: virtual, model, "the board", 5.0)
    board._begin()
    list(board.stream(range(10)))
    virtual.reset()
    with pytest.raises(BoardGone, match="was reset"):
        board.step(1)
    assert board._conversation.session.info is not None
    board._transport = None  # the virtual board is not closed with the session
    board.reset()
    assert board.counters.tokens == 0
    assert np.array_equal(board.step(1).h, Golden(model).run([1]).h[0])
    board.close()


def test_line_is_used_well_and_a_step_takes_what_its_bytes_take(model: Model) -> None:
    """Streaming, at least 85 % of the bytes on the line are payload, and the line hardly ever rests."""
    from trine_sw.engine.default import default_engine

    virtual = VirtualBoard(model, default_engine(model), "verilator")
    board = Board(lambda: virtual, model, "the board", 5.0)
    board._begin()
    tokens = np.random.default_rng(1).integers(0, 20, 1500)
    received, read = [0], virtual.read

    def counted(timeout: float) -> bytes:
        data = read(timeout)
        received[0] += len(data)
        return data

    virtual.read = counted  # type: ignore[method-assign]
    before = virtual._bits
    steps = list(board.stream(tokens))
    bits = virtual._bits - before
    payload = len(steps) * board._conversation.requests.codec.record_bytes(
        *board._conversation.requests.wanted(frozenset(["h"]))
    )
    assert payload / received[0] >= 0.85
    assert 10 * payload / bits >= 0.85, (payload, bits)
    assert encoded_size(0) == 11
    board.close()


def simulators(parent: int) -> list[int]:
    """Processes that a process has started, and which live."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(number) for number in children.read_text(encoding="ascii").split()]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_board_and_its_simulator(serve, model: Model, end: signal.Signals) -> None:
    server = serve()
    (simulator,) = simulators(server.process.pid)
    with Board.open(server.url, model) as board:
        board.step(1)
        told = server.end(end)
    assert server.process.returncode == 128 + end
    assert "faults to the board" in told and told.endswith(f"Error: interrupted by {end.name}\n"), told
    assert not Path(f"/proc/{simulator}").exists()


def test_a_plain_kill_ends_a_board_that_ignores_ctrl_c(serve, model: Model) -> None:
    """As one started by ``nohup trine board &``."""
    server = serve(first="import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
    server.process.send_signal(signal.SIGINT)
    with Board.open(server.url, model) as board:
        board.step(1)
    assert "Error: interrupted by SIGTERM" in server.end(signal.SIGTERM)
    assert server.process.returncode == 128 + signal.SIGTERM
