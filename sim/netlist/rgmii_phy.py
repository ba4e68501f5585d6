"""LiteEth's PHY alone at RGMII's pins of an ECP5, which sends back what it has received."""

from __future__ import annotations

from pathlib import Path

from sim.netlist.synthesis import run_tool
from trine_boards.pins.simulation import PinNetlist
from trine_boards.verify.cell_models import own_models
from trine_boards.verify.routed_ecp5 import routed_verilog
from trine_hw.link.ethernet.core import phy_verilog
from trine_sw.support.toolchain import require

__all__ = ["PORTS", "routed_phy", "source_phy"]

#: Of the top, by the names of a PHY's wires.
PORTS = ("rx_clk", "rx_ctl", "rx_data", "tx_clk", "tx_ctl", "tx_data", "rst")
_TOP = """\
module top(input clk, output rst, input rx_clk, input rx_ctl, input [3:0] rx_data,
           output tx_clk, output tx_ctl, output [3:0] tx_data);
    reg [9:0] held = 0;
    reg valid = 0;
    reg [7:0] data = 0;
    wire wire_clk, rx_dv;
    wire [7:0] rx_byte;
    assign rst = held[9];
    always @(posedge clk) if (!held[9]) held <= held + 1;
    always @(posedge wire_clk) {valid, data} <= {rx_dv, rx_byte};
    trine_ethernet_phy phy (
        .rst(!rst), .eth_clk(wire_clk),
        .gmii_rx_dv(rx_dv), .gmii_rx_data(rx_byte), .gmii_tx_en(valid), .gmii_tx_data(data),
        .rgmii_rx(rx_clk), .rgmii_rx_ctl(rx_ctl), .rgmii_rx_data(rx_data),
        .rgmii_tx(tx_clk), .rgmii_tx_ctl(tx_ctl), .rgmii_tx_data(tx_data)
    );
endmodule
"""
#: Yosys has a model of it among those of older names alone.
_PRESET = """\
module FD1S3BX (input CK, input D, input PD, output reg Q);
    always @(posedge CK or posedge PD) Q <= PD ? 1'b1 : D;
endmodule
"""
#: Those of a Colorlight 5A-75B V7.0.
_PINS = {"clk": "P6", "rst": "P5", "tx_clk": "M2", "tx_ctl": "M3", "rx_clk": "M1", "rx_ctl": "N6"}
_PINS |= {f"tx_data[{bit}]": pin for bit, pin in enumerate(("L1", "L3", "P2", "L4"))}
_PINS |= {f"rx_data[{bit}]": pin for bit, pin in enumerate(("N1", "M5", "N5", "M6"))}


def _netlist(folder: Path, verilog: str) -> PinNetlist:
    path = folder / "netlist.v"
    path.write_text(verilog, encoding="utf-8")
    return PinNetlist((path, *own_models("ecp5")), "top", "clk", 100.0)


def source_phy(folder: Path, tx_delay_ns: float, rx_delay_ns: float) -> PinNetlist:
    """The PHY as LiteEth describes it."""
    return _netlist(folder, _TOP + _PRESET + phy_verilog(tx_delay_ns, rx_delay_ns))


def routed_phy(folder: Path, tx_delay_ns: float, rx_delay_ns: float) -> PinNetlist:
    """The PHY placed and routed, in an LFE5U-25F."""
    (folder / "top.v").write_text(_TOP + phy_verilog(tx_delay_ns, rx_delay_ns), encoding="utf-8")
    script = "read_verilog top.v\nsynth_ecp5 -nodsp -top top\nwrite_json top.json\n"
    (folder / "top.ys").write_text(script, encoding="utf-8")
    run_tool(require("yosys"), ["top.ys"], folder)
    places = (f'LOCATE COMP "{port}" SITE "{pin}";\n' for port, pin in _PINS.items())
    (folder / "top.lpf").write_text("".join(places), encoding="utf-8")
    options = ["--25k", "--package", "CABGA256", "--no-tmdriv", "--timing-allow-fail", "-q"]
    files = ["--json", "top.json", "--lpf", "top.lpf", "--write", "placed.json"]
    run_tool(require("nextpnr-ecp5"), [*options, *files], folder)
    return _netlist(folder, routed_verilog(folder / "placed.json"))
