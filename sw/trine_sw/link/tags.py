"""Tags of OPEN, by which a host recognises the answer to its own."""

from __future__ import annotations

import time

from trine_sw.link.protocol import SEQUENCES

__all__ = ["new_tag"]

_last_tag = 0


def new_tag() -> int:
    """Of an OPEN: milliseconds of the clock, as TCP numbers its connections (RFC 9293, 3.4.1).

    Hosts that open a board within a minute of each other, one after the other, have different ones. In that
    time all has arrived that was on the way to the board, or back, when the first of them ended.
    """
    global _last_tag
    _last_tag = max(time.time_ns() // 1_000_000, _last_tag + 1)
    return _last_tag % SEQUENCES
