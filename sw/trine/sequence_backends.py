"""Sequences through what can compute a model: the golden model, its engine in a simulator, or a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trine.backends import BACKENDS
from trine_hw.simulation.simulators import SIMULATORS
from trine_sw.driver import StepBlock
from trine_sw.engine import EngineConfig
from trine_sw.engine.default import default_engine
from trine_sw.engine.placement import ANYWHERE, Placement
from trine_sw.engine.timing import vector_cycles
from trine_sw.fit.sample import Sample
from trine_sw.golden.readout import Outputs, Readout
from trine_sw.golden.sequences import run_sequences, sequence_trits
from trine_sw.model import HeadKind, Model
from trine_sw.support.checks import shown
from trine_sw.support.errors import TrineError

if TYPE_CHECKING:
    from trine.connect import Board

__all__ = ["SequenceRun", "outputs_of_u", "run_on"]

#: Steps whose cycles are counted within some ten seconds.
_TIMED = 100_000


@dataclass(frozen=True)
class SequenceRun:
    """What N sequences of T steps in all gave; None for what a board does not show.

    Members
    -------
    outputs : of the sequences; None of a model without a head
    lengths : int64 (N,)
    h : int8 (T, L·H), the states after each step; (T, H), the last layer's, where a board computes
    cycles : int64 (T,), pipelined
    """

    outputs: Outputs | None
    lengths: npt.NDArray[np.int64]
    h: npt.NDArray[np.int8] | None = None
    cycles: npt.NDArray[np.int64] | None = None


def run_on(
    backend: str,
    model: Model,
    sequences: Sequence[npt.ArrayLike],
    *,
    head_kind: HeadKind | None = None,
    placement: Placement = ANYWHERE,
    engine: EngineConfig | None = None,
    waves: Path | None = None,
    timed: int = _TIMED,
) -> SequenceRun:
    """Run sequences, each from the zero state, on one of :data:`BACKENDS` or the board at a URL.

    Sequences are as :func:`run_sequences` takes them. ``placement`` says where embedding and head must be, of
    an ``engine`` that is not given or of the board. A simulator writes its waveforms to ``waves``. Of the
    golden model, states and cycles are given of up to ``timed`` steps, which take longer than the outputs. A
    model without a head gives states and cycles alone.

    Raises
    ------
    TrineError
        If there is no such backend or board, a tool is missing, or a sequence is wrong.
    """
    if not isinstance(backend, str):
        raise TrineError(f"a backend is named, such as 'golden', or a board's URL; not {shown(backend)}")
    if waves is not None and backend not in SIMULATORS:
        raise TrineError(f"only a simulator has waveforms ({' or '.join(SIMULATORS)}), not {backend}")
    readout = Readout(model, head_kind) if model.heads or head_kind is not None else None
    trits = list(sequence_trits(model, sequences))
    if not trits:
        raise TrineError("there are no sequences to run; give at least one")
    lengths = np.array([len(each) for each in trits], np.int64)
    engine = engine or default_engine(model, placement=placement)
    if backend == "golden":
        outputs = None if readout is None else run_sequences(model, trits, head_kind=head_kind)
        if readout is not None and lengths.sum() > timed:
            return SequenceRun(outputs, lengths)
        sample = Sample.of_sequences(model, trits)
        return SequenceRun(outputs, lengths, sample.h, _cycles(model, engine, sample))
    if backend in BACKENDS:
        return _simulated(backend, model, trits, readout, engine, waves)
    from trine.board_backend import open_placed, with_progress

    with open_placed(backend, model, placement) as board:
        if readout is None:
            return _states(board, trits, lengths)
        found = list(with_progress(board.sequences(trits, head_kind=readout.kind), len(trits), "sequences"))
    if model.task == "label":
        return SequenceRun(readout.outputs([each.classes for each in found]), lengths)
    return SequenceRun(readout.outputs([each.logits for each in found if each.logits is not None]), lengths)


def _states(board: Board, trits: list[npt.NDArray[np.int8]], lengths: npt.NDArray[np.int64]) -> SequenceRun:
    """What a board shows of a model without a head."""
    from trine.board_backend import with_progress

    blocks: list[StepBlock] = []
    for each in with_progress(trits, len(trits), "sequences"):
        board.reset()
        blocks += board.stream_blocks(each, ["h", "cycles"])
    steps = StepBlock.joined(blocks)
    return SequenceRun(None, lengths, steps.h, steps.cycles)


def outputs_of_u(readout: Readout, u: npt.NDArray[np.integer], lengths: npt.NDArray[np.int64]) -> Outputs:
    """The outputs of sequences of these lengths, of what the head sees, (T, H), of one after the other."""
    parts = np.split(u, np.cumsum(lengths)[:-1])
    if readout.model.task == "label":
        return readout.outputs([readout.classes(readout.logits(part)) for part in parts])
    return readout.outputs([readout.reduced(part) for part in parts])


def _cycles(model: Model, engine: EngineConfig, sample: Sample) -> npt.NDArray[np.int64]:
    heads = sample.heads if engine.head == "board" else False
    return vector_cycles(model, engine, sample.x, sample.h, head=heads, starts=sample.starts).cycles


def _simulated(
    simulator: str,
    model: Model,
    trits: list[npt.NDArray[np.int8]],
    readout: Readout | None,
    engine: EngineConfig,
    waves: Path | None,
) -> SequenceRun:
    from trine.engine_steps import EngineSteps
    from trine_hw.core.core import Core
    from trine_hw.simulation.job import Job
    from trine_hw.simulation.run import simulate

    lengths = np.array([len(each) for each in trits], np.int64)
    engine = replace(engine, block_ram="inferred")  # the same bits and cycles, without primitives
    steps, on_board = EngineSteps.of_sequences(model, trits), engine.head == "board"
    job = Job(Core(model, engine), steps.requests(0, len(steps), head=on_board))
    (run,) = simulate([job], simulator, waves=waves)
    if readout is None:
        outputs = None
    elif not on_board or readout.kind == "float":
        outputs = outputs_of_u(readout, run.u, lengths)
    elif model.task == "label":
        outputs = readout.outputs(np.split(run.choices, np.cumsum(lengths)[:-1]))
    else:  # logits of the steps that were asked for alone
        counts = lengths if readout.every_step else np.ones_like(lengths)
        parts = np.split(run.logits.astype(np.int64), np.cumsum(counts)[:-1])
        outputs = readout.outputs([part.sum(axis=0) for part in parts])
    return SequenceRun(outputs, lengths, run.h, run.cycles)
