"""Where the time of one step over the UART goes: ``python -m sim.measure.step_latency``, on a simulated
board.

A token is sent alone; the simulation then goes on in steps of about a bit, so that each byte of the reply has
its time: that of the middle of its stop bit, to a step. At the end stands what the program's side takes
(:mod:`sim.measure.pty_latency`).
"""

from __future__ import annotations

from sim.measure import pty_latency
from trine_hw.simulation import virtual_board
from trine_hw.simulation.virtual_board import DIVISOR, VirtualBoard
from trine_sw.engine.default import default_engine
from trine_sw.link.protocol import PROTOCOL_VERSION, Command, Frame, Splitter, Want, decode, encode
from trine_sw.model import ModelConfig
from trine_sw.model.random_model import random_model

__all__ = ["reply_times"]

_PARTS = ("COBS code", "session", "session", "sequence", "sequence", "code")
_BITS = 10  # of a byte on the line
_STEP = DIVISOR + 1  # cycles: a bit, and the one in which the bench takes its next command


def reply_times(board: VirtualBoard, request: bytes) -> list[tuple[int, int]]:
    """For each byte of the reply its value, and the clock cycles from the request's last bit to its own."""
    board.write(request)
    start, found = board._bits, []
    while not found or found[-1][0]:
        for byte in board.read(0):
            found.append((byte, (board._bits - start) * _STEP))
    return found


def main() -> None:
    config = ModelConfig(hidden=16, embedding=8, vocab_size=20, cell_max=15)
    model = random_model(config, seed=2)
    virtual_board._RUN = 1
    board = VirtualBoard(model, default_engine(model), "verilator")
    try:
        reply_times(board, b"\0" + encode(Frame(0x1234, 0, Command.OPEN, bytes([PROTOCOL_VERSION]))))
        request = encode(Frame(0x1234, 0, Command.STEP, bytes([int(Want.H), 7])))
        times = reply_times(board, request)
    finally:
        board.close()
    (part,) = Splitter(999).feed(bytes(byte for byte, _ in times))
    frame = decode(part)
    assert frame is not None
    names = [*_PARTS, *["h, five trits"] * len(frame.payload), *["CRC-32"] * 4, "closing zero"]
    print(f"request: {len(request)} bytes, {_BITS * len(request)} bit times")
    for (byte, cycles), name in zip(times, names, strict=True):
        print(f"{cycles / DIVISOR:7.1f} bit times  {byte:#04x}  {name}")
    line = _BITS * (len(request) + len(times))
    total = _BITS * len(request) + times[-1][1] / DIVISOR
    print(
        f"{line} bit times of bytes, {total:.0f} in all: {DIVISOR * (total - line):.0f} clock cycles between"
    )
    pty_latency.main()


if __name__ == "__main__":
    main()
