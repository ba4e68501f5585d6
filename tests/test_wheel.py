"""The wheel: it has all that the commands read, and works in an environment and a folder of its own."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from trine.demo import SHIPPED

PACKAGES = {"trine": "sw", "trine_sw": "sw", "trine_hw": "hw", "trine_boards": "boards"}


def kept_files() -> set[str]:
    """The files of all packages in the tree that git keeps, by their paths in the wheel."""
    shown = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", *(f"{folder}/{name}" for name, folder in PACKAGES.items())],
        check=True,
        capture_output=True,
        text=True,
    )
    return {path.partition("/")[2] for path in shown.stdout.splitlines()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (path,) = folder.glob("trine-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory) -> Path:
    """The interpreter of an environment with the wheel, and with the libraries of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    subprocess.run([*install, str(wheel)], check=True)
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    scripts = folder / "bin"
    for tool in Path(sysconfig.get_path("scripts")).glob("yowasp-*"):
        (scripts / tool.name).symlink_to(tool)
    return python


def trine(python: Path, folder: Path, *words: object) -> str:
    """What a command prints that runs in the environment of the wheel."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [str(python), *map(str, words)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_links_lead_to_files():
    links = sorted(path for path in SHIPPED.rglob("*") if path.is_symlink())
    names = [
        "board-rates.json",
        "boards.json",
        "ulx3s-shakespeare.json",
        "shakespeare-small.trine",
        "shakespeare.trine",
    ]
    assert [link.name for link in links] == names
    for link in links:
        assert link.resolve() == ROOT / link.relative_to(SHIPPED) and link.is_file()


@pytest.mark.nightly
def test_wheel_has_every_file(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert names == kept_files()
        name = "shakespeare-small.trine"
        assert archive.read(f"trine/shipped/models/{name}") == (ROOT / "models" / name).read_bytes()
    assert {"trine/py.typed", "trine_boards/60-trine.rules", "trine_boards/report/report.md.j2"} <= names


@pytest.mark.nightly
def test_installed_wheel_runs_in_another_folder(installed: Path, tmp_path: Path):
    where = trine(installed, tmp_path, "-c", "import trine; print(trine.__file__)").strip()
    assert Path(where).is_relative_to(installed.parent.parent)
    model = Path(where).parent / "shipped" / "models" / "shakespeare-small.trine"
    assert "Ternary recurrent inference" in trine(installed, tmp_path, "-m", "trine", "--help")
    assert "icebreaker" in trine(installed, tmp_path, "-m", "trine", "boards")
    assert "tokens_per_s" in trine(installed, tmp_path, "-m", "trine", "fit", model, "--board", "icebreaker")
    shown = trine(installed, tmp_path, "-m", "trine", "demo", "--count", 20)
    report = json.loads((ROOT / "docs/results/ulx3s-shakespeare.json").read_text(encoding="utf-8"))
    clock = f"{report['clock_mhz']:g} MHz"
    assert "ROMEO:" in shown and clock in shown and str(model.parent) in shown.replace("\n", "")


@pytest.mark.nightly
def test_installed_wheel_says_what_to_install(installed: Path, tmp_path: Path):
    program = (
        "import sys; sys.modules['torch'] = None\nimport trine\n"
        "try:\n    trine.nn\nexcept trine.TrineError as error:\n    print(error)\n"
    )
    shown = trine(installed, tmp_path, "-c", program).strip()
    assert shown == "trine.nn needs torch, which is missing: pip install 'trine[train]'"
