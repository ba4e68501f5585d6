"""The boards that Trine knows, a file each: whatever module of this folder has in its ``BOARDS``."""

from importlib import import_module
from pkgutil import iter_modules

from trine_boards.board_spec import BoardSpec

__all__ = ["BOARDS", "found"]


def found() -> dict[str, BoardSpec]:
    """The boards of all modules of this folder, by their names."""
    boards: dict[str, BoardSpec] = {}
    for module in sorted(entry.name for entry in iter_modules(__path__)):
        for board in import_module(f"{__name__}.{module}").BOARDS:
            assert board.name not in boards, f"two boards are named {board.name}"
            boards[board.name] = board
    return boards


#: The boards by their names on the command line.
BOARDS = found()
