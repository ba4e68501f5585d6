"""A link in Amaranth's simulator, what it is sent, and its answers beside the board model's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from trine_hw.link.link import Link
from trine_hw.simulation.watchdog import link_patience, run_watched
from trine_sw.engine import EngineConfig, Geometry
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import BAD_FRAME, DONE, Command, Frame, LinkConfig, Want, decode
from trine_sw.link.records import Codec
from trine_sw.model import Model

__all__ = ["CODECS", "LINK", "answers", "check"]

LINK = LinkConfig(window=4, slot_bytes=128, receive_bytes=256)
#: The same link with either codec.
CODECS = {codec: replace(LINK, codec=codec) for codec in ("serial", "fast")}


def answers(
    model: Model,
    engine: EngineConfig,
    sent: list[bytes],
    link: LinkConfig = LINK,
    seen: Callable[[int, bytes], None] = lambda index, answer: None,
    pulses: Mapping[str, int] | None = None,
) -> list[bytes]:
    """The bytes that each of these is answered by, each sent when the one before has been; ``seen`` is told
    of each as it is complete. Before all, each input of the link that ``pulses`` names is 1 for a cycle
    as many times as it says."""
    dut = Link(model, engine, link, clock_hz=80e6, baud=1e6)
    found: list[bytes] = []
    reply = bytearray()

    async def send(ctx):
        for name, times in (pulses or {}).items():
            for _ in range(times):
                ctx.set(getattr(dut, name), 1)
                await ctx.tick()
                ctx.set(getattr(dut, name), 0)
                await ctx.tick().repeat(60)  # more than the counters take to add an event
        for data in sent:
            for byte in data:
                ctx.set(dut.rx.payload, byte)
                ctx.set(dut.rx.valid, 1)
                await ctx.tick().until(dut.rx.ready)
                ctx.set(dut.rx.valid, 0)
            # Quiet when nothing has moved for longer than the receiver takes for what it has been sent.
            quiet = 0
            while quiet < 50 + 2 * len(data):
                before = len(reply)
                await ctx.tick()
                quiet = 0 if ctx.get(dut.busy) or len(reply) != before else quiet + 1
            found.append(bytes(reply))
            reply.clear()
            seen(len(found) - 1, found[-1])

    async def receive(ctx):
        ctx.set(dut.tx.ready, 1)
        while True:
            _, _, valid, byte = await ctx.tick().sample(dut.tx.valid, dut.tx.payload)
            if valid:
                reply.append(byte)

    run_watched(
        dut,
        send,
        background=[receive],
        progress={"rx": dut.rx, "tx": dut.tx},
        patience=link_patience(dut.core.geometry, Codec(dut.info)),
        # No frame is answered by more than one, nor a reply in a slot sent more than once.
        transfers=sum(len(data) + (1 + data.count(0)) * link.slot_bytes for data in sent),
    )
    return found


def check(model: Model, engine: EngineConfig, sent: list[bytes], link: LinkConfig = LINK) -> list[Frame]:
    """Every answer is the board model's, looked at as it comes; returns them decoded."""
    device = BoardModel(model, engine, link, clock_hz=80e6, baud=1e6)
    untimed = Geometry(model.config, engine).groups > 1
    frames: list[Frame] = []

    def compare(index: int, mine: bytes) -> None:
        nonlocal untimed
        theirs = device.exchange(sent[index])
        untimed |= link.fast and any(streams(part, device.codec) for part in sent[index].split(b"\0"))
        mine_, theirs_ = ([decode(part) for part in data.split(b"\0") if part] for data in (mine, theirs))
        if len(theirs_) > 1:  # damage goes untold while the answer before it waits to be sent
            mine_, theirs_ = ([f for f in each if f and f.code != BAD_FRAME] for each in (mine_, theirs_))
        if untimed:
            mine_, theirs_ = without_waits(mine_, theirs_)
        assert mine_ == theirs_, index
        assert untimed or theirs.count(0) > 1 or mine == theirs
        frames.extend(frame for frame in mine_ if frame is not None)

    assert len(answers(model, engine, sent, link, compare)) == len(sent)
    return frames


def streams(encoded: bytes, codec: Codec) -> bool:
    """Whether the fast codec may have two tokens of this frame in the engine at once."""
    frame = decode(encoded)
    if frame is None or frame.code != Command.STEP or not frame.payload:
        return False
    return not frame.payload[0] & Want.CYCLES and len(frame.payload) > 1 + codec.item_bytes


def without_waits(mine: list[Frame | None], theirs: list[Frame | None]) -> tuple[list[Frame | None], ...]:
    """Frames without the counter of cycles, where looking at the cells may delay the groups behind them, or
    tokens came when the link had them: none is shorter for it."""
    found: tuple[list[Frame | None], ...] = ([], [])
    cycles: tuple[list[int], ...] = ([], [])
    for frames, kept, counted in zip((mine, theirs), found, cycles, strict=True):
        for frame in frames:
            if frame is not None and frame.code == DONE | Command.COUNTERS:
                counted.append(int.from_bytes(frame.payload[4:8], "little"))
                frame = frame._replace(payload=frame.payload[:4] + bytes(4) + frame.payload[8:])
            kept.append(frame)
    assert all(longer >= shorter for longer, shorter in zip(*cycles, strict=False)), cycles
    return found
