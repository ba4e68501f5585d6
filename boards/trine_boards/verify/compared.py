"""Transport that compares each reply of a board with the board model's, byte for byte."""

from __future__ import annotations

from collections import Counter

from trine_sw.driver.transports import Transport
from trine_sw.engine import Geometry
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import DONE, Command, Splitter, decode
from trine_sw.support.errors import TrineError

__all__ = ["Compared", "Mismatch", "same_answer"]


class Mismatch(TrineError):
    """A board that has answered otherwise than its model."""


def same_answer(found: bytes, due: bytes, *, slower: bool) -> bool:
    """Whether an encoded frame of a board, without its 0, is the one that is due.

    Where the engine may be `slower` than the model's, the counter of cycles in an answer to COUNTERS may be
    larger, of its 32 bits by less than half.
    """
    if found == due or not slower:
        return found == due
    frames = decode(found), decode(due)
    cycles = []
    for frame in frames:
        if frame is None or frame.code != DONE | Command.COUNTERS:
            return False
        cycles.append(int.from_bytes(frame.payload[4:8], "little"))
    without = {(f.session, f.sequence, f.payload[:4] + f.payload[8:]) for f in frames if f is not None}
    return len(without) == 1 and (cycles[0] - cycles[1]) % (1 << 32) < 1 << 31


class Compared:
    """A :class:`trine_sw.driver.transports.Transport` to `board`, whose bytes a model of it must give too.

    What is written goes to both; each frame that is read from the board must be the one that the model has
    answered, from its configuration on. The counter of cycles may be larger for an engine of several groups,
    which waits while its cells are looked at, and for one behind the fast codec, which waits for the link.

    Members
    -------
    commands : frames sent to the board, by command
    compared : bytes from the board that were equal

    Raises
    ------
    Mismatch
        From :meth:`read`, at the first frame that differs or that the model did not send; the message has
        both.
    """

    def __init__(self, board: Transport, model: BoardModel) -> None:
        self._board, self._model = board, model
        self._sent, self._due = Splitter(2 * model.link.slot_bytes), b""
        #: Whether the cycles of a token may be more than the model's; whether the counter of cycles may.
        self.folded = Geometry(model.model.config, model.engine).groups > 1
        self._slower = self.folded or model.link.fast
        self.commands: Counter[str] = Counter()
        self.compared = 0
        self._part = b""  # of a frame that has come in part

    def write(self, data: bytes) -> None:
        """Send bytes to the board and to its model."""
        for part in self._sent.feed(data):
            frame = decode(part)
            known = frame is not None and frame.code in set(Command)
            self.commands[Command(frame.code).name if frame and known else "damaged"] += 1
        self._due += self._model.exchange(data)
        self._board.write(data)

    def read(self, timeout: float) -> bytes:
        """What has come from the board, and equals what the model answered."""
        data = self._board.read(timeout)
        *frames, self._part = (self._part + data).split(b"\0")
        for found in frames:
            due, ended, self._due = self._due.partition(b"\0")
            if not ended or not same_answer(found, due, slower=self._slower):
                raise Mismatch(
                    f"a frame of the board differs from its model's after {self.compared:,} equal bytes: "
                    f"{found[:64].hex(' ') or 'nothing'} for {due[:64].hex(' ') or 'nothing'}"
                )
            self.compared += len(found) + 1
        return data

    def settled(self) -> bool:
        """Whether all that the model has answered has come from the board, and nothing more."""
        return not self._due and not self._part

    def fileno(self) -> int | None:
        """As the board's."""
        return self._board.fileno()

    def clock(self) -> float:
        """As the board's."""
        return self._board.clock()

    def close(self) -> None:
        """Let go of the board; may be repeated."""
        self._board.close()
