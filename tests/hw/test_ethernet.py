"""Frames as datagrams: COBS on either side, whole datagrams alone, and the clocks between."""

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator
from cobs import cobs

from trine_hw.link.ethernet.cobs import COBSDecoder, COBSEncoder
from trine_hw.link.ethernet.datagram_store import DatagramStore
from trine_hw.link.ethernet.streams import DatagramStreams
from trine_sw.link.protocol import LinkConfig


def datagrams(rng, count, longest, blocks=(253, 254, 255)):
    """Of all kinds: short, long, of zeros, without, and around the longest blocks of COBS."""
    lengths = [1, 2, 3, 4, 5, *blocks, *rng.integers(1, longest, count)]
    zeros = rng.choice([0, 0.003, 0.2, 1], len(lengths))
    zeros[5 : 5 + len(blocks)] = 0
    return [
        np.where(rng.random(n) < share, 0, rng.integers(1, 256, n)).astype(np.uint8).tobytes()
        for n, share in zip(lengths, zeros, strict=True)
    ]


def words(datagram):
    """(data, more, last) of each word; what lies behind the last byte is any."""
    parts = [datagram[at : at + 4] for at in range(0, len(datagram), 4)]
    return [
        (int.from_bytes(part.ljust(4, b"\xa5"), "little"), len(part) - 1, number == len(parts) - 1)
        for number, part in enumerate(parts)
    ]


def joined(taken):
    """The datagrams of words."""
    found, now = [], b""
    for data, more, last in taken:
        now += data.to_bytes(4, "little")[: more + 1 if last else 4]
        if last:
            found.append(now)
            now = b""
    assert not now
    return found


def give(port, items, rng, often, domain="sync", first=lambda ctx: None):
    """Offers these payloads, each after a while."""

    async def bench(ctx):
        first(ctx)
        for item in items:
            while rng.random() >= often:
                await ctx.tick(domain)
            ctx.set(port.payload, payload(item))
            ctx.set(port.valid, 1)
            await ctx.tick(domain).until(port.ready)
            ctx.set(port.valid, 0)

    return bench


def payload(item):
    return item if isinstance(item, int) else {"data": item[0], "more": item[1], "last": item[2]}


def take(port, into, rng, often, domain="sync"):
    """Takes payloads, in a share of the cycles."""

    async def bench(ctx):
        while True:
            ready = int(rng.random() < often)
            ctx.set(port.ready, ready)
            _, _, valid, got = await ctx.tick(domain).sample(port.valid, port.payload)
            if ready and valid:
                into.append(got if isinstance(got, int) else (got.data, got.more, got.last))

    return bench


def simulate(dut, *benches, until, clocks=None):
    """Run until there is so much, or nothing more comes."""
    simulator = Simulator(dut)
    for domain, period in (clocks or {"sync": 1e-6}).items():
        simulator.add_clock(period, domain=domain)
    for bench in benches:
        simulator.add_testbench(bench, background=True)

    async def wait(ctx):
        for _ in range(1000):
            if until():
                break
            await ctx.tick().repeat(100)
        await ctx.tick().repeat(200)

    simulator.add_testbench(wait)
    simulator.run()


@pytest.mark.parametrize(("often", "wanted"), [(1, 1), (1, 0.3), (0.3, 1)])
def test_cobs_of_datagrams(often, wanted):
    rng = np.random.default_rng(1)
    given, taken, dut = datagrams(rng, 2, 600), [], COBSEncoder()
    expected = COBSEncoder.model(given)
    items = [word for datagram in given for word in words(datagram)]
    simulate(
        dut,
        give(dut.i, items, rng, often),
        take(dut.o, taken, rng, wanted),
        until=lambda: len(taken) >= len(expected),
    )
    assert bytes(taken) == expected


@pytest.mark.parametrize(("often", "wanted"), [(1, 1), (1, 0.3), (0.3, 1)])
def test_datagrams_of_cobs(often, wanted):
    rng = np.random.default_rng(2)
    given, taken, dut = datagrams(rng, 2, 600), [], COBSDecoder()
    items = [*b"\0\0".join(cobs.encode(datagram) for datagram in given), 0]
    simulate(
        dut,
        give(dut.i, items, rng, often),
        take(dut.o, taken, rng, wanted),
        until=lambda: sum(last for *_, last in taken) == len(given),
    )
    assert joined(taken) == given


