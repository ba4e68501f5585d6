"""The token transport against a core's ports: what each command makes the core do, and what comes back."""

import pytest
from amaranth.lib import data
from amaranth.sim import Simulator

from trine_boards import transport
from trine_boards.transport import TokenTransport

VOCAB = 20
TOKEN = data.StructLayout({"token": 5, "reset": 1, "head": 1, "last": 1, "count": 16, "reseed": 1})


def run(commands: bytes, choices=()):
    """What the core is given, as dictionaries with tau and seed, and the bytes that come back.

    The core answers a token whose count is n by the next n of `choices`.
    """
    dut = TokenTransport(TOKEN, VOCAB, 12)
    given, returned = [], []
    choices = list(choices)

    async def host(ctx):
        for byte in commands:
            ctx.set(dut.rx.payload, byte)
            ctx.set(dut.rx.valid, 1)
            await ctx.tick().until(dut.rx.ready)
        ctx.set(dut.rx.valid, 0)
        await ctx.tick().repeat(200)

    async def core(ctx):
        while True:
            ctx.set(dut.token.ready, 1)
            _, _, valid, token, tau, seed = await ctx.tick().sample(
                dut.token.valid, dut.token.payload, dut.tau, dut.seed
            )
            if not valid:
                continue
            ctx.set(dut.token.ready, 0)
            given.append({name: token[name] for name in TOKEN.members} | {"tau": tau, "seed": seed})
            for _ in range(token.count):
                await ctx.tick()
                assert ctx.get(dut.busy) and (ctx.get(dut.tau), ctx.get(dut.seed)) == (tau, seed)
                ctx.set(dut.choice.payload, choices.pop(0))
                ctx.set(dut.choice.valid, 1)
                while not (await ctx.tick().sample(dut.choice.ready))[2]:
                    pass
                ctx.set(dut.choice.valid, 0)

    async def back(ctx):
        ctx.set(dut.tx.ready, 1)
        while True:
            _, _, valid, payload = await ctx.tick().sample(dut.tx.valid, dut.tx.payload)
            if valid:
                returned.append(payload)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.add_testbench(core, background=True)
    simulator.add_testbench(back, background=True)
    simulator.run()
    return given, returned


def token(value, *, count=0, reset=0, reseed=0, tau=0, seed=0):
    wanted = int(count > 0)
    return dict(
        token=value, reset=reset, head=wanted, last=wanted, count=count, reseed=reseed, tau=tau, seed=seed
    )


def test_steps_and_reset():
    given, returned = run(transport.reset() + transport.step(3) + transport.step(19) + transport.reset() * 2)
    assert given == [token(3, reset=1), token(19)]
    assert returned == []


def test_generation_returns_the_choices_and_holds_sampling_steady():
    commands = transport.sampling(0x5A5, 0xDEADBEEF) + transport.generate(7, 3)
    commands += transport.sampling(1, 2) + transport.generate(8, 1) + transport.step(0)
    given, returned = run(commands, [4, 5, 6, 9])
    assert given == [
        token(7, count=3, reseed=1, tau=0x5A5, seed=0xDEADBEEF),
        token(8, count=1, reseed=1, tau=1, seed=2),
        token(0, tau=1, seed=2),
    ]
    assert returned == [4, 5, 6, 9]


def test_what_is_not_a_command_or_a_token_is_ignored():
    given, _ = run(bytes(8) + bytes([0x7F, 0xFF]) + transport.step(VOCAB) + transport.step(VOCAB - 1))
    assert given == [token(VOCAB - 1)]


def test_zeros_resynchronise():
    given, _ = run(transport.sampling(1, 1)[:3] + bytes(8) + transport.step(2))
    assert given == [token(2, reseed=1, tau=1)]


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="vocab_size"):
        TokenTransport(TOKEN, 300, 12)
    with pytest.raises(ValueError, match="tau_width"):
        TokenTransport(TOKEN, 20, 17)
