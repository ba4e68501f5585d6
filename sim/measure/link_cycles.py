"""Cycles of a token through a link on a wire that carries a byte a cycle: ``python -m
sim.measure.link_cycles``.

The gateware's ``Link`` of a model runs in Verilator; its streams of bytes are joined to a wire that gives and
takes a byte in every cycle. A host keeps as many full frames in flight as the window permits. Every reply is
compared with the board model's. Beside the cycles stand the engine's own, of tokens that are known in
advance, and the bytes that the wire carries for each token: the larger of the two is the least that a token
can take.

``--slot BYTES`` and ``--codec NAME`` set the link's frames and codec; names of models choose rows.
"""

from __future__ import annotations

import argparse
import hashlib
import struct
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trine_hw.link.link import Link
from trine_hw.simulation.build import kept, sources_digest, to_verilog
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.engine.default import default_engine
from trine_sw.engine.timing import TimingModel, vector_cycles
from trine_sw.golden import Golden
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import (
    CODECS,
    PROTOCOL_VERSION,
    Command,
    Frame,
    LinkConfig,
    Splitter,
    Want,
    encode,
)
from trine_sw.link.records import Codec
from trine_sw.link.step_records import HEAD, Asking, pack_asking
from trine_sw.model import Model
from trine_sw.model.trits import pack
from trine_sw.support import toolchain
from trine_sw.support.arithmetic import ceil_div

__all__ = ["Traffic", "Wire", "full_engine", "link_cycles"]

ROOT = Path(__file__).resolve().parents[2]
#: What is asked of each token, by model; ``top4`` are the four largest logits, and ``generate`` has the
#: engine choose the tokens.
ROWS = {"ptb-lstm-300": ("h", "u"), "shakespeare": ("choice", "top4", "h", "generate")}
_SLOT, _WINDOW = 4096, 4
_WAYS = 4
_SESSION = 77

_MAIN = """\
#include "Vtop.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>
// Verilator writes two underscores as ___05F.
// Standard input: frames, each behind its length in 4 bytes. Output: for each
// reply its length and the cycle of its last byte, 4 bytes each, and its bytes.
int main(int argc, char **argv) {
    const unsigned window = atoi(argv[1]);
    std::vector<std::vector<uint8_t>> frames;
    uint32_t size;
    while (fread(&size, 4, 1, stdin) == 1) {
        frames.emplace_back(size);
        if (fread(frames.back().data(), 1, size, stdin) != size) return 1;
    }
    VerilatedContext context;
    Vtop top{&context};
    auto tick = [&] { top.clk = 1; top.eval(); top.clk = 0; top.eval(); };
    top.clk = 0; top.rst = 1; top.rx___05Fvalid = 0; top.tx___05Fready = 1; top.eval();
    tick(); tick(); top.rst = 0;
    std::vector<uint8_t> reply;
    unsigned frame = 0, at = 0, replies = 0;
    for (uint32_t cycle = 0, quiet = 0; replies < frames.size(); ++cycle, ++quiet) {
        if (quiet > 1000000) return 2;
        const bool sends = frame < frames.size() && (at || frame < replies + window);
        top.rx___05Fvalid = sends;
        if (sends) top.rx___05Fpayload = frames[frame][at];
        top.eval();
        const bool taken = sends && top.rx___05Fready, given = top.tx___05Fvalid;
        const uint8_t byte = top.tx___05Fpayload;
        tick();
        if (taken && ++at == frames[frame].size()) ++frame, at = 0;
        if (taken || given) quiet = 0;
        if (!given) continue;
        reply.push_back(byte);
        if (byte) continue;
        ++replies;
        size = reply.size();
        fwrite(&size, 4, 1, stdout); fwrite(&cycle, 4, 1, stdout); fwrite(reply.data(), 1, size, stdout);
        reply.clear();
    }
    top.final();
}
"""


