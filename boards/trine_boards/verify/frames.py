"""Test frames for a board, valid and faulty, whose answers are compared with the board model's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from trine_boards.verify.compared import Mismatch, same_answer
from trine_boards.verify.requests import Requests
from trine_sw.driver.transports import Transport
from trine_sw.link.board_model import BoardModel

__all__ = ["check_frames"]

#: Bit times after which a board is silent for good that has nothing to compute, and those for each cycle that
#: the model says the engine computes for; a cell that is looked at may take a few cycles more.
_SILENT_BITS, _BITS_A_CYCLE = 1500, 1.0

#: Bytes of a frame that a message shows.
_SHOWN = 64


def check_frames(
    transport: Transport,
    board: BoardModel,
    *,
    count: int,
    seed: int = 1,
    brief: bool = False,
    bit_seconds: float = 1e-6,
    tick: Callable[[], None] = lambda: None,
) -> Counter[str]:
    """Send `count` requests, each after the answer to the one before; how many there were of each kind, and
    under ``tokens`` the tokens that were applied.

    Parameters
    ----------
    transport : to a board that has been configured and not yet been spoken to
    board : the model of it, in the same state
    count : of requests, at least; those of :attr:`Requests.SCRIPT` come in any case
    seed, brief : of the :class:`Requests`; of brief ones come `count`
    bit_seconds : of the line
    tick : called after each answer

    Raises
    ------
    Mismatch
        At the first byte that is not the board model's, or where the board is silent. The message says which
        frame that is, what it asked for and what was answered.
    """
    requests = Requests(board, seed, brief=brief)
    kinds: Counter[str] = Counter()
    transport.write(b"\0\0")  # ends what a line may have shown before
    for number, (kind, data) in enumerate(requests):
        if number >= count and (brief or requests.shown):
            break
        before = board.counts["cycles"]
        expected = board.exchange(data)
        computing = board.counts["cycles"] - before
        patience = bit_seconds * (_SILENT_BITS + _BITS_A_CYCLE * computing)
        transport.write(data)
        found = _answer(transport, expected.count(0), patience)
        slower = requests.folded or board.link.fast
        if found[-1:] != expected[-1:] or not same_answer(found[:-1], expected[:-1], slower=slower):
            raise Mismatch(f"frame {number} ({kind}): {_difference(expected, found, data)}")
        kinds[kind] += 1
        tick()
    kinds["tokens"] = board.counts["tokens"]
    return kinds


def _answer(transport: Transport, frames: int, patience: float) -> bytes:
    """What comes until so many frames are whole, or the board is silent for `patience` seconds of its time
    after the last byte of the request or of its own."""
    data = b""
    heard = transport.clock()
    while data.count(0) < frames and transport.clock() - heard <= patience:
        if more := transport.read(patience):
            data += more
            heard = transport.clock()
    return data


def _difference(expected: bytes, found: bytes, sent: bytes) -> str:
    if not found:
        return f"no answer to {_hex(sent)}; the board model says {_hex(expected)}"
    at = next(
        (n for n, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b),
        min(len(expected), len(found)),
    )
    ours, theirs = (f"{answer[at]:#04x}" if at < len(answer) else "the end" for answer in (expected, found))
    return (
        f"byte {at} of the answer is {theirs} and not {ours}; sent {_hex(sent)}, got {_hex(found)}, "
        f"the board model says {_hex(expected)}"
    )


def _hex(data: bytes) -> str:
    """The bytes of a message, no more than a person compares."""
    if len(data) <= _SHOWN:
        return data.hex()
    return f"{data[:_SHOWN].hex()}... ({len(data)} bytes)"
