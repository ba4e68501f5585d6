"""A connection to a board on which every reply is compared with the board model's, byte for byte."""

from __future__ import annotations

from collections import Counter

from trine_sw.driver.transports import Transport
from trine_sw.errors import TrineError
from trine_sw.link.board_model import BoardModel
from trine_sw.link.protocol import Command, Splitter, decode

__all__ = ["Compared", "Mismatch"]


class Mismatch(TrineError):
    """A board that has answered otherwise than its model."""


class Compared:
    """A :class:`trine_sw.driver.transports.Transport` to `board`, whose bytes a model of it must give too.

    What is written goes to both; what is read from the board must be what the model has answered, from its
    configuration on.

    Members
    -------
    commands : frames sent to the board, by command
    compared : bytes from the board that were equal

    Raises
    ------
    Mismatch
        From :meth:`read`, at the first byte that differs or that the model did not send; the message has the
        frame.
    """

    def __init__(self, board: Transport, model: BoardModel) -> None:
        self._board, self._model = board, model
        self._sent, self._due = Splitter(2 * model.link.slot_bytes), bytearray()
        self.commands: Counter[str] = Counter()
        self.compared = 0
        self._part = b""  # of a frame that has come in part, for the message

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
        if not self._due.startswith(data):
            due = bytes(self._due).split(b"\0")[0] if b"\0" in self._due else bytes(self._due)
            raise Mismatch(
                f"the board's answer differs from its model's after {self.compared:,} equal bytes: "
                f"{(self._part + data)[:64].hex(' ')} for {(self._part + due)[:64].hex(' ')}"
            )
        del self._due[: len(data)]
        self.compared += len(data)
        self._part = (self._part + data).rpartition(b"\0")[2]
        return data

    def settled(self) -> bool:
        """Whether all that the model has answered has come from the board."""
        return not self._due

    def fileno(self) -> int | None:
        """As the board's."""
        return self._board.fileno()

    def clock(self) -> float:
        """As the board's."""
        return self._board.clock()

    def close(self) -> None:
        """Let go of the board; may be repeated."""
        self._board.close()
