"""When an encoded frame of a board is the one that is due, with a counter of cycles that may be larger."""

import pytest

from trine_boards.verify.compared import same_answer
from trine_sw.link.protocol import DONE, Command, Frame, encode

COUNTERS = DONE | Command.COUNTERS


def answer(cycles, *, tokens=5, damaged=0, code=COUNTERS, sequence=3):
    numbers = (tokens, cycles, damaged)
    payload = b"".join(number.to_bytes(4, "little") for number in numbers)
    return encode(Frame(7, sequence, code, payload))[:-1]


@pytest.mark.parametrize(
    ("found", "same", "same_of_a_slower"),
    [
        (answer(1000), True, True),
        (answer(1001), False, True),
        (answer(999), False, False),
        (answer(1001, tokens=6), False, False),
        (answer(1001, damaged=1), False, False),
        (answer(1001, sequence=4), False, False),
        (answer(1001, code=DONE | Command.STEP), False, False),
        (b"", False, False),
        (answer(1001)[:-1], False, False),
    ],
)
def test_the_counter_of_cycles_alone_may_be_larger(found, same, same_of_a_slower):
    due = answer(1000)
    assert same_answer(found, due, slower=False) == same
    assert same_answer(found, due, slower=True) == same_of_a_slower


def test_a_counter_that_has_run_over():
    assert same_answer(answer(3), answer(2**32 - 2), slower=True)
    assert not same_answer(answer(2**32 - 2), answer(3), slower=True)


def test_other_answers_are_compared_as_they_are():
    step = DONE | Command.STEP
    assert not same_answer(answer(1001, code=step), answer(1000, code=step), slower=True)
