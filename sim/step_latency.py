"""Where the time of one step over the UART goes: ``python sim/step_latency.py``, on a simulated board.

A token is sent alone; the simulation then goes on bit by bit, so that each byte of the reply has its time.
"""

from __future__ import annotations

from trine_hw.simulation import virtual_board
from trine_hw.simulation.virtual_board import DIVISOR, VirtualBoard
from trine_sw.backends import default_engine
from trine_sw.link.protocol import Command, Frame, Splitter, Want, decode, encode
from trine_sw.model import ModelConfig
from trine_sw.random_model import random_model

__all__ = ["reply_times"]

_PARTS = ("COBS code", "session", "session", "sequence", "sequence", "code")
_BITS = 10  # of a byte on the line


def reply_times(board: VirtualBoard, request: bytes) -> list[tuple[int, int]]:
    """For each byte of the reply its value, and the bit times from the request's last bit to its own."""
    board.write(request)
    start, found = board._bits, []
    while not found or found[-1][0]:
        for byte in board.read(0):
            found.append((byte, board._bits - start))
    return found


def main() -> None:
    config = ModelConfig(hidden=16, embedding=8, vocab_size=20, cell_max=15)
    model = random_model(config, seed=2)
    virtual_board._RUN = 1
    board = VirtualBoard(model, default_engine(model), "verilator")
    try:
        reply_times(board, b"\0" + encode(Frame(0x1234, 0, Command.OPEN, b"\1")))
        request = encode(Frame(0x1234, 0, Command.STEP, bytes([int(Want.H), 7])))
        times = reply_times(board, request)
    finally:
        board.close()
    (part,) = Splitter(999).feed(bytes(byte for byte, _ in times))
    frame = decode(part)
    assert frame is not None
    names = [*_PARTS, *["h, five trits"] * len(frame.payload), *["CRC-32"] * 4, "closing zero"]
    print(f"request: {len(request)} bytes, {_BITS * len(request)} bit times of {DIVISOR} clock cycles")
    for (byte, at), name in zip(times, names, strict=True):
        print(f"{at:5} bit times  {byte:#04x}  {name}")
    total = _BITS * len(request) + times[-1][1]
    print(f"{total} bit times in all: {total:g} us at 1,000,000 baud")


if __name__ == "__main__":
    main()
