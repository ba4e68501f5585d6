"""Report of a routed engine: resources, clock, cycles and operations, as JSON and as Markdown."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from trine_boards.board_spec import BoardSpec
from trine_boards.build.bitstream import Routed
from trine_sw.data import END, load_text
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.memories import column_memory, slices
from trine_sw.engine.timing import vector_cycles
from trine_sw.fit.link_rate import link_rates
from trine_sw.fit.sample import Sample, sample_text, sample_tokens
from trine_sw.model import Model
from trine_sw.support.atomic_file import atomic_write
from trine_sw.support.errors import TrineError
from trine_sw.support.json_text import json_text

__all__ = ["Report", "make_report", "report_paths", "rom_ports_used", "write_report"]

_TEXT_TOKENS = 8192
_WORD_TOKENS = 2000


@dataclass(frozen=True)
class Report:
    """A routed engine in figures. ``docs/results/README.md`` defines each field."""

    board: str
    link: str
    baud: int
    model: str
    lanes: int
    banks: int
    groups: int
    sampler_ways: int
    embedding: str
    head: str
    lut4: int
    ff: int
    block_ram: int
    dsp: int
    spram: int
    fmax_mhz: float
    clock_mhz: float
    margin: float
    highest_clock_mhz: float
    cycles_per_token: float
    tokens_per_s: float
    host_rates: dict[str, dict[str, Any]]
    rom_ports_used: int
    rom_ports: int
    dense_gops: float
    effective_gops: float
    seed: int
    seeds: dict[str, float | None]
    tools: list[str]
    text: str
    command: str
    netlist_sha256: str


def rom_ports_used(geometry: Geometry, board: BoardSpec) -> int:
    """Block-RAM read ports that deliver column ROM words in each cycle: one a bank and as many bits as a
    block RAM gives at the banks' depth."""
    columns = column_memory(geometry)
    return columns.count * len(slices(board.block_ram_kind, columns.width, columns.depth))


def make_report(
    model: Model,
    name: str,
    engine: EngineConfig,
    board: BoardSpec,
    routed: Routed,
    command: str,
    netlist_sha256: str,
) -> Report:
    """The report of `model`, called `name`, on `engine`, as it was routed for `board` by `command`.

    `netlist_sha256` is the digest of the elaborated netlist
    (:func:`trine_boards.build.netlist_digest.netlist_digest`).
    """
    geometry = Geometry(model.config, engine)
    sample = _sample(model)
    timing = vector_cycles(model, engine, sample.x, sample.h, head=sample.heads, starts=sample.starts)
    cycles = float(timing.cycles.mean())
    per_second = routed.clock_mhz * 1e6 / cycles
    dense, effective = _operations(model, geometry, sample)
    return Report(
        board=board.name,
        link=board.transport.name,
        baud=board.baud,
        model=name,
        lanes=geometry.lanes,
        banks=engine.banks,
        groups=geometry.groups,
        sampler_ways=engine.sampler_ways,
        embedding=engine.embedding,
        head=engine.head,
        lut4=routed.used.lut4,
        ff=routed.used.ff,
        block_ram=routed.used.block_ram,
        dsp=routed.used.dsp,
        spram=routed.used.spram,
        fmax_mhz=round(routed.fmax_mhz, 2),
        clock_mhz=float(routed.clock_mhz),
        margin=routed.margin,
        highest_clock_mhz=routed.highest_clock_mhz,
        cycles_per_token=round(cycles, 3),
        tokens_per_s=round(per_second),
        host_rates=_host_rates(model, engine, board, routed.clock_mhz * 1e6, cycles),
        rom_ports_used=rom_ports_used(geometry, board),
        rom_ports=board.rom_ports,
        dense_gops=round(dense * per_second / 1e9, 2),
        effective_gops=round(effective * per_second / 1e9, 2),
        seed=routed.seed,
        seeds={str(seed): mhz and round(mhz, 2) for seed, mhz in routed.seeds.items()},
        tools=routed.tools,
        text=sample.source,
        command=command,
        netlist_sha256=netlist_sha256,
    )


def _host_rates(
    model: Model, engine: EngineConfig, board: BoardSpec, clock_hz: float, cycles: float
) -> dict[str, dict[str, Any]]:
    """What a program gets through driver and link, and what limits it, by what it asks for."""
    wire = {"baud": board.baud, "transport": board.transport.name}
    rates = link_rates(model, engine, board.link, cycles, clock_hz=clock_hz, **wire)
    return {
        name: {"tokens_per_s": round(rate.tokens_per_s), "limit": rate.limit} for name, rate in rates.items()
    }


def _sample(model: Model) -> Sample:
    """What to measure with."""
    dataset = model.training.get("data_set")
    if model.embedding_weight is None:
        return sample_text(model, _TEXT_TOKENS)
    if dataset and model.vocabulary:
        try:
            if END in model.vocabulary:
                tokens = model.encode(load_text(dataset, "test"))[:_WORD_TOKENS]
                return Sample.of(model, tokens, f"the first {len(tokens)} words of {dataset}'s test split")
            tokens = model.encode(load_text(dataset, "valid")[:_TEXT_TOKENS])
            return Sample.of(
                model, tokens, f"the first {len(tokens)} symbols of {dataset}'s validation split"
            )
        except TrineError:
            pass  # no data and no network: the model's own text is as near as one gets
    tokens = sample_tokens(model, _TEXT_TOKENS)
    if model.head_scale is not None:
        written = f"{_TEXT_TOKENS} symbols that the model wrote itself at temperature 1, seed 1"
        return Sample.of(model, tokens, written)
    return Sample.of(model, tokens, f"{_TEXT_TOKENS} random symbols")


def _operations(model: Model, geometry: Geometry, sample: Sample) -> tuple[float, float]:
    """Operations in a token, two a weight: of all weights, and of those in active columns.

    The head's count as often as its logits are wanted.
    """
    config = model.config
    gates, head = config.spec.trits * config.hidden, geometry.head_rows * float(sample.heads.mean())
    columns = sum(config.of_layer(number).columns for number in range(config.layers))
    dense = 2 * (gates * columns + head * config.hidden)
    tokens = len(sample.x)
    of_layers = np.count_nonzero(sample.h.reshape(tokens, config.layers, -1), axis=(0, 2)) / tokens
    active_h = of_layers[-1]
    active_x = np.count_nonzero(sample.x) / tokens
    # Each layer reads its own h, and but for the last is read by the one above.
    active = active_x + of_layers.sum() + of_layers[:-1].sum()
    return dense, float(2 * (gates * active + head * active_h))


def report_paths(folder: Path, board: BoardSpec, model: str) -> tuple[Path, Path]:
    """Where :func:`write_report` writes the report of a model of this name."""
    return folder / f"{board.name}-{model}.json", folder / f"{board.name}-{model}.md"


def write_report(report: Report, board: BoardSpec, folder: Path) -> tuple[Path, Path]:
    """Write ``<board>-<model>.json`` and ``.md`` to `folder`, at once or not at all; returns their paths."""
    template = jinja2.Template(
        Path(__file__).with_name("report.md.j2").read_text(encoding="utf-8"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    written = []
    texts = json_text(asdict(report), indent=2) + "\n", template.render(asdict(report), chip=board)
    for path, text in zip(report_paths(folder, board, report.model), texts, strict=True):
        with atomic_write(path) as file:
            file.write(text.encode())
        written.append(path)
    return written[0], written[1]
