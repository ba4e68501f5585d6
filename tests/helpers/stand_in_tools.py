"""Programs that stand for the tools of a build: they write what the next step reads, in no time."""

import shlex
import sys
from pathlib import Path

__all__ = ["write_tools"]

#: Stands for every tool of a build. It ends badly where ``trouble`` lies beside it, and waits where ``wait``
#: does, or for one seed ``wait-SEED``. Each line of ``cells`` is what one design takes of a chip, and too
#: much.
_TOOL = """\
#!/bin/sh
'''exec' {python} "$0" "$@"
'''
import json, os, pathlib, sys, time
arguments, here = sys.argv[1:], pathlib.Path(__file__).parent
if arguments[0] in ("-V", "--version"):
    raise SystemExit(print("version 1.5"))
def value(option):
    return arguments[arguments.index(option) + 1]
if __file__.endswith("yosys"):
    pathlib.Path("top.json").write_bytes(pathlib.Path("top.il").read_bytes())
elif __file__.endswith("nextpnr-ecp5"):
    if (here / "trouble").exists():
        raise SystemExit("ERROR: Unable to place cell 'lane'")
    if (here / "cells").exists() and (cells := (here / "cells").read_text().split()):
        (here / "cells").write_text(" ".join(cells[1:]))
        print(f"Info: \t        TRELLIS_COMB: {{cells[0]:>7}}/  83640   107%")
        raise SystemExit("ERROR: Failed to expand region (0, 0) |_> (25, 31)")
    if (here / "wait").exists() or (here / f"wait-{{value('--seed')}}").exists():
        pathlib.Path(value("--textcfg")).write_text("half")
        (here / "waiting").touch()
        time.sleep(600)
    used = ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D")
    seed = int(value("--seed"))
    if (here / f"trouble-{{seed}}").exists():
        raise SystemExit(f"ERROR: seed {{seed}} finds no place")
    with (here / "placed").open("a") as file:
        file.write(f"{{seed}}\\n")
    # 101.5 MHz with seed 1, and the most with seed 3.
    achieved = 101.5 + (seed - 1) * (5 - seed)
    report = {{"fmax": {{"engine_clk": {{"achieved": achieved, "constraint": 84.0}}}}}}
    report["utilization"] = {{name: {{"used": index}} for index, name in enumerate(used)}}
    pathlib.Path(value("--report")).write_text(json.dumps(report))
    pathlib.Path(value("--log")).write_text("Info: Routing complete.")
    if "--write" in arguments:
        pathlib.Path(value("--write")).write_text("{{}}")
    routed = "routed " + os.environ["TEST_MHZ"] + f" by {{seed}}" * (seed > 1)
    pathlib.Path(value("--textcfg")).write_text(routed)
else:
    pathlib.Path(value("--bit")).write_bytes(pathlib.Path(value("--input")).read_bytes())
"""


def write_tools(folder: Path) -> None:
    """Write yosys, nextpnr-ecp5 and ecppack into a new folder."""
    folder.mkdir()
    for name in ("yosys", "nextpnr-ecp5", "ecppack"):
        (folder / name).write_text(_TOOL.format(python=shlex.quote(sys.executable)), encoding="utf-8")
        (folder / name).chmod(0o755)
