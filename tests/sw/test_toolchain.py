"""The choice of tools: a native one on PATH comes first, unless it is too old."""

import shutil
import subprocess

import pytest

from trine_sw.support import toolchain
from trine_sw.support.errors import TrineError


@pytest.fixture
def native(monkeypatch, tmp_path):
    """Puts an executable in front of PATH, which prints a version."""
    toolchain.find.cache_clear()

    def put(name: str, shown: str) -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho '{shown}'\n", encoding="utf-8")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return str(path)

    yield put
    toolchain.find.cache_clear()


def test_a_native_tool_comes_first(native):
    path = native("yosys", "Yosys 0.69+12 (git sha1 0123456)")
    tool = toolchain.require("yosys")
    assert (tool.command, tool.source) == ((path,), "native")


@pytest.mark.parametrize(
    ("name", "shown", "oldest"),
    [("yosys", "Yosys 0.23 (git sha1 7ce5011c24b)", "0.69"), ("verilator", "Verilator 5.006 2023", "5.036")],
)
def test_an_old_one_is_passed_over(native, monkeypatch, name, shown, oldest):
    path = native(name, shown)
    tool = toolchain.find(name)
    assert tool is None or tool.command != (path,)
    monkeypatch.setattr(toolchain, "_package_folder", lambda package: None)
    monkeypatch.setattr(toolchain.sysconfig, "get_path", lambda which: "/nowhere")
    toolchain.find.cache_clear()
    with pytest.raises(TrineError, match=rf"{name} \(at least {oldest}\) is missing.*pip install"):
        toolchain.require(name)


def test_what_is_no_such_tool_is_passed_over(native, tmp_path):
    path = native("yosys", "")
    (tmp_path / "yosys").write_text(
        "#!/bin/sh\necho yosys: cannot open shared object file; exit 127\n", encoding="utf-8"
    )
    tool = toolchain.find("yosys")
    assert tool is None or tool.command != (path,)


def test_a_tool_that_fails_is_said_in_one_message(native, fails, model_path, tmp_path, monkeypatch):
    monkeypatch.setenv("YOSYS", "/nonexistent")  # no variable names a tool
    path = native("yosys", "Yosys 0.69")
    (tmp_path / "yosys").write_text(
        '#!/bin/sh\n[ "$1" = -V ] && echo Yosys 0.69 || { echo "ERROR: no licence" >&2; exit 1; }\n',
        encoding="utf-8",
    )
    engine = ("--lanes", 30, "--banks", 2, "-o", tmp_path / "out")
    said = ("yosys 0.69 (native) could not write the Verilog", "ERROR: no licence")
    fails("verilog", model_path, *engine, saying=said)
    assert toolchain.require("yosys").command == (path,)


@pytest.mark.usefixtures("native")
def test_verilator_s_makefiles_need_no_command_python(tmp_path, monkeypatch):
    make = shutil.which("make") or "make"
    monkeypatch.setenv("PATH", str(tmp_path))
    rule = "show:\n\t@$(VERILATOR_INCLUDER) -DVL_INCLUDE_OPT=include a.cpp\n"
    (tmp_path / "Makefile").write_text(
        f"include $(VERILATOR_ROOT)/include/verilated.mk\n{rule}", encoding="utf-8"
    )
    verilator = toolchain.find("verilator")
    assert verilator is not None
    environ = verilator.environ()
    shown = subprocess.run([make, "-s", "show"], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert '"a.cpp"' in shown.stdout, shown.stderr


def test_verilator_runs_from_a_folder_with_a_blank_in_its_path(monkeypatch, tmp_path):
    """Its script resolves links, so that it has to be a copy."""
    package = toolchain._package_folder("verilator")
    if package is None:
        pytest.skip("the package verilator is not installed")
    folder = tmp_path / "a b" / "verilator"
    shutil.copytree(package, folder)
    monkeypatch.setattr(toolchain, "_package_folder", lambda name: folder)
    tool = toolchain._verilator()
    assert tool is not None
    (tmp_path / "top.v").write_text("module top(output o); assign o = 1; endmodule\n", encoding="utf-8")
    subprocess.run(
        [*tool.command, "--lint-only", "top.v"], cwd=tmp_path, env=tool.environ(), check=True, timeout=300
    )
