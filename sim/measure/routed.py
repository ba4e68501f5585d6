"""Engines of the reports of routed boards, as the commands in the reports make them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from trine.cli.build import design_of_command
from trine.designs import Design
from trine_sw.engine import EngineConfig

__all__ = ["ASKED", "design_of", "report_of", "routed_design", "simulated_engine"]

_ROOT = Path(__file__).resolve().parents[2]
#: What is asked of each token where rates of fast links are measured, by report.
ASKED = {"ulx3s-shakespeare": "choice", "ecpix5-85f-ptb-lstm-300": "h"}


def report_of(name: str) -> dict[str, Any]:
    """The report ``docs/results/NAME.json``."""
    return json.loads((_ROOT / f"docs/results/{name}.json").read_text(encoding="utf-8"))


def design_of(report: Mapping[str, Any]) -> Design:
    """The design of a report: model, engine, board with its link, clock.

    Raises
    ------
    TrineError
        If the board does not hold the model any more.
    """
    with chdir(_ROOT):  # the command names the model's file as it is from there
        return design_of_command(report["command"])


@cache
def routed_design(name: str) -> Design:
    """:func:`design_of` the report of this name."""
    return design_of(report_of(name))


def simulated_engine(name: str) -> EngineConfig:
    """The engine of a report, as fast in each cycle, without memories that only one maker's chips have."""
    return replace(routed_design(name).fit.engine, block_ram="inferred")
