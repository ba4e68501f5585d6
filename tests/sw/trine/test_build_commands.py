"""Commands of ``trine build`` in reports: they say all that decides a bitstream, and are read again."""

import random
from dataclasses import replace

from trine.building import _command
from trine.cli.build import design_of_command
from trine.designs import BuildRequest
from trine.fitting import as_board
from trine_boards import BOARDS
from trine_sw.fit.sample import ACTIVITY


def test_the_command_of_a_report_has_the_baud_rate_that_is_not_the_board_s():
    for name, asked, said in (
        ("ulx3s", None, ""),
        ("ulx3s", 115_200, " --baud 115200"),
        ("icesugar", None, ""),
        ("icesugar", 3_000_000, " --baud 3000000"),
    ):
        command = _command("m", as_board(name, asked), None, None)
        assert command == f"trine build m.trine --board {name}{said}"
    board = replace(as_board("ulx3s", 115_200), name="of-mine")
    assert _command("m", board, None, None) == "trine build m.trine --board of-mine --baud 115200"


def test_the_command_in_a_report_makes_the_same_design(model_path):
    """Every option that decides a bitstream is in the command, and is read from it again."""
    rng = random.Random(5)

    def asked(board):
        transport = rng.choice(board.transports).name
        lanes, banks = rng.choice([(None, None), (40, 2)])
        return {
            "clock": rng.choice([None, board.clock_mhz]),
            "margin": rng.choice([5.0, 12.0]),
            "link": transport,
            "baud": rng.choice([None, 921_600]) if transport == "uart" else None,
            "address": rng.choice([None, "10.0.0.9"]) if transport == "ethernet" else None,
            "lanes": lanes,
            "banks": banks,
            "balance": rng.random() < 0.5,
            "embedding": rng.choice([None, "host"]),
            "activity": rng.choice([ACTIVITY, 0.25]),
        }

    seen = set()
    for name in [*rng.sample([*BOARDS], 8), *["ecpix5-85f"] * 4]:
        options = asked(BOARDS[name])
        design = (request := BuildRequest(model_path, name, **options)).design()
        again = design_of_command(request.command(design))
        assert (again.board, again.clock_mhz, again.margin) == (design.board, design.clock_mhz, design.margin)
        assert again.fit == design.fit, options
        seen.update(key for key, value in options.items() if value)
    assert seen == set(options)
