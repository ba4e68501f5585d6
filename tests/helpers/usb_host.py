"""A USB host at the UTMI interface of a simulated device, with faults, as a transport of the driver."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.sim import Simulator

from trine_hw.link.usb import USBStreams

__all__ = ["ACK", "NAK", "STALL", "Host", "ModelDevice", "USBSerial", "crc5", "crc16"]

OUT, IN, SOF, SETUP = 0xE1, 0x69, 0xA5, 0x2D
DATA = (0xC3, 0x4B)
ACK, NAK, STALL = 0xD2, 0x5A, 0x1E
_J, _SE0 = 0b01, 0b00
USB_PERIOD, SYNC_PERIOD = 1 / 12e6, 1 / 17e6
_DATA_ENDPOINT = 4


def crc5(value: int) -> int:
    """Of a token's 11 bits."""
    crc = 0x1F
    for k in range(11):
        bit = value >> k & 1
        crc = (crc >> 1) ^ (0x14 if (crc & 1) ^ bit else 0)
    return crc ^ 0x1F


def crc16(data: bytes) -> int:
    """Of a packet's data."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc ^ 0xFFFF


class ModelDevice(Elaboratable):
    """The gateware of USB; a function of Python answers the bytes that come in."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.streams = USBStreams(0x1209, 0x0001, "Trine test", "0123")
        self.bus, self.answer = self.streams.bus, answer
        self.deaf = False

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.streams = self.streams
        return m

    async def board(self, ctx: Any) -> None:
        """The link, which takes and gives a byte every third cycle at most."""
        answers, rng = bytearray(), random.Random(1)
        put, taken = self.streams.i, self.streams.o
        while True:
            ctx.set(taken.ready, not self.deaf)
            ctx.set(put.valid, bool(answers))
            ctx.set(put.payload, answers[0] if answers else 0)
            _, _, ready, valid, payload = await ctx.tick().sample(put.ready, taken.valid, taken.payload)
            if answers and ready:
                del answers[0]
            if valid and not self.deaf:
                answers += self.answer(bytes((payload,)))
            ctx.set(taken.ready, 0)
            ctx.set(put.valid, 0)
            for _ in range(2 * (valid or rng.random() < 0.1)):
                await ctx.tick()


