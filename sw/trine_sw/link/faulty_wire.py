"""A wire that damages what it carries: bytes are flipped, lost, doubled and delayed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

__all__ = ["FaultyWire", "Faults"]

_KINDS = ("flipped", "dropped", "doubled", "delayed")


@dataclass
class Faults:
    """What a wire has done so far."""

    flipped: int = 0
    dropped: int = 0
    doubled: int = 0
    delayed: int = 0

    @property
    def total(self) -> int:
        return self.flipped + self.dropped + self.doubled + self.delayed


@dataclass
class FaultyWire:
    """Carries bytes in one direction.

    Each byte suffers a fault with probability ``rate``: one bit flipped, lost, sent twice, or held back
    behind up to ``most_delay`` bytes that follow it. The same seed gives the same faults.
    """

    rate: float
    seed: int
    most_delay: int = 300
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"the fault rate must be from 0 to less than 1, not {self.rate}")
        self._random = random.Random(self.seed)
        self._until = self._gap()
        self._held: list[tuple[int, int]] = []  # bytes still to pass before it, byte

    def _gap(self) -> int:
        """Bytes that pass before the next fault."""
        if not self.rate:
            return 1 << 62
        return int(self._random.expovariate(1) / self.rate)

    def carry(self, data: bytes) -> bytes:
        """What arrives of these bytes, and of those held back before them."""
        if self._until >= len(data) and not self._held:
            self._until -= len(data)
            return data
        out = bytearray()
        for byte in data:
            if self._until:
                self._until -= 1
                out.append(byte)
            else:
                self._until = self._gap()
                self._damage(byte, out)
            self._held = [(left - 1, held) for left, held in self._held]
            out += bytes(held for left, held in self._held if left <= 0)
            self._held = [(left, held) for left, held in self._held if left > 0]
        return bytes(out)

    def _damage(self, byte: int, out: bytearray) -> None:
        kind = self._random.choice(_KINDS)
        setattr(self.faults, kind, getattr(self.faults, kind) + 1)
        if kind == "flipped":
            out.append(byte ^ 1 << self._random.randrange(8))
        elif kind == "doubled":
            out += bytes((byte, byte))
        elif kind == "delayed":
            self._held.append((self._random.randint(2, self.most_delay), byte))
