"""Integer arithmetic."""

__all__ = ["ceil_div"]


def ceil_div(a: int, b: int) -> int:
    """The smallest integer that is at least ``a / b``, for positive ``b``.

    >>> ceil_div(7, 2), ceil_div(6, 2), ceil_div(0, 2)
    (4, 3, 0)
    """
    return -(-a // b)