def test_a_byte_in_a_cycle():
    """Encoder and decoder behind each other, of a long datagram: all its bytes, and little more."""
    rng, taken = np.random.default_rng(3), []
    given = rng.integers(0, 256, 1000, np.uint8).tobytes()
    m = Module()
    m.submodules.encoder, m.submodules.decoder = encoder, decoder = COBSEncoder(), COBSDecoder()
    m.d.comb += [
        decoder.i.payload.eq(encoder.o.payload),
        decoder.i.valid.eq(encoder.o.valid),
        encoder.o.ready.eq(decoder.i.ready),
    ]
    items, cycles = words(given) * 3, []

    async def count(ctx):
        async for _ in ctx.tick():
            cycles.append(len(taken))

    simulate(
        m,
        give(encoder.i, items, rng, 1),
        take(decoder.o, taken, rng, 1),
        count,
        until=lambda: len(taken) == len(items),
    )
    assert joined(taken) == [given] * 3
    ends = [cycles.index(250 * n) for n in (1, 2, 3)]
    assert ends[2] - ends[0] <= 2 * 1010


@pytest.mark.parametrize("wanted", [1, 0.2])
def test_store_drops_what_is_damaged_or_has_no_room(wanted):
    rng = np.random.default_rng(4)
    given, taken, dut = datagrams(rng, 40, 100, ()), [], DatagramStore(32, counts=False)
    damaged = rng.random(len(given)) < 0.2
    events, kept = {"taken": 0, "lost": 0, "dropped": 0}, []

    async def drive(ctx):
        for datagram, bad in zip(given, damaged, strict=True):
            for item in words(datagram):
                ctx.set(dut.i.payload, payload(item))
                ctx.set(dut.i.valid, 1)
                ctx.set(dut.damaged, int(bad and item[2]))
                told = {name: ctx.get(getattr(dut, name)) for name in events}
                assert ctx.get(dut.i.ready)
                await ctx.tick()
                for name, value in told.items():
                    events[name] += value
                if told["taken"]:
                    kept.append(datagram)
            ctx.set(dut.i.valid, 0)
            await ctx.tick().repeat(int(rng.integers(0, 30)))

    simulate(
        dut,
        drive,
        take(dut.o, taken, rng, wanted),
        until=lambda: sum(events.values()) == len(given),
    )
    assert sum(events.values()) == len(given) and events["dropped"] == sum(damaged)
    assert joined(taken) == kept and len(kept) == events["taken"] > 5
    assert events["lost"] >= sum(len(words(datagram)) > 32 for datagram in given) - sum(damaged)


def test_store_counts_bytes_and_waits():
    rng = np.random.default_rng(5)
    given, taken, dut = datagrams(rng, 5, 200, ()), [], DatagramStore(512, counts=True)
    items = [word for datagram in given for word in words(datagram)]
    simulate(
        dut,
        give(dut.i, items, rng, 1),
        take(dut.o, taken, rng, 0.3),
        until=lambda: sum(last for *_, last in taken) == len(given),
    )
    at = 0
    for datagram in given:
        length = len(words(datagram))
        assert taken[at][0] == len(datagram)
        assert joined(taken[at + 1 : at + 1 + length]) == [datagram]
        at += 1 + length


@pytest.mark.parametrize(
    "clocks",
    [(13.3e-9, 20e-9), *(pytest.param((n * 1e-9, 20e-9), marks=pytest.mark.nightly) for n in (10, 40))],
)
def test_frames_are_datagrams_both_ways(clocks):
    """With an echo in place of the link; replies go to the sender of the latest datagram."""
    rng, taken, addressed = np.random.default_rng(6), [], []
    given = datagrams(rng, 2, 120, (255,))
    dut = DatagramStreams(LinkConfig(8, 256, 2048))
    m = Module()
    m.domains.sync = ClockDomain("sync", reset_less=True)
    m.domains.eth = ClockDomain("eth")
    m.submodules.dut = dut
    m.d.comb += [
        dut.i.payload.eq(dut.o.payload),
        dut.i.valid.eq(dut.o.valid),
        dut.o.ready.eq(dut.i.ready),
    ]
    items = [word for datagram in given for word in words(datagram)]

    def sender(ctx):
        ctx.set(dut.address, 0xC0A80105)
        ctx.set(dut.port, 4321)

    async def follow(ctx):
        while True:
            _, _, valid, ready, last, *told = await ctx.tick("eth").sample(
                *(dut.sent.valid, dut.sent.ready, dut.sent.payload.last),
                *(dut.length, dut.to_address, dut.to_port),
            )
            if valid and ready and last:
                addressed.append(tuple(told))

    simulate(
        m,
        give(dut.received, items, rng, 0.9, "eth", sender),
        take(dut.sent, taken, rng, 0.9, "eth"),
        follow,
        until=lambda: len(addressed) == len(given),
        clocks=dict(zip(("sync", "eth"), clocks, strict=True)),
    )
    assert joined(taken) == given
    assert addressed == [(len(datagram), 0xC0A80105, 4321) for datagram in given]
