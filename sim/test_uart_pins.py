"""The UART's pins under cocotb: a host's clock off by 2 %, glitches, breaks, framing errors, lost bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.uart.pins import run_uart_tests


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_uart_at_its_pins(simulator: str, tmp_path: Path) -> None:
    ran, failed = run_uart_tests(simulator, tmp_path)
    assert (ran, failed) == (9, 0), (tmp_path / "simulation.log").read_text(encoding="utf-8")[-2000:]
