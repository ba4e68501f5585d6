"""Every command writes to a standard output and error of any encoding."""

import json
import subprocess
import sys

import pytest

from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model
from trine_sw.support.environment import child_environment

#: In no encoding of the tests at once, and half of a character that no encoding has.
SYMBOLS = ["é", "→", "字", "😀", "a", " ", "я", "\n"]
BOARD = ("--board", "ulx3s")
COMMANDS = [
    ("info", "MODEL"),
    ("info", "MODEL", "--json"),
    ("run", "MODEL", "--text", "é→字"),
    ("run", "MODEL", "--text", "é→字", "--json"),
    ("run", "MODEL", "--text", "ü"),
    ("generate", "MODEL", "--prompt", "é", "--count", 30, "--temperature", 1.5),
    ("fit", "MODEL", *BOARD),
    ("verilog", "MODEL", "--lanes", 30, "--banks", 2, "-o", "OUT"),
    ("boards",),
    ("tools",),
    ("ports", "--all"),
    ("random", "OUT/é.trine", "--dataset", "é"),
    ("eval", "MODEL", "--dataset", "é"),
    ("draw", "roofline", "-o", "OUT"),
    ("info", "nicht da: é\udcff.trine"),
    ("--help",),
]


@pytest.fixture
def odd_path(tmp_path):
    """A model whose symbols, and whose name, are in no encoding but Unicode's."""
    model = random_model(ModelConfig(hidden=6, embedding=4, vocab_size=8), seed=1)
    model.vocabulary = SYMBOLS
    path = tmp_path / "modèle 字.trine"
    model.save(path)
    return path


PROGRAM = """
import io, json, sys
from trine.cli.commands import cli
commands, ends = json.loads(sys.argv[1]), []
for command in commands:
    sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding=sys.argv[2], write_through=True)
    sys.stderr = io.TextIOWrapper(io.BytesIO(), encoding=sys.argv[2], write_through=True)
    status = 0
    try:
        cli(command, prog_name="trine")
    except SystemExit as end:
        status = end.code
    except BaseException as error:
        status = repr(error)
    said = sys.stdout.buffer.getvalue() + sys.stderr.buffer.getvalue()
    ends.append([status or 0, said.decode(sys.argv[3])])
sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
sys.stdout.write(json.dumps(ends))
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_every_command_can_say_what_it_says(odd_path, tmp_path, encoding):
    """All in one process, whose output and error have this encoding, strictly."""
    shown = "utf-8" if encoding == "ascii" else encoding  # click takes ASCII for a setting that was forgotten
    places = {"MODEL": str(odd_path), "OUT": str(tmp_path / "out é")}
    commands = [[places.get(str(word), str(word)) for word in command] for command in COMMANDS]
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands), encoding, shown],
        cwd=tmp_path,
        env=child_environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    for command, (status, said) in zip(commands, json.loads(ended.stdout), strict=True):
        assert status in (0, 1, 2) and said and "Traceback" not in said, (command, said)
    written = dict(zip(map(tuple, COMMANDS), json.loads(ended.stdout), strict=True))
    known = {symbol: symbol.encode(shown, "backslashreplace").decode(shown) for symbol in SYMBOLS}
    text = written["generate", "MODEL", "--prompt", "é", "--count", 30, "--temperature", 1.5][1]
    assert text.startswith(known["é"]) and Model.load(odd_path).vocabulary == SYMBOLS
    facts = json.loads(written["info", "MODEL", "--json"][1])
    assert facts["vocabulary"] == SYMBOLS
