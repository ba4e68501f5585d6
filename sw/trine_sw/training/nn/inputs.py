"""What a layer refuses: the error, which callers of PyTorch's own layers also catch."""

from trine_sw.support.errors import TrineError

__all__ = ["InputError"]


class InputError(TrineError, ValueError, RuntimeError):
    """A tensor that a layer cannot take: PyTorch raises ValueError or RuntimeError for the same."""
