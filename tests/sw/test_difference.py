"""The comparison of values with the golden model's."""

import numpy as np
import pytest

from trine_sw.golden.difference import difference


def test_equal_values_have_no_difference() -> None:
    values = np.arange(6).reshape(2, 3)
    assert difference("h", values.tolist(), values) is None
    assert difference("logits", None, None) is None


@pytest.mark.parametrize(
    ("found", "expected", "told"),
    [
        (
            [[0, 1], [1, -1]],
            [[0, 1], [1, 0]],
            "h of token 8, entry 1 is -1, and the model's is 0 (1 of 4 differ)",
        ),
        ([3, 2, 1], [3, 1, 2], "h of token 8 is 2, and the model's is 1 (2 of 3 differ)"),
        (4, 5, "h is 4, and the model's is 5 (1 of 1 differ)"),
        ([1, 2], [1], "h is of shape (2,), and the model's of (1,)"),
        ([1], None, "h is missing"),
    ],
)
def test_the_first_value_that_differs_is_named(found, expected, told) -> None:
    assert difference("h", found, expected, first=7) == told
