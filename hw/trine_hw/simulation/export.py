"""The Verilog of an engine for other designs, and a testbench beside it that shows how it is driven."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Shape
from amaranth.lib import data

from trine_hw.core.cells.base import level_bits
from trine_hw.core.core import Core
from trine_hw.simulation.beats import pack
from trine_sw.golden import Golden

__all__ = ["NAME", "example_testbench"]

#: The module that is exported.
NAME = "trine_core"
#: Tokens given, and chosen by the engine itself where it has embedding and head.
_TOKENS, _GENERATED = 12, 6
#: A token that takes longer has not come through.
_CYCLES_A_COLUMN = 20

_TESTBENCH = """\
// Drives {name} with {requests} requests and compares each state and choice with the integer model's.
//
//     $ iverilog -g2012 -s {name}_tb -o tb.vvp {name}.v {name}_tb.v && vvp -n tb.vvp
//     $ verilator --binary -Wno-fatal -Wno-lint --top-module {name}_tb {name}.v {name}_tb.v
//     $ obj_dir/V{name}_tb
//
// A payload moves in each cycle in which valid and ready are both 1, and is held until then.{blocks}
`timescale 1ns / 1ps
module {name}_tb;
    reg clk = 0, rst = 1;
    always #5 clk = !clk;

    // Requests; of a state's beat only h, u and c are compared, which the mask has ones for.
    reg [{request_width}-1:0] requests [0:{requests}-1];
    reg [{state_width}-1:0] states [0:{states}-1];
    reg [{choice_width}-1:0] choices [0:{choices_kept}-1];
    localparam [{state_width}-1:0] MASK = {mask};
    initial begin
{contents}
    end

    integer cycle = 0, sent = 0, seen = 0, chosen = 0, wrong = 0;
    wire i_valid = !rst && sent < {requests};
    wire i_ready, state_valid;
    wire [{request_width}-1:0] i_payload = requests[sent < {requests} ? sent : 0];
    wire [{state_width}-1:0] state_payload;
    wire [{state_width}-1:0] expected_state = states[seen < {states} ? seen : 0];
{head_wires}    {name} dut (
        .clk(clk), .rst(rst),
        .i__valid(i_valid), .i__ready(i_ready), .i__payload(i_payload),
        .state__valid(state_valid), .state__ready(1'b1), .state__payload(state_payload){head_ports}
    );

    always @(posedge clk) begin
        cycle <= cycle + 1;
        if (cycle == 4) rst <= 0;
        if (i_valid && i_ready) sent <= sent + 1;
        if (!rst && state_valid) begin
            seen <= seen + 1;
            if (seen >= {states} || (state_payload & MASK) !== expected_state) begin
                wrong <= wrong + 1;
                $display("state %0d is %h, not %h", seen, state_payload & MASK, expected_state);
            end
        end
{head_checks}        if (cycle == {limit}) begin
            if (sent == {requests} && seen == {states} && chosen == {choices} && wrong == 0)
                $display("PASS: %0d requests, %0d states, %0d choices", sent, seen, chosen);
            else
                $display("FAIL: %0d requests, %0d states, %0d choices, %0d wrong", sent, seen, chosen, wrong);
            $finish;
        end
    end
endmodule
"""
_HEAD_WIRES = """\
    wire choice_valid;
    wire [{choice_width}-1:0] choice_payload;
    wire [{choice_width}-1:0] expected_choice = choices[chosen < {choices} ? chosen : 0];
"""
# Greedy: tau 0. Logits are taken and not looked at.
_HEAD_PORTS = """,
        .logits__ready(1'b1), .tau(12'd0), .seed(32'd0),
        .choice__valid(choice_valid), .choice__ready(1'b1), .choice__payload(choice_payload)"""
_HEAD_CHECKS = """\
        if (!rst && choice_valid) begin
            chosen <= chosen + 1;
            if (chosen >= {choices} || choice_payload !== expected_choice) begin
                wrong <= wrong + 1;
                $display("choice %0d is %0d, not %0d", chosen, choice_payload, expected_choice);
            end
        end
"""
_BLOCKS = """
// The engine is made of an ECP5's own block RAMs (PDPW16KD, DP16KD) and, with relays, flip-flops
// (TRELLIS_FF). Add models of them, such as boards/trine_boards/verify/cells/ecp5_block_ram.v, or export
// without --board."""


@dataclass(frozen=True)
class _Expected:
    """Requests, and the states (beats) and choices that the integer model makes of them, as bits."""

    requests: list[int]
    states: list[int]
    choices: list[int]


def example_testbench(core: Core, seed: int = 1) -> str:
    """A testbench in Verilog alone: tokens into :data:`NAME`, whose states and choices must be the golden
    model's; it says PASS or FAIL."""
    geometry, state = core.geometry, core.state.payload.shape()
    expected = _expected(core, seed)
    widths = {
        "request_width": Shape.cast(core.i.payload.shape()).width,
        "state_width": state.size,
        "choice_width": Shape.cast(core.choice.payload.shape()).width if geometry.head_lanes else 1,
    }

    def literal(bits: int, width: int) -> str:
        return f"{width}'h{bits:x}"

    kinds = (
        ("requests", expected.requests, widths["request_width"]),
        ("states", expected.states, widths["state_width"]),
        ("choices", expected.choices, widths["choice_width"]),
    )
    contents = [
        f"        {name}[{n}] = {literal(bits, width)};"
        for name, values, width in kinds
        for n, bits in enumerate(values)
    ]
    columns = geometry.bank_columns + len(expected.states) // len(expected.requests)
    steps = len(expected.states) // geometry.groups
    numbers = widths | {
        "name": NAME,
        "requests": len(expected.requests),
        "states": len(expected.states),
        "choices": len(expected.choices),
        "choices_kept": max(1, len(expected.choices)),
        "limit": _CYCLES_A_COLUMN * steps * (columns + geometry.head_rows + 20) * geometry.groups,
    }
    head = geometry.head_lanes > 0
    return _TESTBENCH.format(
        **numbers,
        mask=literal(_cells(core, None), widths["state_width"]),
        contents="\n".join(contents),
        blocks=_BLOCKS if core.engine.block_ram == "ecp5" else "",
        head_wires=_HEAD_WIRES.format(**numbers) if head else "",
        head_ports=_HEAD_PORTS if head else "",
        head_checks=_HEAD_CHECKS.format(**numbers) if head else "",
    )


def _expected(core: Core, seed: int) -> _Expected:
    model, geometry, engine = core.model, core.geometry, core.engine
    golden, rng = Golden(model), np.random.default_rng(seed)
    head = geometry.head_lanes > 0
    layout = core.i.payload.shape()
    tokens = rng.integers(0, model.config.vocab_size, _TOKENS)
    if model.embedding_weight is None:
        x = rng.integers(-1, 2, (_TOKENS, model.config.embedding)).astype(np.int8)
        trace = golden.run_vectors(x)
    else:
        x = model.embedding_weight[tokens]
        trace = golden.run(tokens, logits=head)

    def request(n: int, **flags: int) -> int:
        first = {"token": int(tokens[n])} if engine.embedding == "board" else {"x": x[n]}
        return pack(layout, first | flags)

    last = _TOKENS - 1
    requests = [request(n, reset=int(n == 0), head=int(head), last=int(n == last)) for n in range(_TOKENS)]
    states = _beats(core, trace.h, trace.c, trace.u)
    choices: list[int] = []
    if head:
        assert trace.logits is not None
        choices = trace.logits.argmax(1).tolist()
        if engine.embedding == "board":
            chosen = golden.generate(tokens[:1], _GENERATED)
            more = golden.run(np.concatenate([tokens[:1], chosen[:-1]]))
            requests.append(request(0, reset=1, count=_GENERATED, reseed=1))
            states += _beats(core, more.h, more.c, more.u)
            choices += chosen.tolist()
    return _Expected(requests, states, choices)


def _beats(core: Core, h: npt.NDArray, c: npt.NDArray, u: npt.NDArray) -> list[int]:
    """The compared bits of all beats of tokens' states (T, L·H), a beat a group."""
    units, beats = core.geometry.units, []
    levels = np.zeros(h.shape, np.int64)
    if level_bits(core.model.config):
        levels[:, -u.shape[1] :] = np.abs(u)  # what the head sees is of the last layer
    for step in range(len(h)):
        for first in range(0, core.geometry.groups * units, units):
            there = slice(first, first + units)
            cells = [
                {"h": int(a), "c": int(b), "u": int(d)}
                for a, b, d in zip(h[step, there], c[step, there], levels[step, there], strict=True)
            ]
            beats.append(_cells(core, cells))
    return beats


def _cells(core: Core, cells: list[dict[str, int]] | None) -> int:
    """The bits of a beat whose cells have these values, padding 0; with None, those that are compared."""
    state = core.state.payload.shape()
    array = state["cells"].shape
    assert isinstance(array, data.ArrayLayout) and isinstance(array.elem_shape, data.StructLayout)
    cell, bits = array.elem_shape, 0
    compared = ("h", "c", "u") if core.model.config.layers == 1 else ("h", "c")
    for n in range(array.length):
        at = state["cells"].offset + n * cell.size
        for name in compared:
            width = Shape.cast(cell[name].shape).width
            value = -1 if cells is None else (cells[n][name] if n < len(cells) else 0)
            bits |= (value & (1 << width) - 1) << at + cell[name].offset
    return bits
