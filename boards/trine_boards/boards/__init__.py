"""The boards that Trine knows, a file each: whatever module of this folder has in its ``BOARDS``."""

from importlib import import_module
from pkgutil import iter_modules

from trine_boards.board_spec import BoardSpec

__all__ = ["BOARDS"]


def _found() -> dict[str, BoardSpec]:
    found: dict[str, BoardSpec] = {}
    for module in sorted(entry.name for entry in iter_modules(__path__)):
        for board in import_module(f"{__name__}.{module}").BOARDS:
            assert board.name not in found, f"two boards are named {board.name}"
            found[board.name] = board
    return found


#: The boards by their names on the command line.
BOARDS = _found()
