"""No text file is read or written in the locale's encoding: every call names one."""

import ast

import pytest

from tests.helpers.paths import ROOT

FOLDERS = ("sw", "hw", "boards", "sim", "tests")
SOURCES = [ROOT / "conftest.py", *(path for name in FOLDERS for path in (ROOT / name).rglob("*.py"))]
#: Where the mode is among the arguments that are given by position.
MODE = {"open": 1, "fdopen": 1, "NamedTemporaryFile": 0, "TemporaryFile": 0, "SpooledTemporaryFile": 1}


def unnamed(source: str) -> list[ast.Call]:
    """Calls that open, read or write text and name no encoding."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call for call in calls if _is_text(call) and not _names_encoding(call)]


def _names_encoding(call: ast.Call) -> bool:
    return any(keyword.arg in ("encoding", None) for keyword in call.keywords)


def _is_text(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Attribute):
        name = function.attr
        if name in ("read_text", "write_text"):
            return True
        if name == "open":  # a path's
            mode = _mode(call, 0)
            return _is_path(function.value) if mode is None else _is_mode(mode)
    else:
        name = getattr(function, "id", "")
    if name not in MODE:
        return False
    mode = _mode(call, MODE[name])
    if mode is None:
        return name in ("open", "fdopen")  # temporary files are binary
    return not isinstance(mode, ast.Constant) or _is_mode(mode)


def _mode(call: ast.Call, position: int) -> ast.expr | None:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    return (named + call.args[position : position + 1] or [None])[0]


def _is_mode(mode: ast.expr) -> bool:
    value = getattr(mode, "value", None)
    return isinstance(value, str) and bool(value) and set(value) <= set("rwaxt+")


def _is_path(value: ast.expr) -> bool:
    """Whether an expression is a path, as far as its form says."""
    return ast.unparse(value).split("(")[0].lower().endswith("path") or isinstance(value, ast.BinOp)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("open(p)", True),
        ("open(p, 'w')", True),
        ("open(p, mode=m)", True),
        ("open(p, 'rb')", False),
        ("open(p, encoding='utf-8')", False),
        ("p.read_text()", True),
        ("p.read_text(errors='replace')", True),
        ("(a / b).write_text(t)", True),
        ("p.write_text(t, encoding='utf-8')", False),
        ("p.read_bytes()", False),
        ("p.open('a')", True),
        ("p.open('wb')", False),
        ("path.open()", True),
        ("Path(p).open()", True),
        ("(a / 'b').open()", True),
        ("Board.open('/dev/ttyUSB0')", False),
        ("wires.open()", False),
        ("NamedTemporaryFile('w')", True),
        ("NamedTemporaryFile()", False),
        ("os.fdopen(n, 'w')", True),
        ("open(p, **options)", False),
    ],
)
def test_calls_are_recognised(code, found):
    assert bool(unnamed(code)) == found


def test_every_text_file_has_a_named_encoding():
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in SOURCES
        for call in unnamed(path.read_text(encoding="utf-8"))
    ]
    assert len(SOURCES) > 150 and not found, "\n".join(found)
