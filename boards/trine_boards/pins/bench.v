// A board's oscillator, and the host at the other end of its link. PIN_WIRES declares the wires between them,
// PIN_BOARD is the instance of the board, with clk, and PIN_HOST that of the host.
// +clk_ns=N: period of the oscillator.
`timescale 1ns / 1ps
module pin_bench;
    reg clk = 0;
    `PIN_WIRES
    `PIN_BOARD
    `PIN_HOST

    real clk_ns;
    initial if (!$value$plusargs("clk_ns=%f", clk_ns)) $fatal(1, "+clk_ns is needed");
    always begin
        #(clk_ns / 2) clk = !clk;
    end
endmodule