class Wire:
    """A link in Verilator, between a host that always has a byte and one that always takes one.

    Parameters
    ----------
    model, engine, link : as :class:`trine_hw.link.link.Link` has them
    optimised : whether the C++ compiler optimises, which pays for large models
    """

    def __init__(
        self, model: Model, engine: EngineConfig, link: LinkConfig, *, optimised: bool = True
    ) -> None:
        self.link = link
        tool = toolchain.require("verilator")
        digest = hashlib.sha256(model.digest() + repr((engine, link, optimised)).encode())
        digest.update(sources_digest(tool) + _MAIN.encode())

        def make(work: Path) -> list[list[str]]:
            (work / "top.v").write_text(to_verilog(Link(model, engine, link)), encoding="utf-8")
            (work / "main.cpp").write_text(_MAIN, encoding="utf-8")
            verilate = [
                *tool.command,
                "-cc",
                "--exe",
                "-Mdir",
                ".",
                "--top-module",
                "top",
                "--prefix",
                "Vtop",
            ]
            verilate += ["-o", "link", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wno-fatal"]
            verilate += ["-Wno-lint", "-Wno-style", "--no-timing", "main.cpp", "top.v"]
            fast = "OPT_FAST=-O1" if optimised else "OPT_FAST=-O0"
            return [verilate, ["make", "-f", "Vtop.mk", fast, "OPT_SLOW=-O0", "OPT_GLOBAL=-O1"]]

        self._program = kept(f"link-{digest.hexdigest()[:24]}", tool, make) / "link"

    def run(self, frames: list[bytes]) -> tuple[list[bytes], NDArray[np.int64]]:
        """The reply of each frame, and the cycle of its last byte."""
        data = b"".join(struct.pack("<I", len(frame)) + frame for frame in frames)
        command = [str(self._program), str(self.link.window)]
        output = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
        replies, cycles = [], []
        while output:
            size, cycle = struct.unpack_from("<II", output)
            replies.append(output[8 : 8 + size])
            cycles.append(cycle)
            output = output[8 + size :]
        return replies, np.array(cycles)


@dataclass(frozen=True)
class Traffic:
    """Frames that keep a link busy.

    Members
    -------
    frames : OPEN and then requests, all alike in their size
    tokens : of each request
    wire : bytes of a token's request, or of its reply, whichever are more, framing included
    engine : mean cycles of a token, or from choice to choice, of the engine alone
    """

    frames: list[bytes]
    tokens: int
    wire: float
    engine: float

    @classmethod
    def of(cls, model: Model, engine: EngineConfig, link: LinkConfig, want: str, count: int) -> Traffic:
        """``count`` full frames which ask for ``want`` of each of their tokens."""
        codec = Codec(BoardModel(model, engine, link).info)
        rng = np.random.default_rng(1)
        if want == "generate":
            each = min(link.max_payload // codec.token_bytes, 256)
            flags = [1, *[2] * (count - 1)]  # seeded at first, then on from the last choice
            heads = [struct.pack("<HHBI", each, 40, flag, 1) + bytes(codec.token_bytes) for flag in flags]
            payloads, command = heads, Command.GENERATE
            engine_cycles = _generation(model, engine, each)
            record = codec.token_bytes
        else:
            asking = _asking(want)
            head = pack_asking(asking)
            record = codec.record_bytes(*asking)
            each = min((link.max_payload - len(head)) // codec.item_bytes, link.max_payload // record)
            tokens = rng.integers(model.config.vocab_size, size=(count, each))
            assert model.embedding_weight is not None
            x = model.embedding_weight[tokens.ravel()]
            on_board = codec.info.embedding_on_board
            items = [
                codec.pack_tokens(row) if on_board else pack(model.embedding_weight[row]).tobytes()
                for row in tokens
            ]
            payloads, command = [head + item for item in items], Command.STEP
            h = Golden(model).run_vectors(x, logits=False).h
            passes = bool(asking.top or asking.want & HEAD)
            engine_cycles = float(vector_cycles(model, engine, x, h, head=passes).cycles[1:].mean())
        frames = [b"\0" + encode(Frame(_SESSION, 0, Command.OPEN, bytes([PROTOCOL_VERSION])))]
        frames += [encode(Frame(_SESSION, n, command, payload)) for n, payload in enumerate(payloads)]
        answer = len(encode(Frame(_SESSION, 0, command, b"\1" * (each * record))))
        return cls(frames, each, max(len(frames[-1]), answer) / each, engine_cycles)


def _asking(want: str) -> Asking:
    """Of a STEP, by the name of a row."""
    if want.startswith("top"):
        return Asking(Want(0), top=int(want.removeprefix("top")))
    return Asking(Want[want.upper()])


def _generation(model: Model, engine: EngineConfig, count: int) -> float:
    """Cycles from choice to choice, as the sampler offers them."""
    chosen = Golden(model).generate([0], count, temperature=40 / 64, seed=1)
    entered = np.concatenate([[0], chosen[:-1]])
    timing = TimingModel(Geometry(model.config, engine))
    assert model.embedding_weight is not None
    x = timing.x_counts(model.embedding_weight[entered]).tolist()
    after = timing.h_counts(Golden(model).run(entered).h).tolist()
    offered = []
    for t, before in enumerate([[0] * len(after[0]), *after[:-1]]):
        timing.step(
            x[t], before, after[t], head=True, last=True, reset=t == 0, offered=timing.choice, feeds_back=True
        )
        offered.append(timing.choice)
    return float(np.diff(offered).mean())


def link_cycles(wire: Wire, board: BoardModel, traffic: Traffic) -> float:
    """Mean cycles of a token, from reply to reply in the middle of the traffic.

    Raises
    ------
    ValueError
        If a reply is not the board model's.
    """
    replies, cycles = wire.run(traffic.frames)
    for number, (frame, reply) in enumerate(zip(traffic.frames, replies, strict=True)):
        if Splitter(1 << 20).feed(board.exchange(frame)) != Splitter(1 << 20).feed(reply):
            raise ValueError(f"reply {number} is not the board model's")
    begun = 1 + len(cycles) // 3  # the link is full from there on
    return float(cycles[-1] - cycles[begun]) / (len(cycles) - 1 - begun) / traffic.tokens


def full_engine(model: Model) -> EngineConfig:
    """Three banks, a lane for every row, and four logits a cycle."""
    engine = replace(default_engine(model), sampler_ways=_WAYS)
    head = ceil_div(model.config.vocab_size, _WAYS) * _WAYS if engine.head == "board" else 0
    return replace(engine, lanes=len(model.config.spec.lanes) * model.config.hidden + head)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(ROWS), metavar="MODEL", help=", ".join(ROWS))
    parser.add_argument("--slot", type=int, default=_SLOT, help="bytes of a frame")
    parser.add_argument("--codec", choices=CODECS, default="fast", help="of the link")
    parser.add_argument("--count", type=int, default=7, help="frames of each row")
    arguments = parser.parse_args()
    for name in arguments.models:
        model = Model.load(ROOT / f"models/{name}.trine")
        engine = full_engine(model)
        link = LinkConfig(_WINDOW, arguments.slot, 2 * arguments.slot, arguments.codec)
        wire = Wire(model, engine, link)
        for want in ROWS[name]:
            traffic = Traffic.of(model, engine, link, want, arguments.count)
            cycles = link_cycles(wire, BoardModel(model, engine, link), traffic)
            least = max(traffic.engine, traffic.wire)
            print(
                f"{name:14} {want:9} {cycles:8.1f} cycles a token; engine {traffic.engine:6.1f}, "
                f"wire {traffic.wire:6.1f}: {cycles / least:6.2f} times the larger",
                flush=True,
            )


if __name__ == "__main__":
    main()
