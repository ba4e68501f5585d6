"""One board of each family of chips, for what depends on the family alone."""

from trine_boards import BOARDS

__all__ = ["ONE_OF_EACH"]

ONE_OF_EACH = {name: BOARDS[name] for name in ("icebreaker", "ulx3s")}