class Host:
    """Transactions with a device; each returns once the simulation has made it.

    Parameters
    ----------
    dut : with ``bus``, a UTMI interface
    testbenches : what runs beside it, in ``sync``
    faults : part of the packets that are lost or damaged on the way, in either direction
    """

    def __init__(self, dut: Any, *testbenches: Any, faults: float = 0, seed: int = 1) -> None:
        self.bus, self.faults, self._random = dut.bus, faults, random.Random(seed)
        self.injected = self.naks = self.repeats = 0
        self.lose = 0  # so many of the next handshakes are lost, in either direction
        self.address = 0
        self.toggles: dict[tuple[int, int], int] = {}
        self._now, self._task, self._result = 0.0, None, None
        self._simulator = Simulator(dut)
        self._simulator.add_clock(USB_PERIOD, domain="usb")
        self._simulator.add_clock(SYNC_PERIOD, domain="sync")
        for testbench in testbenches:
            self._simulator.add_testbench(testbench, background=True)
        self._simulator.add_testbench(self._run)

    async def _run(self, ctx: Any) -> None:
        ctx.set(self.bus.line_state, _J)
        ctx.set(self.bus.tx_ready, 1)
        while True:
            if self._task is None:
                await self._ticks(ctx, 4)
                self._result = (None,)
            else:
                self._result = (await self._task(ctx),)
                self._task = None

    def _do(self, task: Any) -> Any:
        self._task, self._result = task, None
        while self._task is not None or self._result is None:
            self._simulator.advance()
        return self._result[0]

    async def _ticks(self, ctx: Any, count: int) -> None:
        for _ in range(count):
            await ctx.tick("usb")
        self._now += count * USB_PERIOD

    def clock(self) -> float:
        """Seconds of the simulation."""
        return self._now

    def _damaged(self, packet: bytes) -> bytes | None:
        """The packet, or what is left of it on a bad wire; None where it is lost."""
        if self._random.random() >= self.faults:
            return packet
        self.injected += 1
        if len(packet) < 4 or self._random.random() < 0.5:
            return None
        at = self._random.randrange(1, len(packet))
        return packet[:at] + bytes((packet[at] ^ 1 << self._random.randrange(8),)) + packet[at + 1 :]

    async def _send(self, ctx: Any, packet: bytes) -> None:
        bus = self.bus
        sent = self._damaged(packet)
        if sent is not None:
            ctx.set(bus.rx_active, 1)
            await self._ticks(ctx, 2)
            for byte in sent:
                ctx.set(bus.rx_data, byte)
                ctx.set(bus.rx_valid, 1)
                await self._ticks(ctx, 1)
                ctx.set(bus.rx_valid, 0)
                await self._ticks(ctx, 1)
            ctx.set(bus.rx_active, 0)
        await self._ticks(ctx, 3)

    async def _receive(self, ctx: Any) -> bytes | None:
        """The packet that comes within the time of a response, or None."""
        bus, packet = self.bus, bytearray()
        for _ in range(40):
            if ctx.get(bus.tx_valid):
                break
            await self._ticks(ctx, 1)
        else:
            return None
        while ctx.get(bus.tx_valid):
            packet.append(ctx.get(bus.tx_data))
            await self._ticks(ctx, 1)
        await self._ticks(ctx, 4)
        return self._damaged(bytes(packet))

    async def _token(self, ctx: Any, pid: int, endpoint: int) -> None:
        value = self.address | endpoint << 7
        value |= crc5(value) << 11
        await self._send(ctx, bytes((pid, value & 0xFF, value >> 8)))

    async def _out(self, ctx: Any, pid: int, endpoint: int, data: bytes) -> int | None:
        """The handshake of a transaction to the device."""
        toggle = self.toggles.get((endpoint, OUT), 0)
        await self._token(ctx, pid, endpoint)
        await self._send(ctx, bytes((DATA[toggle],)) + data + crc16(data).to_bytes(2, "little"))
        answer = await self._receive(ctx)
        if self.lose and answer is not None:
            self.lose -= 1
            return None
        if answer == bytes((ACK,)):
            self.toggles[endpoint, OUT] = toggle ^ 1
        return None if answer is None else answer[0]

    async def _in(self, ctx: Any, endpoint: int) -> bytes | int | None:
        """Data from the device, or its handshake; None where nothing came, or nothing new."""
        await self._token(ctx, IN, endpoint)
        packet = await self._receive(ctx)
        if packet is None or len(packet) == 1:
            return packet and packet[0]
        toggle = self.toggles.get((endpoint, IN), 0)
        data, crc = packet[1:-2], packet[-2:]
        if packet[0] not in DATA or crc != crc16(data).to_bytes(2, "little"):
            return None
        if self.lose:
            self.lose -= 1
        else:
            await self._send(ctx, bytes((ACK,)))
        if packet[0] != DATA[toggle]:
            self.repeats += 1
            return None
        self.toggles[endpoint, IN] = toggle ^ 1
        return data

    async def _control(self, ctx: Any, setup: bytes) -> bytes | int:
        """A request to the device: the data of its answer, empty for one without; or STALL."""
        length = int.from_bytes(setup[6:], "little")
        while True:
            self.toggles[0, OUT] = 0
            if await self._out(ctx, SETUP, 0, setup) == ACK:
                break
        self.toggles[0, IN] = self.toggles[0, OUT] = 1
        data = b""
        while length and len(data) < length:
            part = await self._in(ctx, 0)
            if part == STALL:
                return STALL
            if isinstance(part, bytes):
                data += part
                if len(part) < 64:
                    break
        for _ in range(20):
            if length:
                self.toggles[0, OUT] = 1
                if await self._out(ctx, OUT, 0, b"") == ACK:
                    break
            else:
                answer = await self._in(ctx, 0)
                if answer == STALL:
                    return STALL
                if answer == b"":
                    break
        return data

    def control(self, kind: int, request: int, value: int = 0, index: int = 0, length: int = 0) -> Any:
        """See :meth:`_control`; the numbers are those of a setup packet."""
        words = b"".join(number.to_bytes(2, "little") for number in (value, index, length))
        return self._do(lambda ctx: self._control(ctx, bytes((kind, request)) + words))

    def plug(self) -> None:
        """A reset of the bus: the device has address 0 and no configuration."""

        async def reset(ctx: Any) -> None:
            ctx.set(self.bus.line_state, _SE0)
            await self._ticks(ctx, 2000)
            ctx.set(self.bus.line_state, _J)
            await self._ticks(ctx, 50)

        self.address = 0
        self.toggles.clear()
        self._do(reset)

    def enumerate(self, address: int = 5) -> bytes:
        """Give the device its address and its configuration; its device descriptor."""
        self.plug()
        self.control(0x00, 5, address)
        self.address = address
        device = self.control(0x80, 6, 0x0100, 0, 18)
        self.control(0x00, 9, 1)
        return device

    def out(self, data: bytes) -> int | None:
        """A packet to the serial port: the device's handshake."""
        answer = self._do(lambda ctx: self._out(ctx, OUT, _DATA_ENDPOINT, data))
        self.naks += answer == NAK
        return answer

    def fetch(self) -> bytes | None:
        """A packet from the serial port, None where none waits or it was damaged."""
        answer = self._do(lambda ctx: self._in(ctx, _DATA_ENDPOINT))
        self.naks += answer == NAK
        return answer if isinstance(answer, bytes) else None


class USBSerial:
    """The serial port of a simulated device: a :class:`trine_sw.driver.transports.Transport`.

    A packet is sent until it was acknowledged, as a host's controller does.
    """

    def __init__(self, host: Host) -> None:
        self.host = host

    def _there(self) -> None:
        if not self.host.address:
            raise OSError(19, "No such device")

    def write(self, data: bytes) -> None:
        self._there()
        for at in range(0, len(data), 64):
            for _ in range(1000):
                if self.host.out(data[at : at + 64]) == ACK:
                    break
            else:
                raise OSError(5, "the device takes no more")

    def read(self, timeout: float) -> bytes:
        self._there()
        until = self.host.clock() + timeout
        while True:
            data = self.host.fetch()
            if data or self.host.clock() >= until:
                return data or b""

    def fileno(self) -> int | None:
        return None

    def clock(self) -> float:
        return self.host.clock()

    def close(self) -> None:
        pass
