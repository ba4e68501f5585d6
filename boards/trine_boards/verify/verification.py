"""Verification of a build at the board's pins, and its report as JSON and Markdown."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import jinja2
from numpy.typing import ArrayLike

from trine_boards.build.record import BuildRecord
from trine_boards.pins.host import START_SECONDS, PinTransport
from trine_boards.pins.simulation import started
from trine_boards.verify.compared import Compared, Mismatch
from trine_boards.verify.frames import check_frames
from trine_boards.verify.loaded import LEVELS, loaded_netlist, recorded_board
from trine_sw.driver.board import Board
from trine_sw.driver.steps import Step
from trine_sw.driver.transports import Transport
from trine_sw.fit.sample import sample_tokens
from trine_sw.golden import Golden
from trine_sw.golden.difference import difference
from trine_sw.link.board_info import Info, board_info
from trine_sw.link.board_model import BoardModel
from trine_sw.model import Model
from trine_sw.support import toolchain
from trine_sw.support.atomic_file import atomic_write, make_folder
from trine_sw.support.checks import integer
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text

__all__ = ["Verification", "drive", "verify_build", "write_verification"]

#: Seconds of simulated time for which a board that has started must be silent.
_SILENT_SECONDS = 10e-6
#: Of the tokens, the part that is looked at whole, and the part that the board generates itself.
_WHOLE, _GENERATED = 0.05, 0.25
_LEAST_TOKENS, _MOST_TOKENS = 20, 10_000_000
#: Frames of every kind before the driver begins, faulty ones among them.
_FRAMES = 40


@dataclass(frozen=True)
class Verification:
    """What was compared, and was equal. ``docs/results/README.md`` defines each field."""

    board: str
    model: str
    level: str
    bitstream_sha256: str
    placement_seed: int
    lanes: int
    banks: int
    clock_mhz: float
    tokens: int
    tokens_whole: int
    tokens_generated: int
    frames_checked: dict[str, int]
    frames_of_driver: dict[str, int]
    bytes_compared: int
    simulated_ms: float
    cycles: int
    seed: int
    tools: list[str]
    command: str


def verify_build(
    folder: Path,
    *,
    tokens: int,
    seed: int,
    command: str,
    progress: Callable[[str], None] = lambda what: None,
) -> Verification:
    """Simulate what the build in `folder` loads, drive it through its pins, and compare every reply.

    Raises
    ------
    TrineError
        If the folder is no build's, a tool is missing, or the netlist cannot be simulated.
    Mismatch
        If a reply differs from the board model's, or a value of the driver from the golden model's.
    """
    integer(tokens, "--tokens", _LEAST_TOKENS, _MOST_TOKENS)
    integer(seed, "--seed", 0, 2**32 - 1)
    record = BuildRecord.load(folder)
    model = BuildRecord.model(folder)
    board = recorded_board(record)
    host = board.transport.pin_host(record.clock_mhz)
    info = _checked_info(record, model, folder)
    with tempfile.TemporaryDirectory(prefix="trine-verify-") as work:
        progress("netlist")
        netlist, tools = loaded_netlist(record, folder, Path(work))
        progress("compilation")
        # A PLL that locks at once is the harder start.
        pins = host.attach(started(netlist, host, lock_ns=0.0, noise_seed=seed % 2**31 + 1))
    try:
        expected = BoardModel(
            model, record.engine, record.link, clock_hz=record.clock_mhz * 1e6, baud=record.baud
        )
        _start(pins)
        progress("frames of every kind")
        kinds = check_frames(pins, expected, count=_FRAMES, seed=seed + 1, bit_seconds=pins.bit_seconds)
        applied = kinds.pop("tokens")
        compared, done = drive(pins, expected, model, tokens=tokens, seed=seed, progress=progress)
        if pins.line_errors:
            raise Mismatch(f"the board broke the rules of its link {pins.line_errors} times")
        seconds = pins.clock()
    finally:
        pins.close()
    return Verification(
        board=record.board,
        model=record.name,
        level=LEVELS[board.family],
        bitstream_sha256=record.sha256,
        placement_seed=record.seed,
        lanes=info.lanes,
        banks=record.engine.banks,
        clock_mhz=record.clock_mhz,
        tokens=applied + sum(done.values()),
        tokens_whole=done["whole"],
        tokens_generated=done["generated"],
        frames_checked=dict(sorted(kinds.items())),
        frames_of_driver=dict(sorted(compared.commands.items())),
        bytes_compared=compared.compared,
        simulated_ms=round(seconds * 1e3, 3),
        cycles=round(seconds * record.clock_mhz * 1e6),
        seed=seed,
        tools=[*tools, str(toolchain.require("verilator"))],
        command=command,
    )


def _checked_info(record: BuildRecord, model: Model, folder: Path) -> Info:
    """What the board says of itself. Raises :exc:`TrineError` where it is not of the model beside it."""
    info = record.built_info()
    clocks = {"clock_hz": record.clock_mhz * 1e6, "baud": record.baud}
    if record.info != board_info(model, record.engine, record.link, **clocks).pack():
        raise TrineError(f"the record in {folder} is not of the model in it; run trine build again")
    return info


def _start(transport: PinTransport) -> None:
    """Let a board come out of its reset; it has nothing to say meanwhile."""
    transport.begin(START_SECONDS)
    if transport.read(_SILENT_SECONDS):
        raise Mismatch("the board sends bytes before it was asked anything")


def drive(
    transport: Transport,
    expected: BoardModel,
    model: Model,
    *,
    tokens: int,
    seed: int,
    progress: Callable[[str], None] = lambda what: None,
) -> tuple[Compared, Mapping[str, int]]:
    """Drive a board that is in the state of `expected` with the driver: `tokens` tokens, each applied
    once, and the number of them that were looked at whole, streamed and generated.

    Every reply is compared with that of `expected`, and what the driver makes of it with the golden model.

    Raises
    ------
    Mismatch
        At the first difference.
    """
    compared = Compared(transport, expected)
    whole = max(round(_WHOLE * tokens), 2)
    generated = round(_GENERATED * tokens) // 2 * 2
    head, reads_tokens = model.head_weight is not None, model.embedding_weight is not None
    if not (head and reads_tokens):
        generated = 0
    golden = Golden(model)
    text = sample_tokens(model, tokens - generated - 1, seed)
    trace = golden.run(text) if reads_tokens else golden.run_vectors(text)
    done = {"whole": 0, "streamed": 0, "generated": 0}

    def same(name: str, found: ArrayLike, expected: ArrayLike, first: int = 0) -> None:
        told = difference(name, found, expected, first)
        if told is not None:
            raise Mismatch(f"the driver's {told}")

    def check(steps: list[Step], first: int) -> None:
        for at, step in enumerate(steps, first):
            for name in ("h", "u", "logits"):
                value, right = getattr(step, name), getattr(trace, name)
                if value is not None:
                    same(name, value[None], right[at : at + 1, -len(value) :], at)
            if step.choice is not None and trace.logits is not None:
                same("choice", [step.choice], [trace.logits[at].argmax()], at)

    with Board.connected(lambda: compared, model, "the simulated board") as board:
        cycles = () if compared.folded else ("cycles",)
        everything = ("h", "u", *cycles, *(("logits", "choice") if head else ()))
        progress("tokens, whole")
        check(list(board.stream(text[:whole], everything)), 0)
        done["whole"] = whole
        progress("tokens, streamed")
        for at in range(whole, len(text), 256):
            part = text[at : at + 256]
            check(list(board.stream(part, (*cycles, "choice") if head else ("h",))), at)
            done["streamed"] += len(part)
            progress(f"tokens, streamed, {at + len(part):,} of {len(text):,}")
        state = board.state
        for name in ("h", "c"):
            same(
                f"{name} that was read", getattr(state, name)[None], getattr(trace.state, name), len(text) - 1
            )
        board.state = state
        list(board.stream(text[:1], everything))  # goes on from the state that was written
        done["whole"] += 1
        if generated:
            progress("tokens, generated")
            for temperature in (0.0, 0.8):
                board.reset()
                prompt = text[:1]
                chosen = board.generate(prompt, generated // 2, temperature, seed)
                right = golden.generate(prompt, generated // 2, temperature, seed)
                same(f"the choice at temperature {temperature:g}", chosen, right)
                done["generated"] += generated // 2
        counters = board.counters
        if counters.overflows or counters.framing_errors:  # damaged frames were sent on purpose
            raise Mismatch(f"the board has lost bytes: {counters}")
    if not compared.settled():
        raise Mismatch("the board has not sent all that its model has")
    return compared, done


def write_verification(verification: Verification, title: str, folder: Path) -> tuple[Path, Path]:
    """Write ``<board>-<model>-verification.json`` and ``.md`` to `folder`, at once or not at all."""
    make_folder(folder)
    template = jinja2.Template(
        Path(__file__).with_name("verification.md.j2").read_text(encoding="utf-8"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    written = []
    for suffix, text in (
        (".json", json_text(asdict(verification), indent=2) + "\n"),
        (".md", template.render(asdict(verification), title=title)),
    ):
        path = folder / f"{verification.board}-{verification.model}-verification{suffix}"
        with atomic_write(path) as file:
            file.write(text.encode())
        written.append(path)
    return written[0], written[1]
